"""The recurrence of dynamic time warping over a block of rows, twice: cell by cell and diagonal by diagonal.

One recurrence serves every step pattern. A pattern is three steps ``(di, dj, weight)``, in the order in which ties are
decided; ``c`` is the local cost and ``D`` the cost of the cheapest path that ends in a cell::

    D[i, j] = min over steps of D[i - di, j - dj] + weight * c[i, j],    D[start] = c[start]

(Sakoe and Chiba 1978, "Dynamic programming algorithm optimization for spoken word recognition", equations 18 to 20;
Müller 2007, "Information Retrieval for Music and Motion", section 4.) Both versions give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels.costs import METRICS, finish
from mmcli.aligners.kernels.jit import compiled

Array = NDArray[np.float64]
Ranges = NDArray[np.int64]

PATTERNS: dict[str, tuple[tuple[int, int, float], ...]] = {
    "symmetric1": ((1, 1, 1.0), (1, 0, 1.0), (0, 1, 1.0)),
    "symmetric2": ((1, 1, 2.0), (1, 0, 1.0), (0, 1, 1.0)),
    "asymmetric": ((1, 1, 1.0), (1, 0, 1.0), (1, 2, 1.0)),
    "slope2": ((1, 1, 1.0), (2, 1, 1.0), (1, 2, 1.0)),
}
START = 3  # the code of a cell where a path may begin
PAD = 2  # cells of infinity left of every row, so that a step never leaves the array


def sweep(
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
    """What ``sweep`` does, one antidiagonal of the block at a time in numpy: for where numba does not import."""
    m, count = yt.shape[1], i1 - i0
    name = next(k for k, v in METRICS.items() if v == metric)
    c = np.zeros((count, m))
    for f in range(x.shape[1]):
        e = x[i0:i1, f, None] - yt[None, f]
        c += np.abs(e) if metric == METRICS["manhattan"] else e * e
    c = finish(c, name)
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
    """The sweep compiled by numba, or the one in numpy where numba does not import."""
    return compiled(sweep) or sweep_by_diagonals
