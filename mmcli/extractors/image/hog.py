"""Histograms of oriented gradients: where edges run in which direction, robust against light.

Axes: one frame, values of all blocks from top left to bottom right, within a block its cells, within a cell its
orientations. Unit: none; every block has length 1 at most.

Reference: N. Dalal and B. Triggs, Histograms of oriented gradients for human detection, CVPR 2005: unsigned gradients,
linear votes into the two nearest orientations, L2-Hys block normalisation. Votes stay within their cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import base, picture
from mmcli.extractors.base import Features, ImageClip, still

LONG = "whole"
KIND = "vector"
FITTED = False

_CLIP = 0.2  # Dalal and Triggs, section 6.4
_EPSILON = 1e-5


@dataclass(frozen=True)
class Config(picture.PictureConfig):
    """Grid of the histograms."""

    cell: int = 8  # pixels, 2 to 256: side of a cell
    block: int = 2  # cells, 1 to 16: side of a block; blocks advance by one cell
    orientations: int = 9  # 2 to 36, over half a turn

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, cell=(2, 256), block=(1, 16), orientations=(2, 36))
        if min(self.width, self.height) < self.cell * self.block:
            raise UsageError(
                f"hog: a picture of {self.width} x {self.height} holds no block of {self.block} x {self.block} cells "
                f"of {self.cell} pixels"
            )


def extract(clip: ImageClip, config: Config = Config()) -> Features:
    """The histograms of a picture, float32 (1, blocks * block * block * orientations).

    >>> extract(ImageClip.from_array(np.eye(64, dtype=np.float32))).values.shape
    (1, 1764)
    """
    image = picture.sized(picture.grey(clip.pixels), config)[:, :, 0]
    cells = _cells(image, config)
    blocks = np.lib.stride_tricks.sliding_window_view(cells, (config.block, config.block), axis=(0, 1))
    # (rows, columns, orientations, block, block) to (blocks, values of a block)
    flat = blocks.transpose(0, 1, 3, 4, 2).reshape(blocks.shape[0] * blocks.shape[1], -1)
    flat = _unit(np.minimum(_unit(flat), _CLIP))
    return still(clip, flat.ravel(), config, kind=KIND)


def _cells(image: np.ndarray, config: Config) -> np.ndarray:
    """Histograms of the cells, float64 (rows, columns, orientations)."""
    rows, columns, n = config.height // config.cell, config.width // config.cell, config.orientations
    dy, dx = np.zeros(image.shape), np.zeros(image.shape)
    dy[1:-1] = image[2:] - image[:-2]
    dx[:, 1:-1] = image[:, 2:] - image[:, :-2]
    place = np.mod(np.arctan2(dy, dx), np.pi) / np.pi * n - 0.5
    lower = np.floor(place)
    upper_share = place - lower
    length = np.hypot(dx, dy)
    y, x = np.indices(image.shape)
    inside = (y < rows * config.cell) & (x < columns * config.cell)
    cell = (y // config.cell) * columns + x // config.cell
    counts = np.zeros(rows * columns * n)
    for orientation, share in ((lower, 1.0 - upper_share), (lower + 1, upper_share)):
        index = cell * n + np.mod(orientation, n).astype(np.int64)
        counts += np.bincount(index[inside], (length * share)[inside], minlength=counts.size)
    return counts.reshape(rows, columns, n)


def _unit(blocks: np.ndarray) -> np.ndarray:
    unit: np.ndarray = blocks / np.sqrt((blocks**2).sum(axis=1, keepdims=True) + _EPSILON**2)
    return unit
