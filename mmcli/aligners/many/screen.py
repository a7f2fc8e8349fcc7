"""Which of many recordings may overlap, and where: one correlation of coarse shapes a pair.

Cheap and generous. What it names is looked at closely (:mod:`.measure`); what it does not name is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.many.heard import BANDS, HOP_S, Heard

LEAST_S = 5.0  # of a pair that both must have heard
PEAKS, APART_S = 4, 0.3  # places of a pair, a repeated bar apart or more


def places(clips: Sequence[Heard]) -> Iterator[tuple[int, int, list[tuple[float, float]]]]:
    """For each pair of clips that may overlap: both numbers, and the likely lags as (lag_s, z), the best first.

    ``lag_s`` is where the second clip's time 0 lies on the clock of the first.
    """
    from scipy.fft import rfft

    sounding = [(k, clip.shape) for k, clip in enumerate(clips) if clip.shape is not None]
    spectra: dict[tuple[int, int], NDArray[np.complex64]] = {}
    for (i, x), (j, y) in combinations(sounding, 2):
        size = _size(len(x) + len(y))
        for k, shape in ((i, x), (j, y)):
            if (k, size) not in spectra:
                spectra[k, size] = np.asarray(rfft(shape, size, axis=0), dtype=np.complex64)
        likely = peaks(curve(spectra[i, size], spectra[j, size], size, len(x), len(y)), len(y))
        if likely:
            yield i, j, likely


def _size(frames: int) -> int:
    """A power of two, so that clips of like length share one spectrum."""
    return 1 << int(np.ceil(np.log2(frames)))


def curve(
    x: NDArray[np.complex64], y: NDArray[np.complex64], size: int, x_frames: int, y_frames: int
) -> NDArray[np.float64]:
    """How well two shapes fit at every lag from ``1 - y_frames`` to ``x_frames - 1``, in deviations of all lags.

    ``x``, ``y``: spectra (frequencies, bands). The sum over what overlaps is divided by the root of its length, so that
    chance is alike at every lag; 0 where less than LEAST_S overlaps.
    """
    from scipy.fft import irfft

    cross = irfft((x * np.conj(y)).sum(axis=1), size)
    lags = np.arange(1 - y_frames, x_frames)
    shared = np.minimum(x_frames, lags + y_frames) - np.maximum(0, lags)
    enough = shared >= min(LEAST_S / HOP_S, x_frames, y_frames)
    value = np.where(enough, cross[lags % size] / np.sqrt(np.maximum(shared, 1) * BANDS), 0.0)
    usual = 1.4826 * float(np.median(np.abs(value[enough]))) if enough.any() else 0.0
    return np.asarray(value / usual if usual > 0 else np.zeros_like(value))


def peaks(fit: NDArray[np.float64], y_frames: int) -> list[tuple[float, float]]:
    """The highest places of a curve, at most PEAKS of at least MANY_Z, APART_S apart: (lag in seconds, height).

    >>> flat = np.zeros(9)
    >>> flat[2] = 7.0
    >>> [(round(lag, 3), z) for lag, z in peaks(flat, 5)]
    [(-0.1, 7.0)]
    """
    out: list[tuple[float, float]] = []
    left = fit.copy()
    reach = round(APART_S / HOP_S)
    while len(out) < PEAKS:
        k = int(left.argmax())
        if left[k] < limits.MANY_Z.value:
            break
        out.append(((k + 1 - y_frames) * HOP_S, float(left[k])))
        left[max(0, k - reach) : k + reach + 1] = 0.0
    return out
