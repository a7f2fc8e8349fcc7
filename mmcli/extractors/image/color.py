"""Colours of a picture: histograms over a grid, and the mean and deviation of each channel.

Axes: one frame; for each cell of the grid the shares of hue, saturation and value bins, then mean and deviation of red,
green and blue. Unit: shares and intensities in [0, 1]. Hue is counted by saturation, so that grey has no colour.

Reference: A. R. Smith, Color gamut transform pairs, SIGGRAPH 1978, for hue, saturation and value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base, picture
from mmcli.extractors.base import Features, ImageClip, still

LONG = "whole"
KIND = "vector"
FITTED = False


@dataclass(frozen=True)
class Config(picture.PictureConfig):
    """Bins and grid."""

    hues: int = 12  # bins of the hue, 2 to 360
    levels: int = 4  # bins of saturation and of value, 2 to 64
    grid: int = 2  # cells across and down, 1 to 16

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, hues=(2, 360), levels=(2, 64), grid=(1, 16))


def extract(clip: ImageClip, config: Config = Config()) -> Features:
    """The colours of a picture, float32 (1, grid * grid * (hues + 2 * levels + 6)).

    >>> red = np.zeros((8, 8, 3), np.float32)
    >>> red[:, :, 0] = 1.0
    >>> extract(ImageClip.from_array(red), Config(grid=1, hues=3, levels=2)).values.tolist()
    [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    pixels = picture.sized(picture.rgb(clip.pixels), config)
    rows = np.array_split(pixels, min(config.grid, pixels.shape[0]), axis=0)
    cells = [c for row in rows for c in np.array_split(row, min(config.grid, pixels.shape[1]), axis=1)]
    return still(clip, np.concatenate([_cell(c.reshape(-1, 3), config) for c in cells]), config, kind=KIND)


def _cell(pixels: np.ndarray, config: Config) -> np.ndarray:
    hue, saturation, value = hsv(pixels)
    counts = [
        np.bincount((hue * config.hues).astype(int) % config.hues, weights=saturation, minlength=config.hues),
        np.bincount(np.minimum((saturation * config.levels).astype(int), config.levels - 1), minlength=config.levels),
        np.bincount(np.minimum((value * config.levels).astype(int), config.levels - 1), minlength=config.levels),
    ]
    moments = [pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)]
    return np.concatenate([*(c / len(pixels) for c in counts), *moments])


def hsv(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue, saturation and value in [0, 1] of RGB pixels (n, 3) in [0, 1]; grey has hue 0."""
    red, green, blue = pixels.astype(np.float64).T
    value = pixels.max(axis=1).astype(np.float64)
    spread = value - pixels.min(axis=1)
    saturation = np.divide(spread, value, out=np.zeros_like(value), where=value > 0)
    safe = np.where(spread > 0, spread, 1.0)
    sixth = np.select(
        [value == red, value == green], [(green - blue) / safe, 2.0 + (blue - red) / safe], 4.0 + (red - green) / safe
    )
    return np.where(spread > 0, np.mod(sixth / 6.0, 1.0), 0.0), saturation, value
