"""Mel-frequency cepstral coefficients, with their deltas where wanted.

Axes: frames, coefficients (all of them, then their first derivatives, then their second). Unit: dB in the cosine basis,
orthonormal, so coefficient 0 is the mean level times the root of ``bands``. Equal within 1e-5 to librosa.feature.mfcc
and librosa.feature.delta.

Reference: S. Davis and P. Mermelstein, Comparison of parametric representations for monosyllabic word recognition,
IEEE Trans. ASSP 28(4), 1980.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base, spectrum
from mmcli.extractors.base import AudioClip, Features, features
from mmcli.extractors.sound import MelConfig, Sound, mel_powers, prepare

LONG = "two-pass"  # the floor follows the loudest moment of the whole
KIND = "sequence"
FITTED = False


@dataclass(frozen=True)
class Config(MelConfig):
    """Coefficients on top of the mel bands of :class:`mmcli.extractors.sound.MelConfig`."""

    coefficients: int = 13  # 1 to bands
    deltas: int = 0  # 0, 1 (adds the first derivative) or 2 (adds the second as well)
    top_db: float | None = 80.0  # dB, 0 to 200: the floor lies this far below the peak; None: at -100 dB

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, coefficients=(1, self.bands), deltas=(0, 2))
        if self.top_db is not None:
            base.within(self, top_db=(0.0, 200.0))


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The coefficients of a clip, float32 (frames, coefficients * (1 + deltas)).

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    >>> extract(AudioClip.from_array(noise, 8000), Config(deltas=2)).values.shape
    (101, 39)
    """
    sound = prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    values = spectrum.gather(_coefficients(sound, clock, config), clock.frames_of(sound.duration_s))
    orders = [values, *(delta(values, order) for order in range(1, config.deltas + 1))]
    if config.deltas:
        values = np.concatenate(orders, axis=1)
    return features(clip, values, clock.times(len(values)), config, kind=KIND, **clock.meta)


def _coefficients(sound: Sound, clock: spectrum.Clock, config: Config) -> Iterator[np.ndarray]:
    basis = cosines(config.bands, config.coefficients)
    if config.top_db is None:
        for power in mel_powers(sound, clock, config):
            yield spectrum.decibels(power) @ basis
        return
    peak, powers = spectrum.with_peak(lambda: mel_powers(sound, clock, config))
    floor = spectrum.floor_db(peak, config.top_db)
    for power in powers:
        yield np.maximum(spectrum.decibels(power), floor) @ basis


@functools.lru_cache(maxsize=8)
def cosines(bands: int, coefficients: int) -> np.ndarray:
    """The orthonormal cosine transform (DCT-II) as a matrix, float32 (bands, coefficients)."""
    angle = np.pi / bands * (np.arange(bands)[:, np.newaxis] + 0.5) * np.arange(coefficients)
    basis: np.ndarray = np.sqrt(2.0 / bands) * np.cos(angle)
    basis[:, 0] = np.sqrt(1.0 / bands)
    narrow: np.ndarray = basis.astype(np.float32)
    narrow.flags.writeable = False
    return narrow


# Derivatives over time: the slope, or the curvature, of a local least-squares fit.
#
# Reference: A. Savitzky and M. Golay, Smoothing and differentiation of data by simplified least squares procedures,
# Analytical Chemistry 36(8), 1964. A polynomial of degree n has a constant n-th derivative, so the fit to the first
# full window also serves the frames before its middle.

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
