"""A data set as tensors, and batches cut from them by index arithmetic: no Python for single items in the hot path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import lazy
from mmcli.errors import InputError, UsageError
from mmcli.fusion import labels, turns
from mmcli.fusion.fitting import called, kind_of
from mmcli.models.grouped import Grouped
from mmcli.models.nets.network import Input
from mmcli.models.parts import StreamShape, from_lengths, zeroed
from mmcli.registry import nearest


def shape_of(name: str, stream: Stream) -> StreamShape:
    """The facts an encoder is sized by."""
    kind = kind_of(stream)
    shape = tuple(int(n) for n in stream.values.shape[1:]) or (1,)
    vocabulary = int(stream.meta["vocabulary_size"]) if kind == "tokens" else 0
    return StreamShape(name, kind, shape, int(np.diff(stream.offsets).max(initial=1)), vocabulary)


def shapes(dataset: Dataset, wanted: Sequence[str]) -> list[StreamShape]:
    """The streams to train on: those named (:func:`mmcli.fusion.fitting.called`), or all but ``fused``.

    Raises :class:`UsageError`, naming the nearest, for a name that the data set lacks.
    """
    there = list(dataset.modalities)
    names: list[str] = []
    for name in wanted or there:
        chosen = called(dataset, name)
        if not chosen:
            raise UsageError(f"the data set has no stream {name!r}", hint=nearest(name, dataset.streams))
        names += [s for s in chosen if s not in names]
    used = [name for name in names if dataset.streams[name].present.any()]
    if not used:
        raise InputError("no stream of the data set is present in any item")
    return [shape_of(name, dataset.streams[name]) for name in used]


@dataclass
class Packed:
    """One stream: all items' rows one after another on the device, or left in files and read batch by batch."""

    values: Tensor | lazy.Rows
    starts: Tensor
    lengths: Tensor
    present: Tensor

    def cut(self, indices: Tensor, size: int) -> Input:
        """Items ``indices`` padded with zeros to ``size`` steps."""
        present = self.present[indices]
        mask = from_lengths(self.lengths[indices], size) & present[:, None]
        if isinstance(self.values, lazy.Rows):
            return Input(_gathered(self.values, indices, size), mask, present)
        steps = torch.arange(size, device=indices.device)
        rows = (self.starts[indices, None] + steps).clamp(max=max(len(self.values) - 1, 0))
        return Input(zeroed(self.values[rows], mask), mask, present)

    def borrow(self, borrows: NDArray[np.int64], lucky: NDArray[np.int64], source: NDArray[np.int64]) -> None:
        """Items ``lucky`` take the rows of items ``source``; the others of ``borrows`` are absent."""
        device = self.starts.device
        there, taker, giver = (torch.from_numpy(a).to(device) for a in (borrows, lucky, source))
        self.present[there], self.lengths[there] = False, 0
        self.starts[taker], self.lengths[taker], self.present[taker] = self.starts[giver], self.lengths[giver], True


class Data:
    """The streams ``names`` of a data set on a device; a stream the data set lacks is absent from every item.

    Where ``sequences`` is set, items are read among the others of their groups: batches hold whole groups.
    """

    sequences: turns.Sequences | None = None

    def __init__(self, dataset: Dataset, shapes: Sequence[StreamShape], device: torch.device) -> None:
        self.device = device
        self.items = len(dataset.id)
        self.names = [shape.name for shape in shapes]
        self.streams = {s.name: self._pack(dataset.streams.get(s.name), s) for s in shapes}
        self.partners = {s.name: _partners(dataset.streams.get(s.name)) for s in shapes}
        self.lengths = np.stack([packed.lengths.cpu().numpy() for packed in self.streams.values()], axis=1)

    def _pack(self, stream: Stream | None, shape: StreamShape) -> Packed:
        values: lazy.Array | lazy.Rows = np.zeros((1, *shape.shape), np.float32)
        if stream is None:
            starts = lengths = np.zeros(self.items, np.int64)
            present = np.zeros(self.items, bool)
        else:
            values = stream.values if len(stream.values) else values
            starts, lengths = stream.offsets[:-1], np.diff(stream.offsets)
            present = stream.present & (lengths > 0)
        parts = (torch.from_numpy(np.array(a)).to(self.device) for a in (starts, lengths, present))
        if isinstance(values, lazy.Rows):
            return Packed(values.changed(lambda item: item.reshape(len(item), *shape.shape), shape.shape), *parts)
        values = np.ascontiguousarray(values.reshape(len(values), *shape.shape), np.float32)
        return Packed(torch.from_numpy(np.array(values)).to(self.device), *parts)

    def redraw(self, train: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Let every item that borrows a stream borrow it from another of its partners, among ``train``; it has none
        where no partner is there. Nothing is copied: an item's rows are looked up elsewhere.
        """
        among = np.zeros(self.items, bool)
        among[train] = True
        for column, (name, (partners, offsets)) in enumerate(self.partners.items()):
            luck = rng.random(self.items)
            if partners is None or offsets is None:
                continue
            borrows = np.flatnonzero(np.diff(offsets) > 0)
            allowed = np.concatenate([[0], np.cumsum(among[partners])])
            choice = allowed[offsets[1:]] - allowed[offsets[:-1]]
            members = partners[among[partners]]
            lucky = borrows[choice[borrows] > 0]
            source = members[allowed[offsets[lucky]] + (luck[lucky] * choice[lucky]).astype(np.int64)]
            self.streams[name].borrow(borrows, lucky, source)
            self.lengths[:, column] = self.streams[name].lengths.cpu().numpy()

    def sizes(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The longest item of every stream among ``indices``, at least one step."""
        longest: NDArray[np.int64] = np.maximum(self.lengths[indices].max(0, initial=1), 1)
        return longest

    def nbytes(self, indices: NDArray[np.int64]) -> int:
        """Bytes of the values of some items, without padding."""
        each = [4 * math.prod(packed.values.shape[1:]) for packed in self.streams.values()]
        return int((self.lengths[indices] @ np.array(each, np.int64)).sum())

    def batch(self, indices: NDArray[np.int64], sizes: NDArray[np.int64] | None = None) -> dict[str, Input]:
        """The items, padded to the longest of them or to ``sizes`` (steps a stream); with their groups where they have
        ``sequences``."""
        if self.sequences is not None:
            whole = self.sequences.whole(indices)
            places = (torch.from_numpy(a).to(self.device) for a in (whole.turns, whole.asked))
            return Grouped(self.alone(whole.rows), *places)
        return self.alone(indices, sizes)

    def alone(self, indices: NDArray[np.int64], sizes: NDArray[np.int64] | None = None) -> dict[str, Input]:
        """The items without their groups."""
        sizes = self.sizes(indices) if sizes is None else sizes
        chosen = torch.from_numpy(indices).to(self.device)
        return {name: packed.cut(chosen, int(n)) for (name, packed), n in zip(self.streams.items(), sizes, strict=True)}


def _gathered(rows: lazy.Rows, indices: Tensor, size: int) -> Tensor:
    """Items read from their files, ``(n, size, ...)`` on the device of ``indices``, zeros behind the end of each."""
    chosen = indices.tolist()
    padded = np.zeros((len(chosen), size, *rows.shape[1:]), np.float32)
    for place, item in enumerate(chosen):
        values = rows.item(item)
        padded[place, : len(values)] = values
    return torch.from_numpy(padded).to(indices.device)


def _partners(stream: Stream | None) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    return (None, None) if stream is None else (stream.partners, stream.partner_offsets)


def hide(batch: Mapping[str, Input], keep: Tensor) -> dict[str, Input]:
    """The batch with the modalities absent where ``keep`` bool ``(n, modalities)`` is False."""
    less = {name: Input(x.values, x.mask, x.present & keep[:, i]) for i, (name, x) in enumerate(batch.items())}
    return batch.of(less) if isinstance(batch, Grouped) else less


def order(data: Data, rows: NDArray[np.int64], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """``rows`` in random batches of about ``size``, none smaller than half of it where there are several.

    Where lengths differ, items of like length share a batch: rows are sorted by length inside shuffled chunks of eight
    batches, then the batches are shuffled. Items that are read with their groups come by whole groups.
    """
    if data.sequences is not None:
        return data.sequences.batches(rows, size, rng)
    rows = rng.permutation(rows)
    longest = data.lengths[rows].max(1)
    if longest.max(initial=1) > 1.25 * max(longest.mean() if len(longest) else 1.0, 1.0):
        chunks = np.array_split(np.arange(len(rows)), max(1, round(len(rows) / (8 * size))))
        rows = np.concatenate([rows[chunk[np.argsort(longest[chunk], kind="stable")]] for chunk in chunks])
    batches = np.array_split(rows, max(1, round(len(rows) / size)))
    return [batches[i] for i in rng.permutation(len(batches))]


def steps(data: Data, rows: NDArray[np.int64], size: int) -> int:
    """How many batches :func:`order` makes."""
    return max(1, round(len(rows) / size)) if data.sequences is None else data.sequences.steps(rows, size)


# Labels as tensors, the loss of each task, and what logits mean.


@dataclass
class Target:
    """``values``: class numbers int64 ``(items,)``, standardised float32 ``(items,)`` or bool-like ``(items,
    classes)``.

    ``known`` bool ``(items,)``: items with a label; ``center`` and ``scale`` undo the standardisation of regression.
    """

    task: str
    classes: list[str] | None
    values: Tensor
    known: NDArray[np.bool_]
    center: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """Logits an item."""
        return 1 if self.classes is None else len(self.classes)

    def facts(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"center": self.center, "scale": self.scale}


def task_of(dataset: Dataset, wanted: str) -> str:
    """``classify`` for text labels, ``regress`` for numbers, ``multilabel`` for a bool matrix.

    Raises :class:`InputError` without labels and :class:`UsageError` where the labels do not fit the wanted task.
    """
    if dataset.label is None:
        raise InputError("the data set has no labels", hint="give the manifest a label column and run fuse again")
    label = np.asarray(dataset.label)
    natural = {"U": "classify", "f": "regress"}.get(label.dtype.kind, "multilabel")
    if wanted not in ("auto", natural):
        if wanted == "classify" and natural == "regress":
            return wanted  # numbers as class names
        if wanted == "regress" and natural == "classify" and labels.as_numbers(label) is not None:
            return wanted  # ratings in whole numbers, which fuse took for names
        raise UsageError(f"task {wanted} does not fit the labels, which ask for {natural}")
    return natural


def read(dataset: Dataset, wanted: str, rows: NDArray[np.int64], device: torch.device) -> Target:
    """The labels of a data set; ``rows`` are the training items, which regression is standardised on."""
    task = task_of(dataset, wanted)
    label = np.asarray(dataset.label)
    if task == "regress":
        if label.dtype.kind == "U":
            label = np.asarray(labels.as_numbers(label))
        known = np.isfinite(label)
        seen = label[rows][known[rows]]
        if not len(seen):
            raise InputError("no training item has a label")
        center, scale = float(seen.mean()), float(seen.std()) or 1.0
        values = np.where(known, (np.where(known, label, center) - center) / scale, 0.0)
        return Target(task, None, torch.from_numpy(values.astype(np.float32)).to(device), known, center, scale)
    stored = dataset.meta.get("classes")
    if task == "multilabel":
        names = [str(c) for c in stored or range(label.shape[1])]
        return Target(task, names, torch.from_numpy(label.astype(np.float32)).to(device), np.ones(len(label), bool))
    text = np.array([f"{v:g}" for v in label]) if label.dtype.kind == "f" else label
    known = text != ""
    names = [str(c) for c in stored] if stored and label.dtype.kind == "U" else sorted(set(text[known].tolist()))
    if len(names) < 2:
        raise InputError(f"classification needs at least two classes, found {names}")
    number = {name: i for i, name in enumerate(names)}
    numbers = np.array([number.get(str(t), -1) for t in text], np.int64)
    known &= numbers >= 0
    if not known[rows].any():
        raise InputError("no training item has a label")
    return Target(task, names, torch.from_numpy(np.maximum(numbers, 0)).to(device), known)


def losses(task: str, logits: Tensor, values: Tensor, smoothing: float) -> Tensor:
    """Loss of each item, ``(n,)``: cross-entropy, mean binary cross-entropy, or squared error."""
    if task == "classify":
        return functional.cross_entropy(logits, values, reduction="none", label_smoothing=smoothing)
    if task == "multilabel":
        soft = values * (1.0 - smoothing) + 0.5 * smoothing
        return functional.binary_cross_entropy_with_logits(logits, soft, reduction="none").mean(1)
    return (logits[:, 0] - values).square()


def score(task: str, logits: Tensor, values: Tensor) -> dict[str, float]:
    """A figure for people beside the loss: accuracy (of each label for multilabel), or the mean absolute error."""
    if task == "regress":
        return {"mae": float((logits[:, 0] - values).abs().double().mean())}
    right = logits.argmax(1) == values if task == "classify" else (logits > 0) == (values > 0.5)
    return {"accuracy": float(right.double().mean())}


def credits_of(task: str, logits: Tensor, values: Tensor) -> Tensor:
    """What each item adds to the task's primary figure ``(n,)``, more is better.

    Whether it is right (classify), minus its absolute error on the scale of ``values`` (regress), the F1 of its labels
    (multilabel; 0 where both sets are empty).
    """
    if task == "classify":
        return (logits.argmax(1) == values).double()
    if task == "regress":
        return -(logits[:, 0] - values).abs().double()
    said, true = logits >= 0, values > 0.5
    both, size = (said & true).sum(1).double(), (said.sum(1) + true.sum(1)).double()
    return torch.where(size > 0, 2 * both / size.clamp(min=1), 0.0)
