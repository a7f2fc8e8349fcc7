"""A recommender: a scorer of known items, the content bridge to new ones, and no user. A user is a history.

As a checkpoint (``mmcli/checkpoint@1``, task ``rank``) it is tensors and one JSON object: the ids of the items, the
method with its settings, what each modality's content is made of, the Gram matrix that new events are added to.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import ArtifactError, InputError, UsageError
from mmcli.fusion.fitting import fitting, matching
from mmcli.ranking import content
from mmcli.ranking.content import Array, Modality
from mmcli.ranking.scorer import Scorer, Sum

TASK = "rank"
_MOST_COLUMNS = 64_000_000  # numbers of the matrix known x new items that are kept ready, 256 MB


@dataclass(eq=False)
class Bridge:
    """``modalities`` as fitted, ``vectors`` of all items ``(items, width)``, ``weights`` of each, ``known`` and
    ``marks`` (landmarks) int64 item numbers, ``regression`` float32 ``(known, marks)``.
    """

    modalities: dict[str, Modality]
    vectors: dict[str, Array]
    weights: dict[str, float]
    mu: float
    known: NDArray[np.int64]
    marks: NDArray[np.int64]
    regression: Array
    alone: dict[str, float] = field(default_factory=dict)

    def kernels(self, vectors: Mapping[str, Array]) -> dict[str, Array]:
        """Of each modality its weighted kernel, float32 ``(marks, items asked for)``."""
        return {
            name: np.float32(weight) * content.kernel(self.vectors[name][self.marks], vectors[name])
            for name, weight in self.weights.items()
        }


@dataclass(eq=False)
class Recommender:
    """``items``: the ids in order; ``scorer``: of known items; ``bridge``: to the others, or None; ``new_scale``: what
    the scores of new items are multiplied by, the room they get; ``config``: what the checkpoint says beside.
    """

    items: list[str]
    scorer: Scorer | Sum
    bridge: Bridge | None = None
    new_scale: float = 1.0
    gram: Any = None
    config: dict[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def place(self) -> dict[str, int]:
        """The number of each item."""
        return {name: i for i, name in enumerate(self.items)}

    @functools.cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which items had events, bool ``(items,)``."""
        return np.asarray(self.scorer.popularity > 0)

    @functools.cached_property
    def new(self) -> NDArray[np.int64]:
        """The items without events that content can place."""
        if self.bridge is None:
            return np.zeros(0, np.int64)
        there = np.zeros(len(self.items), bool)
        for name in self.bridge.weights:
            there |= self.bridge.vectors[name].any(1)
        return np.flatnonzero(there & ~self.known).astype(np.int64)

    @functools.cached_property
    def _columns(self) -> tuple[Array, ...]:
        """What takes scores of known items to scores of new ones: one matrix, or two where one were too large."""
        assert self.bridge is not None
        own = {name: vectors[self.new] for name, vectors in self.bridge.vectors.items()}
        kernel = np.asarray(sum(self.bridge.kernels(own).values()), np.float32)
        if len(self.bridge.known) * len(self.new) <= _MOST_COLUMNS:
            return (self.bridge.regression @ kernel,)
        return self.bridge.regression, kernel

    def histories(self, users: Sequence[Sequence[int]]) -> sp.csr_matrix:
        """Lists of item numbers as csr ``(users, items)``."""
        indptr = np.cumsum([0, *map(len, users)])
        indices = np.array([i for user in users for i in user], np.int64)
        ones = np.ones(len(indices), np.float32)
        return sp.csr_matrix((ones, indices, indptr), shape=(len(users), len(self.items)))

    def scores(self, histories: Any) -> Array:
        """csr ``(users, items)`` to float32 ``(users, items)``; -inf for items that nothing is known of.

        Who has met nothing gets the most popular items.
        """
        scores = self.scorer.scores(histories)
        empty = np.diff(histories.indptr) == 0
        if empty.any():
            popularity = self.scorer.popularity
            scores[empty] = popularity / max(1.0, float(popularity.max(initial=1)))
        if len(self.new):
            assert self.bridge is not None
            part = scores[:, self.bridge.known]
            for matrix in self._columns:
                part = part @ matrix
            scores[:, self.new] = np.float32(self.new_scale) * part
        nothing = ~self.known
        nothing[self.new] = False
        scores[:, nothing] = -np.inf
        return scores

    def score_content(self, histories: Any, vectors: Mapping[str, Array]) -> Array:
        """The scores of items outside the catalogue by their content vectors, float32 ``(users, items)``."""
        return np.float32(self.new_scale) * np.asarray(sum(self._by_modality(histories, vectors).values()), np.float32)

    def _by_modality(self, histories: Any, vectors: Mapping[str, Array]) -> dict[str, Array]:
        if self.bridge is None:
            raise InputError("the model has no content to place new items by", hint="train it with ITEMS.npz")
        smooth = self.scorer.scores(histories)[:, self.bridge.known] @ self.bridge.regression
        return {name: np.asarray(smooth @ kernel, np.float32) for name, kernel in self.bridge.kernels(vectors).items()}

    def vectors_of(self, data: Dataset) -> dict[str, Array]:
        """The content vectors of the items of a data set, by modality; zero where a modality is absent."""
        if self.bridge is None:
            raise InputError("the model has no content to place new items by", hint="train it with ITEMS.npz")
        raw = content.raw_of(self.on_scale(data))
        result = {}
        for name, modality in self.bridge.modalities.items():
            width = self.bridge.vectors[name].shape[1]
            if name in raw:
                result[name] = modality.vectors(raw[name][0], raw[name][1])
            else:
                result[name] = np.zeros((data.items, width), np.float32)
        if not any(result[name].any() for name in self.bridge.weights):
            raise InputError(f"holds none of the modalities that place new items: {', '.join(self.bridge.weights)}")
        return result

    def on_scale(self, data: Dataset) -> Dataset:
        """The model's streams of a data set, under the model's names and on the scale it was trained on."""
        streams = {}
        for name, meta in self.config["modalities"].items():
            there = matching(data, name, meta)
            if there is not None:
                streams[name] = fitting(data, there, content.Facts.told(meta), meta, "the model")
        return Dataset(streams, data.id, data.split, data.group)

    def because(
        self, history: NDArray[np.int64], item: int, vectors: Mapping[str, Array] | None = None
    ) -> dict[str, Any]:
        """The exact parts of a score: ``{"history": {item: share}, "modalities": {name: share}}``; each sums to it.

        ``vectors`` are those of the item, one row each, where it is outside the catalogue.
        """
        target = np.zeros(len(self.items), np.float32)
        parts: dict[str, float] = {}
        if vectors is None and self.known[item]:
            target[item] = 1
        else:
            if self.bridge is None:
                raise InputError("the model has no content to explain new items by")
            own = vectors or {name: v[item : item + 1] for name, v in self.bridge.vectors.items()}
            by_modality = self._by_modality(self.histories([history.tolist()]), own)
            parts = {name: float(self.new_scale * score[0, 0]) for name, score in by_modality.items()}
            kernel = np.asarray(sum(self.bridge.kernels(own).values()), np.float32)[:, 0]
            target[self.bridge.known] = np.float32(self.new_scale) * (self.bridge.regression @ kernel)
        shares = map(float, self.scorer.shares(history, target))
        reasons: dict[str, Any] = {"history": dict(zip((self.items[i] for i in history), shares, strict=True))}
        return reasons | ({"modalities": parts} if parts else {})


def dumps(model: Recommender) -> checkpoint.Checkpoint:
    """The model as a checkpoint: float32 tensors, int32 and int64 indices, one JSON object."""
    import torch

    arrays: dict[str, Any] = {}
    scorers = model.scorer.scorers if isinstance(model.scorer, Sum) else [model.scorer]
    weights = model.scorer.weights if isinstance(model.scorer, Sum) else [1.0]
    told = []
    for i, (scorer, weight) in enumerate(zip(scorers, weights, strict=True)):
        arrays["popularity"] = scorer.popularity
        for name in ("matrix", "factors", "inputs"):
            if (array := getattr(scorer, name)) is not None:
                _keep(arrays, f"{i}/{name}", array)
        told.append({"weight": weight, "fold": scorer.fold, "alpha": scorer.alpha, "reg": scorer.reg})
    if model.gram is not None:
        _keep(arrays, "gram", sp.triu(model.gram, format="csr"))
    bridge = None
    if model.bridge is not None:
        own = model.bridge
        arrays |= {"bridge/known": own.known, "bridge/marks": own.marks, "bridge/regression": own.regression}
        for name, modality in own.modalities.items():
            arrays |= {f"content/{name}/center": modality.center, f"content/{name}/scale": modality.scale}
            arrays[f"content/{name}/vectors"] = own.vectors[name]
            if modality.axes is not None:
                arrays[f"content/{name}/axes"] = modality.axes
        facts = {n: {"kind": m.kind, "shape": m.shape, "vocabulary": m.vocabulary} for n, m in own.modalities.items()}
        bridge = {"weights": own.weights, "mu": own.mu, "alone": own.alone, "modalities": facts}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    inner = {"name": "ranking", "items": model.items, "scorers": told, "bridge": bridge, "new_scale": model.new_scale}
    config = model.config | {"task": TASK, "classes": None}
    config["model"] = model.config.get("model", {}) | inner
    return checkpoint.Checkpoint(tensors, config)


def save(path: Path | str, model: Recommender) -> str:
    """Write a model; returns the file's SHA-256."""
    return checkpoint.save(path, dumps(model))


def load(path: Path | str) -> Recommender:
    """Read a model, checked. Raises :class:`ArtifactError`."""
    arrays, config = checkpoint.load_arrays(path)
    name, told = str(path), config["model"]
    if config["task"] != TASK:
        raise ArtifactError(f"is a model of task {config['task']}, not of rank", source=name)
    try:
        items = [str(item) for item in told["items"]]
        n = len(items)
        scorers = []
        for i, part in enumerate(told["scorers"]):
            parts = {key: _kept(arrays, f"{i}/{key}", n) for key in ("matrix", "factors", "inputs")}
            settings = {key: part[key] for key in ("fold", "alpha", "reg")}
            scorers.append(Scorer(_shaped(arrays["popularity"], n), **parts, **settings))
        weights = [float(part["weight"]) for part in told["scorers"]]
        scorer = scorers[0] if len(scorers) == 1 else Sum(scorers, weights)
        half = _kept(arrays, "gram", n)
        gram = None if half is None else sp.csr_matrix(half + sp.triu(half, 1).T)
        bridge = None if told["bridge"] is None else _bridge(arrays, told["bridge"], n)
        return Recommender(items, scorer, bridge, float(told["new_scale"]), gram, config)
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise ArtifactError(f"is no whole ranking model ({problem})", source=name) from problem


def _bridge(arrays: Mapping[str, Any], told: Mapping[str, Any], n: int) -> Bridge:
    modalities: dict[str, Modality] = {}
    vectors: dict[str, Array] = {}
    for key, facts in told["modalities"].items():
        center, scale = (arrays[f"content/{key}/{part}"] for part in ("center", "scale"))
        axes = arrays.get(f"content/{key}/axes")
        modalities[key] = Modality(center, scale, axes, facts["shape"], facts["kind"], facts["vocabulary"])
        vectors[key] = _shaped(arrays[f"content/{key}/vectors"], n)
    known, marks = (np.asarray(arrays[f"bridge/{part}"], np.int64) for part in ("known", "marks"))
    regression = _shaped(arrays["bridge/regression"], len(known))
    if any(len(a) and not 0 <= a.min() <= a.max() < n for a in (known, marks)) or regression.shape[1] != len(marks):
        raise ValueError("items that are not there")
    weights = {str(k): float(v) for k, v in told["weights"].items()}
    return Bridge(modalities, vectors, weights, float(told["mu"]), known, marks, regression, dict(told["alone"]))


def _keep(arrays: dict[str, Any], name: str, array: Any) -> None:
    if not sp.issparse(array):
        arrays[name] = array
        return
    array = array.tocsr()
    arrays[f"{name}/data"] = array.data.astype(np.float32)
    arrays[f"{name}/indices"] = array.indices.astype(np.int32)
    arrays[f"{name}/indptr"] = array.indptr.astype(np.int64)


def _kept(arrays: Mapping[str, Any], name: str, n: int) -> Any:
    if name in arrays:
        return _shaped(arrays[name], n)
    if f"{name}/data" not in arrays:
        return None
    parts = tuple(arrays[f"{name}/{part}"] for part in ("data", "indices", "indptr"))
    matrix = sp.csr_matrix(parts, shape=(n, n))
    matrix.check_format(full_check=True)
    return matrix


def _shaped(array: Any, rows: int) -> Any:
    if array.shape[:1] != (rows,):
        raise ValueError(f"a tensor of {array.shape} for {rows} items")
    return array


WIDTH = 128


def vectors(model: Recommender, width: int = WIDTH) -> Array:
    """Vectors of items for other programs (faiss, usearch, Gorse, a vector store), float32 ``(items, width)``.

    Factors as they are; of a matrix its principal right factors, so that inner products with ``mean`` histories are
    close to its scores. New items get theirs through the content bridge.
    """
    scorers = model.scorer.scorers if isinstance(model.scorer, Sum) else [model.scorer]
    weights = model.scorer.weights if isinstance(model.scorer, Sum) else [1.0]
    points = np.hstack([np.float32(w) * _points(s, width) for s, w in zip(scorers, weights, strict=True)])
    if len(model.new):
        bridge = model.bridge
        assert bridge is not None
        own = {name: v[model.new] for name, v in bridge.vectors.items()}
        kernel = np.asarray(sum(bridge.kernels(own).values()), np.float32)
        points[model.new] = (bridge.regression @ kernel).T @ points[bridge.known]
    return np.ascontiguousarray(points, np.float32)


def _points(scorer: Scorer, width: int) -> Array:
    if scorer.factors is not None:
        return scorer.factors
    if scorer.matrix is None:
        raise UsageError("most popular items have no vectors", hint="train with another --method")
    from scipy.sparse.linalg import svds

    matrix = sp.csr_matrix(scorer.matrix)
    k = min(width, min(matrix.shape) - 1)
    _, size, right = svds(matrix, k=k, random_state=0)
    return np.asarray((right * size[:, None]).T, np.float32)
