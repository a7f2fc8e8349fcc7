"""Onset strength: how much louder the mel bands are than a frame before, averaged over the bands.

Axes: frames, one column. Unit: dB a frame, 0 and more. Equal within 1e-5 to ``librosa.onset.onset_strength``, which
shifts the curve by half a window so that it lies on the onsets and not before them.

Reference: S. Böck and G. Widmer, Maximum filter vibrato suppression for onset detection, DAFx 2013 (here without the
maximum filter).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base, spectrum
from mmcli.extractors.base import AudioClip, Features, features
from mmcli.extractors.sound import MelConfig, mel_powers, prepare

LONG = "two-pass"  # the floor follows the loudest moment of the whole
KIND = "sequence"
FITTED = False


@dataclass(frozen=True)
class Config(MelConfig):
    """The window is longer than for speech: an onset is a matter of all frequencies, low ones included."""

    window_s: float = 0.064  # seconds, 0.001 to 2
    bands: int = 128  # mel bands, 1 to 512
    top_db: float = 80.0  # dB, 0 to 200: the floor lies this far below the peak

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, top_db=(0.0, 200.0))


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The onset strength of a clip, float32 (frames, 1).

    >>> click = np.zeros(16000, np.float32)
    >>> click[8000:8100] = 1.0
    >>> onsets = extract(AudioClip.from_array(click, 16000))
    >>> float(onsets.times[onsets.values.argmax()])
    0.51
    """
    sound = prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    peak, powers = spectrum.with_peak(lambda: mel_powers(sound, clock, config))
    floor = spectrum.floor_db(peak, config.top_db)
    levels = (np.maximum(spectrum.decibels(power), floor) for power in powers)
    rises = spectrum.gather(_rises(levels), clock.frames_of(sound.duration_s))
    shift = clock.n_fft // (2 * clock.hop)
    values = np.zeros((len(rises), 1), np.float32)
    values[shift:] = rises[: len(rises) - shift]
    return features(clip, values, clock.times(len(values)), config, kind=KIND, **clock.meta)


def _rises(levels: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    before: np.ndarray | None = None
    for level in levels:
        earlier = np.concatenate([level[:1] if before is None else before, level[:-1]])
        yield np.maximum(0.0, level - earlier).mean(axis=1, keepdims=True)
        before = level[-1:]
