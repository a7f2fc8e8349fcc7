"""One clock: the values of a stream at the times of another.

Between two frames a stream is interpolated; where the new clock is much slower, the frames of each cell are pooled, for
reading single points would let what lies between them vanish. Nothing is made up: where the stream has no frame nearby,
before its start, after its end, or in a break of the map, the answer is *undefined*.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmcli.errors import UsageError

POOLS = ("auto", "linear", "mean", "max", "last")

Clock = Callable[[np.ndarray], np.ndarray]


def step(times: np.ndarray) -> float:
    """The typical distance between frames in seconds; 0.0 for a static stream."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def uniform(start: float, end: float, rate_hz: float) -> np.ndarray:
    """Frame centres at ``rate_hz`` that cover ``[start, end]``, on the multiples of the step.

    >>> uniform(0.0, 0.3, 10.0)
    array([0. , 0.1, 0.2, 0.3])
    """
    if not rate_hz > 0:
        raise UsageError(f"a rate of {rate_hz} Hz is not positive")
    first, last = np.ceil(start * rate_hz - 1e-6), np.floor(end * rate_hz + 1e-6)
    return np.arange(first + 0.0, last + 1, dtype=np.float64) / rate_hz  # + 0.0: no negative zero


def resample(
    values: np.ndarray, times: np.ndarray, target: np.ndarray, *, to_own_clock: Clock | None = None, pool: str = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """Values of a stream at ``target`` times, and where they are defined.

    values: float ``(frames, ...)``; times: float64 ``(frames,)``; target: float64 ``(n,)``, increasing.
    ``to_own_clock`` maps target times onto the stream's clock, NaN where undefined. A static stream (one frame) holds
    everywhere. Returns float64 ``(n, ...)`` and bool ``(n,)``; undefined rows are zero.

    >>> resample(np.array([[0.0], [1.0]]), np.array([0.0, 1.0]), np.array([0.25, 1.25, 2.25]))
    (array([[0.25],
           [1.  ],
           [0.  ]]), array([ True,  True, False]))
    """
    if pool not in POOLS:
        raise UsageError(f"unknown pooling {pool!r}", hint="one of: " + ", ".join(POOLS))
    if len(times) == 1:
        return np.repeat(np.asarray(values, dtype=np.float64), len(target), axis=0), np.ones(len(target), bool)
    own = target if to_own_clock is None else to_own_clock(target)
    hop = step(times)
    inside = np.isfinite(own) & (own >= times[0] - hop / 2) & (own <= times[-1] + hop / 2)
    cell = step(own[np.isfinite(own)]) if np.isfinite(own).any() else 0.0
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    if pool == "linear" or (pool == "auto" and cell < 1.5 * hop):
        resampled = _interpolate(flat, times, own, inside)
    else:
        resampled = _pool(flat, times, own, inside, cell, "mean" if pool == "auto" else pool)
    return resampled.reshape(len(target), *values.shape[1:]), inside


def _interpolate(flat: np.ndarray, times: np.ndarray, own: np.ndarray, inside: np.ndarray) -> np.ndarray:
    at = np.where(inside, own, times[0])
    right = np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1)
    left = right - 1
    share = np.clip((at - times[left]) / (times[right] - times[left]), 0.0, 1.0)[:, None]
    between = (1.0 - share) * flat[left] + share * flat[right]
    between[~inside] = 0.0
    return np.asarray(between)


def _pool(
    flat: np.ndarray, times: np.ndarray, own: np.ndarray, inside: np.ndarray, cell: float, how: str
) -> np.ndarray:
    at = np.where(inside, own, times[0])
    low = np.searchsorted(times, at - cell / 2, side="left")
    high = np.searchsorted(times, at + cell / 2, side="left")
    empty = high <= low  # a cell without a frame of its own takes the nearest one
    nearest = np.clip(np.searchsorted(times, at), 0, len(times) - 1)
    low, high = np.where(empty, nearest, low), np.where(empty, nearest + 1, high)
    if how == "last":
        pooled = flat[high - 1]
    elif how == "max":
        pooled = np.stack([flat[a:b].max(axis=0) for a, b in zip(low, high, strict=True)])
    else:
        total = np.concatenate([np.zeros((1, flat.shape[1])), np.cumsum(flat, axis=0)])
        pooled = (total[high] - total[low]) / (high - low)[:, None]
    pooled[~inside] = 0.0
    return pooled
