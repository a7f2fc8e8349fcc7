"""Log-mel spectrogram: the energy in mel bands over time, in decibels.

Axes: frames, bands from low to high. Unit: dB relative to a power of 1, not below -100 dB. Equal within 1e-5 to
``librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=None)``: no floor that follows the loudest moment, so
the same sound gives the same values wherever it stands in a recording, and long recordings stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmcli.artifacts.formats.features import Features
from mmcli.extractors import _mel, _sound, _spectrum
from mmcli.extractors._features import features

if TYPE_CHECKING:
    from mmcli.media.clips import AudioClip

LONG = "streams"
KIND = "spectrogram"
FITTED = False


@dataclass(frozen=True)
class Config(_mel.MelConfig):
    """Window, hop, bands and rate: see :class:`mmcli.extractors._mel.MelConfig`."""


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The log-mel spectrogram of a clip, float32 (frames, bands), dB.

    >>> import numpy as np
    >>> from mmcli.media.clips import AudioClip
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    >>> found = extract(AudioClip.from_array(tone, 16000))
    >>> found.values.shape, found.meta["rate_hz"], int(found.values.mean(axis=0).argmax())
    ((101, 64), 100.0, 9)
    """
    sound = _sound.prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    parts = (_spectrum.decibels(power) for power in _mel.mel_powers(sound, clock, config))
    values = _spectrum.gather(parts, clock.frames_of(sound.duration_s))
    return features(clip, values, clock.times(len(values)), config, kind=KIND, **clock.meta)
