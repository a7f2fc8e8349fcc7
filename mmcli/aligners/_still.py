"""How well cues fit a curve of speech activity under one offset and one rate: a curve of their own, correlated.

Without jumps, cues in a random order find little to fit to, and far less evidence tells a subtitle from a stranger:
few cues, cues joined, cues held on for reading. What has breaks needs :func:`._cues.best_offsets`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

BIN_S = 0.1
EDGE_S, EDGE_WEIGHS = 0.3, 0.5  # within a cue, at either edge: cues are set early and held on
PAUSE_S, PAUSE_WEIGHS = 0.7, 0.7  # of the pauses before and after it
FIRST_LAST_S = 9.0  # the pause before the first cue, after the last


def measure(binned: Vector, outside: float) -> Callable[[Vector, list[float]], float]:
    """A function of cues (k, 2) in seconds and of rates: the highest agreement with activity under any offset and any
    of the rates. ``binned``: the activity, one value every BIN_S; ``outside``: before and after.

    >>> activity = np.repeat([-1.0, 1.0, -1.0, 1.0, -1.0], [30, 10, 20, 30, 10])
    >>> fits = measure(activity, -0.5)
    >>> right, wrong = np.array([[1.0, 2.0], [4.0, 7.0]]), np.array([[1.0, 4.0], [6.0, 7.0]])
    >>> fits(right, [1.0]) > fits(wrong, [1.0])
    True
    """
    from scipy.fft import irfft, next_fast_len, rfft

    above = binned - outside  # so that nothing stands for what lies outside
    spectra: dict[int, NDArray[np.complex128]] = {}

    def best(cues: Vector, rates: list[float]) -> float:
        bounds, weights = _weighted(cues)
        found = []
        for rate in rates:
            shape = _binned(bounds * rate, weights)
            size = int(next_fast_len(len(above) + len(shape), real=True))
            if size not in spectra:
                spectra[size] = rfft(above, size)
            curve = irfft(spectra[size] * np.conj(rfft(shape, size)), size)
            found.append(float(curve.max()) + outside * float(shape.sum()))
        return max(found)

    return best


def _weighted(cues: Vector) -> tuple[Vector, Vector]:
    """Intervals (n, 2) in seconds and what activity in each of them counts (n,)."""
    start, end = cues[:, 0], cues[:, 1]
    edge = np.minimum(EDGE_S, (end - start) / 2)
    between = np.maximum(start[1:] - end[:-1], 0.0)
    before = np.minimum(PAUSE_S, np.concatenate([[FIRST_LAST_S], between]) / 2)
    after = np.minimum(PAUSE_S, np.concatenate([between, [FIRST_LAST_S]]) / 2)
    parts = [
        (start, start + edge, EDGE_WEIGHS),
        (end - edge, end, EDGE_WEIGHS),
        (start + edge, end - edge, 1.0),
        (start - before, start, -PAUSE_WEIGHS),
        (end, end + after, -PAUSE_WEIGHS),
    ]
    bounds = np.concatenate([np.column_stack(p[:2]) for p in parts])
    return bounds, np.repeat([p[2] for p in parts], len(cues))


def _binned(bounds: Vector, weights: Vector) -> Vector:
    """The weighted intervals as one curve, summed within bins of BIN_S from its beginning, in seconds."""
    at = np.concatenate([bounds[:, 0], bounds[:, 1]])
    order = np.argsort(at, kind="stable")
    at, level = at[order], np.cumsum(np.concatenate([weights, -weights])[order])
    total = np.concatenate([[0.0], np.cumsum(level[:-1] * np.diff(at))])
    grid = at[0] + BIN_S * np.arange(int((at[-1] - at[0]) / BIN_S) + 3)
    return np.diff(np.interp(grid, at, total))
