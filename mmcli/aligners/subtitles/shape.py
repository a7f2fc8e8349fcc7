"""Cues as a curve of their own: what activity counts in them and in the pauses beside them, stretched by a rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

CELL_S = 0.05
SURE_S = 9.0  # of a longer cue only the beginning is taken for speech
PAUSE_S, BEFORE, AFTER = 0.7, -0.7, -0.4  # of a pause beside a cue that counts, and how much: ends are held on
HELD_WEIGHS = 0.5  # what of a cue counts that lasts longer than its text is read aloud
LEAST_SPOKEN_S, SLOW_LETTERS_S = 2.0, 11.0  # letters a second of a slow reader


def intervals(cues: Vector, letters: NDArray[np.int64] | None, rate: float) -> tuple[Vector, Vector, NDArray[np.int64]]:
    """What activity counts in and beside the cues: intervals (n, 2) in stretched seconds, weights, whose each is."""
    start, end = cues[:, 0] * rate, cues[:, 1] * rate
    following = np.concatenate([start[1:], [np.inf]])
    previous = np.concatenate([[-np.inf], end[:-1]])
    before = np.minimum(PAUSE_S, np.maximum(start - previous, 0.0) / 2)
    after = np.minimum(PAUSE_S, np.maximum(following - end, 0.0) / 2)
    spoken = np.minimum(end - start, SURE_S)
    if letters is not None:
        spoken = np.minimum(spoken, np.maximum(LEAST_SPOKEN_S, letters / SLOW_LETTERS_S))
    held = np.minimum(end, start + SURE_S)
    bounds = np.concatenate([
        np.column_stack([start, start + spoken]), np.column_stack([start + spoken, held]),
        np.column_stack([start - before, start]), np.column_stack([end, end + after]),
    ])  # fmt: skip
    weights, owner = np.repeat([1.0, HELD_WEIGHS, BEFORE, AFTER], len(cues)), np.tile(np.arange(len(cues)), 4)
    good = bounds[:, 1] > bounds[:, 0]
    return bounds[good], weights[good], owner[good]


def curve(cues: Vector, letters: NDArray[np.int64] | None, rate: float) -> tuple[Vector, float]:
    """Means over cells of what activity counts in and beside the cues, and the time of the first cell, stretched."""
    bounds, weights, _ = intervals(cues, letters, rate)
    at = np.concatenate([bounds[:, 0], bounds[:, 1]])
    order = np.argsort(at, kind="stable")
    at, level = at[order], np.cumsum(np.concatenate([weights, -weights])[order])
    total = np.concatenate([[0.0], np.cumsum(level[:-1] * np.diff(at))])
    first = float(np.floor(at[0] / CELL_S) * CELL_S)
    grid = first + CELL_S * np.arange(int((at[-1] - first) / CELL_S) + 2)
    return np.diff(np.interp(grid, at, total)) / CELL_S, first
