"""What the alignment engine accepts, checked once at its door."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.errors import InputError

MAX_WIDTH = 4096
LIMIT = float(np.finfo(np.float32).max)


def frames(values: ArrayLike, name: str) -> NDArray[Any]:
    """``values`` as a contiguous array (frames, dims) of float32 or float64; a copy only where one is needed.

    Raises InputError for anything but real numbers within the range of float32, and for empty or too wide arrays.

    >>> frames([[1, 2], [3, 4]], "x").dtype
    dtype('float64')
    """
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {given.dtype}", hint="an array of real numbers is needed")
    a = np.ascontiguousarray(given, dtype=np.float32 if given.dtype == np.float32 else np.float64)
    if given.ndim != 2 or not a.size:
        raise InputError(f"{name} has shape {given.shape}", hint="(frames, values a frame), at least one of each")
    if a.shape[1] > MAX_WIDTH:
        raise InputError(f"{name} has {a.shape[1]} values a frame; at most {MAX_WIDTH} are possible")
    if not (float(a.min()) >= -LIMIT and float(a.max()) <= LIMIT):  # NaN passes through min and max
        i, f = (int(k) for k in np.argwhere(~(np.abs(a) <= LIMIT))[0])
        raise InputError(
            f"{name} holds {a[i, f]} at frame {i}, value {f}",
            hint="NaN, infinities and values beyond 3.4e38 cannot be aligned",
        )
    return a


def pair(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both sides checked and of one type: float32 where both are, else float64."""
    a, b = frames(x, "x"), frames(y, "y")
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"x has {a.shape[1]} values a frame and y has {b.shape[1]}", hint="both sides need the same features"
        )
    if a.dtype != b.dtype:
        a, b = a.astype(np.float64), b.astype(np.float64)
    return a, b


def corridor(ranges: NDArray[np.int64] | None, n: int, m: int) -> NDArray[np.int64] | None:
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
