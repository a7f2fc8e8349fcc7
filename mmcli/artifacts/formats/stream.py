"""One stream of a data set: the rows of all its items one after another, and what holds for them.

``values`` float32 ``(rows, ...)``; ``offsets`` int64 ``(items + 1,)``, item i has rows ``offsets[i]`` to
``offsets[i + 1]``; ``times`` float64, seconds; ``present`` bool ``(items,)``, an absent item has no rows; optional
``made`` bool, marks what was made by augmentation or matching, in the training split only; optional ``pool`` and
``pool_offsets``, the items that a made one may borrow from.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.formats import features
from mmcli.artifacts.io import jsonfile, lazy, npz
from mmcli.errors import ArtifactError

MAX_WIDTH = 1 << 26
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
META = features.OPTIONAL | {
    "schema": jsonfile.TEXT,
    "mmcli": jsonfile.TEXT,
    "normaliser": jsonfile.nullable(jsonfile.OBJECT),
    "fitted": jsonfile.nullable(jsonfile.OBJECT),
    "weight": jsonfile.NUMBER,
    "spans": jsonfile.OBJECT,
    "projection": jsonfile.nullable(jsonfile.OBJECT),
}
ARRAYS = {
    "values": npz.Spec("<f4", 1, 6),
    "offsets": npz.Spec("<i8", 1, 1),
    "times": npz.Spec("<f8", 1, 1),
    "present": npz.Spec("|b1", 1, 1),
}
MADE = {"made": npz.Spec("|b1", 1, 1)}
POOL = {"pool": npz.Spec("<i8", 1, 1), "pool_offsets": npz.Spec("<i8", 1, 1)}


class Item(NamedTuple):
    """One item of a stream: ``values`` ``(frames, ...)``, ``times`` ``(frames,)``; no frames where it is absent."""

    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.float64]


@dataclass(eq=False)
class Stream:
    """The rows of all items of one modality, see the module. ``meta`` holds what all its features share.

    ``values`` and ``times`` of a data set larger than the memory are :class:`mmcli.artifacts.io.lazy.Rows`.
    """

    values: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    present: npt.NDArray[np.bool_]
    made: npt.NDArray[np.bool_] | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    pool: npt.NDArray[np.int64] | None = None
    pool_offsets: npt.NDArray[np.int64] | None = None

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
        return Stream(values, offsets, times, self.present[indices], made, self.meta, *self._pool_of(indices))

    def without(self, gone: npt.NDArray[np.bool_]) -> Stream:
        """The stream with some items, bool ``(items,)``, absent; what was made is no longer told from the rest."""
        values, times = lazy.without(self.values, self.lengths, gone), lazy.without(self.times, self.lengths, gone)
        offsets = lazy.offsets_of(np.where(gone, 0, self.lengths))
        return Stream(values, offsets, times, self.present & ~gone, meta=self.meta)

    def held(self) -> Stream:
        """The stream with all its rows in memory."""
        if lazy.rows_of(self.values) is None:
            return self
        values, times = np.empty(self.values.shape, np.float32), np.empty(self.times.shape, np.float64)
        for i in np.flatnonzero(self.lengths).tolist():  # both of an item together: they may come from one file
            values[self.offsets[i] : self.offsets[i + 1]], times[self.offsets[i] : self.offsets[i + 1]] = self.item(i)
        return dataclasses.replace(self, values=values, times=times)

    def _pool_of(self, indices: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64] | None, ...]:
        """The pools of some items, in their new numbers, without the members that are not among them."""
        if self.pool is None or self.pool_offsets is None:
            return None, None
        number = np.full(self.items, -1, np.int64)
        number[indices] = np.arange(len(indices))
        pools = [number[self.pool[self.pool_offsets[i] : self.pool_offsets[i + 1]]] for i in indices]
        return pooled([pool[pool >= 0] for pool in pools])


def pooled(pools: Sequence[npt.NDArray[np.int64]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """``pool`` and ``pool_offsets`` from one array of item numbers for each item."""
    offsets = np.zeros(len(pools) + 1, np.int64)
    np.cumsum([len(pool) for pool in pools], out=offsets[1:])
    return np.concatenate([*pools, np.zeros(0, np.int64)]).astype(np.int64), offsets


def check(s: Stream, items: int, train: npt.NDArray[np.bool_], name: str) -> None:
    """Raise :class:`ArtifactError` where a stream of so many items, ``train`` for training, breaks a rule."""
    jsonfile.check(s.meta, {}, META, what="meta", source=name)
    for what, spec in (ARRAYS | MADE | POOL).items():
        array = getattr(s, what)
        if array is not None and array.dtype.str != spec.dtype:
            raise ArtifactError(f"{what} is {array.dtype}; {np.dtype(spec.dtype)} is needed", source=name)
    rows = s.values.shape[0]
    made = s.present if s.made is None else s.made
    if s.offsets.shape != (items + 1,) or s.present.shape != (items,) or made.shape != (items,):
        raise ArtifactError(f"offsets, present or made do not have the shape for {items} items", source=name)
    if s.times.shape != (rows,) or int(s.offsets[0]) != 0 or int(s.offsets[-1]) != rows:
        raise ArtifactError(f"offsets and times do not go with {rows} rows", source=name)
    lengths = s.lengths
    if bool((lengths < 0).any()):
        raise ArtifactError("offsets run backwards", source=name)
    if not np.array_equal(lengths > 0, s.present):
        raise ArtifactError("present does not say which items have rows", source=name)
    if not 0 < s.width <= MAX_WIDTH:
        raise ArtifactError(f"rows of shape {s.values.shape[1:]}", source=name)
    if s.made is not None and bool((s.made & ~(train & s.present)).any()):
        raise ArtifactError("made marks an item that is absent or outside the training split", source=name)
    _check_pool(s, items, train, name)
    features.check_finite(s.values, "values", name)
    features.check_finite(s.times, "times", name)
    increasing = np.diff(s.times) > 0
    starts = s.offsets[1:-1]
    increasing[starts[(starts > 0) & (starts < rows)] - 1] = True
    if not bool(increasing.all()):
        raise ArtifactError(f"times do not increase at row {int(np.argmin(increasing)) + 1}", source=name)
    kind = s.meta.get("kind")
    if kind is not None:
        features.check_kind(kind, (1, *s.values.shape[1:]), name)
        if kind in ("image", "vector") and int(lengths.max()) > 1:
            raise ArtifactError(f"an item of kind {kind} has {int(lengths.max())} rows", source=name)
        if kind == "tokens":
            features.check_tokens(s.values, s.meta.get("vocabulary_size"), name)


def _check_pool(s: Stream, items: int, train: npt.NDArray[np.bool_], name: str) -> None:
    if s.pool is None or s.pool_offsets is None:
        if s.pool is not None or s.pool_offsets is not None:
            raise ArtifactError("pool and pool_offsets go together", source=name)
        return
    counts = np.diff(s.pool_offsets)
    if s.pool_offsets.shape != (items + 1,) or s.pool_offsets[0] != 0 or s.pool_offsets[-1] != len(s.pool):
        raise ArtifactError("pool_offsets do not go with the pool", source=name)
    made = np.zeros(items, bool) if s.made is None else s.made
    if bool((counts < 0).any()) or bool((counts[~made] > 0).any()):
        raise ArtifactError("a pool is of an item that borrows nothing", source=name)
    if len(s.pool) and not (int(s.pool.min()) >= 0 and int(s.pool.max()) < items):
        raise ArtifactError("a pool names items that are not there", source=name)
    if not bool((train & s.present & ~made)[s.pool].all()):
        raise ArtifactError("a pool names an item that is made, absent or outside the training split", source=name)
