"""Histories on disk, users in blocks, for factors of more events than fit in memory.

A block is read when it is its turn, by rows for its users and by columns for the items. What is needed of all users at
once are sums over them, and sums are added block by block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mmcli.artifacts.io.scratch import Scratch

EVENTS = 8_000_000  # of a block: 64 MB in its two orders

Pairs = tuple[NDArray[np.int32], NDArray[np.int32]]


@dataclass(eq=False)
class RowBlocks:
    """``shape`` (users, items); ``edges`` int64 ``(blocks + 1,)``, the users at which blocks begin; ``counts`` int64
    ``(items,)``, events of each item.
    """

    scratch: Scratch
    shape: tuple[int, int]
    edges: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def rows(self, block: int) -> Any:
        """Its users' histories, csr ``(users of the block, items)`` of ones."""
        return self._read(f"{block}.rows", int(self.edges[block + 1] - self.edges[block]), self.shape[1])

    def columns(self, block: int) -> Any:
        """The same transposed, csr ``(items, users of the block)``."""
        return self._read(f"{block}.columns", self.shape[1], int(self.edges[block + 1] - self.edges[block]))

    def keep_users(self, block: int, factors: NDArray[np.float32]) -> None:
        """Put away the factors of the block's users, float32 ``(users of the block, width)``."""
        self.scratch.put(f"{block}.users", factors)

    def users(self, block: int, width: int) -> NDArray[np.float32]:
        """What was put away."""
        return self.scratch.take(f"{block}.users", np.float32).reshape(-1, width)

    def _read(self, name: str, rows: int, columns: int) -> Any:
        indptr = self.scratch.take(f"{name}.indptr", np.int64)
        indices = self.scratch.take(f"{name}.indices", np.int32)
        return sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(rows, columns))


def pairs(histories: Any) -> Iterator[Pairs]:
    """The events of csr ``(users, items)``, a block's worth of them at a time."""
    ends = histories.indptr.astype(np.int64)
    edges = np.searchsorted(ends, np.arange(0, ends[-1], EVENTS), "right") - 1
    for first, last in itertools.pairwise([*np.unique(edges).tolist(), histories.shape[0]]):
        own = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(ends[first : last + 1]))
        yield own, histories.indices[ends[first] : ends[last]].astype(np.int32)


def gathered(chunks: Iterable[Pairs], shape: tuple[int, int], events: int, folder: Path) -> RowBlocks:
    """Blocks of pairs that come in any order, arrays of users and items int32 at a time; ``events`` is about how many.

    A pair that comes twice stands once. No more than a chunk and a block is in memory; the rest is in ``folder``, which
    is the caller's to delete.
    """
    count = max(1, -(-events // EVENTS))
    edges = np.unique(np.arange(count + 1) * shape[0] // count).astype(np.int64)
    scratch = Scratch(folder)
    for user, item in chunks:
        place = np.searchsorted(edges, user, "right") - 1
        order = np.argsort(place, kind="stable")
        ends = np.cumsum(np.bincount(place, minlength=len(edges) - 1))
        for block, rows in enumerate(np.split(order, ends[:-1])):
            scratch.append(f"{block}.pairs", np.stack([user[rows] - edges[block], item[rows]], 1).astype(np.int32))
    counts = np.zeros(shape[1], np.int64)
    for block in range(len(edges) - 1):
        both = scratch.take(f"{block}.pairs", np.int32).reshape(-1, 2)
        size = (int(edges[block + 1] - edges[block]), shape[1])
        matrix = sp.csr_matrix((np.ones(len(both), np.float32), (both[:, 0], both[:, 1])), shape=size)
        del both
        counts += _put(scratch, block, matrix)
        scratch.drop(f"{block}.pairs")
    return RowBlocks(scratch, shape, edges, counts)


def _put(scratch: Scratch, block: int, matrix: Any) -> NDArray[np.int64]:
    matrix.sort_indices()
    across = matrix.T.tocsr()
    for name, part in (("rows", matrix), ("columns", across)):
        scratch.put(f"{block}.{name}.indptr", part.indptr.astype(np.int64))
        scratch.put(f"{block}.{name}.indices", part.indices.astype(np.int32))
    return np.bincount(matrix.indices, minlength=matrix.shape[1])
