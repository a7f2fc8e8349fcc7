"""Root mean square: how loud each moment is.

Axes: frames, one column. Unit: full scale (1.0), or dB relative to it with ``decibels``. Equal within 1e-5 to
``librosa.feature.rms``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base, spectrum
from mmcli.extractors.base import AudioClip, Features, features
from mmcli.extractors.sound import SoundConfig, prepare

LONG = "streams"
KIND = "sequence"
FITTED = False


@dataclass(frozen=True)
class Config(SoundConfig):
    """Window and unit."""

    window_s: float = 0.064  # seconds, 0.001 to 10
    hop_s: float = 0.010  # seconds, 0.0005 to 10
    decibels: bool = False  # dB relative to full scale, not below -100

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, window_s=(0.001, 10.0), hop_s=(0.0005, 10.0))


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The root mean square of a clip over time, float32 (frames, 1).

    >>> square = np.tile([0.5, -0.5], 8000).astype(np.float32)
    >>> float(extract(AudioClip.from_array(square, 16000)).values[50, 0])
    0.5
    """
    sound = prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)

    def parts() -> Iterator[np.ndarray]:
        for group in spectrum.frames(sound.blocks(), clock.window, clock.hop):
            power = (group**2).mean(axis=1, keepdims=True)
            yield spectrum.decibels(power) if config.decibels else np.sqrt(power)

    values = spectrum.gather(parts(), clock.frames_of(sound.duration_s))
    return features(clip, values, clock.times(len(values)), config, kind=KIND, columns=["rms"], **clock.meta)
