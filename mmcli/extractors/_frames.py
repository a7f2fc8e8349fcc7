"""Sound cut into overlapping frames, block by block: the result does not depend on where the blocks end.

Frames are centred: frame t covers the samples around t * hop, and the signal is padded with zeros on both sides, as
librosa does it (``center=True, pad_mode="constant"``). n samples give 1 + n // hop frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

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
