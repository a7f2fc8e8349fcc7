"""Two sensors of one movement that share when it happens and not how: one offset for the whole of both.

An accelerometer and a gyroscope on one limb, or a sensor and what a camera saw of it, have no column in common. How
suddenly each of them changes is alike: the length of the derivative, on a logarithmic scale, without its slow part, by
rank. No window of ten seconds is told by it; the whole is, by the correlation at every offset. What it is worth is how
far it stands above the next place, in standard deviations of all offsets.

To the hundredth of a second that is not exact: a limb turns fastest when its acceleration changes or when it is
largest, as it is worn. Near the place found, how strongly each side moves is asked as well, and all four pairs of the
two curves of either side are added up: what they are off by differs in sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.aligners.linear.windows import centred, vertex

Vector = NDArray[np.float64]

HOP_S = 0.02
SMOOTH_S, SLOW_S = 0.05, 8.0  # of the envelope: what is smoothed, and what is taken away
GRAVITY_S = 1.0  # deviation of the Gaussian that gravity and drift are told by
LEAST_SHARED = 0.4  # of the shorter side, that an offset must leave
APART_S = 0.7  # other places lie further away
NEAR_S = 0.15  # of the place found, within which the sum of all pairs of curves says where exactly
LEAST_S = 8.0
MOST_COLUMNS = 24  # more are no sensors


@dataclass(frozen=True)
class Place:
    """``t_reference = offset_s + t_query``; ``z`` standard deviations above all offsets, and those of the ``rival``."""

    offset_s: float
    z: float
    rival: float

    @property
    def evidence(self) -> dict[str, float]:
        """What the odds of a movement are made of."""
        return {"z": self.z, "ahead": self.z - self.rival}


def place(x: Any, y: Any) -> Place | None:
    """Where the query ``y`` lies in the reference ``x``, Features or arrays of sensors; None where either has too many
    columns for them, is too short, or does not move."""
    sides = [inputs.frames(v, role) for v, role in ((x, "reference"), (y, "query"))]
    if any(v.shape[1] > MOST_COLUMNS or t[-1] - t[0] < LEAST_S for v, t in sides):
        return None
    (a, a0), (b, b0) = (_envelopes(np.asarray(v, dtype=np.float64), t) for v, t in sides)
    if not (a.any() and b.any()):
        return None
    height, first = _correlation(a[0], b[0])
    spread = float(height.std())
    if spread <= 0 or len(height) < 3:
        return None
    k = int(np.argmax(height))
    far = np.abs(np.arange(len(height)) - k) * HOP_S > APART_S
    rival = float(height[far].max(initial=0.0)) / spread
    every = [_correlation(c, d)[0] for c in a for d in b]
    total = np.sum([v / max(float(v.std()), 1e-12) for v in every], axis=0)
    low = max(0, k - round(NEAR_S / HOP_S))
    at = low + int(np.argmax(total[low : k + round(NEAR_S / HOP_S) + 1]))
    beside = vertex(*(float(h) for h in total[at - 1 : at + 2])) if 0 < at < len(total) - 1 else 0.0
    return Place((first + at + beside) * HOP_S + a0 - b0, float(height[k]) / spread, rival)


def _envelopes(values: NDArray[np.float64], times: Vector) -> tuple[Vector, float]:
    """How suddenly a series changes and how strong it is beside its slow part, every HOP_S, as normal deviates by rank,
    float64 (2, n), and its first time; zeros where it stands still."""
    from scipy.ndimage import convolve1d, gaussian_filter1d
    from scipy.special import ndtri
    from scipy.stats import rankdata

    grid = np.arange(times[0], times[-1], HOP_S)
    width = max(1, round(HOP_S / inputs.hop_of(times)))
    smooth = convolve1d(values, centred(width), axis=0)
    on = np.column_stack([np.interp(grid, times, column) for column in smooth.T])
    sudden = np.linalg.norm(np.gradient(on, axis=0), axis=1)
    if not sudden.any():
        return np.zeros((2, len(grid))), float(grid[0])
    strong = np.linalg.norm(on - gaussian_filter1d(on, GRAVITY_S / HOP_S, axis=0), axis=1)
    curves = []
    for curve in (sudden, strong):
        level = np.log(gaussian_filter1d(curve, SMOOTH_S / HOP_S) + 1e-3 * curve.mean())
        level -= convolve1d(level, centred(round(SLOW_S / HOP_S)))
        curves.append(ndtri(rankdata(level) / (len(level) + 1)))
    return np.array(curves), float(grid[0])


def _correlation(x: Vector, y: Vector) -> tuple[Vector, int]:
    """The sum of products at every offset that leaves enough, over the root of how many they are; the first offset."""
    from scipy.fft import irfft, next_fast_len, rfft

    n, m = len(x), len(y)
    size = int(next_fast_len(n + m, real=True))
    lag = np.arange(-m + 1, n)
    product = irfft(rfft(x, size) * np.conj(rfft(y, size)), size)[lag % size]
    shared = np.minimum(np.minimum(n - lag, m + lag), min(n, m))
    good = shared >= LEAST_SHARED * min(n, m)
    return np.asarray(product[good] / np.sqrt(shared[good])), int(lag[good][0])
