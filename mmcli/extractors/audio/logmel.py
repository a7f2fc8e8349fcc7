"""Log-mel spectrogram: the energy in mel bands over time, in decibels.

Axes: frames, bands from low to high. Unit: dB relative to a power of 1, not below -100 dB. Equal within 1e-5 to
``librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=None)``: no floor that follows the loudest moment, so
the same sound gives the same values wherever it stands in a recording, and long recordings stream.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmcli.extractors import spectrum
from mmcli.extractors.base import AudioClip, Features, features
from mmcli.extractors.sound import MelConfig, mel_powers, prepare

LONG = "streams"
KIND = "spectrogram"
FITTED = False


@dataclass(frozen=True)
class Config(MelConfig):
    """Window, hop, bands and rate: see :class:`mmcli.extractors.sound.MelConfig`."""


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The log-mel spectrogram of a clip, float32 (frames, bands), dB.

    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    >>> bands = extract(AudioClip.from_array(tone, 16000))
    >>> bands.values.shape, bands.meta["rate_hz"], int(bands.values.mean(axis=0).argmax())
    ((101, 64), 100.0, 9)
    """
    sound = prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    parts = (spectrum.decibels(power) for power in mel_powers(sound, clock, config))
    values = spectrum.gather(parts, clock.frames_of(sound.duration_s))
    return features(clip, values, clock.times(len(values)), config, kind=KIND, **clock.meta)
