"""Dynamic time warping in float64 where there is no compiled engine: the readable twin and the oracle of the tests.

Rows are swept once, keeping two of them every ``block`` rows; walking back, one block at a time is swept again with its
steps written down, so memory grows with the length and not with its square. ``twin_sweep`` holds the recurrence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels.costs import METRICS, path_cost, prepare
from mmcli.aligners.kernels.twin_sweep import PAD, PATTERNS, START, fastest_sweep

__all__ = ["METRICS", "PATTERNS", "align", "distance"]

Array = NDArray[np.float64]
Ranges = NDArray[np.int64]


def align(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    metric: str = "euclidean",
    pattern: str = "symmetric1",
    corridor: Ranges | None = None,
    open_begin: tuple[bool, bool] = (False, False),
    open_end: tuple[bool, bool] = (False, False),
    sweep: Callable[..., None] | None = None,
) -> tuple[float, Ranges]:
    """The cheapest path between the rows of ``x`` (n, d) and ``y`` (m, d): its cost and the path, int64 (k, 2).

    ``corridor`` int64 (n, 2): the columns ``[lo, hi)`` allowed in each row. ``open_begin`` and ``open_end`` say for x
    and for y whether frames at that end may be left out. Ties: the steps in the pattern's order, then the first cell of
    the last row, then of the last column. ``sweep``: one of those of ``twin_sweep``; the default is the fastest. Where
    no path leads from begin to end the cost is infinite and the path empty.

    >>> align(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [2.0]]))[1].tolist()
    [[0, 0], [1, 0], [2, 1]]
    """
    return _solve(x, y, metric, pattern, corridor, open_begin, open_end, sweep or fastest_sweep(), True)


def distance(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    metric: str = "euclidean",
    pattern: str = "symmetric1",
    corridor: Ranges | None = None,
    open_begin: tuple[bool, bool] = (False, False),
    open_end: tuple[bool, bool] = (False, False),
    sweep: Callable[..., None] | None = None,
) -> float:
    """The cost alone, in one pass and memory for three rows; arguments as for ``align``.

    >>> distance(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [2.0]]))
    1.0
    """
    return _solve(x, y, metric, pattern, corridor, open_begin, open_end, sweep or fastest_sweep(), False)[0]


def _solve(
    x: NDArray[Any],
    y: NDArray[Any],
    metric: str,
    pattern: str,
    corridor: Ranges | None,
    open_begin: tuple[bool, bool],
    open_end: tuple[bool, bool],
    run: Callable[..., None],
    want_path: bool,
) -> tuple[float, Ranges]:
    rows_x, rows_y = prepare(x, y, metric)
    n, m = len(x), len(y)
    lo = np.zeros(n, dtype=np.int64) if corridor is None else np.ascontiguousarray(corridor[:, 0], dtype=np.int64)
    hi = np.full(n, m, dtype=np.int64) if corridor is None else np.ascontiguousarray(corridor[:, 1], dtype=np.int64)
    steps = np.array(PATTERNS[pattern], dtype=np.float64)
    yt = np.ascontiguousarray(rows_y.T)
    cost = np.empty(int((hi - lo).max()))
    block = max(3, int(np.sqrt(16 * n)))  # two kept rows of 8 bytes a cell against block rows of one byte
    rows = np.full((3, PAD + m), np.inf)
    last_column = np.full(n if open_end[0] else 0, np.inf)
    no_codes, no_column = np.empty(0, dtype=np.int8), np.empty(0)
    kept: list[tuple[Array, Array]] = []

    def go(i0: int, i1: int, codes: NDArray[np.int8], column: Array) -> None:
        run(rows_x, yt, METRICS[metric], i0, i1, lo, hi, rows, steps, *open_begin, cost, codes, column)

    for i0 in range(0, n, block):
        if want_path:
            kept.append((_row(rows, lo, hi, i0 - 1), _row(rows, lo, hi, i0 - 2)))
        go(i0, min(i0 + block, n), no_codes, last_column)
    i, j, total = _end(_row(rows, lo, hi, n - 1), int(lo[n - 1]), last_column, n, m, open_end)
    if not want_path or total == np.inf:
        return total, np.empty((0, 2), dtype=np.int64)
    path: list[tuple[int, int]] = []
    for b in range(i // block, -1, -1):
        if i < b * block:  # a step of two rows went past
            continue
        i0 = b * block
        rows[:] = np.inf
        for back, values in enumerate(kept[b], start=1):
            if i0 - back >= 0:
                rows[(i0 - back) % 3, lo[i0 - back] + PAD : hi[i0 - back] + PAD] = values
        starts = np.concatenate([[0], np.cumsum(hi[i0 : i + 1] - lo[i0 : i + 1])])
        codes = np.empty(int(starts[-1]), dtype=np.int8)
        go(i0, i + 1, codes, no_column)
        while i >= i0:
            path.append((i, j))
            code = int(codes[starts[i - i0] + j - lo[i]])
            if code == START:
                out = np.array(path[::-1], dtype=np.int64)
                return path_cost(x, y, out, metric, pattern), out
            i, j = i - int(steps[code, 0]), j - int(steps[code, 1])
    raise AssertionError("the walk back must meet a start")


def _row(rows: Array, lo: Ranges, hi: Ranges, i: int) -> Array:
    return rows[i % 3, lo[i] + PAD : hi[i] + PAD].copy() if i >= 0 else np.empty(0)


def _end(
    last_row: Array, first: int, last_column: Array, n: int, m: int, open_end: tuple[bool, bool]
) -> tuple[int, int, float]:
    """The cell where the path ends and its cost: the corner, or the cheapest cell of the open ends."""
    if open_end[1] and len(last_row):
        k = int(np.argmin(last_row))
        best = (n - 1, first + k, float(last_row[k]))
    else:
        best = (n - 1, m - 1, float(last_row[-1]) if len(last_row) and first + len(last_row) == m else np.inf)
    if open_end[0]:
        k = int(np.argmin(last_column))
        if last_column[k] < best[2]:
            best = (k, m - 1, float(last_column[k]))
    return best
