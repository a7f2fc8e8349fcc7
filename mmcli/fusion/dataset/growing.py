"""Rows of many items one after another, gathered without holding them twice.

A hundred thousand small arrays leave the memory in splinters that nothing large fits into again; blocks are given back
one by one while the whole is put together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

BLOCK_BYTES = 1 << 24


class Growing:
    """Rows of one shape and type, item after item."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._blocks: list[NDArray[np.generic]] = []
        self._used = 0  # rows of the last block
        self._total = 0

    def add(self, rows: NDArray[np.generic]) -> None:
        """Rows ``(n, ...)`` behind those before."""
        if not self._blocks or self._used + len(rows) > len(self._blocks[-1]):
            if self._blocks:
                self._blocks[-1] = self._blocks[-1][: self._used]
            each = max(1, int(np.prod(rows.shape[1:])) * self._dtype.itemsize)
            self._blocks.append(np.empty((max(BLOCK_BYTES // each, len(rows)), *rows.shape[1:]), self._dtype))
            self._used = 0
        self._blocks[-1][self._used : self._used + len(rows)] = rows
        self._used += len(rows)
        self._total += len(rows)

    def whole(self) -> NDArray[np.generic]:
        """All rows as one array; what was gathered is given back."""
        if not self._blocks:
            return np.zeros(0, self._dtype)
        self._blocks[-1] = self._blocks[-1][: self._used]
        whole = np.empty((self._total, *self._blocks[0].shape[1:]), self._dtype)
        start = 0
        self._blocks.reverse()
        while self._blocks:
            block = self._blocks.pop()
            whole[start : start + len(block)] = block
            start += len(block)
        self._used = self._total = 0
        return whole
