"""Motion: how much the picture changes from frame to frame, or where it moves, over a grid.

Axes: frames, cells of the grid from top left to bottom right; for the flow first all movements to the right, then all
downwards. Unit: mean absolute change of luma, in [0, 1], from the frame before; for the flow widths and heights of the
picture a frame. The first frame has 0. Times are the frames' own presentation times.

Reference for the flow: B. Lucas and T. Kanade, An iterative image registration technique, IJCAI 1981, one least-squares
step a cell; movements of more than a cell's detail are underestimated.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base, spectrum
from mmcli.extractors.base import Features, VideoClip, features

LONG = "streams"
KIND = "sequence"
FITTED = False

_SIDE = 256  # pixels: larger pictures are thinned to about this before they are compared


@dataclass(frozen=True)
class Config:
    """Rate and grid."""

    rate: float | None = 10.0  # Hz, 0.001 to 1000: frames a second that are compared; None: all of them
    grid: int = 4  # 1 to 32: cells across and down
    method: str = "difference"  # difference, or flow

    def __post_init__(self) -> None:
        base.within(self, grid=(1, 32))
        base.one_of(self, "method", ("difference", "flow"))
        if self.rate is not None:
            base.within(self, rate=(0.001, 1000.0))


def extract(clip: VideoClip, config: Config = Config()) -> Features:
    """The motion in a video, float32 (frames, grid * grid), for the flow twice as many columns.

    >>> flash = np.zeros((3, 8, 8, 3), np.uint8)
    >>> flash[1, :4, :4] = 255
    >>> extract(VideoClip.from_array(flash, rate_hz=10), Config(grid=2)).values.tolist()
    [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    times: list[float] = []

    def parts() -> Iterator[np.ndarray]:
        before: np.ndarray | None = None
        for time, pixels in clip.frames(config.rate):
            luma = _luma(pixels)
            times.append(time)
            earlier = luma if before is None else before
            if config.method == "flow":
                yield _flow(earlier, luma, config.grid)[np.newaxis]
            else:
                yield _cells(np.abs(luma - earlier), config.grid)[np.newaxis]
            before = luma

    rate = config.rate or clip.rate_hz
    values = spectrum.gather(parts(), 2 + int(clip.duration_s * rate))
    return features(clip, values, np.array(times), config, kind=KIND, rate_hz=rate or None)


def _luma(pixels: np.ndarray) -> np.ndarray:
    """Luma in [0, 1] of uint8 pixels, averaged over squares so that the longer side is about _SIDE."""
    step = max(1, max(pixels.shape[:2]) // _SIDE)
    height, width = (side // step * step for side in pixels.shape[:2])
    squares = pixels[:height, :width].reshape(height // step, step, width // step, step, 3)
    colour = squares.mean(axis=(1, 3), dtype=np.float32) if step > 1 else squares[:, 0, :, 0].astype(np.float32)
    luma: np.ndarray = colour @ (np.array([0.299, 0.587, 0.114], np.float32) / np.float32(255.0))
    return luma


def _cells(change: np.ndarray, grid: int) -> np.ndarray:
    """Means of the cells; a picture smaller than the grid repeats its pixels."""
    rows, columns = (np.arange(grid + 1) * side // grid for side in change.shape)
    return np.array(
        [
            change[top : max(bottom, top + 1), left : max(right, left + 1)].mean()
            for top, bottom in itertools.pairwise(rows)
            for left, right in itertools.pairwise(columns)
        ],
        np.float32,
    )


def _flow(earlier: np.ndarray, later: np.ndarray, grid: int) -> np.ndarray:
    """Movement of each cell, to the right and downwards, in widths and heights of the picture."""
    height, width = later.shape
    if min(height, width) < 2:
        return np.zeros(2 * grid * grid, np.float32)
    middle = (earlier + later) / 2
    dy, dx = np.gradient(middle)
    dt = later - earlier
    xx, yy, xy, xt, yt = (_cells(p, grid).astype(np.float64) for p in (dx * dx, dy * dy, dx * dy, dx * dt, dy * dt))
    floor = 1e-4  # where there is next to no detail, next to no movement is seen
    determinant = (xx + floor) * (yy + floor) - xy * xy
    right = -((yy + floor) * xt - xy * yt) / determinant
    down = -((xx + floor) * yt - xy * xt) / determinant
    return np.concatenate([right / width, down / height]).astype(np.float32)
