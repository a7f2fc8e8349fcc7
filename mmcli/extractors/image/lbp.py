"""Local binary patterns: the texture of a picture, whatever its brightness.

Axes: one frame; for each cell of the grid the shares of the 59 uniform patterns of eight neighbours: 58 patterns with
at most two changes around the circle, in the order of their code, and all others together. Unit: shares.

Reference: T. Ojala, M. Pietikäinen and T. Mäenpää, Multiresolution gray-scale and rotation invariant texture
classification with local binary patterns, IEEE Trans. PAMI 24(7), 2002 (here the eight pixels around, not a circle).
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

_AROUND = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))


@dataclass(frozen=True)
class Config(picture.PictureConfig):
    """Grid."""

    grid: int = 4  # cells across and down, 1 to 64

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, grid=(1, 64))
        if min(self.width, self.height) < self.grid + 2:
            raise UsageError(f"lbp: a picture of {self.width} x {self.height} has no {self.grid} x {self.grid} cells")


def extract(clip: ImageClip, config: Config = Config()) -> Features:
    """The patterns of a picture, float32 (1, grid * grid * 59).

    >>> flat = extract(ImageClip.from_array(np.full((8, 8), 0.5)), Config(grid=1))
    >>> flat.values.shape, int(flat.values.argmax())  # all neighbours equal: the pattern of eight ones
    ((1, 59), 57)
    """
    image = picture.sized(picture.grey(clip.pixels), config)[:, :, 0]
    labels = _uniform()[codes(image)]
    cells = [c for row in np.array_split(labels, config.grid, axis=0) for c in np.array_split(row, config.grid, axis=1)]
    return still(
        clip, np.concatenate([np.bincount(c.ravel(), minlength=59) / c.size for c in cells]), config, kind=KIND
    )


def codes(image: np.ndarray) -> np.ndarray:
    """The pattern of every inner pixel, 0 to 255: bit i says that neighbour i is at least as bright."""
    height, width = image.shape
    centre = image[1:-1, 1:-1]
    patterns = np.zeros(centre.shape, np.int64)
    for bit, (dy, dx) in enumerate(_AROUND):
        patterns |= (image[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx] >= centre).astype(np.int64) << bit
    return patterns


def _uniform() -> np.ndarray:
    """For each of 256 codes its label: 0 to 57 for the uniform ones, 58 for the rest."""
    labels = np.full(256, 58)
    bits = (np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1
    uniform = np.flatnonzero((bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2)
    labels[uniform] = np.arange(len(uniform))
    return labels
