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
PARTNERS = {"pool": npz.Spec("<i8", 1, 1), "pool_offsets": npz.Spec("<i8", 1, 1)}
_ATTRIBUTES = {"pool": "partners", "pool_offsets": "partner_offsets"}  # of a stream, where the file says it otherwise


def array_of(stream: Stream, key: str) -> npt.NDArray[Any] | None:
    """The array of a stream that a file keeps under ``key``; None where there is none."""
    array: npt.NDArray[Any] | None = getattr(stream, _ATTRIBUTES.get(key, key))
    return array


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


def check(s: Stream, items: int, train: npt.NDArray[np.bool_], name: str) -> None:
    """Raise :class:`ArtifactError` where a stream of so many items, ``train`` for training, breaks a rule."""
    jsonfile.check(s.meta, {}, META, what="meta", source=name)
    for what, spec in (ARRAYS | MADE | PARTNERS).items():
        array = array_of(s, what)
        if array is not None and array.dtype.str != spec.dtype:
            raise ArtifactError(f"{what} is {array.dtype}; {np.dtype(spec.dtype)} is needed", source=name)
    values, times = s.arrays()
    rows = values.shape[0]
    made = s.present if s.made is None else s.made
    if s.offsets.shape != (items + 1,) or s.present.shape != (items,) or made.shape != (items,):
        raise ArtifactError(f"offsets, present or made do not have the shape for {items} items", source=name)
    if times.shape != (rows,) or int(s.offsets[0]) != 0 or int(s.offsets[-1]) != rows:
        raise ArtifactError(f"offsets and times do not go with {rows} rows", source=name)
    lengths = s.lengths
    if bool((lengths < 0).any()):
        raise ArtifactError("offsets run backwards", source=name)
    if not np.array_equal(lengths > 0, s.present):
        raise ArtifactError("present does not say which items have rows", source=name)
    if not 0 < s.width <= MAX_WIDTH:
        raise ArtifactError(f"rows of shape {values.shape[1:]}", source=name)
    if s.made is not None and bool((s.made & ~(train & s.present)).any()):
        raise ArtifactError("made marks an item that is absent or outside the training split", source=name)
    _check_partners(s, items, train, name)
    features.check_finite(values, "values", name)
    features.check_finite(times, "times", name)
    increasing = np.diff(times) > 0
    starts = s.offsets[1:-1]
    increasing[starts[(starts > 0) & (starts < rows)] - 1] = True
    if not bool(increasing.all()):
        raise ArtifactError(f"times do not increase at row {int(np.argmin(increasing)) + 1}", source=name)
    kind = s.meta.get("kind")
    if kind is not None:
        features.check_kind(kind, (1, *values.shape[1:]), name)
        if kind in ("image", "vector") and int(lengths.max()) > 1:
            raise ArtifactError(f"an item of kind {kind} has {int(lengths.max())} rows", source=name)
        if kind == "tokens":
            features.check_tokens(values, s.meta.get("vocabulary_size"), name)


def _check_partners(s: Stream, items: int, train: npt.NDArray[np.bool_], name: str) -> None:
    if s.partners is None or s.partner_offsets is None:
        if s.partners is not None or s.partner_offsets is not None:
            raise ArtifactError("pool and pool_offsets go together", source=name)
        return
    counts = np.diff(s.partner_offsets)
    if s.partner_offsets.shape != (items + 1,) or s.partner_offsets[0] != 0 or s.partner_offsets[-1] != len(s.partners):
        raise ArtifactError("pool_offsets do not go with the pool", source=name)
    made = np.zeros(items, bool) if s.made is None else s.made
    if bool((counts < 0).any()) or bool((counts[~made] > 0).any()):
        raise ArtifactError("a pool is of an item that borrows nothing", source=name)
    if len(s.partners) and not (int(s.partners.min()) >= 0 and int(s.partners.max()) < items):
        raise ArtifactError("a pool names items that are not there", source=name)
    if not bool((train & s.present & ~made)[s.partners].all()):
        raise ArtifactError("a pool names an item that is made, absent or outside the training split", source=name)
