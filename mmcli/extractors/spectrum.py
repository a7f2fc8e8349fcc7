"""Spectra, mel bands and decibels in numpy, equal to librosa within 1e-5 (tests/golden/extractors).

librosa itself is not called here: importing it costs each worker 1.3 s and 150 MB, its first use in a fresh
installation 20 s of compilation, and it has no streaming.

References: M. Slaney, Auditory Toolbox (1998), for the mel scale with a linear part below 1 kHz and filters of equal
area; S. Davis and P. Mermelstein (1980), IEEE Trans. ASSP 28(4), for the cepstrum of mel bands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

AMIN = 1e-10  # power below which decibels stand still: -100 dB


@functools.lru_cache(maxsize=8)
def window(length: int, n_fft: int) -> np.ndarray:
    """A periodic Hann window of ``length`` samples in the middle of ``n_fft`` samples, float64."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    left = (n_fft - length) // 2
    whole = np.pad(hann, (left, n_fft - length - left))
    whole.flags.writeable = False
    return whole


def powers(samples: Iterable[np.ndarray], clock: Clock) -> Iterator[np.ndarray]:
    """Power spectra of centred frames, float32 (frames, 1 + n_fft // 2) a block.

    The transform itself is in double precision: next to a loud tone the quiet bands would else hold rounding noise.
    """
    taper = window(clock.window, clock.n_fft)
    groups = frames(samples, clock.n_fft, clock.hop)
    spectra = (np.fft.rfft(group * taper, axis=-1).astype(np.complex64) for group in groups)
    return (spectrum.real**2 + spectrum.imag**2 for spectrum in spectra)


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
    stored = np.ascontiguousarray(filters.T)
    stored.flags.writeable = False
    return stored


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
    level: np.ndarray = np.float32(10.0) * np.log10(np.maximum(np.float32(AMIN), power))
    return level


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


# Sound cut into overlapping frames, block by block: the result does not depend on where the blocks end.
#
# Frames are centred: frame t covers the samples around t * hop, and the signal is padded with zeros on both sides, as
# librosa does it (``center=True, pad_mode="constant"``). n samples give 1 + n // hop frames.

Rate = int | Literal["native"]
GROUP = 512  # frames at a time: few enough to stay in the cache


@dataclass(frozen=True)
class Clock:
    """Window and hop of a sound in samples: ``rate`` Hz, ``window`` within ``n_fft`` (a power of two), ``hop``.

    ``offset_s`` is the time of the first sample.
    """

    rate: int
    window: int
    n_fft: int
    hop: int
    offset_s: float = 0.0

    @property
    def meta(self) -> dict[str, float]:
        """What Features.meta says about the clock."""
        return {"rate_hz": self.rate / self.hop, "hop_s": self.hop / self.rate, "sample_rate_hz": self.rate}

    def frames_of(self, duration_s: float) -> int:
        """How many frames a sound of that length gives, about."""
        return 2 + int(duration_s * self.rate) // self.hop

    def times(self, frames: int) -> np.ndarray:
        """The centre of each frame in seconds, float64 (frames,)."""
        return self.offset_s + np.arange(frames) * (self.hop / self.rate)


def clock(rate: int, window_s: float, hop_s: float, offset_s: float = 0.0) -> Clock:
    """The clock for a window and hop in seconds, rounded to whole samples.

    >>> clock(8000, window_s=0.025, hop_s=0.010)
    Clock(rate=8000, window=200, n_fft=256, hop=80, offset_s=0.0)
    """
    window, hop = max(2, round(window_s * rate)), max(1, round(hop_s * rate))
    return Clock(rate=rate, window=window, n_fft=1 << (window - 1).bit_length(), hop=hop, offset_s=offset_s)


def frames(
    samples: Iterable[np.ndarray], n_fft: int, hop: int, group: int = GROUP, *, pad: Literal["zero", "edge"] = "zero"
) -> Iterator[np.ndarray]:
    """Centred frames, (frames, n_fft) views: do not write into them. Both ends are padded with zeros or repeated.

    They come in groups of exactly ``group`` frames, the last one smaller, wherever the blocks of samples end: matrix
    products, whose rounding depends on their size, then give the same bits for any block size.

    >>> [f.shape for f in frames([np.ones(5), np.ones(3)], n_fft=4, hop=2, group=2)]
    [(2, 4), (2, 4), (1, 4)]
    """
    half = n_fft // 2
    held: list[np.ndarray] = []
    count, last = half, np.float32(0)
    need = n_fft + (group - 1) * hop
    for block in samples:
        if not held:
            held.append(np.full(half, block[0] if pad == "edge" else 0, np.float32))
        last = block[-1]
        held.append(block)
        count += len(block)
        while count >= max(need, group * hop):  # a hop may be longer than the frame
            whole = np.concatenate(held)
            yield _cut(whole[:need], n_fft, hop)
            held = [whole[group * hop :]]
            count = len(held[0])
    whole = np.concatenate([*held, np.full(half, last if pad == "edge" else 0, np.float32)])
    while len(whole) >= n_fft:
        yield _cut(whole[:need], n_fft, hop)
        whole = whole[group * hop :]


def _cut(samples: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    """What ``sliding_window_view(samples, n_fft)[::hop]`` is, without its cost, which is that of a short recording."""
    step = samples.strides[0]
    count = 1 + (len(samples) - n_fft) // hop
    views: np.ndarray = np.ndarray((count, n_fft), samples.dtype, samples, strides=(hop * step, step))
    views.flags.writeable = False
    return views


def gather(parts: Iterable[np.ndarray], expected: int) -> np.ndarray:
    """The parts as one array (frames, ...), written into place: long recordings are never held twice.

    ``expected`` is a guess of the number of frames; a wrong one costs a copy and nothing else.
    """
    whole: np.ndarray | None = None
    filled = 0
    for part in parts:
        if whole is None:
            whole = np.empty((max(expected, len(part)), *part.shape[1:]), np.float32)
        if filled + len(part) > len(whole):
            room = max(filled + len(part), len(whole) + len(whole) // 8)
            whole = np.concatenate([whole[:filled], np.empty((room - filled, *part.shape[1:]), np.float32)])
        whole[filled : filled + len(part)] = part
        filled += len(part)
    if whole is None:
        return np.empty((0,), np.float32)
    return whole[:filled]
