"""A trained model that answers: a checkpoint in, predictions out, whatever modalities an item has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import lazy
from mmcli.errors import ArtifactError, MismatchError
from mmcli.fusion import normalise
from mmcli.models.nets import factory
from mmcli.models.parts import KINDS, StreamShape
from mmcli.training import world
from mmcli.training.config import CONTRASTIVE
from mmcli.training.data import Data, kind_of
from mmcli.training.fit.objective import logits_of
from mmcli.training.world import pick


@dataclass(frozen=True)
class Predictions:
    """``probabilities`` float64 ``(n, classes)``, or ``values`` float64 ``(n,)`` for regression; the other is None.

    ``logits`` float64 ``(n, outputs)``; ``present`` has for each of the model's modalities bool ``(n,)``.
    """

    id: NDArray[np.str_]
    task: str
    classes: list[str] | None
    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None
    values: NDArray[np.float64] | None
    present: dict[str, NDArray[np.bool_]]

    @property
    def labels(self) -> NDArray[Any]:
        """The answer for each item: class names, numbers, or a bool matrix ``(n, classes)`` for multilabel."""
        if self.values is not None:
            return self.values
        assert self.probabilities is not None
        if self.task == "multilabel":
            chosen: NDArray[np.bool_] = self.probabilities >= 0.5
            return chosen
        return np.asarray(np.array(self.classes)[self.probabilities.argmax(1)])


class Predictor:
    """A model with its checkpoint's facts. ``classes`` are in the order of the logits; None for regression."""

    def __init__(self, found: Checkpoint, name: str = "model", device: str = "cpu") -> None:
        if found.config["task"] == CONTRASTIVE:
            raise MismatchError(
                "holds encoders pre-trained on pairs and no classifier, so it has no answers",
                source=name,
                hint="train one: mmcli train DATASET.npz --init " + Path(name).name + " -o MODEL.pt",
            )
        self.name = name
        self.config = found.config
        self.task = str(found.config["task"])
        self.classes: list[str] | None = found.config["classes"]
        self.modalities: dict[str, dict[str, Any]] = found.config["modalities"]
        self.device = pick(device)
        with torch.device("meta"):
            net = factory.build(found.config["model"])
        net.load_state_dict(found.tensors, assign=True)
        self.net = net.to(self.device).eval()
        self.shapes = [shape_in(n, self.modalities, name) for n in factory.names(found.config["model"])]

    @property
    def parameters(self) -> int:
        """Number of trained numbers."""
        return sum(p.numel() for p in self.net.parameters())

    def predict(self, dataset: Dataset, indices: NDArray[np.int64] | None = None) -> Predictions:
        """Predictions for the items ``indices`` (default: all), in that order.

        Streams are put on the scale the model was trained on. A modality that the data set lacks is absent; values of
        absent modalities are never read. Raises :class:`MismatchError` where a stream is not what the model was
        trained on.
        """
        rows = np.arange(len(dataset.id), dtype=np.int64) if indices is None else np.asarray(indices, np.int64)
        data = self.packed(dataset)
        with world.deterministic(1, self.device):
            logits = logits_of(self.net, data, rows).double().cpu().numpy()
        present = {name: packed.present.cpu().numpy()[rows] for name, packed in data.streams.items()}
        probabilities, values = self.meaning(logits)
        return Predictions(dataset.id[rows], self.task, self.classes, logits, probabilities, values, present)

    def packed(self, dataset: Dataset) -> Data:
        """The model's streams of a data set as tensors, on the scale the model was trained on."""
        streams = {shape.name: self._stream(dataset, shape) for shape in self.shapes}
        if not any(streams.values()):
            raise MismatchError(
                f"the data set has none of the model's modalities ({', '.join(streams)})", source=self.name
            )
        given = {name: stream for name, stream in streams.items() if stream is not None}
        return Data(Dataset(given, dataset.id, dataset.split, dataset.group), self.shapes, self.device)

    def meaning(self, logits: NDArray[np.float64]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Probabilities ``(n, classes)`` or values ``(n,)`` of logits ``(n, outputs)``; the other is None."""
        return _meaning(self.task, logits, self.config["training"].get("target", {}))

    def _stream(self, dataset: Dataset, shape: StreamShape) -> Stream | None:
        meta = self.modalities[shape.name]
        name = matching(dataset, shape.name, meta)
        return None if name is None else fitting(dataset, name, shape, meta, self.name)


def load(path: Path | str, device: str = "cpu") -> Predictor:
    """The model in a checkpoint file. Raises :class:`ArtifactError` where it is damaged or cannot be built."""
    return Predictor(checkpoint.load(path, expected), str(path), device)


def expected(config: dict[str, Any]) -> Mapping[str, tuple[int, ...]]:
    """Name and shape of every tensor of the model that a checkpoint's config describes; nothing is allocated."""
    with torch.device("meta"):
        net = factory.build(config["model"])
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def fitting(dataset: Dataset, name: str, shape: StreamShape, meta: Mapping[str, Any], source: str) -> Stream:
    """The stream ``name`` on the scale that a model was trained on; ``shape`` and ``meta`` are what the model read.

    Raises :class:`MismatchError`, which calls the model ``source``, where the stream is not what the model can read.
    """
    stream = dataset.streams[name]
    for key in ("extractor", "config_sha256", "fitted_sha256"):
        ours, theirs = meta.get(key), stream.meta.get(key)
        if ours is not None and theirs is not None and ours != theirs:
            raise MismatchError(
                f"stream {name!r} has another {key} than the model was trained with",
                source=source,
                hint="extract with the model's configuration (mmcli info shows it)",
            )
    if meta.get("spans") != stream.meta.get("spans"):
        ours, theirs = (f"spans {m['spans']}" if m.get("spans") else "no spans" for m in (meta, stream.meta))
        raise MismatchError(
            f"stream {name!r} has {theirs}, the model was trained on {ours}",
            source=source,
            hint="fuse with the --spans that its data set was made with",
        )
    if stream.width != shape.width or (kind_of(stream) == "tokens") != (shape.kind == "tokens"):
        raise MismatchError(
            f"stream {name!r} holds {kind_of(stream)} frames of {stream.width} numbers; the model was trained on "
            f"{shape.kind} frames of {shape.width}",
            source=source,
        )
    return _rescaled(stream, stream.meta.get("normaliser"), meta.get("normaliser"), name, source)


def shape_in(name: str, modalities: Mapping[str, Any], source: str) -> StreamShape:
    """What a model's modality held. Raises :class:`ArtifactError` where its checkpoint does not say so."""
    meta = modalities.get(name)
    shape = meta.get("shape") if isinstance(meta, dict) else None
    if meta is None or not isinstance(shape, list) or meta.get("kind") not in KINDS:
        raise ArtifactError(f"does not say what its modality {name!r} holds", source=source)
    if not all(type(n) is int and 0 < n < 1 << 24 for n in shape):
        raise ArtifactError(f"modality {name!r} has shape {shape}", source=source)
    return StreamShape(name, meta["kind"], tuple(shape), 1, int(meta.get("vocabulary_size") or 0))


def matching(dataset: Dataset, name: str, meta: Mapping[str, Any]) -> str | None:
    """The data set's stream for one of the model's: by name, else the only one of its modality and extractor."""
    if name in dataset.streams:
        return name
    wanted = (meta.get("modality"), meta.get("extractor"))
    same = [n for n in dataset.modalities if wanted == tuple(dataset.streams[n].meta.get(k) for k in _IDENTITY)]
    return same[0] if len(same) == 1 and all(wanted) else None


_IDENTITY = ("modality", "extractor")


def _rescaled(stream: Stream, from_: Any, to: Any, name: str, source: str) -> Stream:
    """The stream on the scale ``to``; ``from_`` is the normaliser it stands on now."""
    now, wanted = from_ or {"method": "none"}, to or {"method": "none"}
    if now == wanted:
        return stream
    if "center" not in now and now["method"] != "none":
        raise MismatchError(
            f"stream {name!r} was normalised by {now['method']}, the model's by {wanted['method']}",
            source=source,
            hint="run fuse on the features with the model's --normalise",
        )

    def raw(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.asarray(values, np.float64) * np.asarray(now["scale"]) + np.asarray(now["center"]))

    values = lazy.changed(stream.values, raw) if "center" in now else stream.values
    values = normalise.apply_items(values, stream.offsets, wanted)
    return dataclasses.replace(stream, values=values, meta=stream.meta | {"normaliser": wanted})


def _meaning(
    task: str, logits: NDArray[np.float64], target: Mapping[str, Any]
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    if task == "regress":
        return None, logits[:, 0] * float(target.get("scale", 1.0)) + float(target.get("center", 0.0))
    if task == "multilabel":
        return 1.0 / (1.0 + np.exp(-np.clip(logits, -700, 700))), None
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return cast(NDArray[np.float64], shifted / shifted.sum(1, keepdims=True)), None
