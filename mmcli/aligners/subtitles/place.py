"""Where the cues of a subtitle belong: offset, rate and breaks against a curve of speech activity.

Under an offset and a rate a cue is worth the activity inside it, less the activity in the pause that follows it. For
every rate a dynamic programme over cues and offsets takes the best sequence of offsets, where a jump costs as much as
eight seconds of perfect agreement and must not lead backwards in the reference, so that repeated material cannot draw
cues to where others lie already. Cue edges are then matched to the edges of the activity, and a consensus over them
(:mod:`.consensus`) gives the last tenths of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear import consensus, rates
from mmcli.aligners.subtitles.activity import HOP_S, edges

Vector = NDArray[np.float64]

STEP_S = 0.1  # of the offsets that are tried
PART_S = 4.0  # at either end of a long cue, that counts
PAUSE_S = 4.0  # of a pause that counts
NEAR_PAUSE_S = 0.7  # the same where a subtitle is told from a stranger: cues may be missing further away
OUTSIDE = -0.5  # activity where the reference is over
RATE_STEP = 0.001
MOST_STRETCH = 0.06
NEAR_S, LOOSE_S = 0.4, 0.7  # in which a cue's edge looks for an edge of the activity; loose for cues set by hand
NULLS, STILL_NULLS = 16, 24  # subtitles with the same cues and pauses in another order; under one offset
COARSE_RATE_STEP = 0.004


@dataclass(frozen=True)
class Placed:
    """``rate``, the offset of every cue (cues,) in seconds, and the ``score`` in seconds of agreement."""

    rate: float
    offsets: Vector
    score: float


@dataclass(frozen=True)
class Standing:
    """``z``: standard deviations above the same cues in other orders; a subtitle is right from the ``limit`` on."""

    z: float
    limit: float

    @property
    def is_clear(self) -> bool:
        """Whether that is no chance."""
        return self.z >= self.limit


@dataclass(frozen=True)
class Placement:
    """The pieces ``(first cue, last cue + 1, offset)`` under one rate; the name of the rate; the usual error of the
    edges in seconds; ``stands``: how far the score lies above that of subtitles in another order."""

    rate: float
    rate_name: str | None
    pieces: list[tuple[int, int, float]]
    error_s: float
    edges: int
    stands: Standing


def place(activity: Vector, cues: NDArray[np.float64]) -> Placement:
    """Where cues (k, 2), seconds in order, belong on the clock of the activity curve (every 10 ms)."""
    area = _area(activity)
    best = max((best_offsets(area, cues, r) for r in _rates_tried(RATE_STEP)), key=lambda p: p.score)
    plain = best_offsets(area, cues, 1.0)
    if is_simple(plain, best):
        best = plain
    stands = standing(area, cues)
    begins, ends = edges(activity)
    return _sharpened(cues, best, begins, ends, stands)


def is_simple(plain: Placed, best: Placed) -> bool:
    """Whether a rate of 1 is kept."""
    return plain.score >= limits.SIMPLE_RATE.value * best.score


def best_offsets(area: Vector, cues: NDArray[np.float64], rate: float, pause_s: float = PAUSE_S) -> Placed:
    """The best offset of every cue under one rate. ``area``: see :func:`_area`; ``pause_s`` of the pause after a cue
    count."""
    score, low = _scores(area, cues, rate, pause_s)
    total = score[0].copy()
    came = np.zeros(score.shape, dtype=np.int64)
    index = np.arange(score.shape[1])
    for i in range(1, len(cues)):
        before, last = cues[i - 1]
        if last - before > limits.LONG_CUE_S.value:  # the break may lie inside it
            last = before + PART_S
        reach = int(rate * (cues[i, 0] - last) / STEP_S)  # as far back as the pause is long
        top, at = _running_max(total)
        source = np.clip(index + reach, 0, len(index) - 1)
        jumped = np.where(index + reach >= 0, top[source] - limits.JUMP_S.value, -np.inf)
        stay = total >= jumped
        came[i] = np.where(stay, index, at[source])
        total = np.where(stay, total, jumped) + score[i]
    k = int(np.argmax(total))
    value = float(total[k])
    chosen = np.empty(len(cues), dtype=np.int64)
    for i in range(len(cues) - 1, -1, -1):
        chosen[i] = k
        k = int(came[i, k])
    return Placed(rate, np.asarray(low + chosen * STEP_S, dtype=np.float64), value)


def standing(area: Vector, cues: NDArray[np.float64]) -> Standing:
    """How far the best agreement of the cues stands above the best of the same cues in random orders: under one offset
    and, where that is not clear, with jumps, which takes long."""
    still = measure(np.diff(area) / STEP_S, OUTSIDE)
    under_one = Standing(
        _stands(cues, lambda c: still(c, _rates_tried(COARSE_RATE_STEP)), STILL_NULLS), limits.CUES_STILL.value
    )
    if under_one.is_clear:
        return under_one

    def jumping(c: NDArray[np.float64]) -> float:
        return max(best_offsets(area, c, r, NEAR_PAUSE_S).score for r in _rates_tried(COARSE_RATE_STEP))

    return Standing(_stands(cues, jumping, NULLS), limits.CUES_JUMPING.value)


def _stands(cues: NDArray[np.float64], best: Callable[[NDArray[np.float64]], float], nulls: int) -> float:
    """Standard deviations between the best of the cues and the bests of their other orders."""
    null = np.array([best(reordered(cues, seed)) for seed in range(nulls)])
    spread = max(float(null.std(ddof=1)), limits.LEAST_SPREAD.value * float(np.sum(cues[:, 1] - cues[:, 0])))
    return (best(cues) - float(null.mean())) / spread


def reordered(cues: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The same cues and the same pauses, each in a random order of its own.

    >>> reordered(np.array([[1.0, 2.0], [3.0, 5.0]]), 0)[-1, 1].item()
    5.0
    """
    rng = np.random.default_rng(seed)
    lengths = rng.permutation(np.maximum(cues[:, 1] - cues[:, 0], 0.0))
    pauses = rng.permutation(np.maximum(cues[1:, 0] - cues[:-1, 1], 0.0))
    starts = cues[0, 0] + np.concatenate([[0.0], np.cumsum(lengths[:-1] + pauses)])
    return np.column_stack([starts, starts + lengths])


def _rates_tried(step: float) -> list[float]:
    n = round(MOST_STRETCH / step)
    grid = 1.0 + step * np.arange(-n, n + 1)
    named = [r for r in rates.NAMED.values() if abs(r - 1) <= MOST_STRETCH]
    return sorted({*(round(float(r), 9) for r in grid), *named})


def _area(activity: Vector) -> Vector:
    """The activity summed up to every STEP_S, in seconds; between samples of it lies the agreement of an interval."""
    every = round(STEP_S / HOP_S)
    n = -(-len(activity) // every) * every
    padded = np.concatenate([activity, np.full(n - len(activity), OUTSIDE)])
    return np.concatenate([[0.0], np.cumsum(padded.reshape(-1, every).sum(axis=1) * HOP_S)])


def _scores(area: Vector, cues: NDArray[np.float64], rate: float, pause_s: float) -> tuple[Vector, float]:
    """What each cue is worth at each offset (cues, offsets), and the first offset in seconds."""
    span = (len(area) - 1) * STEP_S
    low = -rate * float(cues[-1, 1])
    count = int((span - low) / STEP_S) + 1
    margin = count + round(rate * float(cues[-1, 1]) / STEP_S) + round(pause_s / STEP_S) + 8
    before = area[0] + OUTSIDE * STEP_S * np.arange(-margin, 0)
    after = area[-1] + OUTSIDE * STEP_S * np.arange(1, margin + 1)
    long = np.concatenate([before, area, after])
    base = margin + round(low / STEP_S)
    at = np.round(rate * cues / STEP_S).astype(np.int64) + base
    pause, part = round(pause_s / STEP_S), round(PART_S / STEP_S)
    out = np.empty((len(cues), count))
    for i, (s, e) in enumerate(at.tolist()):
        e = max(e, s + 1)
        following = at[i + 1, 0] if i + 1 < len(at) else e + pause
        rest = min(max(int(following), e), e + pause)
        if e - s > round(limits.LONG_CUE_S.value / STEP_S):
            inside = long[s + part : s + part + count] - long[s : s + count] + long[e : e + count]
            inside -= long[e - part : e - part + count]
        else:
            inside = long[e : e + count] - long[s : s + count]
        out[i] = inside - (long[rest : rest + count] - long[e : e + count])
    return out, round(low / STEP_S) * STEP_S


def _running_max(values: Vector) -> tuple[Vector, NDArray[np.int64]]:
    """The largest value up to every index, and where it is."""
    top = np.maximum.accumulate(values)
    fresh = np.concatenate([[True], values[1:] > top[:-1]])
    return top, np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0))


def _sharpened(cues: NDArray[np.float64], placed: Placed, begins: Vector, ends: Vector, stands: Standing) -> Placement:
    """Rate and offsets fitted to the edges of the activity nearest to the cues' edges."""
    bounds = [0, *(np.flatnonzero(np.abs(np.diff(placed.offsets)) > STEP_S / 2) + 1).tolist(), len(cues)]
    groups = list(pairwise(bounds))
    matched = [_matched(cues[a:b], placed.rate, float(placed.offsets[a]), begins, ends) for a, b in groups]
    # Edges of all groups on one line: each group's own offset is taken off first.
    t = np.concatenate([m[0] for m in matched])
    lag = np.concatenate([m[1] - np.median(m[1]) if len(m[1]) else m[1] for m in matched])
    rate, name = placed.rate, _name_of(placed.rate)
    if len(t) >= 8:
        weight = np.ones(len(t))
        tolerance = max(0.06, 2 * float(np.median(np.abs(lag - np.median(lag)))))
        line = consensus.line(t, lag, weight, tolerance, most_slope=0.004)
        free = placed.rate + line.slope
        rate, name = _settled(free, placed.rate, t, lag, float(np.ptp(t)))
    pieces = []
    errors = []
    for a, b in groups:
        offset = _offset_at(cues[a:b], placed, a, rate)
        near = NEAR_S
        for _ in range(6):
            _, rest = _matched(cues[a:b], rate, offset, begins, ends, near)
            if len(rest) == 0:
                break
            near = LOOSE_S if are_by_hand(rest) else NEAR_S
            offset = _centre(rest) if near == NEAR_S else float(rest.mean())
        if len(rest):
            errors.append(np.abs(rest - offset))
        pieces.append((a, b, offset))
    joined = np.concatenate(errors) if errors else np.array([STEP_S])
    return Placement(rate, name, pieces, float(np.median(joined)), len(t), stands)


def are_by_hand(rest: Vector) -> bool:
    """Whether edges of cues lie about those of the activity as hands set them."""
    return float(np.median(np.abs(rest - np.median(rest)))) > limits.BY_HAND_S.value


def _offset_at(cues: NDArray[np.float64], placed: Placed, first: int, rate: float) -> float:
    """The offset under another rate that leaves the middle of the group where it was."""
    middle = float(cues.mean())
    return float(placed.offsets[first]) + (placed.rate - rate) * middle


def _matched(
    cues: NDArray[np.float64], rate: float, offset: float, begins: Vector, ends: Vector, within: float = NEAR_S
) -> tuple[Vector, Vector]:
    """Edges of cues that have an edge of the activity near: their query time, and ``t_reference - rate * t_query``."""
    t, lag = [], []
    for column, at_hand in ((0, begins), (1, ends)):
        if len(at_hand) == 0:
            continue
        at = offset + rate * cues[:, column]
        near = at_hand[np.clip(np.searchsorted(at_hand, at), 0, len(at_hand) - 1)]
        left = at_hand[np.clip(np.searchsorted(at_hand, at) - 1, 0, len(at_hand) - 1)]
        near = np.where(np.abs(left - at) < np.abs(near - at), left, near)
        good = np.abs(near - at) <= within
        t.append(cues[good, column])
        lag.append(near[good] - rate * cues[good, column])
    return (np.concatenate(t), np.concatenate(lag)) if t else (np.empty(0), np.empty(0))


def _settled(free: float, start: float, t: Vector, lag: Vector, span: float) -> tuple[float, str | None]:
    """1, a named ratio, or the free rate: the first of them whose edges lie as well as those of the free rate."""

    def residual(rate: float) -> float:
        rest = lag + (start - rate) * t
        return float(np.median(np.abs(rest - np.median(rest))))

    usual = residual(free)
    slack = max(limits.SETTLED_S.value, 3 * usual) / max(span, 1.0)  # more where cues are set by hand
    most = limits.SETTLED_WORSE.value * usual + 0.004
    if abs(free - 1.0) <= slack and residual(1.0) <= most:
        return 1.0, None
    name = rates.named(free, slack)
    if name is not None and residual(rates.NAMED[name]) <= most:
        return rates.NAMED[name], name
    return free, None


def _name_of(rate: float) -> str | None:
    return rates.named(rate, 1e-7)


def _centre(lag: Vector) -> float:
    """The middle of the densest part of the lags: the mean of those near the median, taken twice."""
    value = float(np.median(lag))
    for width in (0.1, 0.05):
        near = lag[np.abs(lag - value) <= max(width, 1.5 * float(np.median(np.abs(lag - value))))]
        value = float(near.mean()) if len(near) else value
    return value


# How well cues fit a curve of speech activity under one offset and one rate: a curve of their own, correlated.
#
# Without jumps, cues in a random order find little to fit to, and far less evidence tells a subtitle from a stranger:
# few cues, cues joined, cues held on for reading. What has breaks needs :func:`best_offsets`.

BIN_S = 0.1
EDGE_S, EDGE_WEIGHS = 0.3, 0.5  # within a cue, at either edge: cues are set early and held on
STILL_PAUSE_S, PAUSE_WEIGHS = 0.7, 0.7  # of the pauses before and after it
FIRST_LAST_S = 9.0  # the pause before the first cue, after the last


def measure(binned: Vector, outside: float) -> Callable[[Vector, list[float]], float]:
    """A function of cues (k, 2) in seconds and of rates: the highest agreement with activity under any offset and any
    of the rates. ``binned``: the activity, one value every BIN_S; ``outside``: before and after.

    >>> activity = np.repeat([-1.0, 1.0, -1.0, 1.0, -1.0], [30, 10, 20, 30, 10])
    >>> fits = measure(activity, -0.5)
    >>> right, wrong = np.array([[1.0, 2.0], [4.0, 7.0]]), np.array([[1.0, 4.0], [6.0, 7.0]])
    >>> fits(right, [1.0]) > fits(wrong, [1.0])
    True
    """
    from scipy.fft import irfft, next_fast_len, rfft

    above = binned - outside  # so that nothing stands for what lies outside
    spectra: dict[int, NDArray[np.complex128]] = {}

    def best(cues: Vector, rates: list[float]) -> float:
        bounds, weights = _weighted(cues)
        values = []
        for rate in rates:
            shape = _binned(bounds * rate, weights)
            size = int(next_fast_len(len(above) + len(shape), real=True))
            if size not in spectra:
                spectra[size] = rfft(above, size)
            curve = irfft(spectra[size] * np.conj(rfft(shape, size)), size)
            values.append(float(curve.max()) + outside * float(shape.sum()))
        return max(values)

    return best


def _weighted(cues: Vector) -> tuple[Vector, Vector]:
    """Intervals (n, 2) in seconds and what activity in each of them counts (n,)."""
    start, end = cues[:, 0], cues[:, 1]
    edge = np.minimum(EDGE_S, (end - start) / 2)
    between = np.maximum(start[1:] - end[:-1], 0.0)
    before = np.minimum(STILL_PAUSE_S, np.concatenate([[FIRST_LAST_S], between]) / 2)
    after = np.minimum(STILL_PAUSE_S, np.concatenate([between, [FIRST_LAST_S]]) / 2)
    parts = [
        (start, start + edge, EDGE_WEIGHS),
        (end - edge, end, EDGE_WEIGHS),
        (start + edge, end - edge, 1.0),
        (start - before, start, -PAUSE_WEIGHS),
        (end, end + after, -PAUSE_WEIGHS),
    ]
    bounds = np.concatenate([np.column_stack(p[:2]) for p in parts])
    return bounds, np.repeat([p[2] for p in parts], len(cues))


def _binned(bounds: Vector, weights: Vector) -> Vector:
    """The weighted intervals as one curve, summed within bins of BIN_S from its beginning, in seconds."""
    at = np.concatenate([bounds[:, 0], bounds[:, 1]])
    order = np.argsort(at, kind="stable")
    at, level = at[order], np.cumsum(np.concatenate([weights, -weights])[order])
    total = np.concatenate([[0.0], np.cumsum(level[:-1] * np.diff(at))])
    grid = at[0] + BIN_S * np.arange(int((at[-1] - at[0]) / BIN_S) + 3)
    return np.diff(np.interp(grid, at, total))
