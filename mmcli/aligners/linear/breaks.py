"""Lines with breaks between them: material that one of two recordings has and the other has not.

The local lags of the windows fall into groups, each on a line of its own; all lines share one slope, since one pair of
clocks made them. Groups are taken largest first (:mod:`.consensus`). Where two of them meet, the frames decide: before
the break they agree under the first lag, after it under the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear import consensus
from mmcli.aligners.linear.fit import Fit, Lags, Material
from mmcli.aligners.linear.windows import nearest

Vector = NDArray[np.float64]

MOST_PIECES = 40
LOOK_S = 12.0  # around a break, on either side, in which its exact place is looked for


@dataclass(frozen=True)
class Piece:
    """A stretch under one lag: ``t_reference = lag + (1 + slope) * t``, ``start`` to ``end`` in (stretched) query time;
    ``windows`` (bool, k) agree with it."""

    lag: float
    slope: float
    start: float
    end: float
    windows: NDArray[np.bool_]

    def reference(self, t: float) -> float:
        """Reference time of a (stretched) query time."""
        return self.lag + (1.0 + self.slope) * t


def groups(lags: Lags, fit: Fit) -> list[Piece]:
    """The groups of windows, in order of time. ``fit`` is the line that most windows agree with."""
    weight = 0.1 + lags.trusted if lags.sharp else np.maximum(lags.score, 0.01)
    trusted = lags.trusted > 0 if lags.sharp else lags.score > limits.GROUP_SCORE.value
    tolerance = limits.GROUP_SHARP_S.value if lags.sharp else lags.tolerance_s
    slope = fit.line.slope
    level = lags.lag - slope * lags.t
    left = np.ones(len(lags.t), dtype=bool)
    pieces: list[Piece] = []
    while left.sum() >= limits.GROUP_FEWEST.value and len(pieces) < MOST_PIECES:
        rows = np.flatnonzero(left)
        one = consensus.constant(lags.t[rows], level[rows], weight[rows], tolerance)
        agree = rows[one.agree]
        run = _longest_run(agree, pieces)
        left[agree] = False
        if trusted[run].sum() < limits.GROUP_FEWEST.value:
            if len(run) == len(agree):
                break
            continue
        windows = np.zeros(len(lags.t), dtype=bool)
        windows[run] = True
        lag = float(np.median(level[run]))
        pieces.append(Piece(lag, slope, float(lags.t[run[0]]), float(lags.t[run[-1]]), windows))
    pieces.sort(key=lambda p: p.start)
    return _forward(pieces, lags.window_s)


def _longest_run(rows: NDArray[np.int64], others: list[Piece]) -> NDArray[np.int64]:
    """The windows that no other group lies between, the longest such run."""
    taken = np.zeros(int(rows.max()) + 1 if len(rows) else 1, dtype=bool)
    for p in others:
        inside = np.flatnonzero(p.windows)
        taken[inside[inside < len(taken)]] = True
    if len(rows) == 0:
        return rows
    crossings = np.cumsum(taken)[rows]
    values, counts = np.unique(crossings, return_counts=True)
    return np.asarray(rows[crossings == values[int(np.argmax(counts))]])


def _forward(pieces: list[Piece], slack: float) -> list[Piece]:
    """The pieces whose reference times run forward too; of two that contradict, the one with more windows stays.

    ``slack`` seconds backwards are no contradiction: a window across a break is placed by the larger part of it.
    """
    kept: list[Piece] = []
    for p in pieces:
        while kept and p.reference(p.start) < kept[-1].reference(kept[-1].end) - slack:
            if kept[-1].windows.sum() >= p.windows.sum():
                break
            kept.pop()
        else:
            kept.append(p)
    return kept


def segments(x: Material, y: Material, pieces: list[Piece], rate: float) -> list[Vector]:
    """The knots of each piece, its ends placed by the frames: [(t_reference, t_query)] * 2 each, query unstretched."""
    hop = max(x.hop_s, y.hop_s)
    ends: list[tuple[float, float]] = []
    begin = max(y.span[0] * rate, (x.span[0] - pieces[0].lag) / (1.0 + pieces[0].slope))
    for a, b in pairwise(pieces):
        end, start = _meeting(x, y, a, b, rate, hop)
        back = max(end - start, (a.reference(end) - b.reference(start)) / (1.0 + a.slope))
        end -= max(back, 0.0)  # frames are counted whole; no moment may have two partners
        ends.append((begin, end))
        begin = start
    last = pieces[-1]
    ends.append((begin, min(y.span[1] * rate, (x.span[1] - last.lag) / (1.0 + last.slope))))
    return [
        np.array([[p.reference(s), s / rate], [p.reference(e), e / rate]])
        for p, (s, e) in zip(pieces, ends, strict=True)
        if e - s > hop
    ]


def _meeting(x: Material, y: Material, a: Piece, b: Piece, rate: float, hop: float) -> tuple[float, float]:
    """Where the first piece ends and the second begins, in (stretched) query time."""
    low, high = max(a.end - LOOK_S, a.start), min(b.start + LOOK_S, b.end)
    grid = np.arange(low, high, hop)
    if len(grid) == 0:
        return a.end, b.start
    first, second = (_agreement(x, y, p, grid, rate, hop) for p in (a, b))
    shift = (a.lag - b.lag) + (a.slope - b.slope) * grid  # how far the query must run on before the second can begin
    # Between what agrees and what does not, nearer to what does not: a soft or noisy stretch that has a partner agrees
    # less than the loud ones, and must not be taken for one without.
    inside_a, inside_b = grid < a.end, grid > b.start
    yes = float(np.mean(np.concatenate([first[inside_a], second[inside_b]])))
    no = float(np.mean(np.concatenate([second[inside_a], first[inside_b]])))
    middle = no + limits.PARTNER.value * (yes - no)
    ahead = np.concatenate([[0.0], np.cumsum(first - middle)])  # of ending the first before grid[k]
    behind = np.concatenate([np.cumsum((second - middle)[::-1])[::-1], [0.0]])  # of beginning the second at grid[k]
    gap = max(0, round(float(np.median(shift)) / hop))  # frames of the query without partner, at least
    n = len(grid)
    if gap > n:
        return a.end, b.start
    best_from = np.maximum.accumulate(behind[::-1])[::-1]
    tight = ahead[: n + 1 - gap] + behind[gap:]
    loose = ahead[: n + 1 - gap] + best_from[gap:]
    k = int(np.argmax(loose))
    if loose[k] - float(tight.max()) < (yes - no) * limits.EVEN_S.value / hop:
        k = _middle_of_best(tight)
        j = k + gap
    else:
        j = int(k + gap + np.argmax(behind[k + gap :]))
    at = np.append(grid, grid[-1] + hop)
    return float(at[k] - hop / 2), float(at[j] - hop / 2)


def _middle_of_best(values: Vector) -> int:
    """The middle of the places that are as good as the best: a break in a pause can lie anywhere in the pause."""
    best = np.flatnonzero(values >= values.max() - 1e-9)
    return int(best[len(best) // 2])


def _agreement(x: Material, y: Material, p: Piece, grid: Vector, rate: float, hop: float) -> Vector:
    """Cosine of the frames of both sides under the piece's lag, averaged over 0.1 s; -1 outside of the reference."""
    a = _sampled(x.frames, x.times, p.lag + (1.0 + p.slope) * grid)
    b = _sampled(y.frames, y.times, grid / rate)
    norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    value = np.where(norm > 1e-9, (a * b).sum(axis=1) / np.where(norm > 1e-9, norm, 1.0), 0.0)
    outside = (p.lag + (1.0 + p.slope) * grid < x.span[0]) | (p.lag + (1.0 + p.slope) * grid > x.span[1])
    value[outside] = -1.0
    width = max(1, round(0.1 / hop)) | 1
    return np.convolve(np.pad(value, width // 2, mode="edge"), np.ones(width) / width, mode="valid")


def _sampled(frames: NDArray[Any], times: Vector, at: Vector) -> NDArray[np.float64]:
    """The frames nearest to the given times."""
    return np.asarray(frames[np.clip(nearest(times, at), 0, len(frames) - 1)], dtype=np.float64)
