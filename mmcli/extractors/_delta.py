"""Derivatives over time: the slope, or the curvature, of a local least-squares fit.

Reference: A. Savitzky and M. Golay, Smoothing and differentiation of data by simplified least squares procedures,
Analytical Chemistry 36(8), 1964. A polynomial of degree n has a constant n-th derivative, so the fit to the first full
window also serves the frames before its middle.
"""

from __future__ import annotations

import math

import numpy as np

WIDTH = 9  # frames


def delta(values: np.ndarray, order: int, width: int = WIDTH) -> np.ndarray:
    """The derivative of order 1 or 2 along the frames, float32 (frames, ...), per frame.

    Equal to ``librosa.feature.delta(values.T, order=order).T``. Where there are fewer frames than ``width`` the window
    shrinks; a sequence too short for a fit has the derivative 0.

    >>> delta(np.arange(12.0)[:, np.newaxis], 1).ravel().round(6)[[0, 5, 11]]
    array([1., 1., 1.], dtype=float32)
    """
    width = min(width, len(values) - 1 + len(values) % 2)
    if width <= order:
        return np.zeros(values.shape, np.float32)
    half = width // 2
    k = np.arange(-half, half + 1, dtype=np.float64)
    # row `order` of the pseudo-inverse of the Vandermonde matrix, times order!
    weights = np.linalg.pinv(np.vander(k, order + 1, increasing=True))[order] * math.factorial(order)
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=0)
    inner = (windows @ weights).astype(np.float32)
    return np.concatenate([np.repeat(inner[:1], half, axis=0), inner, np.repeat(inner[-1:], half, axis=0)])
