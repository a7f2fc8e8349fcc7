"""Small models in numpy, for one item at a time and without torch.

Getting torch into a process takes a second and 200 MB, and at each product of some hundred numbers it takes ten times
as long as the product. Networks whose encoders are all ``mlp``, kernel machines and linear maps over vectors and
sequences, and stacks of these are computed here, from the weights that their twins in :mod:`.network`, :mod:`.kernel`,
:mod:`.affine` and :mod:`.factory` learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import ArtifactError

Vector = NDArray[np.float32]

SEGMENTS = 8  # parts of a sequence that a kernel machine describes it by
SEQUENCES = ("sequence", "spectrogram")
BLOCKS = ("concat", "mean", "weighted", "gated", "late")


class Part(Protocol):
    """A network or kernel machine of which answers are made. ``names`` are the modalities that it reads."""

    names: list[str]

    def encode(self, name: str, values: Vector) -> Any:
        """The code of a modality from its frames ``(frames, numbers)``."""

    def answer(self, codes: Mapping[str, Any]) -> Vector:
        """Logits ``(outputs,)`` of an item of which these modalities are there."""


def fits(model: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    """Whether numpy is enough for the model of a configuration; ``kinds`` of its modalities by their name."""
    if model.get("name") != "stack":
        return _fits(model, kinds)
    members = model.get("members")
    if not isinstance(members, list) or not all(isinstance(m, Mapping) for m in members):
        return False
    said = [m.get("model") for m in members if m.get("weight") != 0 or m.get("fallback") is True]
    return bool(said) and all(isinstance(m, Mapping) and _fits(m, kinds) for m in said)


def _fits(model: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    parts = model.get("modalities")
    if not isinstance(parts, list) or not all(isinstance(p, Mapping) and p.get("name") in kinds for p in parts):
        return False
    if model.get("name") in ("kernel", "affine"):
        return all(kinds[p["name"]] in ("vector", *SEQUENCES) for p in parts)
    head, fusion = model.get("head"), model.get("fusion")
    if "context" in model:
        return False
    if model.get("name") != "network" or not isinstance(head, Mapping) or not isinstance(fusion, Mapping):
        return False
    sizes = [p.get("config") for p in parts]
    return (
        fusion.get("name") in BLOCKS
        and all(p.get("encoder") == "mlp" for p in parts)
        and all(isinstance(s, Mapping) and {"inputs", "width", "hidden"} <= s.keys() for s in sizes)
        and {"outputs", "hidden"} <= head.keys()
    )


def built(model: Mapping[str, Any], taken: Arrays, at: str = "") -> Part:
    """A model that :func:`fits`, but no stack, of the arrays whose names begin with ``at``."""
    kinds: dict[str, type[Kernels] | type[Maps]] = {"kernel": Kernels, "affine": Maps}
    return kinds.get(str(model["name"]), Perceptrons)(model, taken, at)


class Arrays:
    """Arrays of a checkpoint; each has to be asked for once, with the shape that the configuration makes it."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], source: str) -> None:
        self.left, self.source = dict(arrays), source

    def take(self, name: str, *shape: int) -> NDArray[Any]:
        """The array. Raises :class:`ArtifactError` where there is none, or it has another shape."""
        if name not in self.left:
            raise ArtifactError(f"tensor {name[:60]!r} is missing", source=self.source)
        array = self.left.pop(name)
        if array.shape != shape:
            what = f"tensor {name[:60]!r} has shape {array.shape}; its config makes it {shape}"
            raise ArtifactError(what, source=self.source)
        return array if array.dtype.kind == "b" else np.asarray(array, np.float32)

    def linear(self, name: str, inputs: int, outputs: int) -> Callable[[Vector], Vector]:
        """A linear layer with bias."""
        weight = np.ascontiguousarray(self.take(f"{name}.weight", outputs, inputs).T)
        bias = self.take(f"{name}.bias", outputs)
        return lambda x: x @ weight + bias

    def finish(self, spare: str | None = None) -> None:
        """Raises :class:`ArtifactError` for arrays that nobody took, but for those whose names begin with ``spare``."""
        odd = [name for name in self.left if spare is None or not name.startswith(spare)]
        if odd:
            what = f"tensor {min(odd)[:60]!r} does not go with the model of its config"
            raise ArtifactError(what, source=self.source)


class Perceptrons:
    """A network of ``mlp`` encoders and one of :data:`BLOCKS`: the code is the encoder's vector ``(width,)``."""

    def __init__(self, model: Mapping[str, Any], taken: Arrays, at: str) -> None:
        self.names = [str(part["name"]) for part in model["modalities"]]
        sizes = [part["config"] for part in model["modalities"]]
        self.width, count = int(sizes[0]["width"]), len(sizes)
        self.encoders = {
            name: _mlp(taken, f"{at}encoders.{i}", int(s["inputs"]), int(s["hidden"]), self.width)
            for i, (name, s) in enumerate(zip(self.names, sizes, strict=True))
        }
        outputs, hidden = int(model["head"]["outputs"]), int(model["head"]["hidden"])
        self.block = str(model["fusion"]["name"])
        self.fuse, fused = _block(self.block, taken, f"{at}fusion", count, self.width, outputs)
        decides = self.block == "late"
        alone = model.get("auxiliary") is True or decides
        heads = [_head(taken, f"{at}alone.{i}", self.width, 0, outputs) for i in range(count) if alone]
        self.alone = heads if decides else []
        self.head = None if decides else _head(taken, f"{at}head", fused, hidden, outputs)

    def encode(self, name: str, values: Vector) -> Vector:
        """As of :class:`Part`."""
        return self.encoders[name](values.mean(axis=0))

    def answer(self, codes: Mapping[str, Any]) -> Vector:
        """As of :class:`Part`."""
        there = np.array([name in codes for name in self.names])
        nothing = np.zeros(self.width, np.float32)
        vectors = np.stack([codes.get(name, nothing) for name in self.names])
        if self.head is None:
            return self.fuse(np.stack([head(v) for head, v in zip(self.alone, vectors, strict=True)]), there)
        return self.head(self.fuse(vectors, there))


def _mlp(taken: Arrays, at: str, inputs: int, hidden: int, width: int) -> Callable[[Vector], Vector]:
    direct = taken.linear(f"{at}.direct", inputs, width)
    inner, out = taken.linear(f"{at}.hidden", inputs, hidden), taken.linear(f"{at}.out", hidden, width)
    return lambda x: np.maximum(direct(x) + out(np.maximum(inner(x), 0)), 0)


def _head(taken: Arrays, at: str, width: int, hidden: int, outputs: int) -> Callable[[Vector], Vector]:
    direct = taken.linear(f"{at}.direct", width, outputs)
    if not hidden:
        return direct
    inner, out = taken.linear(f"{at}.hidden", width, hidden), taken.linear(f"{at}.out", hidden, outputs)
    return lambda x: direct(x) + out(np.maximum(inner(x), 0))


Fuse = Callable[[Vector, NDArray[np.bool_]], Vector]


def _block(name: str, taken: Arrays, at: str, count: int, width: int, outputs: int) -> tuple[Fuse, int]:
    """A fusion block for one item, vectors ``(modalities, width)`` and which are there, and the width of its answer."""
    if name == "concat":
        absent = taken.take(f"{at}.absent", count, width)
        return lambda v, there: np.where(there[:, None], v, absent).ravel(), count * width
    if name == "late":
        return _late(taken, at, count, outputs), outputs
    weight, bias = taken.take(f"{at}.maps.weight", count, width, width), taken.take(f"{at}.maps.bias", count, width)

    def mapped(v: Vector, there: NDArray[np.bool_]) -> Vector:
        return np.where(there[:, None], np.matmul(v[:, None], weight)[:, 0] + bias, np.float32(0))

    if name == "mean":
        return lambda v, there: mapped(v, there).sum(axis=0) / np.float32(max(1, there.sum())), width
    if name == "weighted":
        scores = taken.take(f"{at}.scores", count)
        return lambda v, there: softmax(np.where(there, scores, -np.inf), axis=0) @ mapped(v, there), width
    gate = taken.linear(f"{at}.gate", count * width, count * width)

    def gated(v: Vector, there: NDArray[np.bool_]) -> Vector:
        gates = softmax(np.where(there[:, None], gate(v.ravel()).reshape(count, width), -np.inf), axis=0)
        return np.asarray((gates * mapped(v, there)).sum(axis=0), np.float32)

    return gated, width


def _late(taken: Arrays, at: str, count: int, outputs: int) -> Fuse:
    weights = np.log1p(np.exp(taken.take(f"{at}.scale", count)))
    prior = taken.take(f"{at}.prior", outputs)

    def fuse(logits: Vector, there: NDArray[np.bool_]) -> Vector:
        weight = (weights * there)[:, None]
        if outputs == 1:
            return np.asarray((logits * weight).sum(axis=0) / max(float(weight.sum()), 1e-6) + prior, np.float32)
        start = log_softmax(prior)
        evidence = (log_softmax(logits) - start) * weight
        return np.asarray(evidence[there].sum(axis=0) + start, np.float32)

    return fuse


def softmax(x: Vector, axis: int) -> Vector:
    """Along an axis; zeros where every entry is -inf."""
    top = x.max(axis=axis, keepdims=True)
    e = np.exp(x - np.where(np.isfinite(top), top, 0))
    return np.asarray(e / np.maximum(e.sum(axis=axis, keepdims=True), 1e-30), np.float32)


def log_softmax(x: Vector) -> Vector:
    """Along the last axis."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), np.float32)


class Kernels:
    """A kernel machine: the code is how similar the modality is to each training item's, ``(rows,)``."""

    def __init__(self, model: Mapping[str, Any], taken: Arrays, at: str) -> None:
        self.names = [str(part["name"]) for part in model["modalities"]]
        count, outputs = int(model["rows"]), int(model["outputs"])
        self.gain = float(model.get("gain", 1.0))
        self.sides: dict[str, tuple[Any, ...]] = {}
        there = taken.take(f"{at}there", count, len(self.names))
        for i, part in enumerate(model["modalities"]):
            width = prod(part["shape"]) * (1 if part["kind"] == "vector" else SEGMENTS + 1)
            center, scale = taken.take(f"{at}center_{i}", width), taken.take(f"{at}scale_{i}", width)
            rows = taken.take(f"{at}rows_{i}", count, width)
            side = (part["kind"], float(part["gamma"]) / width, center, scale, rows, (rows**2).sum(axis=1), there[:, i])
            self.sides[self.names[i]] = side
        self.weights = taken.take(f"{at}weights", count, outputs)
        self.bias = taken.take(f"{at}bias", outputs)
        self.nothing = np.zeros(count, np.float32)

    def encode(self, name: str, values: Vector) -> Vector:
        """As of :class:`Part`."""
        kind, gamma, center, scale, rows, squares, there = self.sides[name]
        x = (described(values, kind) - center) / scale
        distances = np.maximum(squares + np.float32(x @ x) - 2 * (rows @ x), 0)
        return np.asarray(np.exp(-gamma * distances) * there, np.float32)

    def answer(self, codes: Mapping[str, Any]) -> Vector:
        """As of :class:`Part`."""
        total = sum((codes[name] for name in self.names if name in codes), self.nothing)
        return np.asarray(self.gain * (total @ self.weights + self.bias), np.float32)


class Maps:
    """A sum of linear maps: the code is what the modality adds to the logits, ``(outputs,)``."""

    def __init__(self, model: Mapping[str, Any], taken: Arrays, at: str) -> None:
        self.names = [str(part["name"]) for part in model["modalities"]]
        outputs = int(model["outputs"])
        self.sides: dict[str, tuple[Any, ...]] = {}
        for i, part in enumerate(model["modalities"]):
            width = prod(part["shape"]) * (1 if part["kind"] == "vector" else SEGMENTS + 1)
            center, scale = taken.take(f"{at}center_{i}", width), taken.take(f"{at}scale_{i}", width)
            self.sides[self.names[i]] = part["kind"], center, scale, taken.take(f"{at}weights_{i}", width, outputs)
        self.bias = taken.take(f"{at}bias", outputs)

    def encode(self, name: str, values: Vector) -> Vector:
        """As of :class:`Part`."""
        kind, center, scale, weights = self.sides[name]
        return np.asarray(((described(values, kind) - center) / scale) @ weights, np.float32)

    def answer(self, codes: Mapping[str, Any]) -> Vector:
        """As of :class:`Part`."""
        return np.asarray(sum((codes[name] for name in self.names if name in codes), self.bias), np.float32)


def described(values: Vector, kind: str) -> Vector:
    """Frames ``(frames, numbers)`` as a kernel machine sees them: a vector itself; of a sequence means in
    :data:`SEGMENTS` parts of equal length, and standard deviations.

    >>> [round(float(v), 2) for v in described(np.arange(8, dtype=np.float32)[:, None], "sequence")]
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 2.29]
    """
    if kind == "vector":
        return np.asarray(values[0])
    edges = np.arange(SEGMENTS + 1) * len(values) // SEGMENTS
    means = [values[a : max(b, a + 1)].mean(axis=0) for a, b in pairwise(edges)]
    return np.concatenate([*means, values.std(axis=0)])


class Stack:
    """What each member's answer counts, and their sum: :class:`mmcli.models.nets.factory.Stack` for one item."""

    def __init__(self, model: Mapping[str, Any], taken: Arrays) -> None:
        parts = model["members"]
        heavy = [float(part.get("weight", 0.0)) for part in parts]
        rescue = [part.get("fallback") is True for part in parts]
        self.voices = [i for i, w in enumerate(heavy) if w > 0 or rescue[i]]
        self.fallback = np.array([rescue[i] for i in self.voices])
        self.weights = np.array([0.0 if rescue[i] else heavy[i] for i in self.voices], np.float32)
        self.gains = np.array([float(parts[i].get("gain", 1.0)) for i in self.voices], np.float32)
        self.prior = taken.take("prior", int(model["outputs"]))

    def combined(self, task: str, logits: Vector, there: NDArray[np.bool_]) -> Vector:
        """Logits of the members ``(voices, outputs)`` to ``(outputs,)``; the prior where nothing is there."""
        share = self.weights * there
        if not share.any():
            share = (self.fallback & there).astype(np.float32)
        if task == "regress":
            total = float(share.sum())
            return np.asarray(share @ logits / total if total else self.prior, np.float32)
        answers = logits * self.gains[:, None]
        evidence = (log_softmax(answers) if task == "classify" else answers) - self.prior
        return np.asarray(self.prior + share @ evidence, np.float32)
