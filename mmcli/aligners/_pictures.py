"""What two copies of a moving picture share: a coarse grey image of every frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.artifacts.features import Features

ROWS, COLUMNS = 9, 16


def signatures(video: Any) -> Features:
    """Grey images of 9 x 16 fields of a video clip, float32 (frames, 144), each with mean 0: brightness and size of the
    copy do not matter, and every frame keeps its own presentation time."""
    times, rows = [], []
    for time, picture in video.frames():
        grey = picture[:, :, :3].mean(axis=2, dtype=np.float32)
        field = _fields(grey)
        rows.append((field - field.mean()).ravel())
        times.append(time)
    return Features(
        values=np.ascontiguousarray(np.array(rows, dtype=np.float32)), times=np.array(times, dtype=np.float64), meta={}
    )


def _fields(grey: Any) -> Any:
    """Means over a grid of fields that covers the picture; parts of a field at the edges are left out."""
    h, w = grey.shape
    row = np.linspace(0, h, ROWS + 1).astype(np.int64)
    column = np.linspace(0, w, COLUMNS + 1).astype(np.int64)
    summed = np.add.reduceat(np.add.reduceat(grey, row[:-1], axis=0), column[:-1], axis=1)
    return summed / np.outer(np.diff(row), np.diff(column))
