"""Spectra, mel bands and decibels in numpy, equal to librosa within 1e-5 (tests/golden/extractors).

librosa itself is not called here: importing it costs each worker 1.3 s and 150 MB, its first use in a fresh
installation 20 s of compilation, and it has no streaming.

References: M. Slaney, Auditory Toolbox (1998), for the mel scale with a linear part below 1 kHz and filters of equal
area; S. Davis and P. Mermelstein (1980), IEEE Trans. ASSP 28(4), for the cepstrum of mel bands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mmcli.extractors import _frames

AMIN = 1e-10  # power below which decibels stand still: -100 dB


@functools.lru_cache(maxsize=8)
def window(length: int, n_fft: int) -> np.ndarray:
    """A periodic Hann window of ``length`` samples in the middle of ``n_fft`` samples, float64."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    left = (n_fft - length) // 2
    whole = np.pad(hann, (left, n_fft - length - left))
    whole.flags.writeable = False
    return whole


def powers(samples: Iterable[np.ndarray], clock: _frames.Clock) -> Iterator[np.ndarray]:
    """Power spectra of centred frames, float32 (frames, 1 + n_fft // 2) a block.

    The transform itself is in double precision: next to a loud tone the quiet bands would else hold rounding noise.
    """
    taper = window(clock.window, clock.n_fft)
    for found in _frames.frames(samples, clock.n_fft, clock.hop):
        spectrum = np.fft.rfft(found * taper, axis=-1).astype(np.complex64)
        yield spectrum.real**2 + spectrum.imag**2


@functools.lru_cache(maxsize=8)
def mel_filters(rate: int, n_fft: int, bands: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Triangular filters of equal area on the Slaney mel scale, float32 (bins, bands).

    >>> mel_filters(16000, 512, 40, 0.0, 8000.0).shape
    (257, 40)
    """
    edges = mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bands + 2))
    bins = np.fft.rfftfreq(n_fft, 1.0 / rate)
    ramps = edges[:, np.newaxis] - bins
    rising = -ramps[:-2] / np.diff(edges)[:-1, np.newaxis]
    falling = ramps[2:] / np.diff(edges)[1:, np.newaxis]
    # float32 before the scaling, as librosa stores them
    filters = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    found = np.ascontiguousarray(filters.T)
    found.flags.writeable = False
    return found


_LINEAR_HZ = 200.0 / 3.0  # Hz a mel below 1 kHz
_BEND_MEL = 15.0
_LOG_STEP = np.log(6.4) / 27.0  # 27 mels from 1 kHz to 6.4 kHz


def hz_to_mel(hz: float) -> float:
    """Slaney's mel scale.

    >>> hz_to_mel(1000.0)
    15.0
    """
    return hz / _LINEAR_HZ if hz < 1000.0 else float(_BEND_MEL + np.log(hz / 1000.0) / _LOG_STEP)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """The inverse of :func:`hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    return np.where(mel < _BEND_MEL, mel * _LINEAR_HZ, 1000.0 * np.exp(_LOG_STEP * (mel - _BEND_MEL)))


def decibels(power: np.ndarray) -> np.ndarray:
    """10 log10 of a power, float32, not below -100 dB."""
    found: np.ndarray = np.float32(10.0) * np.log10(np.maximum(np.float32(AMIN), power))
    return found


def floor_db(peak: float, top_db: float) -> np.float32:
    """The level ``top_db`` below the peak power, in dB."""
    return np.float32(decibels(np.array(peak, np.float32)) - np.float32(top_db))


def with_peak(make: Callable[[], Iterable[np.ndarray]], keep: int = 64 << 20) -> tuple[float, Iterator[np.ndarray]]:
    """The largest value of all blocks that ``make()`` yields, and the blocks again.

    Up to ``keep`` bytes are remembered; past that, ``make()`` is called a second time. This is the first of two passes.
    """
    kept: list[np.ndarray] | None = []
    held, peak = 0, -np.inf
    for block in make():
        held += block.nbytes
        peak = max(peak, float(block.max(initial=-np.inf)))
        if kept is not None:
            kept.append(block)
            if held > keep:
                kept = None
    return peak, iter(make() if kept is None else kept)
