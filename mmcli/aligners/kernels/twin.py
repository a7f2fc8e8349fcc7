"""Dynamic time warping in float64 where there is no compiled engine: the readable twin and the oracle of the tests.

One recurrence serves every step pattern. A pattern is three steps ``(di, dj, weight)``, in the order in which ties are
decided; ``c`` is the local cost and ``D`` the cost of the cheapest path that ends in a cell::

    D[i, j] = min over steps of D[i - di, j - dj] + weight * c[i, j],    D[start] = c[start]

(Sakoe and Chiba 1978, "Dynamic programming algorithm optimization for spoken word recognition", equations 18 to 20;
Müller 2007, "Information Retrieval for Music and Motion", section 4.) Rows are swept once, keeping two of them every
``block`` rows; walking back, one block at a time is swept again with its steps written down, so memory grows with the
length and not with its square. The sweep is plain Python, compiled by numba on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ranges = NDArray[np.int64]

METRICS = {"euclidean": 0, "sqeuclidean": 1, "manhattan": 2, "cosine": 3}
PATTERNS: dict[str, tuple[tuple[int, int, float], ...]] = {
    "symmetric1": ((1, 1, 1.0), (1, 0, 1.0), (0, 1, 1.0)),
    "symmetric2": ((1, 1, 2.0), (1, 0, 1.0), (0, 1, 1.0)),
    "asymmetric": ((1, 1, 1.0), (1, 0, 1.0), (1, 2, 1.0)),
    "slope2": ((1, 1, 1.0), (2, 1, 1.0), (1, 2, 1.0)),
}
START = 3  # the code of a cell where a path may begin
PAD = 2  # cells of infinity left of every row, so that a step never leaves the array


def prepare(x: NDArray[Any], y: NDArray[Any], metric: str) -> tuple[Array, Array]:
    """Both sides (frames, dims) as contiguous float64; under ``cosine`` rows of unit length.

    Half the squared distance of unit rows is ``1 - cos`` without its cancellation. A zero row has no direction: it
    costs 0 against another zero row and 1 against every other: one more column, 1 in zero rows only, brings that about.

    >>> prepare(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[1.0, 0.0]]), "cosine")[0].tolist()
    [[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]
    """
    x, y = np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(y, dtype=np.float64)
    return (_unit_rows(x), _unit_rows(y)) if metric == "cosine" else (x, y)


def _unit_rows(x: Array) -> Array:
    largest = np.abs(x).max(axis=1, keepdims=True)
    x = x / np.where(largest > 0, largest, 1.0)  # the square of a tiny value must not vanish
    norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
    return np.hstack([x / np.where(norm > 0, norm, 1.0), (norm == 0).astype(np.float64)])


def local_costs(x: NDArray[Any], y: NDArray[Any], metric: str) -> Array:
    """The local cost of every pair of rows, float64 (n, m).

    >>> local_costs(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]), "euclidean").tolist()
    [[5.0, 1.0]]
    """
    x, y = prepare(x, y, metric)
    total = np.zeros((len(x), len(y)))
    for f in range(x.shape[1]):
        e = x[:, f, None] - y[None, :, f]
        total += np.abs(e) if metric == "manhattan" else e * e
    return _finish(total, metric)


def _finish(total: Array, metric: str) -> Array:
    return np.sqrt(total) if metric == "euclidean" else total / 2 if metric == "cosine" else total


def path_cost(x: NDArray[Any], y: NDArray[Any], path: Ranges, metric: str, pattern: str = "symmetric1") -> float:
    """The cost of a path (k, 2), re-summed in float64 with the weights of its steps.

    >>> path_cost(np.zeros((2, 1)), np.ones((2, 1)), np.array([[0, 0], [1, 1]]), "euclidean", "symmetric2")
    3.0
    """
    x, y = prepare(x, y, metric)
    e = x[path[:, 0]] - y[path[:, 1]]
    c = _finish((np.abs(e) if metric == "manhattan" else e * e).sum(axis=1), metric)
    if pattern == "symmetric2":
        c[1:] *= np.diff(path, axis=0).sum(axis=1)
    return float(c.sum())


def _sweep(
    x: Array,
    yt: Array,
    metric: int,
    i0: int,
    i1: int,
    lo: Ranges,
    hi: Ranges,
    rows: Array,
    steps: Array,
    open_x: bool,
    open_y: bool,
    cost: Array,
    codes: NDArray[np.int8],
    last_column: Array,
) -> None:
    """Rows ``i0 .. i1 - 1`` of the recurrence.

    ``rows`` (3, PAD + m): row i in slot i % 3, infinity outside ``[lo[i], hi[i])``. ``codes``: one a cell, row
    after row, or empty. ``last_column``: ``D[i, m - 1]``, or empty.
    """
    m = yt.shape[1]
    at = 0
    for i in range(i0, i1):
        a, b = lo[i], hi[i]
        here, up1, up2 = rows[i % 3], rows[(i + 2) % 3], rows[(i + 1) % 3]
        if i >= 3:  # what this slot held before
            here[lo[i - 3] + 2 : hi[i - 3] + 2] = np.inf
        c = cost[: b - a]
        c[:] = 0.0
        for f in range(x.shape[1]):
            xf = x[i, f]
            yf = yt[f, a:b]
            if metric == 2:
                for k in range(b - a):
                    c[k] += abs(xf - yf[k])
            else:
                for k in range(b - a):
                    c[k] += (xf - yf[k]) * (xf - yf[k])
        if metric == 0:
            for k in range(b - a):
                c[k] = np.sqrt(c[k])
        elif metric == 3:
            for k in range(b - a):
                c[k] *= 0.5
        for j in range(a, b):
            best, code = np.inf, 0
            if (i == 0 and (j == 0 or open_y)) or (j == 0 and open_x):
                best, code = 0.0, 3
            else:
                for s in range(3):
                    di, dj = int(steps[s, 0]), int(steps[s, 1])
                    q = j + 2 - dj
                    before = here[q] if di == 0 else up1[q] if di == 1 else up2[q]
                    t = before + (steps[s, 2] - 1.0) * c[j - a]
                    if t < best:
                        best, code = t, s
            here[j + 2] = best + c[j - a]
            if codes.size:
                codes[at] = code
                at += 1
        if last_column.size:
            last_column[i] = here[m + 1]


def sweep_by_diagonals(
    x: Array,
    yt: Array,
    metric: int,
    i0: int,
    i1: int,
    lo: Ranges,
    hi: Ranges,
    rows: Array,
    steps: Array,
    open_x: bool,
    open_y: bool,
    cost: Array,
    codes: NDArray[np.int8],
    last_column: Array,
) -> None:
    """What ``_sweep`` does, one antidiagonal of the block at a time in numpy: for where numba does not import."""
    m, count = yt.shape[1], i1 - i0
    name = next(k for k, v in METRICS.items() if v == metric)
    c = np.zeros((count, m))
    for f in range(x.shape[1]):
        e = x[i0:i1, f, None] - yt[None, f]
        c += np.abs(e) if metric == METRICS["manhattan"] else e * e
    c = _finish(c, name)
    columns = np.arange(m)
    allowed = (lo[i0:i1, None] <= columns) & (columns < hi[i0:i1, None])
    total = np.full((count + 2, m + PAD), np.inf)
    for back in (1, 2):
        if i0 >= back:
            total[2 - back] = rows[(i0 - back) % 3]
    code = np.zeros((count, m), dtype=np.int8)
    for t in range(count + m - 1):
        r = np.arange(max(0, t - m + 1), min(count, t + 1))
        j = t - r
        options = np.stack([total[r + 2 - int(di), j + 2 - int(dj)] + (w - 1.0) * c[r, j] for di, dj, w in steps])
        which = options.argmin(axis=0)
        best = options[which, np.arange(len(r))]
        start = ((r + i0 == 0) & ((j == 0) | open_y)) | ((j == 0) & open_x)
        total[r + 2, j + PAD] = np.where(allowed[r, j], np.where(start, 0.0, best) + c[r, j], np.inf)
        code[r, j] = np.where(start, START, which)
    for back in range(min(count, 3)):
        rows[(i1 - 1 - back) % 3] = total[count + 1 - back]
    if codes.size:
        codes[:] = code[allowed]
    if last_column.size:
        last_column[i0:i1] = total[2:, -1]


@lru_cache(maxsize=1)
def fastest_sweep() -> Callable[..., None]:
    """The sweep compiled by numba (kept on disk where the package's folder can be written), else the one in numpy."""
    try:
        import numba
    except ImportError:
        return sweep_by_diagonals
    return numba.njit(cache=True, nogil=True)(_sweep)


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
    the last row, then of the last column. ``sweep``: one of the three here; the default is the fastest. Where no path
    leads from begin to end the cost is infinite and the path empty.

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
