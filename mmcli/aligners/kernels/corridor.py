"""Corridors: the columns ``[lo, hi)`` that a warping path may use in each row, int64 (n, 2).

The two builders return corridors that are monotone and connected: both bounds never fall, and each row shares a column
with the next one or touches it, so that a path leads through.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.errors import InputError

Corridor = NDArray[np.int64]
ROUNDING = 1e-6  # of a frame: what a width in seconds may lose on its way to frames


def checked(ranges: NDArray[np.int64] | None, n: int, m: int) -> NDArray[np.int64] | None:
    """A corridor as contiguous int64 (n, 2), each row a range of columns inside [0, m)."""
    if ranges is None:
        return None
    c = np.ascontiguousarray(ranges, dtype=np.int64)
    if c.shape != (n, 2):
        raise InputError(f"the corridor has shape {c.shape}, not {(n, 2)}", hint="one range of columns a row of x")
    wrong = np.flatnonzero((c[:, 0] < 0) | (c[:, 0] >= c[:, 1]) | (c[:, 1] > m))
    if wrong.size:
        i = int(wrong[0])
        raise InputError(
            f"row {i} of the corridor allows columns {c[i].tolist()} of {m}", hint="needed: 0 <= lo < hi <= columns"
        )
    return c


def band(n: int, m: int, width: float) -> Corridor:
    """The Sakoe-Chiba band of ``width`` columns in all, half on either side of the line from (0, 0) to (n - 1, m - 1).

    Sakoe and Chiba 1978, section III, with the line in place of the diagonal so that lengths may differ. However small
    the width, the line itself stays inside.

    >>> band(4, 4, 2).tolist()
    [[0, 2], [0, 3], [1, 4], [2, 4]]
    """
    if not width >= 0:
        raise InputError(f"a band of {width} frames", hint="the width of the band must be 0 or more")
    slope = (m - 1) / (n - 1) if n > 1 else 0.0
    half = max(width / 2, 0.5, slope / 2) if n > 1 else float(m)
    centre = np.arange(n) * slope
    return _corridor(centre - half, centre + half, m)


def around(points: ArrayLike, n: int, m: int, radius: float, rows: float | None = None) -> Corridor:
    """The cells within ``radius`` columns, or ``rows`` rows (the same number), of a line through ``points`` (k, 2).

    Points (row, column) rise in both; between them the line is straight, before the first and after the last it goes on
    to the corners (0, 0) and (n - 1, m - 1).

    >>> around([[2, 2]], 5, 5, 1).tolist()
    [[0, 2], [0, 3], [1, 4], [2, 5], [3, 5]]
    """
    p = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if not (np.isfinite(p).all() and (np.diff(p, axis=0) >= 0).all()):
        raise InputError("the points of a corridor must be finite and rise in rows and in columns")
    rows = radius if rows is None else rows
    if not (radius >= 0 and rows >= 0):
        raise InputError(f"a corridor of radius {min(radius, rows)}", hint="the radius must be 0 or more")
    p = np.clip(p, 0, [n - 1, m - 1])
    p = np.concatenate([[[0.0, 0.0]], p, [[n - 1.0, m - 1.0]]])
    at = np.arange(n, dtype=np.float64)
    right, down = max(radius, 0.5), max(rows, 0.5)
    lo = np.minimum(_line(p, at, "left") - right, _line(p, at - down, "left"))
    hi = np.maximum(_line(p, at, "right") + right, _line(p, at + down, "right"))
    return _corridor(lo, hi, m)


def _line(p: NDArray[Any], rows: NDArray[Any], side: str) -> NDArray[Any]:
    """The column where the line crosses each row; where it runs along a row, its left or right end there."""
    keep = np.ones(len(p), dtype=bool)
    same = p[1:, 0] == p[:-1, 0]
    if side == "left":
        keep[1:] = ~same
    else:
        keep[:-1] = ~same
    return np.asarray(np.interp(rows, p[keep, 0], p[keep, 1]))


def _corridor(lo: NDArray[Any], hi: NDArray[Any], m: int) -> Corridor:
    """The columns from ``lo`` to ``hi``, both included, clipped to the matrix, and neighbouring rows made to touch."""
    a = np.maximum.accumulate(np.clip(np.ceil(lo - ROUNDING), 0, m - 1))
    b = np.maximum.accumulate(np.clip(np.floor(hi + ROUNDING) + 1, a + 1, m))
    b[:-1] = np.maximum(b[:-1], a[1:])  # the next row's first column is at most one step to the right
    return np.ascontiguousarray(np.stack([a, b], axis=1).astype(np.int64))
