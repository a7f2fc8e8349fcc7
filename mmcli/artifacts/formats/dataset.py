"""A data set: items with several streams each, kept apart. Schema ``mmcli/dataset@1``, npz.

Per stream m: ``m/values`` float32, the rows of all items one after another; ``m/offsets`` int64 ``(items + 1,)``,
item i has rows ``offsets[i]`` to ``offsets[i + 1]``; ``m/times`` float64, seconds; ``m/present`` bool ``(items,)``,
an absent item has no rows; optional ``m/made`` bool, marks what was made by augmentation or matching, in the training
split only. ``id``, ``split``, ``group`` text; ``label`` text (``""``: none), float64 (NaN: none) or bool ``(items,
classes)``, absent where the task is null; ``source`` the SHA-256 of each item's content (``""``: unknown); ``meta``
one JSON string.

A stream is a modality's, or ``fused``, which a strategy added.
"""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.formats import dataset_rules
from mmcli.artifacts.formats.dataset_rules import ARRAYS, MADE, OPTIONAL, PARTNERS, REQUIRED, SCHEMA, STREAM_NAME, TASKS
from mmcli.artifacts.io import atomic, jsonfile, lazy, npz, provenance
from mmcli.errors import ArtifactError

__all__ = ["FUSED", "SCHEMA", "TASKS", "Dataset", "Item", "Stream", "dumps", "load", "loads", "save"]

FUSED = "fused"
MAX_BYTES = 1 << 40
MAX_STREAMS = 64
_TEXT_COLUMNS = ("id", "split", "group", "source")


class Item(NamedTuple):
    """One item of a stream: ``values`` ``(frames, ...)``, ``times`` ``(frames,)``; no frames where it is absent."""

    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.float64]


@dataclass(eq=False)
class Stream:
    """The rows of all items of one modality, see the module. ``meta`` holds what all its features share.

    ``values`` float32 ``(rows, ...)`` and ``times`` float64 ``(rows,)`` of a data set larger than the memory stay in
    their files. :meth:`item` gives the rows of one item of either kind, :meth:`arrays` those of all that are held.
    ``partners`` are the items that others borrow from, item i from those at ``partner_offsets[i]`` to ``[i + 1]``; in
    the file they are ``pool`` and ``pool_offsets``.
    """

    values: lazy.Array | lazy.Rows
    offsets: npt.NDArray[np.int64]
    times: lazy.Array | lazy.Rows
    present: npt.NDArray[np.bool_]
    made: npt.NDArray[np.bool_] | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    partners: npt.NDArray[np.int64] | None = None
    partner_offsets: npt.NDArray[np.int64] | None = None

    @property
    def items(self) -> int:
        """The number of items, absent ones included."""
        return len(self.offsets) - 1

    @property
    def width(self) -> int:
        """The numbers in one row."""
        return math.prod(self.values.shape[1:])

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Rows of each item, int64 ``(items,)``."""
        return np.diff(self.offsets)

    def item(self, index: int) -> Item:
        """The rows of one item; views, nothing is copied."""
        own = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
        return Item(self.values[own], self.times[own])

    def select(self, indices: npt.NDArray[np.int64]) -> Stream:
        """The stream of some items, in the order asked for."""
        values, times = lazy.take(self.values, self.offsets, indices), lazy.take(self.times, self.offsets, indices)
        offsets = lazy.offsets_of(self.lengths[indices])
        made = None if self.made is None else self.made[indices]
        return Stream(values, offsets, times, self.present[indices], made, self.meta, *self._partners_of(indices))

    def without(self, gone: npt.NDArray[np.bool_]) -> Stream:
        """The stream with some items, bool ``(items,)``, absent; what was made is no longer told from the rest."""
        values, times = lazy.without(self.values, self.lengths, gone), lazy.without(self.times, self.lengths, gone)
        offsets = lazy.offsets_of(np.where(gone, 0, self.lengths))
        return Stream(values, offsets, times, self.present & ~gone, meta=self.meta)

    def arrays(self) -> Item:
        """The rows of all items. Raises :class:`UsageError` where they stay in files."""
        if isinstance(self.values, lazy.Rows) or isinstance(self.times, lazy.Rows):
            raise lazy.whole_in_memory()
        return Item(self.values, self.times)

    @property
    def is_lazy(self) -> bool:
        """Whether the rows stay in files until they are asked for."""
        return isinstance(self.values, lazy.Rows)

    def held(self) -> Stream:
        """The stream with all its rows in memory."""
        if not self.is_lazy:
            return self
        values, times = np.empty(self.values.shape, np.float32), np.empty(self.times.shape, np.float64)
        for i in np.flatnonzero(self.lengths).tolist():  # both of an item together: they may come from one file
            values[self.offsets[i] : self.offsets[i + 1]], times[self.offsets[i] : self.offsets[i + 1]] = self.item(i)
        return dataclasses.replace(self, values=values, times=times)

    def _partners_of(self, indices: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64] | None, ...]:
        """The partners of some items, in their new numbers, without those that are not among them."""
        if self.partners is None or self.partner_offsets is None:
            return None, None
        number = np.full(self.items, -1, np.int64)
        number[indices] = np.arange(len(indices))
        each = [number[self.partners[self.partner_offsets[i] : self.partner_offsets[i + 1]]] for i in indices]
        return listed([partners[partners >= 0] for partners in each])


def listed(each: Sequence[npt.NDArray[np.int64]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """``partners`` and ``partner_offsets`` from one array of item numbers for each item."""
    offsets = np.zeros(len(each) + 1, np.int64)
    np.cumsum([len(partners) for partners in each], out=offsets[1:])
    return np.concatenate([*each, np.zeros(0, np.int64)]).astype(np.int64), offsets


@dataclass(eq=False)
class Dataset:
    """Items with their streams; text columns may be given as lists. Checked by :meth:`check`, and when saved or loaded.

    >>> values = np.zeros((3, 2), np.float32)
    >>> audio = Stream(values, np.array([0, 2, 3]), np.array([0.0, 0.1, 0.0]), np.array([True, True]))
    >>> data = Dataset({"audio": audio}, ["a", "b"], ["train", "test"], ["s1", "s2"], ["yes", "no"],
    ...                meta={"task": "classify", "classes": ["no", "yes"]})
    >>> data.items, data.modalities, data.rows("test")
    (2, ['audio'], array([1]))
    """

    streams: dict[str, Stream]
    id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    group: npt.NDArray[np.str_]
    label: npt.NDArray[Any] | None = None
    source: Sequence[str] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id, self.split, self.group = (_text(column) for column in (self.id, self.split, self.group))
        self.source = [str(value) for value in self.source] or [""] * len(self.id)
        if self.label is not None and not isinstance(self.label, np.ndarray):
            self.label = np.array(self.label)
        self.meta = {"schema": SCHEMA, "mmcli": provenance.version, "task": None} | self.meta
        self.meta["streams"] = {name: stream.meta for name, stream in self.streams.items()}

    @property
    def items(self) -> int:
        """The number of items."""
        return len(self.id)

    @property
    def modalities(self) -> list[str]:
        """The names of the streams that are a modality's."""
        return [name for name in self.streams if name != FUSED]

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """The indices of the items of a split, int64, ascending."""
        return np.flatnonzero(self.split == split).astype(np.int64)

    def select(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Dataset:
        """The data set of some items, in the order asked for."""
        chosen = np.asarray(indices, np.int64)
        return Dataset(
            {name: stream.select(chosen) for name, stream in self.streams.items()},
            self.id[chosen],
            self.split[chosen],
            self.group[chosen],
            None if self.label is None else self.label[chosen],
            [self.source[i] for i in chosen],
            self.meta,
        )

    def held(self) -> Dataset:
        """The data set with all its rows in memory."""
        return dataclasses.replace(self, streams={name: stream.held() for name, stream in self.streams.items()})

    def check(self, name: str = "data set") -> None:
        """Raise :class:`ArtifactError` where the data set does not follow its schema."""
        dataset_rules.check(self, name)


def load(path: Path | str) -> Dataset:
    """Read a data set (``-``: standard input)."""
    if str(path) == provenance.STDIN:
        return loads(provenance.read_bytes(path, MAX_BYTES), provenance.named(path))
    with provenance.opened(path) as (stream, size):
        return read(stream, size, str(path))


def loads(data: bytes, name: str) -> Dataset:
    """The data set in the bytes of a file; ``name`` is for messages."""
    return read(io.BytesIO(data), len(data), name)


def save(path: Path | str, dataset: Dataset) -> str:
    """Write a data set (``-``: standard output); returns the file's SHA-256."""
    arrays = _arrays(dataset)
    return atomic.write_with(path, lambda stream: npz.write(stream, arrays))


def dumps(dataset: Dataset) -> bytes:
    """The bytes of a data set file."""
    return npz.dumps(_arrays(dataset))


def _arrays(dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
    dataset.check()
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, stream in dataset.streams.items():
        for key in (*ARRAYS, *MADE, *PARTNERS):
            if (array := dataset_rules.array_of(stream, key)) is not None:
                arrays[f"{name}/{key}"] = array
    arrays |= {"id": dataset.id, "split": dataset.split, "group": dataset.group, "source": _text(dataset.source)}
    if dataset.label is not None:
        arrays["label"] = dataset.label
    try:
        meta = dataset.meta | {"streams": {name: stream.meta for name, stream in dataset.streams.items()}}
        arrays["meta"] = npz.text_scalar(provenance.canonical_json(meta))
    except (ValueError, TypeError) as problem:
        raise ArtifactError(f"meta is no JSON ({problem})", source="data set") from problem
    return arrays


def read(stream: BinaryIO, size: int, name: str) -> Dataset:
    """The data set in an open file of ``size`` bytes; ``name`` is for messages."""
    limit = len(_TEXT_COLUMNS) + 2 + MAX_STREAMS * (len(ARRAYS) + len(MADE) + len(PARTNERS))
    arrays = npz.read(stream, size, name, lambda keys: _specs(keys, name), max_bytes=MAX_BYTES, max_members=limit)
    meta = jsonfile.parse(str(arrays["meta"]), name)
    jsonfile.check(meta, REQUIRED, OPTIONAL, what="meta", source=name)
    names = _stream_names(arrays)
    if names.keys() != meta["streams"].keys():
        raise ArtifactError(f"holds the streams {sorted(names)}, its meta {sorted(meta['streams'])}", source=name)
    streams = {
        stream: Stream(
            arrays[f"{stream}/values"],
            arrays[f"{stream}/offsets"],
            arrays[f"{stream}/times"],
            arrays[f"{stream}/present"],
            arrays.get(f"{stream}/made"),
            meta["streams"][stream],
            arrays.get(f"{stream}/pool"),
            arrays.get(f"{stream}/pool_offsets"),
        )
        for stream in names
    }
    label, source = arrays.get("label"), arrays["source"].tolist()
    dataset = Dataset(streams, arrays["id"], arrays["split"], arrays["group"], label, source, meta)
    dataset.check(name)
    return dataset


def _stream_names(keys: Collection[str]) -> dict[str, None]:
    """Stream names in the order of the file."""
    return {key.rpartition("/")[0]: None for key in keys if "/" in key}


def _specs(keys: Collection[str], name: str) -> Mapping[str, npz.Spec]:
    specs = {column: npz.Spec("U", 1, 1) for column in _TEXT_COLUMNS} | {"meta": npz.Spec("U", 0, 0)}
    if "label" in keys:
        specs["label"] = npz.Spec("U <f8 |b1", 1, 2)
    for stream in _stream_names(keys):
        if not STREAM_NAME.fullmatch(stream):
            raise ArtifactError(f"holds a stream called {stream[:100]!r}", source=name)
        optional = MADE if f"{stream}/made" in keys else {}
        optional = optional | (PARTNERS if f"{stream}/pool" in keys else {})
        specs |= {f"{stream}/{key}": spec for key, spec in (ARRAYS | optional).items()}
    return specs


def _text(values: Any) -> npt.NDArray[np.str_]:
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        return values
    return np.array([str(value) for value in values], dtype=np.str_).reshape(-1)
