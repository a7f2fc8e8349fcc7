"""Cues of another cut of a film: each under an offset of its own, where a change of offset has a price.

A cue speaks for an offset by the speech inside it and the pauses beside it, and by beginning where speech begins. Under
every rate a dynamic programme over cues and offsets takes the sequence that says most (Viterbi); an offset may change
only as far as the cues stay in order in the reference. Both likelihoods are weak for one cue and add up over a dozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits

Vector = NDArray[np.float64]

STEP_S = 0.1  # of the offsets that are tried
ON_TIME, SPREAD_S = 0.7, 0.1  # of the cues begin with a beginning of speech, about so exactly
MOST_CELLS = 20_000_000  # cues times offsets: past that a film is long enough for its pieces to be found one by one


@dataclass(frozen=True)
class Pieces:
    """The ``pieces`` (first cue, last cue + 1, offset in seconds) under one ``rate``, and by how many nats they say
    more than the best single offset under any rate, the price of the jumps taken off."""

    rate: float
    pieces: list[tuple[int, int, float]]
    more: float


@dataclass(frozen=True)
class Shape:
    """Cues as weighted intervals: ``bounds`` (n, 2) seconds, ``weights`` (n,), ``owner`` (n,) the cue of each."""

    bounds: Vector
    weights: Vector
    owner: NDArray[np.int64]


def place(
    activity: Vector, cell_s: float, begins: Vector, starts: Vector, shapes: dict[float, Shape], scale: float
) -> Pieces | None:
    """The pieces that say most, or None where one offset does, or where there are too many cues and offsets.

    ``activity``: the curve in cells of ``cell_s``, mean 0; ``begins``: where speech begins, ``starts`` (k,) where cues
    do, seconds; ``shapes``: the cues under each rate that is tried; ``scale``: nats of a cell's product.
    """
    duration = len(activity) * cell_s
    single, best = -np.inf, None
    for rate, shape in shapes.items():
        low = -float(shape.bounds.max())
        offsets: Vector = np.asarray(low + STEP_S * np.arange(int((duration - low) / STEP_S) + 1), dtype=np.float64)
        if len(offsets) * len(starts) > MOST_CELLS:
            return None
        score = scale * _in_speech(activity, cell_s, shape, offsets, len(starts))
        score += _at_a_beginning(begins, duration, rate * starts, offsets)
        single = max(single, float(score.sum(axis=0).max()))
        price = limits.CUES_JUMP.value + float(np.log(len(offsets)))
        total, chosen = _best_way(score, rate * starts, price)
        if best is None or total > best[0]:
            best = total, rate, offsets[chosen]
    if best is None or best[0] <= single:
        return None
    total, rate, at = best
    pieces = _pieces(at)
    return Pieces(rate, pieces, total - single) if len(pieces) > 1 else None


def _in_speech(activity: Vector, cell_s: float, shape: Shape, offsets: Vector, cues: int) -> Vector:
    """The product of every cue's curve with the activity at every offset, less half of what it would be at its place:
    float64 (cues, offsets), in cells."""
    area = np.concatenate([[0.0], np.cumsum(activity)])
    out = np.zeros((cues, len(offsets)))
    for (start, end), weight, owner in zip(shape.bounds, shape.weights, shape.owner, strict=True):
        inside = _read(area, cell_s, end + offsets) - _read(area, cell_s, start + offsets)
        out[owner] += weight * inside - limits.CUES_GAIN.value / 2 * weight**2 * (end - start) / cell_s
    return out


def _at_a_beginning(begins: Vector, duration: float, starts: Vector, offsets: Vector) -> Vector:
    """Log-likelihood ratio of every cue's start at every offset: where speech begins, or anywhere; (cues, offsets)."""
    step = SPREAD_S / 2
    grid = np.arange(int(duration / step) + 2) * step
    dense = np.zeros(len(grid))
    np.add.at(dense, np.clip(np.round(begins / step).astype(int), 0, len(grid) - 1), 1.0)
    kernel = np.exp(-0.5 * (np.arange(-8, 9) * step / SPREAD_S) ** 2)
    kernel /= kernel.sum() * step
    density = max(len(begins), 1) / max(duration, 1.0)
    ratio = np.log(1.0 - ON_TIME + ON_TIME * np.convolve(dense, kernel, mode="same") / density)
    ratio[0] = ratio[-1] = np.log(1.0 - ON_TIME)  # as anywhere outside
    return np.stack([_read(ratio, step, s + offsets) for s in starts])


def _read(table: Vector, step: float, at: Vector) -> Vector:
    """A table of values every ``step`` from 0 at times ``at``, which lie STEP_S apart, a whole number of steps: all
    have one place between two values. Its ends go on outside. A tenth of the cost of ``np.interp``.

    >>> _read(np.array([0.0, 1.0, 4.0, 9.0]), 0.1, np.array([-0.05, 0.05, 0.15, 0.25, 0.35])).round(6).tolist()
    [0.0, 0.5, 2.5, 6.5, 9.0]
    """
    every = round(STEP_S / step)
    place = float(at[0]) / step
    first = int(np.floor(place))
    part = place - first
    index = np.arange(first, first + every * len(at), every)
    low = int(np.searchsorted(index, 0))
    high = max(low, int(np.searchsorted(index, len(table) - 1)))
    out = np.empty(len(at))
    out[:low], out[high:] = table[0], table[-1]
    here = table[index[low] : index[high - 1] + 2] if high > low else table[:0]
    if high > low:
        out[low:high] = (1.0 - part) * here[:-1:every] + part * here[1::every]
    return out


def _best_way(score: Vector, starts: Vector, price: float) -> tuple[float, NDArray[np.int64]]:
    """The most that a sequence of offsets says, and the sequence; a change costs ``price``, and what is earlier in the
    query stays earlier in the reference."""
    index = np.arange(score.shape[1])
    total = score[0].copy()
    came = np.zeros(score.shape, dtype=np.int32)
    for i in range(1, len(score)):
        reach = int((starts[i] - starts[i - 1]) / STEP_S)
        top = np.maximum.accumulate(total)
        fresh = np.concatenate([[True], total[1:] > top[:-1]])
        at = np.maximum.accumulate(np.where(fresh, index, 0))
        source = np.minimum(index + reach, len(index) - 1)
        jumped = top[source] - price
        stay = total >= jumped
        came[i] = np.where(stay, index, at[source])
        total = np.where(stay, total, jumped) + score[i]
    k = int(np.argmax(total))
    value = float(total[k])
    chosen = np.empty(len(score), dtype=np.int64)
    for i in range(len(score) - 1, -1, -1):
        chosen[i] = k
        k = int(came[i, k])
    return value, chosen


def _pieces(at: Vector) -> list[tuple[int, int, float]]:
    """Runs of cues under one offset; offsets nearer than CUES_ONE_LAG_S are one, set by hand."""
    bounds = [0, *(np.flatnonzero(np.abs(np.diff(at)) >= limits.CUES_ONE_LAG_S.value) + 1).tolist(), len(at)]
    return [(a, b, float(np.median(at[a:b]))) for a, b in pairwise(bounds)]
