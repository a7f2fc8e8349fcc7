"""Mel-frequency cepstral coefficients, with their deltas where wanted.

Axes: frames, coefficients (all of them, then their first derivatives, then their second). Unit: dB in the cosine basis,
orthonormal, so coefficient 0 is the mean level times the root of ``bands``. Equal within 1e-5 to librosa.feature.mfcc
and librosa.feature.delta.

Reference: S. Davis and P. Mermelstein, Comparison of parametric representations for monosyllabic word recognition,
IEEE Trans. ASSP 28(4), 1980.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmcli.artifacts.formats.features import Features
from mmcli.extractors import _delta, _features, _mel, _sound, _spectrum
from mmcli.extractors._features import features

if TYPE_CHECKING:
    from mmcli.media.clips import AudioClip

LONG = "two-pass"  # the floor follows the loudest moment of the whole
KIND = "sequence"
FITTED = False


@dataclass(frozen=True)
class Config(_mel.MelConfig):
    """Coefficients on top of the mel bands of :class:`mmcli.extractors._mel.MelConfig`."""

    coefficients: int = 13  # 1 to bands
    deltas: int = 0  # 0, 1 (adds the first derivative) or 2 (adds the second as well)
    top_db: float | None = 80.0  # dB, 0 to 200: the floor lies this far below the peak; None: at -100 dB

    def __post_init__(self) -> None:
        super().__post_init__()
        _features.within(self, coefficients=(1, self.bands), deltas=(0, 2))
        if self.top_db is not None:
            _features.within(self, top_db=(0.0, 200.0))


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The coefficients of a clip, float32 (frames, coefficients * (1 + deltas)).

    >>> import numpy as np
    >>> from mmcli.media.clips import AudioClip
    >>> noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    >>> extract(AudioClip.from_array(noise, 8000), Config(deltas=2)).values.shape
    (101, 39)
    """
    sound = _sound.prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    values = _spectrum.gather(_coefficients(sound, clock, config), clock.frames_of(sound.duration_s))
    orders = [values, *(_delta.delta(values, order) for order in range(1, config.deltas + 1))]
    if config.deltas:
        values = np.concatenate(orders, axis=1)
    return features(clip, values, clock.times(len(values)), config, kind=KIND, **clock.meta)


def _coefficients(sound: _sound.Sound, clock: _spectrum.Clock, config: Config) -> Iterator[np.ndarray]:
    basis = cosines(config.bands, config.coefficients)
    if config.top_db is None:
        for power in _mel.mel_powers(sound, clock, config):
            yield _spectrum.decibels(power) @ basis
        return
    peak, powers = _spectrum.with_peak(lambda: _mel.mel_powers(sound, clock, config))
    floor = _spectrum.floor_db(peak, config.top_db)
    for power in powers:
        yield np.maximum(_spectrum.decibels(power), floor) @ basis


@functools.lru_cache(maxsize=8)
def cosines(bands: int, coefficients: int) -> np.ndarray:
    """The orthonormal cosine transform (DCT-II) as a matrix, float32 (bands, coefficients)."""
    angle = np.pi / bands * (np.arange(bands)[:, np.newaxis] + 0.5) * np.arange(coefficients)
    basis: np.ndarray = np.sqrt(2.0 / bands) * np.cos(angle)
    basis[:, 0] = np.sqrt(1.0 / bands)
    found: np.ndarray = basis.astype(np.float32)
    found.flags.writeable = False
    return found
