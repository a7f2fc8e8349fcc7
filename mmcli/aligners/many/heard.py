"""What many recordings are compared by: their sound in a scratch file, and a coarse shape that is cheap to slide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core.sides import Side
from mmcli.artifacts.io import scratch
from mmcli.errors import MismatchError
from mmcli.media.clips import AudioClip

RATE_HZ = (
    8_000  # speech and most of music lie below half of it; a phase peak is still placed to a tenth of a millisecond
)
HOP, WINDOW = 400, 1024  # samples of a coarse frame: 50 and 128 ms
HOP_S = HOP / RATE_HZ
BANDS, LOW_HZ, HIGH_HZ = 16, 120.0, 3_800.0
RANGE_DB = 50.0  # below the loudest band counts as silence
LOCAL = 21  # frames, 1 s: what changes more slowly than that is the room and the gain
MOST = 3.0  # deviations that one frame counts for: a door that slams does not outvote a minute
BLOCK_S = 30.0


@dataclass(eq=False)
class Heard:
    """One recording: ``samples`` float16 (n,) at RATE_HZ, in a file that goes with the process, and ``shape`` float32
    (frames, BANDS), every HOP_S, mean 0 by band; None where it is silent."""

    path: Path
    duration_s: float
    pictures: bool
    samples: NDArray[np.float16]
    shape: NDArray[np.float32] | None

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name


def hear(path: Path) -> Heard:
    """Read a recording. Raises MediaError for what cannot be read, MismatchError where it has no sound track."""
    side = Side(path, "query")
    if not side.has_sound:
        raise MismatchError(
            "has no sound, and many recordings are put on one clock by what they hear", source=path.name
        )
    return from_clip(side.sound, path, side.modality == "video")


def from_clip(sound: AudioClip, path: Path, pictures: bool = False) -> Heard:
    """The same of a clip; ``path`` is what it is called by."""
    samples = scratch.mapped(sound.blocks(RATE_HZ, BLOCK_S), np.float16)
    return Heard(path, len(samples) / RATE_HZ, pictures, samples, shape_of(samples))


def shape_of(samples: NDArray[np.float16]) -> NDArray[np.float32] | None:
    """How the level of each band moves about its local mean, float32 (frames, BANDS), clipped to MOST deviations."""
    power = np.concatenate([_powers(part) for part in _parts(samples)])
    loudest = float(power.max(initial=0.0))
    if loudest <= 1e-12 or len(power) < LOCAL:  # float16 knows nothing softer than 6e-8
        return None
    level = np.log(power + loudest * 10 ** (-RANGE_DB / 10))
    total = np.concatenate([np.zeros((1, BANDS)), np.cumsum(level, axis=0)])
    ends = np.arange(len(level))
    first, last = np.maximum(ends - LOCAL // 2, 0), np.minimum(ends + LOCAL // 2 + 1, len(level))
    moved = level - (total[last] - total[first]) / (last - first)[:, None]
    deviation = moved.std(axis=0)
    if float(deviation.max()) < 1e-3:
        return None
    out = np.clip(moved / np.where(deviation > 1e-3, deviation, np.inf), -MOST, MOST)
    return np.asarray(out - out.mean(axis=0), dtype=np.float32)


def _parts(samples: NDArray[np.float16]) -> list[NDArray[np.float16]]:
    step = int(BLOCK_S * RATE_HZ)
    return [samples[k : k + step + WINDOW - HOP] for k in range(0, max(1, len(samples) - WINDOW), step)]


def _powers(part: NDArray[np.float16]) -> NDArray[np.float64]:
    from scipy.fft import rfft

    wide = np.zeros(max(len(part), WINDOW), np.float32)
    wide[: len(part)] = part
    frames = np.lib.stride_tricks.sliding_window_view(wide, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    spectrum = rfft(frames, axis=1)
    return np.asarray((spectrum.real**2 + spectrum.imag**2) @ _filters(), dtype=np.float64)


def _filters() -> NDArray[np.float32]:
    """Triangles, evenly spaced on the mel scale (Stevens, Volkmann and Newman 1937), (bins, BANDS)."""
    low, high = (2595 * float(np.log10(1 + hz / 700)) for hz in (LOW_HZ, HIGH_HZ))
    mel = np.linspace(low, high, BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(WINDOW // 2 + 1)[:, None] * RATE_HZ / WINDOW
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rise, fall)), dtype=np.float32)
