"""The door to the exact DTW engine: validated arrays in, cost and path out, by the compiled kernel or by its twin.

Costs run in float32 inside tiles and in float64 between them; the cost of the path is summed again in float64 from the
input, and lies within 1e-6 relative of the optimum.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.errors import InputError

_dtw: ModuleType | None
try:
    from mmcli.aligners.kernels import _dtw
except ImportError:  # installed without a compiler: the twin serves
    _dtw = None

METRICS = ("euclidean", "sqeuclidean", "manhattan", "cosine")
PATTERNS = ("symmetric1", "symmetric2", "asymmetric", "slope2")
MAX_WIDTH = 4096
CLOSED = (False, False)
_CODES = {"euclidean": 0, "sqeuclidean": 1, "manhattan": 2, "cosine": 3}


class Found(NamedTuple):
    """A warping path: ``cost``, and ``path`` int64 (k, 2) of (row of x, row of y), ascending."""

    cost: float
    path: NDArray[np.int64]


def align(
    x: ArrayLike,
    y: ArrayLike,
    *,
    metric: str = "euclidean",
    pattern: str = "symmetric1",
    precision: str = "float32",
    corridor: NDArray[np.int64] | None = None,
    open_begin: tuple[bool, bool] = CLOSED,
    open_end: tuple[bool, bool] = CLOSED,
    jobs: int = 1,
    memory: int | None = None,
    kernel: str | None = None,
) -> Found:
    """The cheapest warping path between the rows of ``x`` (n, d) and ``y`` (m, d).

    Raises InputError where an array cannot be used or no path exists.

    >>> align([[0.0], [1.0], [2.0]], [[0.0], [2.0]])
    Found(cost=1.0, path=array([[0, 0], [1, 0], [2, 1]]))
    """
    a, b = checked(x, "x"), checked(y, "y")
    if a.shape[1] != b.shape[1]:
        raise InputError(f"x has {a.shape[1]} values a row, y has {b.shape[1]}", hint="both sides need the same features")
    plain = pattern == "symmetric1" and corridor is None and (*open_begin, *open_end) == (False,) * 4 and precision == "float32"
    if _dtw is None or kernel == "twin" or not plain:
        from mmcli.aligners.kernels import twin

        cost, way = twin.align(a, b, metric=metric, pattern=pattern, ranges=corridor, open_begin=open_begin, open_end=open_end)
        assert way is not None
        return Found(cost, way)
    path = np.empty((len(a) + len(b) - 1, 2), dtype=np.int64)
    if metric == "cosine":
        a, b = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300) for v in (a, b))
    cost, length = _dtw.align(a, b, path, _CODES[metric], kernel)
    return Found(cost, path[:length])


def checked(values: ArrayLike, name: str) -> NDArray[Any]:
    """``values`` as a contiguous float64 array (frames, dims), refused where the engine could not be exact."""
    a = np.ascontiguousarray(values, dtype=np.float64)
    if a.ndim != 2 or not a.size:
        raise InputError(f"{name} has shape {a.shape}", hint="two dimensions are needed: (frames, values a frame)")
    if a.shape[1] > MAX_WIDTH:
        raise InputError(f"{name} has {a.shape[1]} values a row; at most {MAX_WIDTH} are possible")
    limit = float(np.finfo(np.float32).max)
    if not (-limit <= a.min() and a.max() <= limit):  # NaN passes through min and max
        i, f = (int(k) for k in np.argwhere(~(np.abs(a) <= limit))[0])
        raise InputError(f"{name} holds {a[i, f]} in row {i}", hint="NaN, infinities and values beyond 3.4e38 cannot be aligned")
    return a


def describe() -> dict[str, object]:
    """Which engine runs here: ``name``, ``instruction_set``, ``compiled`` and, in words, the ``fallback``."""
    if _dtw is None:
        return {"name": "twin", "instruction_set": None, "compiled": False, "fallback": "numpy/numba twin (in use)"}
    return {"name": "dtw", "instruction_set": None, "compiled": True, "fallback": "numpy/numba twin"}


