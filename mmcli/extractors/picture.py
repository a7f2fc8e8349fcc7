"""Pictures brought to one size and colour."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from mmcli.extractors import base

FITS = ("stretch", "crop", "pad")
COLOURS = ("rgb", "grey")
# ITU-R BT.601, as in Pillow's conversion to "L"
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class PictureConfig:
    """The fields that image extractors share: every picture of a data set gets one size."""

    width: int = 64  # pixels, 1 to 4096
    height: int = 64  # pixels, 1 to 4096
    fit: str = "stretch"  # stretch; crop: fill and cut the rest off; pad: all of it, black around

    def __post_init__(self) -> None:
        base.within(self, width=(1, 4096), height=(1, 4096))
        base.one_of(self, "fit", FITS)


def grey(pixels: np.ndarray) -> np.ndarray:
    """Luma of pixels (h, w, 1 or 3), float32 (h, w, 1)."""
    return pixels if pixels.shape[2] == 1 else (pixels @ _GREY)[:, :, np.newaxis]


def rgb(pixels: np.ndarray) -> np.ndarray:
    """Pixels (h, w, 1 or 3) as (h, w, 3)."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def sized(pixels: np.ndarray, config: PictureConfig) -> np.ndarray:
    """Pixels (h, w, c) as float32 (height, width, c), bilinear with antialiasing.

    >>> sized(np.ones((10, 20, 1), np.float32), PictureConfig(width=4, height=4, fit="pad"))[:, 0, 0].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    height, width = pixels.shape[:2]
    if config.fit == "stretch":
        return _resized(pixels, config.width, config.height, (0.0, 0.0, float(width), float(height)))
    if config.fit == "crop":
        scale = max(config.width / width, config.height / height)
        w, h = config.width / scale, config.height / scale
        left, top = (width - w) / 2, (height - h) / 2
        return _resized(pixels, config.width, config.height, (left, top, left + w, top + h))
    scale = min(config.width / width, config.height / height)
    w, h = (max(1, min(limit, round(scale * side))) for limit, side in ((config.width, width), (config.height, height)))
    whole = np.zeros((config.height, config.width, pixels.shape[2]), np.float32)
    top, left = (config.height - h) // 2, (config.width - w) // 2
    whole[top : top + h, left : left + w] = _resized(pixels, w, h, (0.0, 0.0, float(width), float(height)))
    return whole


def _resized(pixels: np.ndarray, width: int, height: int, box: tuple[float, float, float, float]) -> np.ndarray:
    """The part of the pixels inside ``box`` (left, top, right, bottom) at a new size."""
    if pixels.shape[:2] == (height, width) and box == (0.0, 0.0, float(width), float(height)):
        return pixels
    rows, columns, channels = pixels.shape
    left, top, right, bottom = box
    down = _mixed(rows, height, top, bottom, pixels.reshape(rows, columns * channels))
    across = triangles(columns, width, left, right) @ down.reshape(height, columns, channels)
    resized: np.ndarray = np.clip(across, 0.0, 1.0)
    return resized


def _mixed(size: int, wanted: int, low: float, high: float, points: np.ndarray) -> np.ndarray:
    """``triangles(...) @ points``; where a picture shrinks a lot, over the points alone that have a weight."""
    whole = triangles(size, wanted, low, high)
    parts = _parts(size, wanted, low, high)
    if 4 * sum(len(weights) for _, weights in parts) > size * wanted:
        dense: np.ndarray = whole @ points
        return dense
    mixed = np.empty((wanted, points.shape[1]), np.float32)
    for row, (first, weights) in zip(mixed, parts, strict=True):
        np.matmul(weights, points[first : first + len(weights)], out=row)
    return mixed


@functools.lru_cache(maxsize=32)
def _parts(size: int, wanted: int, low: float, high: float) -> list[tuple[int, np.ndarray]]:
    """The weights of :func:`triangles` that are not 0, row by row: where they begin, float32 (n,)."""
    parts = []
    for row in triangles(size, wanted, low, high):
        (used,) = np.nonzero(row)
        parts.append((int(used[0]), row[used[0] : used[-1] + 1]))
    return parts


@functools.lru_cache(maxsize=32)
def triangles(size: int, wanted: int, low: float, high: float) -> np.ndarray:
    """Weights of ``size`` points in each of ``wanted`` points between ``low`` and ``high``, float32 (wanted, size).

    Triangular filters, as wide as the step where that is above one point: bilinear interpolation with antialiasing,
    the same as Pillow's.

    >>> triangles(4, 2, 0.0, 4.0).astype(float).round(2).tolist()
    [[0.43, 0.43, 0.14, 0.0], [0.0, 0.14, 0.43, 0.43]]
    """
    step = (high - low) / wanted
    reach = max(1.0, step)
    centres = low + (np.arange(wanted) + 0.5) * step
    distance = np.abs(np.arange(size) + 0.5 - centres[:, np.newaxis])
    weights = np.maximum(0.0, 1.0 - distance / reach)
    filters: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    filters.flags.writeable = False
    return filters
