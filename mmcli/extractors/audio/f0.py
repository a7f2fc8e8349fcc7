"""Fundamental frequency by YIN: the pitch of a voice or an instrument.

Axes: frames, columns f0 (Hz) and aperiodicity (0: a perfect period; above about 0.2 there is no voice); silence has
f0 0 and aperiodicity 1. Equal within 1e-5 to ``librosa.yin`` where the period is clear.

Reference: A. de Cheveigné and H. Kawahara, YIN, a fundamental frequency estimator for speech and music, JASA 111(4),
2002, steps 2 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import base, spectrum
from mmcli.extractors.base import AudioClip, Features, features
from mmcli.extractors.sound import SoundConfig, prepare

LONG = "streams"
KIND = "sequence"
FITTED = False

SILENCE = 1e-5  # full scale: a frame that never rises above has no pitch
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Config(SoundConfig):
    """Range and threshold."""

    window_s: float = 0.064  # seconds, 0.005 to 1: two periods of the lowest pitch at least
    hop_s: float = 0.010  # seconds, 0.0005 to 1
    low_hz: float = 65.0  # Hz, 10 to 4000: lowest pitch
    high_hz: float = 1000.0  # Hz, 20 to 20,000: highest pitch
    threshold: float = 0.1  # 0.001 to 1: the first dip of the difference function below this is the period

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, window_s=(0.005, 1.0), hop_s=(0.0005, 1.0), low_hz=(10.0, 4_000.0))
        base.within(self, high_hz=(max(20.0, self.low_hz + 1.0), 20_000.0), threshold=(0.001, 1.0))


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """Pitch and aperiodicity of a clip, float32 (frames, 2).

    >>> tone = np.sin(2 * np.pi * 220 * np.arange(16000) / 16000).astype(np.float32)
    >>> round(float(extract(AudioClip.from_array(tone, 16000)).values[50, 0]))
    220
    """
    sound = prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    shortest, longest = (
        int(clock.rate // config.high_hz),
        min(int(np.ceil(clock.rate / config.low_hz)), clock.window - 1),
    )
    if shortest < 1 or longest - shortest < 2 or clock.rate / config.low_hz > clock.window - 1:
        raise UsageError(
            f"f0: {config.low_hz:g} to {config.high_hz:g} Hz cannot be told apart at {clock.rate} samples a second in "
            f"windows of {config.window_s:g} s",
            hint="widen f0.window_s, or raise f0.low_hz",
        )
    parts = (
        _pitches(group, shortest, longest, config.threshold, clock.rate)
        for group in spectrum.frames(sound.blocks(), clock.window, clock.hop, group=128)
    )
    values = spectrum.gather(parts, clock.frames_of(sound.duration_s))
    columns = ["f0", "aperiodicity"]
    return features(clip, values, clock.times(len(values)), config, kind=KIND, columns=columns, **clock.meta)


def _pitches(frames: np.ndarray, shortest: int, longest: int, threshold: float, rate: int) -> np.ndarray:
    aperiodicity = differences(frames, shortest, longest)
    inner = aperiodicity[:, 1:-1]
    bend = aperiodicity[:, 2:] + aperiodicity[:, :-2] - 2 * inner
    slope = (aperiodicity[:, 2:] - aperiodicity[:, :-2]) / 2
    shift = np.zeros_like(aperiodicity)
    np.divide(-slope, bend, out=shift[:, 1:-1], where=np.abs(slope) < np.abs(bend))
    trough = np.zeros(aperiodicity.shape, bool)
    trough[:, 1:-1] = (inner < aperiodicity[:, :-2]) & (inner <= aperiodicity[:, 2:])
    trough[:, 0] = aperiodicity[:, 0] < aperiodicity[:, 1]
    trough[:, -1] = aperiodicity[:, -1] < aperiodicity[:, -2]
    deep = trough & (aperiodicity < threshold)
    lag = np.where(deep.any(axis=1), deep.argmax(axis=1), aperiodicity.argmin(axis=1))
    rows = np.arange(len(lag))
    period = shortest + lag + shift[rows, lag]
    pitches = np.stack([rate / period, aperiodicity[rows, lag]], axis=1).astype(np.float32)
    pitches[np.abs(frames).max(axis=1) <= SILENCE] = (0.0, 1.0)
    return pitches


def differences(frames: np.ndarray, shortest: int, longest: int) -> np.ndarray:
    """The cumulative mean normalised difference function (equation 8) for lags from ``shortest`` to ``longest``."""
    size = frames.shape[1]
    n_fft = 1 << (2 * size - 1).bit_length()
    transform = np.fft.rfft(frames, n_fft, axis=1)
    correlation = np.fft.irfft(transform.real**2 + transform.imag**2, n_fft, axis=1)[:, : longest + 1]
    energy = np.cumsum(frames.astype(np.float64) ** 2, axis=1)
    difference = 2 * (correlation[:, :1] - correlation[:, 1:]) - energy[:, :longest]
    mean = np.cumsum(difference, axis=1) / np.arange(1, longest + 1)
    normalised: np.ndarray = difference[:, shortest - 1 : longest] / (mean[:, shortest - 1 : longest] + _TINY)
    return normalised
