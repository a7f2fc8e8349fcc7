"""Where the cues of a subtitle belong, as a curve of their own: where that is clear no other test is needed.

Every place under every rate is weighed by :mod:`.places`: by the cues' own curve times the activity, and by starts
beside beginnings of speech; how far the best is ahead of all others is measured on the material itself. Stretches that
speak against their place are looked for elsewhere, at a price (:mod:`mmcli.aligners.linear.trace`).

Starts and ends of cues are then matched to where speech begins and ends, each for itself: a cue begins with its line,
but is often held on after it. Where the two disagree the starts decide. How many of the starts lie at a beginning of
speech is evidence of its own, and so is a rate that has a name: cues that fit nowhere find any rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear import rates, trace
from mmcli.aligners.linear.contrast import Contrast
from mmcli.aligners.linear.fit import Material
from mmcli.aligners.linear.trace import Run
from mmcli.aligners.subtitles import edge_fit, jumps
from mmcli.aligners.subtitles.activity import HOP_S, edges
from mmcli.aligners.subtitles.edge_fit import Group, Points, Settled
from mmcli.aligners.subtitles.places import Standing, best_line
from mmcli.aligners.subtitles.shape import CELL_S, curve, intervals
from mmcli.errors import MismatchError

Vector = NDArray[np.float64]

ON_TIME_S = 0.15  # a cue begins so near to where speech does
NEAR_S = 0.7  # in which the edge of a cue looks for an edge of the activity


@dataclass(frozen=True)
class ByCurve:
    """The ``pieces`` (first cue, last cue + 1, offset) under one rate; the name of the rate; the usual error of the
    edges in seconds, how many they are, by how much starts and ends of the cues disagree, and the share of the cues
    that begin ``on_time``, where speech does."""

    rate: float
    rate_name: str | None
    pieces: list[tuple[int, int, float]]
    error_s: float
    edges: int
    disagree_s: float
    on_time: float
    standing: Standing

    @property
    def evidence(self) -> dict[str, float]:
        """What the odds of cues are made of: nats for their place, by how many more than for the next, see above."""
        # Pieces are chosen to say much, and any other single place says less than none: no place at all, of 0 nats, is
        # what they must be ahead of. Cues backwards and at random came to 9 nats, those of another cut to 19
        # and more (bench_refusal; six of choose of the corpus).
        rival = self.standing.rival if len(self.pieces) == 1 else max(self.standing.rival, 0.0)
        return {
            "nats": self.standing.nats,
            "ahead": self.standing.nats - rival,
            "on_time": self.on_time,
            "simple": float(self.rate == 1.0 or self.rate_name is not None),
            "jumps": float(len(self.pieces) - 1),
        }


def place(
    activity: Vector, cues: Vector, letters: NDArray[np.int64] | None = None, *, name: str | None = None
) -> ByCurve:
    """Where cues (k, 2), seconds in order, belong on the clock of the activity curve (every 10 ms).

    ``letters`` (k,): how long the text of each is, for cues that are held on; ``name``: of the subtitle. Raises
    MismatchError where the recording is too short for any place.
    """
    x = _cells(activity)
    begins, ends = edges(activity)
    line = best_line(x.frames[:, 0].astype(np.float64), begins, ends, cues, letters)
    if line is None:
        short = f"the recording, of {HOP_S * len(activity):.1f} s, is too short for {len(cues)} cues to lie over it"
        raise MismatchError(
            f"does not match the reference: {short}", source=name, hint="give more of the recording, or fewer cues"
        )
    rate, offset, standing = line
    contrast = Contrast(x, _material(cues, letters, 1.0), as_they_are=True)
    whole = Run(offset, rate, float(cues[0, 0]) - 1.0, float(cues[-1, 1]) + 1.0)
    runs = trace.mend(
        contrast,
        [whole],
        lambda a, b: is_a_piece(int(((cues[:, 0] > a) & (cues[:, 0] < b)).sum())),
        limits.CUES_MOVED.value,
    )
    one, standing = standing, _restanding(standing, contrast, whole, runs)
    if not is_clear(standing.curve + standing.nats - one.nats):
        cut = _of_another_cut(x, cues, letters, rate, begins, contrast)
        if cut is not None and one.nats + cut.more > standing.nats:
            rate, standing = cut.rate, replace(one, nats=one.nats + cut.more)
            runs = [Run(lag, rate, float(cues[a, 0]) - 1.0, float(cues[b - 1, 1]) + 1.0) for a, b, lag in cut.pieces]
    groups = _of_cues(cues, runs)
    first_edges, last_edges = Points(begins, HOP_S * len(activity)), Points(ends, HOP_S * len(activity))
    under = [Group(cues[a:b], run.lag, rate) for a, b, run in groups]
    settled = edge_fit.settled(under, first_edges, last_edges)
    pieces, errors, apart = [], [], []
    count = punctual = 0
    for (first, last, _), group in zip(groups, under, strict=True):
        sharpened = _sharpened(group, settled, first_edges, last_edges, begins, ends)
        pieces.append((first, last, sharpened.lag))
        errors.append(sharpened.error_s)
        apart.append(sharpened.disagree_s)
        count += sharpened.edges
        punctual += _on_time(cues[first:last, 0], settled.rate, sharpened.lag, begins)
    sizes = [b - a for a, b, _ in pieces]
    return ByCurve(
        settled.rate, settled.rate_name, pieces, float(np.average(errors, weights=sizes)), count,
        float(np.average(apart, weights=sizes)), punctual / len(cues), standing,
    )  # fmt: skip


def is_clear(nats: float) -> bool:
    """Whether so many nats for one offset are more than any piece of the cues says elsewhere."""
    return nats >= limits.CUES_CLEAR.value


def is_a_piece(cues: int) -> bool:
    """Whether so many cues may be moved together."""
    return cues >= limits.CUES_OF_A_PIECE.value


def _of_another_cut(
    x: Material, cues: Vector, letters: NDArray[np.int64] | None, rate: float, begins: Vector, contrast: Contrast
) -> jumps.Pieces | None:
    """The cues under several offsets, where that says more than jumps do for the same cues backwards: at a rate of 1, a
    named one, or that of the best line."""
    scale = limits.CUES_GAIN.value / (contrast.spread**2 * contrast.memory)

    def jumping(cues: Vector, letters: NDArray[np.int64] | None) -> jumps.Pieces | None:
        tried = dict.fromkeys((1.0, rate, *rates.NAMED.values()))
        shapes = {r: jumps.Shape(*intervals(cues, letters, r)) for r in tried}
        return jumps.place(x.frames[:, 0].astype(np.float64), CELL_S, begins, cues[:, 0], shapes, scale)

    cut = jumping(cues, letters)
    if cut is None:
        return None
    turned = np.ascontiguousarray(cues.max() - cues[::-1, ::-1])
    chance = jumping(turned, None if letters is None else letters[::-1])
    more = cut.more - (0.0 if chance is None else chance.more)
    return replace(cut, more=more) if more > 0 else None


def _restanding(standing: Standing, contrast: Contrast, whole: Run, runs: list[Run]) -> Standing:
    """The standing with what pieces explain beyond one line, less their price."""
    if len(runs) == 1:
        return standing
    more = sum(contrast.speaks(run.segment()) for run in runs) - contrast.speaks(whole.segment())
    price = (len(runs) - 1) * (limits.CUES_MOVED.value + float(np.log(len(contrast.x.times))))
    return replace(standing, nats=standing.nats + max(more - price, 0.0))


def _cells(activity: Vector) -> Material:
    """The activity in cells, less its mean."""
    every = round(CELL_S / HOP_S)
    n = max(2, len(activity) // every)
    padded = np.pad(activity, (0, max(0, n * every - len(activity))), mode="edge")
    values = padded[: n * every].reshape(n, every).mean(axis=1)
    values = values - values.mean()
    return Material(values[:, None].astype(np.float32), np.asarray(CELL_S * (np.arange(n) + 0.5), dtype=np.float64), {})


def _material(cues: Vector, letters: NDArray[np.int64] | None, rate: float) -> Material:
    """The cues as a curve, every CELL_S of the reference's clock: what activity counts where."""
    shape, first = curve(cues, letters, rate)
    times = np.asarray((first + CELL_S * (np.arange(len(shape)) + 0.5)) / rate, dtype=np.float64)
    return Material(shape[:, None].astype(np.float32), times, {})


def _of_cues(cues: Vector, runs: list[Run]) -> list[tuple[int, int, Run]]:
    """The cues of each run, by where they begin: (first, last + 1, run); cues between runs go with the one before."""
    owner = np.zeros(len(cues), dtype=np.int64)
    for k, run in enumerate(runs):
        owner[cues[:, 0] >= run.start] = k
    for k in range(1, len(runs)):  # lags so near to one another are one, set by hand
        here = float(cues[owner == k, 0].mean()) if (owner == k).any() else 0.0
        apart = runs[k].lag - runs[k - 1].lag + (runs[k].slope - runs[k - 1].slope) * here
        if abs(apart) < limits.CUES_ONE_LAG_S.value:
            owner[owner == k - 1] = k
    bounds = np.flatnonzero(np.diff(owner)) + 1
    groups = np.split(np.arange(len(cues)), bounds)
    return [(int(g[0]), int(g[-1]) + 1, runs[int(owner[g[0]])]) for g in groups]


@dataclass(frozen=True)
class _Sharpened:
    lag: float
    error_s: float
    edges: int
    disagree_s: float


def _sharpened(
    group: Group, settled: Settled, first_edges: Points, last_edges: Points, begins: Vector, ends: Vector
) -> _Sharpened:
    """The lag of a group by the edges of the activity near those of its cues; starts and ends each for itself."""
    rate = settled.rate
    lag = edge_fit.lag(group, rate, 0, first_edges, settled.starts_s)
    behind = edge_fit.lag(group, rate, 1, last_edges, settled.ends_s)
    _, starts = _matched(group.cues[:, 0], rate, lag, begins)
    if len(starts) == 0:
        return _Sharpened(lag, CELL_S, 0, 0.0)
    _, stops = _matched(group.cues[:, 1], rate, behind, ends)
    if len(stops) < 3:
        return _Sharpened(lag, float(np.median(np.abs(starts - lag))), len(starts), 0.0)
    apart = abs(behind - lag)
    if apart <= limits.CUES_APART_S.value:  # both say the same: together they say it better
        weights = 1 / settled.starts_s**2, 1 / settled.ends_s**2
        lag = float(np.average([lag, behind], weights=weights))
        starts = np.concatenate([starts, stops])
    return _Sharpened(lag, float(np.median(np.abs(starts - lag))), len(starts), apart)


def _matched(edge: Vector, rate: float, offset: float, known: Vector) -> tuple[Vector, Vector]:
    """Edges of cues that have an edge of the activity near: their query time, and ``t_reference - rate * t_query``."""
    if len(known) == 0:
        return np.empty(0), np.empty(0)
    at = offset + rate * edge
    right = known[np.clip(np.searchsorted(known, at), 0, len(known) - 1)]
    left = known[np.clip(np.searchsorted(known, at) - 1, 0, len(known) - 1)]
    near = np.where(np.abs(left - at) < np.abs(right - at), left, right)
    good = np.abs(near - at) <= NEAR_S
    return edge[good], near[good] - rate * edge[good]


def _on_time(starts: Vector, rate: float, lag: float, begins: Vector) -> int:
    """How many cues begin within ON_TIME_S of a beginning of speech."""
    _, near = _matched(starts, rate, lag, begins)
    return int((np.abs(near - lag) <= ON_TIME_S).sum())
