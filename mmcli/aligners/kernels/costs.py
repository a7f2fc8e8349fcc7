"""Two sides as the kernels accept them, checked once at the door, and what pairs of their rows and whole paths cost, in
float64: shared by engine, twin and hidden Markov models.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.errors import InputError

Array = NDArray[np.float64]
Ranges = NDArray[np.int64]

METRICS = {"euclidean": 0, "sqeuclidean": 1, "manhattan": 2, "cosine": 3}
MAX_WIDTH = 4096  # values a frame
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
    return finish(total, metric)


def path_cost(x: NDArray[Any], y: NDArray[Any], path: Ranges, metric: str, pattern: str = "symmetric1") -> float:
    """The cost of a path (k, 2), re-summed in float64 with the weights of its steps.

    >>> path_cost(np.zeros((2, 1)), np.ones((2, 1)), np.array([[0, 0], [1, 1]]), "euclidean", "symmetric2")
    3.0
    """
    x, y = prepare(x, y, metric)
    e = x[path[:, 0]] - y[path[:, 1]]
    c = finish((np.abs(e) if metric == "manhattan" else e * e).sum(axis=1), metric)
    if pattern == "symmetric2":
        c[1:] *= np.diff(path, axis=0).sum(axis=1)
    return float(c.sum())


def finish(total: Array, metric: str) -> Array:
    """The costs of pairs from the sums over their features.

    >>> finish(np.array([4.0]), "euclidean").tolist()
    [2.0]
    """
    return np.sqrt(total) if metric == "euclidean" else total / 2 if metric == "cosine" else total
