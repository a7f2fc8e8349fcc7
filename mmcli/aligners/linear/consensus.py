"""A line through local lags that most of them agree on.

Least squares is not enough: two of nine windows that locked onto a repeated bar turned a drift of 145 ppm into 3,606.
All pairs of windows (or a fixed selection of them) propose a line; the line with the most windows within the tolerance
wins, and is then fitted to those alone (Fischler and Bolles 1981, "Random sample consensus"; here without chance).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MOST_PAIRS = 20_000


@dataclass(frozen=True)
class Line:
    """``lag = at_zero + slope * t`` and the windows that agree with it (bool), with their usual error in seconds."""

    at_zero: float
    slope: float
    agree: NDArray[np.bool_]
    error_s: float

    def lag(self, t: Vector) -> Vector:
        """The lag at query times ``t``, seconds."""
        return self.at_zero + self.slope * t


def constant(t: Vector, lag: Vector, weight: Vector, tolerance: float) -> Line:
    """The one lag that most windows agree with.

    >>> t = np.arange(5.0)
    >>> constant(t, np.array([1.0, 1.001, 9.0, 0.999, 1.0]), np.ones(5), 0.01).at_zero
    1.0
    """
    inside = np.abs(lag[None, :] - lag[:, None]) <= tolerance
    support = inside @ weight
    agree = inside[int(np.argmax(support))]
    value = float(lag[agree][0])
    for _ in range(20):
        value = _weighted_median(lag[agree], weight[agree])
        now = np.abs(lag - value) <= tolerance
        if np.array_equal(now, agree):
            break
        agree = now
    return Line(value, 0.0, agree, _spread(lag[agree] - value))


def line(t: Vector, lag: Vector, weight: Vector, tolerance: float, *, most_slope: float = 0.003) -> Line:
    """The line that most windows agree with, at most ``most_slope`` steep (dimensionless: seconds per second).

    >>> t = np.arange(20.0)
    >>> lag = 3.0 + 145e-6 * t
    >>> lag[[4, 11]] = [8.0, -5.0]
    >>> best = line(t, lag, np.ones(20), 0.008)
    >>> round(best.at_zero, 6), round(best.slope * 1e6, 3), int(best.agree.sum())
    (3.0, 145.0, 18)
    """
    first = constant(t, lag, weight, tolerance)
    if len(t) < 3:
        return first
    i, j = np.triu_indices(len(t), k=max(1, len(t) // 10))
    if len(i) > MOST_PAIRS:
        chosen = np.linspace(0, len(i) - 1, MOST_PAIRS).astype(np.int64)
        i, j = i[chosen], j[chosen]
    slope = (lag[j] - lag[i]) / (t[j] - t[i])
    fits = np.abs(slope) <= most_slope
    i, slope = i[fits], slope[fits]
    best, best_support = first, float(weight[first.agree].sum())
    for block in np.array_split(np.arange(len(i)), max(1, len(i) // 1000)):
        zero = lag[i[block]] - slope[block] * t[i[block]]
        inside = np.abs(lag[None, :] - zero[:, None] - slope[block][:, None] * t[None, :]) <= tolerance
        support = inside @ weight
        k = int(np.argmax(support)) if len(block) else 0
        if len(block) and support[k] > best_support:
            best = Line(float(zero[k]), float(slope[block][k]), inside[k], 0.0)
            best_support = float(support[k])
    return _refit(t, lag, weight, best, tolerance, most_slope)


def _refit(t: Vector, lag: Vector, weight: Vector, start: Line, tolerance: float, most_slope: float) -> Line:
    """Weighted least squares over the windows that agree, repeated until they stay the same, worst tenth trimmed."""
    agree, at_zero, slope = start.agree, start.at_zero, start.slope
    for _ in range(20):
        if agree.sum() < 3:
            break
        error = np.abs(lag - at_zero - slope * t)
        used = agree & (error <= np.quantile(error[agree], 0.9) + 1e-12)
        w = weight[used]
        middle = float(np.average(t[used], weights=w))
        centred = t[used] - middle
        scatter = float((w * centred * centred).sum())
        new = float((w * centred * lag[used]).sum()) / scatter if scatter > 0 else 0.0
        slope = float(np.clip(new, -most_slope, most_slope))
        at_zero = float(np.average(lag[used], weights=w)) - slope * middle
        now = np.abs(lag - at_zero - slope * t) <= tolerance
        if np.array_equal(now, agree):
            break
        agree = now
    return Line(at_zero, slope, agree, _spread((lag - at_zero - slope * t)[agree]))


def _weighted_median(values: Vector, weight: Vector) -> float:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])


def _spread(error: Vector) -> float:
    """The usual error: the median of the absolute values."""
    return float(np.median(np.abs(error))) if len(error) else 0.0
