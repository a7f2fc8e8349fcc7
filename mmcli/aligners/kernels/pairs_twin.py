"""Many short warps, pair by pair in plain loops that numba compiles: serves where the extension ``_pairs`` does not.

The two functions at the end take the arguments of the extension's and write the same numbers. Series lie one after
another: series k is rows ``offsets[k]`` to ``offsets[k + 1]`` of an array (rows, d).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels import jit, twin

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
SQUARE, L2, L1 = 0, 1, 2
PATTERNS = tuple(twin.PATTERNS)


def _distance(x: Array, y: Array, metric: int, steps: Array, lo: Indices, hi: Indices, upper: float) -> float:
    """The cost of the cheapest path, or infinity once two rows running hold no cell of at most ``upper``."""
    n, m = len(x), len(y)
    rows = np.full((3, m + 2), np.inf)
    low = np.full(3, np.inf)
    for i in range(n):
        here = rows[i % 3]
        here[:] = np.inf
        low[i % 3] = np.inf
        for j in range(lo[i], hi[i]):
            c = 0.0
            for f in range(x.shape[1]):
                e = x[i, f] - y[j, f]
                c += abs(e) if metric == 2 else e * e
            if metric == 1:
                c = math.sqrt(c)
            best = 0.0
            if i > 0 or j > 0:
                best = np.inf
                for s in range(3):
                    before = rows[(i - int(steps[s, 0])) % 3, j + 2 - int(steps[s, 1])]
                    best = min(best, before + (steps[s, 2] - 1.0) * c)
            here[j + 2] = best + c
            low[i % 3] = min(low[i % 3], here[j + 2])
        if low[i % 3] > upper and (i == 0 or low[(i - 1) % 3] > upper):
            return np.inf
    return float(rows[(n - 1) % 3, m + 1])


@lru_cache(maxsize=1)
def _fastest() -> Callable[..., float]:
    return jit.compiled(_distance) or _distance


def _pair(
    x: Array,
    x_offsets: Indices,
    y: Array,
    y_offsets: Indices,
    metric: int,
    pattern: int,
    ranges: Indices | None,
) -> Callable[[int, int, float], float]:
    steps = np.array(twin.PATTERNS[PATTERNS[pattern]])

    def distance(i: int, j: int, upper: float) -> float:
        a, b = x[x_offsets[i] : x_offsets[i + 1]], y[y_offsets[j] : y_offsets[j + 1]]
        if ranges is None:
            lo, hi = np.zeros(len(a), dtype=np.int64), np.full(len(a), len(b), dtype=np.int64)
        else:
            lo, hi = np.ascontiguousarray(ranges[:, 0]), np.ascontiguousarray(ranges[:, 1])
        return _fastest()(a, b, metric, steps, lo, hi, upper)

    return distance


def matrix(
    x: Array,
    x_offsets: Indices,
    y: Array,
    y_offsets: Indices,
    d: int,
    metric: int,
    pattern: int,
    rows: Indices,
    columns: Indices,
    ranges: Indices | None,
    upper: Array | None,
    distances: Array,
) -> int:
    """Writes ``distances[i, j]`` for i in ``rows`` and j in ``columns``; infinity above ``upper`` of that row."""
    pair = _pair(x, x_offsets, y, y_offsets, metric, pattern, ranges)
    for k, i in enumerate(rows):
        u = np.inf if upper is None else float(upper[k])
        for j in columns:
            v = pair(int(i), int(j), u)
            distances[i, j] = v if v <= u else np.inf
    return 0


def nearest(
    x: Array,
    x_offsets: Indices,
    y: Array,
    y_offsets: Indices,
    d: int,
    metric: int,
    pattern: int,
    rows: Indices,
    order: Indices,
    ranges: Indices | None,
    bounds: Array,
    distances: Array,
    indices: Indices,
) -> int:
    """The least distance of each of ``rows``, trying ``order`` (rising lower bounds) until no bound is below it."""
    pair = _pair(x, x_offsets, y, y_offsets, metric, pattern, ranges)
    tried = 0
    for k, i in enumerate(rows):
        for j, bound in zip(order[k], bounds[k], strict=True):
            if bound > distances[k]:
                break
            v = pair(int(i), int(j), float(distances[k]))
            tried += 1
            if v < distances[k] or (v == distances[k] < np.inf and j < indices[k]):
                distances[k], indices[k] = v, j
    return tried


def kernels() -> Any:
    """The compiled ``matrix`` and ``nearest``, or the ones here where the package was built without a compiler."""
    try:
        from mmcli.aligners.kernels import _pairs
    except ImportError:
        from mmcli.aligners.kernels import pairs_twin

        return pairs_twin
    return _pairs
