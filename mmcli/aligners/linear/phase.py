"""Where a window of one signal lies in another to a fraction of a sample: generalised cross-correlation, phase only.

Knapp and Carter 1976, "The generalized correlation method for estimation of time delay", the PHAT weighting: the
cross-spectrum is divided by its magnitude, so that every frequency votes with the same weight and the peak is as narrow
as the band is wide, whatever the spectrum of speech or the room looks like.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.linear.windows import vertex


def delay(reference: NDArray[Any], query: NDArray[Any], rate_hz: float, *, low_hz: float = 80.0) -> tuple[float, float]:
    """Where ``query`` (m,) begins in ``reference`` (n,), n >= m, in seconds, and how far the peak stands out.

    The second value is the height of the peak over the mean of all positions in standard deviations (z). Signals of
    another origin give 4 to 5 by chance, the largest of thousands of positions. ``(0.0, 0.0)`` where one is silent.

    >>> s = np.random.default_rng(0).standard_normal(4000)
    >>> at, z = delay(s, s[800:2400], 8000.0)
    >>> round(at, 4), z > 20
    (0.1, True)
    """
    from scipy.fft import irfft, next_fast_len, rfft

    size = int(next_fast_len(len(reference), real=True))
    a = rfft(np.asarray(reference, dtype=np.float32), size)
    b = rfft(np.asarray(query, dtype=np.float32), size)
    cross = a * np.conj(b)
    magnitude = np.abs(cross)
    floor = 1e-3 * float(magnitude.mean())
    if floor <= 0:
        return 0.0, 0.0
    cross /= magnitude + floor
    cross[: int(low_hz * size / rate_hz)] = 0  # rumble and hum: a few bins that agree between any two recordings
    curve = irfft(cross, size)[: len(reference) - len(query) + 1]
    k = int(np.argmax(curve))
    spread = float(curve.std())
    if spread <= 0:
        return 0.0, 0.0
    z = (float(curve[k]) - float(curve.mean())) / spread
    at = float(k)
    if 0 < k < len(curve) - 1:
        at += vertex(*(float(v) for v in curve[k - 1 : k + 2]))
    return at / rate_hz, z


def refine(
    x: NDArray[Any], y: NDArray[Any], rate_hz: float, centre: float, lag: float, *, window_s: float, search_s: float
) -> tuple[float, float]:
    """The lag (reference minus query, seconds) of the query window about ``centre`` near ``lag``, and z.

    ``x``, ``y``: samples (n,) at ``rate_hz``. NaN and 0 where the window does not fit into both.
    """
    m = min(round(window_s * rate_hz), len(y))
    start = min(max(round((centre - window_s / 2) * rate_hz), 0), len(y) - m)
    reach = round(search_s * rate_hz)
    near = start + round(lag * rate_hz)
    a, b = max(near - reach, 0), min(near + m + reach, len(x))
    if b - a < m + reach:  # less than half of the positions to be searched are there
        return float("nan"), 0.0
    at, z = delay(x[a:b], y[start : start + m], rate_hz)
    return a / rate_hz + at - start / rate_hz, z
