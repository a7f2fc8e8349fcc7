"""Chroma: the energy in the twelve pitch classes, C first.

Axes: frames, pitch classes. Every frame is scaled to a maximum of 1 (silence stays 0). Equal within 1e-5 to
``librosa.feature.chroma_stft`` for recordings up to ten minutes; of longer ones the tuning is estimated from the first
ten minutes, so that memory stays bounded.

Reference: D. Ellis, Chroma feature analysis and synthesis (2007), for the Gaussian bumps in log frequency.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base, spectrum
from mmcli.extractors.base import AudioClip, Features, features
from mmcli.extractors.sound import Sound, SoundConfig, prepare

LONG = "two-pass"  # the tuning is estimated first
KIND = "sequence"
FITTED = False

CLASSES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
WHOLE_S = 1800.0  # seconds of sound that cqt and cens take
KEEP = 4_096  # frames whose spectra are remembered between the passes
TUNING_S = 600.0  # seconds of sound that the tuning is estimated from
_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Config(SoundConfig):
    """Window, hop and tuning of the chroma."""

    sample_rate: spectrum.Rate = 22_050  # Hz, 1,000 to 192,000; "native": the rate of each file
    window_s: float = 0.09  # seconds, 0.01 to 2: long enough to part semitones
    hop_s: float = 0.02  # seconds, 0.0005 to 2
    kind: str = "stft"  # stft; cqt (constant-Q) and cens (smoothed over 41 frames) are held whole, up to WHOLE_S
    tuning: float | None = None  # semitones above 440 Hz for A, -0.5 to 0.5; None: estimated

    def __post_init__(self) -> None:
        super().__post_init__()
        base.one_of(self, "kind", ("stft", "cqt", "cens"))
        base.within(self, window_s=(0.01, 2.0), hop_s=(0.0005, 2.0))
        if self.tuning is not None:
            base.within(self, tuning=(-0.5, 0.5))


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The chroma of a clip, float32 (frames, 12), in [0, 1].

    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    >>> CLASSES[extract(AudioClip.from_array(tone, 22050)).values.mean(axis=0).argmax()]
    'A'
    """
    sound = prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    if config.kind != "stft":
        values = _constant_q(sound, config, clock, clip.name)
        return features(clip, values, clock.times(len(values)), config, kind=KIND, columns=CLASSES, **clock.meta)

    def powers() -> Iterator[np.ndarray]:
        return spectrum.powers(sound.blocks(), clock)

    tuning, again = (config.tuning, powers()) if config.tuning is not None else _tuned(powers, clock)
    filters = chroma_filters(clock.rate, clock.n_fft, tuning)
    values = spectrum.gather((_scaled(p @ filters) for p in again), clock.frames_of(sound.duration_s))
    return features(clip, values, clock.times(len(values)), config, kind=KIND, columns=CLASSES, **clock.meta)


def _constant_q(sound: Sound, config: Config, clock: spectrum.Clock, name: str) -> np.ndarray:
    """The chroma of a constant-Q transform, by librosa."""
    import librosa

    call = librosa.feature.chroma_cqt if config.kind == "cqt" else librosa.feature.chroma_cens
    samples = sound.whole(name, WHOLE_S)
    chroma: np.ndarray = call(y=samples, sr=sound.rate, hop_length=clock.hop, tuning=config.tuning).T
    return chroma


def _tuned(powers: Callable[[], Iterable[np.ndarray]], clock: spectrum.Clock) -> tuple[float, Iterator[np.ndarray]]:
    """The tuning of a clip, and its spectra again."""
    maxima: list[tuple[np.ndarray, np.ndarray]] = []
    kept: list[np.ndarray] | None = []
    frames = 0
    for power in powers():
        maxima.append(peaks(power, clock.rate, clock.n_fft))
        frames += len(power)
        if kept is not None:
            kept.append(power)
            if frames > KEEP:
                kept = None
        if frames * clock.hop > TUNING_S * clock.rate:
            break
    pitches, heights = (np.concatenate(parts) for parts in zip(*maxima, strict=True))
    return tuning_of(pitches[heights >= np.median(heights)] if len(heights) else pitches), iter(
        powers() if kept is None else kept
    )


def peaks(power: np.ndarray, rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and heights of the spectral peaks of all frames between 150 Hz and 4 kHz, interpolated.

    Reference: J. O. Smith, Sinusoidal peak interpolation (parabolic), as in ``librosa.piptrack``.
    """
    bend = power[:, 2:] + power[:, :-2] - 2 * power[:, 1:-1]
    slope = (power[:, 2:] - power[:, :-2]) / 2
    inner = power[:, 1:-1]
    bins = np.arange(1, power.shape[1] - 1) * (rate / n_fft)
    loud = power * (power > 0.1 * power.max(axis=1, keepdims=True))
    top = (loud[:, 1:-1] > loud[:, :-2]) & (loud[:, 1:-1] >= loud[:, 2:])
    frame, column = np.nonzero(top & (bins >= 150.0) & (bins < min(4000.0, rate / 2)))
    a, b = bend[frame, column], slope[frame, column]
    shift = np.zeros_like(a)
    np.divide(-b, a, out=shift, where=np.abs(b) < np.abs(a))
    return (column + 1 + shift) * float(rate) / n_fft, inner[frame, column] + 0.5 * b * shift


def tuning_of(frequencies: np.ndarray) -> float:
    """Deviation of the frequencies (Hz) from 440 Hz tuning in semitones, to 0.01: the fullest bin of a histogram."""
    if not len(frequencies):
        return 0.0
    rest = np.mod(12 * np.log2(frequencies / (440.0 / 16)), 1.0)
    rest[rest >= 0.5] -= 1.0
    counts, edges = np.histogram(rest, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


@functools.lru_cache(maxsize=8)
def chroma_filters(rate: int, n_fft: int, tuning: float) -> np.ndarray:
    """Weights of the spectral bins in each pitch class, float32 (bins, 12)."""
    hz = np.linspace(0, rate, n_fft, endpoint=False)[1:]
    reference = 440.0 * 2.0 ** (tuning / 12)
    position = 12 * np.log2(hz / (reference / 16))
    position = np.concatenate([[position[0] - 18], position])  # 0 Hz: an octave and a half below bin 1
    width = np.concatenate([np.maximum(np.diff(position), 1.0), [1.0]])
    distance = np.remainder(position - np.arange(12)[:, np.newaxis] + 6 + 120, 12) - 6
    weights = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights /= np.sqrt((weights**2).sum(axis=0))
    weights *= np.exp(-0.5 * ((position / 12 - 5.0) / 2.0) ** 2)  # centred on the fifth octave
    weights = np.roll(weights, -3, axis=0)[:, : 1 + n_fft // 2]  # from A to C
    filters = np.ascontiguousarray(weights.T, dtype=np.float32)
    filters.flags.writeable = False
    return filters


def _scaled(raw: np.ndarray) -> np.ndarray:
    top = raw.max(axis=1, keepdims=True)
    top[top < _TINY] = 1.0
    scaled: np.ndarray = raw / top
    return scaled
