"""The rows of a stream that stay where they are until they are asked for.

A stream holds the rows of all its items one after another (:mod:`mmcli.artifacts.formats.dataset`). For a data set
larger than the memory they are :class:`Rows` in place of an array: with the array's shape and dtype, read item by item,
of which at most those asked for are held. What makes a new array from an old one (choosing items, leaving some out,
putting them on another scale) makes new :class:`Rows`, and nothing is read for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from mmcli.errors import UsageError

HELD = 1 << 30  # bytes of a lazy data set that a step may hold at once where it needs many items together

Array = npt.NDArray[Any]
Int = npt.NDArray[np.int64]
Read = Callable[[int], Array]


class Rows:
    """Rows of items that ``read`` gives: ``(length, *inner)`` of ``dtype`` for the number of an item.

    ``lengths`` int64 ``(items,)`` are the rows of each; ``numbers`` are what ``read`` calls them, by default 0, 1, ...

    >>> rows = Rows(lambda item: np.full((item, 2), float(item)), np.array([1, 0, 2]), (2,), np.dtype(float),
    ...             np.array([1, 0, 2]))
    >>> rows.shape, rows[1:].tolist(), rows.items(np.array([2]))[:].tolist()
    ((3, 2), [[2.0, 2.0], [2.0, 2.0]], [[2.0, 2.0], [2.0, 2.0]])
    """

    def __init__(
        self, read: Read, lengths: Int, inner: tuple[int, ...], dtype: np.dtype[Any], numbers: Int | None = None
    ) -> None:
        self._read, self.lengths = read, lengths
        self.numbers = np.arange(len(lengths), dtype=np.int64) if numbers is None else numbers
        self.offsets = offsets_of(lengths)
        self.shape, self.dtype = (int(self.offsets[-1]), *inner), dtype
        self.ndim = len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def item(self, index: int) -> Array:
        """The rows of one item, ``(length, *inner)``."""
        if self.lengths[index] == 0:
            return np.zeros((0, *self.shape[1:]), self.dtype)
        return self._read(int(self.numbers[index]))

    def __getitem__(self, rows: slice) -> Array:
        """Consecutive rows, read now."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError("rows that stay in files are taken by item or by slice")
        start, stop, _ = rows.indices(len(self))
        first = int(np.searchsorted(self.offsets, start, side="right")) - 1
        last = max(int(np.searchsorted(self.offsets, stop, side="left")), first + 1)
        if stop <= start:
            return np.zeros((0, *self.shape[1:]), self.dtype)
        if last == first + 1:
            whole = self.item(first)
        else:
            whole = np.concatenate([self.item(i) for i in range(first, last)])
        base = int(self.offsets[first])
        return whole[start - base : stop - base]

    def items(self, indices: Int) -> Rows:
        """The rows of some items, in the order asked for."""
        return Rows(self._read, self.lengths[indices], self.shape[1:], self.dtype, self.numbers[indices])

    def without(self, gone: npt.NDArray[np.bool_]) -> Rows:
        """The rows with some items, bool ``(items,)``, left empty."""
        return Rows(self._read, np.where(gone, 0, self.lengths), self.shape[1:], self.dtype, self.numbers)

    def changed(self, change: Callable[[Array], Array], inner: tuple[int, ...] | None = None) -> Rows:
        """The rows of each item as ``change`` makes them; their number stays, ``inner`` where their shape does not."""
        read = self._read
        return Rows(lambda item: change(read(item)), self.lengths, inner or self.shape[1:], self.dtype, self.numbers)

    def followed_by(self, made: Sequence[Array]) -> Rows:
        """More items behind these, which are held in memory."""
        first, read = int(self.numbers.max(initial=-1)) + 1, self._read
        lengths = np.concatenate([self.lengths, [len(rows) for rows in made]]).astype(np.int64)
        numbers = np.concatenate([self.numbers, first + np.arange(len(made))]).astype(np.int64)
        both: Read = lambda item: read(item) if item < first else made[item - first]  # noqa: E731
        return Rows(both, lengths, self.shape[1:], self.dtype, numbers)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        """Never by the way: whoever needs an array asks for it, or is refused as here."""
        raise whole_in_memory()


def whole_in_memory() -> UsageError:
    """What a step that needs all rows at once answers where they stay in files."""
    return UsageError(
        "this step needs all of the data set in memory, and it is read from a folder of shards",
        hint="fuse it into one file: mmcli fuse MANIFEST -o DATASET.npz",
    )


def offsets_of(lengths: Int) -> Int:
    """Where items of these lengths start, and where the last ends: int64 ``(items + 1,)``."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def take(rows: Array | Rows, offsets: Int, indices: Int) -> Array | Rows:
    """The rows of some items, in the order asked for; ``offsets`` are those of all items."""
    if isinstance(rows, Rows):
        return rows.items(indices)
    lengths = np.diff(offsets)[indices]
    moved = offsets_of(lengths)
    chosen: Array = rows[np.repeat(offsets[:-1][indices] - moved[:-1], lengths) + np.arange(moved[-1])]
    return chosen


def without(rows: Array | Rows, lengths: Int, gone: npt.NDArray[np.bool_]) -> Array | Rows:
    """The rows of the items that are not ``gone``, bool ``(items,)``."""
    if isinstance(rows, Rows):
        return rows.without(gone)
    left: Array = rows[np.repeat(~gone, lengths)]
    return left


def changed(rows: Array | Rows, change: Callable[[Array], Array]) -> Array | Rows:
    """Every row as ``change`` makes it, which looks at one row at a time and keeps their shape."""
    return rows.changed(change) if isinstance(rows, Rows) else change(rows)
