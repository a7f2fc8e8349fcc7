"""A trained model that is loaded again: a checkpoint in, predictions out, whatever modalities an item has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.errors import ArtifactError, MismatchError
from mmcli.fusion import turns
from mmcli.fusion.fitting import fitting, matching
from mmcli.models.grouped import HELD, Held
from mmcli.models.nets import factory
from mmcli.models.nets.network import Batch
from mmcli.models.parts import KINDS, StreamShape
from mmcli.training import folds, world
from mmcli.training.config import CONTRASTIVE
from mmcli.training.data import Data
from mmcli.training.fit.meaning import line, meaning
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


def lines(predictions: Predictions) -> Iterator[dict[str, Any]]:
    """``{id, prediction, probabilities, present}``; regression has no probabilities, multilabel a list of classes."""
    names, p, values = predictions.classes, predictions.probabilities, predictions.values
    for i, item in enumerate(predictions.id.tolist()):
        one = slice(i, i + 1)
        there = [name for name, rows in predictions.present.items() if rows[i]]
        yield line(
            item, predictions.task, names, None if p is None else p[one], None if values is None else values[one], there
        )


class LoadedModel:
    """A checkpoint with its network: whatever it was trained for, it reads a data set's streams on its own scale."""

    def __init__(self, trained: Checkpoint, name: str = "model", device: str = "cpu") -> None:
        self.name = name
        self.config = trained.config
        self.task = str(trained.config["task"])
        self.modalities: dict[str, dict[str, Any]] = trained.config["modalities"]
        self.device = pick(device)
        with torch.device("meta"):
            net = factory.build(trained.config["model"])
        net.load_state_dict(trained.tensors, assign=True)
        self.net = net.to(self.device).eval()
        self.shapes = [shape_in(n, self.modalities, name) for n in factory.names(trained.config["model"])]
        self.context: dict[str, Any] | None = trained.config["model"].get("context")

    def packed(self, dataset: Dataset) -> Data:
        """The model's streams of a data set as tensors, on the scale the model was trained on.

        A model that reads the turns of a group gets them in order: raises :class:`InputError` where they have none.
        """
        if self.context is not None:
            dataset = folds.real(dataset)  # what was made is no turn
        streams = {shape.name: self._stream(dataset, shape) for shape in self.shapes}
        if not any(streams.values()):
            raise MismatchError(
                f"the data set has none of the model's modalities ({', '.join(streams)})", source=self.name
            )
        given = {name: stream for name, stream in streams.items() if stream is not None}
        data = Data(Dataset(given, dataset.id, dataset.split, dataset.group), self.shapes, self.device)
        if self.context is not None:
            data.sequences = turns.sequences(dataset, list(given.values()))
        return data

    def batches(self, dataset: Dataset, rows: NDArray[np.int64], at_once: int) -> Iterator[Batch]:
        """The items ``rows`` as batches of the network, some at a time, each item on its own; of a model that reads the
        turns of a group with the rest of it held as it is.
        """
        if self.context is None:
            data, places = self.packed(dataset.select(rows)), np.arange(len(rows), dtype=np.int64)
        else:
            data, places = self.packed(dataset), rows
        for start in range(0, len(rows), at_once):
            some = places[start : start + at_once]
            batch: dict[str, Any] = data.alone(some)
            if data.sequences is not None:
                batch[HELD] = _held(self.net, data, some, data.sequences)
            yield batch

    def outputs(self, data: Data, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the network gives for items of :meth:`packed` streams, in that order: float64 ``(n, ...)``."""
        with world.deterministic(1, self.device):
            given: NDArray[np.float64] = logits_of(self.net, data, rows).double().cpu().numpy()
        return given

    def _stream(self, dataset: Dataset, shape: StreamShape) -> Stream | None:
        meta = self.modalities[shape.name]
        name = matching(dataset, shape.name, meta)
        return None if name is None else fitting(dataset, name, shape, meta, self.name)


def _held(net: Any, data: Data, rows: NDArray[np.int64], sequences: turns.Sequences) -> Held:
    """The groups of some items as the fused vectors that the reader of turns gets."""
    whole = sequences.whole(rows)
    line_of = np.zeros(len(whole.rows), np.int64)
    place_of = np.zeros(len(whole.rows), np.int64)
    lines, places = np.nonzero(whole.turns >= 0)
    line_of[whole.turns[lines, places]], place_of[whole.turns[lines, places]] = lines, places
    with torch.no_grad():
        fused = net.eval().fusion(*net.encode(data.alone(whole.rows)))
    chosen = torch.from_numpy(whole.turns[line_of[whole.asked]]).to(data.device)
    place = torch.from_numpy(place_of[whole.asked]).to(data.device)
    return Held(fused[chosen.clamp(min=0)], chosen >= 0, torch.ones_like(place, dtype=torch.bool), place)


class Predictor(LoadedModel):
    """A model that answers. ``classes`` are in the order of the logits; None for regression.

    Raises :class:`MismatchError` for encoders that were pre-trained on pairs: they have no answers.
    """

    def __init__(self, trained: Checkpoint, name: str = "model", device: str = "cpu") -> None:
        if trained.config["task"] == CONTRASTIVE:
            raise MismatchError(
                "holds encoders pre-trained on pairs and no classifier, so it has no answers",
                source=name,
                hint="train one: mmcli train DATASET.npz --init " + Path(name).name + " -o MODEL.pt",
            )
        super().__init__(trained, name, device)
        self.classes: list[str] | None = trained.config["classes"]

    def predict(self, dataset: Dataset, indices: NDArray[np.int64] | None = None) -> Predictions:
        """Predictions for the items ``indices`` (default: all), in that order.

        Streams are put on the scale the model was trained on. A modality that the data set lacks is absent; values of
        absent modalities are never read. Raises :class:`MismatchError` where a stream is not what the model was
        trained on.
        """
        rows = np.arange(len(dataset.id), dtype=np.int64) if indices is None else np.asarray(indices, np.int64)
        data = self.packed(dataset)
        logits = self.outputs(data, rows)
        present = {name: packed.present.cpu().numpy()[rows] for name, packed in data.streams.items()}
        probabilities, values = self.meaning(logits)
        return Predictions(dataset.id[rows], self.task, self.classes, logits, probabilities, values, present)

    def meaning(self, logits: NDArray[np.float64]) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Probabilities ``(n, classes)`` or values ``(n,)`` of logits ``(n, outputs)``; the other is None."""
        return meaning(self.task, logits, self.config["training"].get("target", {}))


# Encoders that were trained on pairs, as what they are: points of items in the space that the modalities share.


class Points(NamedTuple):
    """Of each modality ``vectors`` float64 ``(n, width)``, of unit length or zero, and ``present`` bool ``(n,)``."""

    vectors: dict[str, NDArray[np.float64]]
    present: dict[str, NDArray[np.bool_]]


class Encoders(LoadedModel):
    """A checkpoint of ``mmcli train --objective contrastive``. Raises :class:`MismatchError` for any other."""

    def __init__(self, trained: Checkpoint, name: str = "model", device: str = "cpu") -> None:
        if trained.config["task"] != CONTRASTIVE:
            raise MismatchError(
                "has no space that its modalities share",
                source=name,
                hint="mmcli train DATASET.npz --objective contrastive -o MODEL.pt makes one",
            )
        super().__init__(trained, name, device)

    def points(self, dataset: Dataset, rows: NDArray[np.int64]) -> Points:
        """The points of the items ``rows``, in that order."""
        given = self.outputs(self.packed(dataset.select(rows)), np.arange(len(rows), dtype=np.int64))
        vectors = {shape.name: np.asarray(given[:, m], np.float64) for m, shape in enumerate(self.shapes)}
        return Points(vectors, {name: np.linalg.norm(values, axis=1) > 0 for name, values in vectors.items()})


def load_encoders(path: Path | str, device: str = "cpu") -> Encoders:
    """The encoders in a checkpoint file. Raises :class:`ArtifactError` where it is damaged or cannot be built."""
    return Encoders(checkpoint.load(path, expected), Path(path).name, device)


def load(path: Path | str, device: str = "cpu") -> Predictor:
    """The model in a checkpoint file. Raises :class:`ArtifactError` where it is damaged or cannot be built."""
    return Predictor(checkpoint.load(path, expected), str(path), device)


def expected(config: dict[str, Any]) -> Mapping[str, tuple[int, ...]]:
    """Name and shape of every tensor of the model that a checkpoint's config describes; nothing is allocated."""
    with torch.device("meta"):
        net = factory.build(config["model"])
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def shape_in(name: str, modalities: Mapping[str, Any], source: str) -> StreamShape:
    """What a model's modality held. Raises :class:`ArtifactError` where its checkpoint does not say so."""
    meta = modalities.get(name)
    shape = meta.get("shape") if isinstance(meta, dict) else None
    if meta is None or not isinstance(shape, list) or meta.get("kind") not in KINDS:
        raise ArtifactError(f"does not say what its modality {name!r} holds", source=source)
    if not all(type(n) is int and 0 < n < 1 << 24 for n in shape):
        raise ArtifactError(f"modality {name!r} has shape {shape}", source=source)
    return StreamShape(name, meta["kind"], tuple(shape), 1, int(meta.get("vocabulary_size") or 0))
