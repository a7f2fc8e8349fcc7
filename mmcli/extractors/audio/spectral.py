"""Shape of the spectrum over time: where it lies, how wide, how flat, how peaked.

Axes: frames, columns as named in COLUMNS: centroid, bandwidth and rolloff in Hz, flatness in [0, 1], contrast of seven
octave bands in dB, zero crossings a sample. Equal within 1e-5 to the functions ``spectral_centroid``,
``spectral_bandwidth``, ``spectral_rolloff``, ``spectral_flatness``, ``spectral_contrast`` and ``zero_crossing_rate`` of
librosa.feature.

Reference: D.-N. Jiang et al., Music type classification by spectral contrast feature, ICME 2002.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import base, spectrum
from mmcli.extractors.base import AudioClip, Features, features
from mmcli.extractors.sound import Sound, SoundConfig, prepare

LONG = "streams"
KIND = "sequence"
FITTED = False

OCTAVES = 6  # from 200 Hz, and one band below
COLUMNS = ["centroid", "bandwidth", "rolloff", "flatness", *(f"contrast{i}" for i in range(OCTAVES + 1)), "crossings"]
_TINY = float(np.finfo(np.float32).tiny)
_CONTRAST = slice(4, 5 + OCTAVES)


@dataclass(frozen=True)
class Config(SoundConfig):
    """Window and the thresholds of the measures."""

    window_s: float = 0.064  # seconds, 0.005 to 2
    hop_s: float = 0.010  # seconds, 0.0005 to 2
    roll: float = 0.85  # 0.01 to 0.99: share of the magnitude that lies below the rolloff
    quantile: float = 0.02  # 0.001 to 0.5: share of the bins that are peak and valley of a contrast band
    low_hz: float = 200.0  # Hz: the lowest octave of the contrast begins here

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, window_s=(0.005, 2.0), hop_s=(0.0005, 2.0), roll=(0.01, 0.99), quantile=(0.001, 0.5))
        base.within(self, low_hz=(10.0, 5_000.0))


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The measures of a clip, float32 (frames, 12).

    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    >>> round(float(extract(AudioClip.from_array(tone, 16000)).values[50, 0]))
    1000
    """
    sound = prepare(clip, config)
    clock = sound.clock(config.window_s, config.hop_s)
    bands = _bands(clock, config)
    expected = clock.frames_of(sound.duration_s)
    shapes = spectrum.gather(_shapes(sound, clock, config, bands), expected)
    values, valleys = shapes[:, : len(COLUMNS)].copy(), shapes[:, len(COLUMNS) :]
    values[:, _CONTRAST] = _relative(values[:, _CONTRAST]) - _relative(valleys)
    crossings = spectrum.gather(
        (_crossings(f) for f in spectrum.frames(sound.blocks(), clock.window, clock.hop, pad="edge")), expected
    )
    values[:, -1] = _fitted(crossings, len(values))
    return features(clip, values, clock.times(len(values)), config, kind=KIND, columns=COLUMNS, **clock.meta)


def _shapes(sound: Sound, clock: spectrum.Clock, config: Config, bands: list[np.ndarray]) -> Iterator[np.ndarray]:
    hz = np.fft.rfftfreq(clock.n_fft, 1.0 / clock.rate)
    for power in spectrum.powers(sound.blocks(), clock):
        magnitude = np.sqrt(power)
        total = magnitude.sum(axis=1, keepdims=True)
        share = (magnitude / np.where(total < _TINY, 1.0, total)).astype(np.float64)
        centroid = share @ hz
        width = np.sqrt((share * (hz - centroid[:, np.newaxis]) ** 2).sum(axis=1))
        risen = np.cumsum(magnitude, axis=1)
        rolloff = hz[(risen >= config.roll * risen[:, -1:]).argmax(axis=1)]
        bounded = np.maximum(spectrum.AMIN, power)
        flatness = np.exp(np.log(bounded).mean(axis=1)) / bounded.mean(axis=1)
        row = np.zeros((len(power), len(COLUMNS) + OCTAVES + 1), np.float32)
        row[:, 0], row[:, 1], row[:, 2], row[:, 3] = centroid, width, rolloff, flatness
        row[:, _CONTRAST], row[:, len(COLUMNS) :] = _contrast(magnitude, bands, config.quantile)
        yield row


def _bands(clock: spectrum.Clock, config: Config) -> list[np.ndarray]:
    """The bins of each contrast band: below the lowest octave, then the octaves, the last up to half the rate."""
    hz = np.fft.rfftfreq(clock.n_fft, 1.0 / clock.rate)
    edges = np.concatenate([[0.0], config.low_hz * 2.0 ** np.arange(OCTAVES + 1)])
    if edges[-2] >= clock.rate / 2:
        raise UsageError(
            f"spectral: {OCTAVES} octaves from {config.low_hz:g} Hz do not fit below {clock.rate / 2:g} Hz",
            hint=f"lower spectral.low_hz below {clock.rate / 2 / 2 ** (OCTAVES - 1):g}, or raise spectral.sample_rate",
        )
    bands = []
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        bins = np.flatnonzero((hz >= low) & (hz <= high))
        if k > 0:
            bins = np.concatenate([[bins[0] - 1], bins])
        if k == OCTAVES:
            bins = np.arange(bins[0], len(hz))
        bands.append(bins)
    return bands


def _contrast(magnitude: np.ndarray, bands: list[np.ndarray], quantile: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean magnitudes of the strongest and the weakest bins of each band, (frames, bands) each."""
    peaks, valleys = (np.zeros((len(magnitude), len(bands)), np.float32) for _ in range(2))
    for k, bins in enumerate(bands):
        count = max(1, round(quantile * len(bins)))
        inside = bins if k == len(bands) - 1 else bins[:-1]
        ordered = np.sort(magnitude[:, inside], axis=1)
        valleys[:, k] = ordered[:, :count].mean(axis=1)
        peaks[:, k] = ordered[:, -count:].mean(axis=1)
    return peaks, valleys


def _relative(level: np.ndarray) -> np.ndarray:
    """Decibels, not more than 80 below the largest of the whole."""
    decibels = spectrum.decibels(level)
    floored: np.ndarray = np.maximum(decibels, decibels.max() - np.float32(80.0))
    return floored


def _crossings(frames: np.ndarray) -> np.ndarray:
    negative = np.signbit(np.where(np.abs(frames) <= 1e-10, np.float32(0), frames))
    share: np.ndarray = (negative[:, 1:] != negative[:, :-1]).sum(axis=1, keepdims=True) / frames.shape[1]
    return share


def _fitted(column: np.ndarray, length: int) -> np.ndarray:
    """A window of an odd number of samples gives a frame less at times: the last value stands twice then."""
    flat = column[:length, 0]
    return np.pad(flat, (0, length - len(flat)), mode="edge")
