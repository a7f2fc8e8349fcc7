"""Small pieces: stretches of the query that a line does not explain, and where in the reference they belong instead.

Windows vote, and a second at the beginning is outvoted by a minute behind it. So a line is looked at frame by frame
(:mod:`.contrast`): where it explains less than nothing for as long as a piece lasts, the stretch is looked for in the
reference, between its neighbours. It moves there where that explains the frames better, at a price that grows with the
number of places that were tried. Sound is also listened to at the ends of every piece (:mod:`.ends`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear.contrast import Contrast, Segment
from mmcli.aligners.linear.windows import refine

Vector = NDArray[np.float64]

MOST_STRETCHES = 40
LOOKED = 3  # times that a stretch is looked for: whole, and either half
GAIN_S = 4.0
ROOMY = 0.5  # of the reference between the neighbours, that a stretch looked for may fill
LOOK_S = 3.0  # around a stretch, on either side, in which its ends are looked for
TELLING = 120.0  # nats that a stretch is looked for by; more of it would only take longer


@dataclass(frozen=True)
class Run:
    """A stretch of the query under one lag: ``t_reference = lag + slope * t`` from ``start`` to ``end``, seconds."""

    lag: float
    slope: float
    start: float
    end: float

    def segment(self) -> Segment:
        """Both ends as [(t_reference, t_query)] * 2."""
        return np.array([[self.lag + self.slope * t, t] for t in (self.start, self.end)])


def runs_of(segments: list[Segment]) -> list[Run]:
    """Segments as runs."""
    runs = []
    for (r0, q0), (r1, q1) in segments:
        slope = float((r1 - r0) / (q1 - q0))
        runs.append(Run(float(r0 - slope * q0), slope, float(q0), float(q1)))
    return runs


def mend(
    contrast: Contrast,
    runs: list[Run],
    holds: Callable[[float, float], bool] | None = None,
    beyond_chance: float | None = None,
) -> list[Run]:
    """The runs with every stretch that speaks against its place moved to where it belongs, in order of time.

    What lies outside of all runs is looked for too. ``holds``: whether a piece from one query time to another is long
    enough; limits.SHORTEST_S.value where it is None. ``beyond_chance``: nats
    above the logarithm of the number of places; limits.BEYOND_CHANCE where it is None.
    """
    holds = holds or (lambda start, end: end - start >= limits.SHORTEST_S.value)
    gain = _usual_gain(contrast, runs)
    if gain <= 0:
        return runs
    for _ in range(MOST_STRETCHES):
        moved = _mended_once(contrast, runs, holds, gain, beyond_chance)
        if moved is None:
            break
        runs = moved
    return runs


def is_elsewhere(nats: float, places: float, beyond_chance: float | None = None) -> bool:
    """Whether so many nats are more than the best of so many places comes to by chance."""
    beyond = limits.BEYOND_CHANCE.value if beyond_chance is None else beyond_chance
    return nats >= float(np.log(places + 1.0)) + beyond


def is_a_move(seconds: float) -> bool:
    """Whether a stretch whose lag differs by so much lies elsewhere."""
    return seconds >= limits.LEAST_MOVE_S.value


def _usual_gain(contrast: Contrast, runs: list[Run]) -> float:
    """The contrast of what is explained: the mean of the better half of all stretches of GAIN_S, so that stretches that
    belong elsewhere do not lower it."""
    width = max(1, round(GAIN_S / contrast.hop_s))
    means: list[float] = []
    for run in runs:
        rows, values = contrast.of_line(run.segment())
        for part in np.array_split(np.arange(len(rows)), max(1, len(rows) // width)):
            if (power := float(contrast.power[rows[part]].sum())) > 0:
                means.append(float(values[part].sum()) / power)
    better = sorted(means)[len(means) // 2 :]
    return float(np.mean(better)) if better else 0.0


def _mended_once(
    contrast: Contrast, runs: list[Run], holds: Callable[[float, float], bool], gain: float, beyond_chance: float | None
) -> list[Run] | None:
    times = contrast.y.times
    value = contrast.nats(np.arange(len(times)), np.zeros(len(times)), gain)
    for run in runs:
        rows, values = contrast.of_line(run.segment())
        value[rows] = contrast.nats(rows, values, gain)
    for first, last in _against(value):
        middle = (first + last) // 2
        # a half alone, where the other is something that the query has more
        parts = ((first, last), (first, middle), (middle + 1, last))
        places = (_placed(contrast, runs, part, value, gain, beyond_chance) for part in parts)
        moved = next((run for run in places if run is not None), None)
        if moved is None or not holds(moved.start, moved.end):
            continue
        joined = _inserted(runs, moved)
        if not _runs_on(joined):  # what the query has more, beside the stretch, lay on what is the stretch's now
            part = _parting(contrast, runs, moved, value, gain, beyond_chance)
            if part is None or not holds(part.start, part.end):
                continue
            joined = _making_way(_inserted(runs, part), part)
        if _runs_on(joined):
            return joined
    return None


def _parting(
    contrast: Contrast, runs: list[Run], new: Run, value: Vector, gain: float, beyond_chance: float | None
) -> Run | None:
    """The part of a new run that leaves its neighbours most of what they explain, where the query has something more
    between them: what that is covered by explains it no worse at the one place than at the other. None where too little
    is left of it. ``value``: nats of every frame where the runs put it."""
    times, hop = contrast.y.times, contrast.hop_s
    rows = np.flatnonzero((times >= new.start) & (times <= new.end))
    if len(rows) == 0:
        return None
    own = contrast.nats(rows, contrast.at(rows, new.lag + new.slope * times[rows]), gain)
    middle = (new.start + new.end) / 2
    start, end = new.start, new.end
    for r in runs:
        more = (new.lag - r.lag) / new.slope  # seconds of the query between the two, where it is above 0
        later = r.end > middle and r.end > new.end
        if not (r.end > new.start and r.start < new.end + abs(more)) or (more if later else -more) <= 0:
            continue
        total = np.concatenate([[0.0], np.cumsum(own)])
        if not later:
            total = total[-1] - total
        # where the new run ends (begins) before a row, and the other begins (ends) so much later (earlier)
        at = np.append(times[rows], times[rows[-1]] + hop)
        sums = np.concatenate([[0.0], np.cumsum(value)])
        other = np.clip(np.searchsorted(times, at + more), 0, len(value))
        total = total + (sums[-1] - sums[other] if later else sums[other])
        k = int(np.argmax(total))
        start, end = (start, float(at[k]) - hop / 2) if later else (float(at[k]) - hop / 2, end)
    kept = (times[rows] >= start) & (times[rows] <= end)
    better = float((own - value[rows])[kept].sum())
    places = len(contrast.x.times) / max(contrast.memory, 1.0)
    return Run(new.lag, new.slope, start, end) if is_elsewhere(better, places, beyond_chance) else None


def _making_way(runs: list[Run], new: Run) -> list[Run]:
    """The runs without what they have in the reference where the new one lies."""
    out = []
    for r in runs:
        start, end = r.start, r.end
        if r != new and r.start >= new.end:
            start = max(start, (new.lag + new.slope * new.end - r.lag) / r.slope)
        elif r != new and r.end <= new.start:
            end = min(end, (new.lag + new.slope * new.start - r.lag) / r.slope)
        if end - start >= limits.SHORTEST_S.value / 2:
            out.append(Run(r.lag, r.slope, start, end))
    return out


def _against(value: Vector) -> list[tuple[int, int]]:
    """Stretches (first row, last row) that speak against their place, the strongest first (Ruzzo and Tompa 1999).

    Neighbours of one sign are one score: a stretch never ends between them.
    """
    sums = np.concatenate([[0.0], np.cumsum(-value)])
    turns = np.flatnonzero(np.diff(value < 0)) + 1
    bounds = [0, *turns.tolist(), len(value)]
    at = sums[bounds].tolist()
    stack: list[tuple[int, int, float, float]] = []  # first, last + 1, sum before, sum after
    for run, (before, total) in enumerate(pairwise(at)):
        if total <= before:
            continue
        piece = (bounds[run], bounds[run + 1], before, total)
        while True:
            j = next((i for i in range(len(stack) - 1, -1, -1) if stack[i][2] < piece[2]), None)
            if j is None or stack[j][3] >= piece[3]:
                stack.append(piece)
                break
            piece = (stack[j][0], piece[1], stack[j][2], piece[3])
            del stack[j:]
    strong = [p for p in stack if p[3] - p[2] >= limits.UNEXPLAINED.value]
    strong.sort(key=lambda p: p[2] - p[3])
    return [(p[0], p[1] - 1) for p in strong[:MOST_STRETCHES]]


def _placed(
    contrast: Contrast, runs: list[Run], rows: tuple[int, int], value: Vector, gain: float, beyond_chance: float | None
) -> Run | None:
    """The stretch where it belongs instead; None where it belongs nowhere else."""
    times = contrast.y.times
    hop = contrast.hop_s
    first, last = rows
    if (last - first + 1) * hop < limits.SHORTEST_S.value * 0.6:
        return None
    low, high = _between(contrast, runs, rows, value)
    some = _telling(contrast, first, last, gain, ROOMY * (high - low))
    if len(some) == 0:
        return None
    middle = int(some[len(some) // 2])
    slope = min(runs, key=lambda r: max(r.start - times[middle], times[middle] - r.end, 0.0)).slope
    lags = _lags(contrast, some, slope, low, high)
    if len(lags) == 0:
        return None
    gains = _gains_of_lags(contrast, some, slope, lags)
    best = int(np.argmax(gains))
    places = LOOKED * len(lags) / max(contrast.memory, 1.0)
    power = float(contrast.power[some].sum())
    nats = float(gains[best]) ** 2 * power / (2 * contrast.spread**2 * contrast.memory)
    if not is_elsewhere(nats - max(float(value[some].sum()), 0.0), places, beyond_chance):
        return None
    gain = min(gain, float(gains[best]))
    lag = float(lags[best])
    if not is_a_move(min(abs(lag - r.lag - (r.slope - slope) * times[middle]) for r in runs)):
        return None
    reach = round(LOOK_S / hop)
    around = np.arange(max(0, first - reach), min(len(times), last + reach + 1))
    better = contrast.nats(around, contrast.at(around, lag + slope * times[around]), gain) - value[around]
    a, b = _densest(better, middle - int(around[0]))
    start, end = float(times[around[a]]) - hop / 2, float(times[around[b]]) + hop / 2
    if not is_elsewhere(float(better[a : b + 1].sum()), places, beyond_chance):
        return None
    return _heard(contrast, runs, Run(lag, slope, start, end))


def _between(contrast: Contrast, runs: list[Run], rows: tuple[int, int], value: Vector) -> tuple[float, float]:
    """The stretch of the reference between what is explained before and after some rows of the query: nothing that is
    moved there may pass its neighbours."""
    times = contrast.y.times
    first, last = rows
    low, high = float(contrast.x.times[0]), float(contrast.x.times[-1])
    before, after = value[:first][::-1], value[last + 1 :]
    if len(before) and before.max() > 0:
        k = first - 1 - _last_lowest(before)
        run = max((r for r in runs if r.start <= times[k] + contrast.hop_s), key=lambda r: r.start, default=None)
        low = low if run is None else run.lag + run.slope * min(float(times[k]), run.end)
    if len(after) and after.max() > 0:
        k = last + 1 + _last_lowest(after)
        run = min((r for r in runs if r.end >= times[k] - contrast.hop_s), key=lambda r: r.end, default=None)
        high = high if run is None else run.lag + run.slope * max(float(times[k]), run.start)
    return low - LOOK_S, high + LOOK_S


def _last_lowest(value: Vector) -> int:
    """Where what follows is all explained: behind the lowest sum so far, and behind what says nothing."""
    sums = np.concatenate([[0.0], np.cumsum(value)[:-1]])
    return len(sums) - 1 - int(np.argmin(sums[::-1]))


def _lags(contrast: Contrast, rows: NDArray[np.int64], slope: float, low: float, high: float) -> Vector:
    """All lags, a frame of the reference apart, under which some frames lie in a stretch of it."""
    t = slope * contrast.y.times[rows]
    hop = contrast.x.hop_s
    low, high = max(low, float(contrast.x.times[0])), min(high, float(contrast.x.times[-1]))
    count = int((high - low - float(t[-1] - t[0])) / hop) + 1
    return np.asarray(low - float(t[0]) + hop * np.arange(max(0, count)), dtype=np.float64)


def _gains_of_lags(contrast: Contrast, rows: NDArray[np.int64], slope: float, lags: Vector) -> Vector:
    """The mean contrast of the frames under each lag, at least 0: a correlation, by Fourier transform."""
    from scipy.fft import irfft, next_fast_len, rfft

    hop = contrast.x.hop_s
    t = slope * contrast.y.times[rows]
    grid = np.arange(float(t[0]), float(t[-1]) + hop / 2, hop)  # the query on the reference's frames
    own = rows[np.clip(np.searchsorted(t, grid - 1e-9), 0, len(rows) - 1)]
    left = round((float(lags[0]) + float(t[0]) - float(contrast.x.times[0])) / hop)
    y, x = contrast.directions(own, left, len(lags) + len(own) - 1)
    size = int(next_fast_len(len(x) + len(y), real=True))
    product = np.zeros(size // 2 + 1, np.complex128)
    for column in range(x.shape[1]):
        product += rfft(x[:, column], size) * np.conj(rfft(y[:, column], size))
    total = irfft(product, size)[: len(lags)] - contrast.usual(own)
    power = float(contrast.power[own].sum())
    return np.asarray(np.clip(total / max(power, 1e-12), 0.0, None))


def _telling(contrast: Contrast, first: int, last: int, gain: float, longest_s: float) -> NDArray[np.int64]:
    """The rows of a stretch; of a long one those among them that say most, as many as say enough: TELLING nats at their
    place, and no more than ``longest_s`` seconds."""
    power = np.concatenate([[0.0], np.cumsum(contrast.power[first : last + 1])])
    if not power[-1] > 0 or longest_s <= 0:
        return np.arange(0)
    enough = TELLING * 2 * contrast.spread**2 * contrast.memory / gain**2
    count = max(1, min(last - first + 1, int(longest_s / contrast.hop_s)))
    count = max(1, min(count, round(count * enough / float(power[-1])) if power[-1] > enough else count))
    most = power[count:] - power[:-count]
    best = np.flatnonzero(most >= most.max() - 1e-9)
    k = int(best[len(best) // 2])
    return np.arange(first + k, first + k + count)


def _densest(better: Vector, inside: int) -> tuple[int, int]:
    """First and last row of the stretch around ``inside`` that is better in all by most."""
    left = np.cumsum(better[: inside + 1][::-1])
    right = np.cumsum(better[inside:])
    return inside - int(np.argmax(left)), inside + int(np.argmax(right))


def _heard(contrast: Contrast, runs: list[Run], new: Run) -> Run | None:
    """The run with its lag to a fraction of a sample, where the phase of the sound says it; None where the phase hears
    the stretch at its old place more clearly."""
    x, y = contrast.x, contrast.y
    if x.samples is None or y.samples is None:
        return new
    heard, samples, middle = x.samples, y.samples_at(new.slope), new.slope * (new.start + new.end) / 2
    window = new.slope * min(4.0, new.end - new.start)

    def listen(lag: float) -> tuple[float, float]:
        return refine(heard, samples, x.rate_hz, middle, lag, window_s=window, search_s=0.05)

    fine, z = listen(new.lag)
    old = next((r for r in runs if r.start <= (new.start + new.end) / 2 <= r.end), None)
    if old is not None:
        _, before = listen(old.lag + (old.slope - new.slope) * (new.start + new.end) / 2)
        if before >= limits.SHARP_Z.value and before > z:
            return None
    return replace(new, lag=fine) if np.isfinite(fine) and z >= limits.END_Z.value else new


def _inserted(runs: list[Run], new: Run) -> list[Run]:
    """The runs with a new one among them, whose stretch the others leave to it."""
    out: list[Run] = []
    for r in runs:
        if r.end <= new.start or r.start >= new.end:
            out.append(r)
            continue
        for start, end in ((r.start, new.start), (new.end, r.end)):
            if end - start >= limits.SHORTEST_S.value / 2:
                out.append(Run(r.lag, r.slope, start, end))
    return sorted([*out, new], key=lambda r: r.start)


def _runs_on(runs: list[Run]) -> bool:
    """Whether runs in order of query time are in order in the reference too, but for what their ends are off by."""
    slack = limits.SHORTEST_S.value / 2
    return all(b.lag + b.slope * b.start >= a.lag + a.slope * a.end - slack for a, b in pairwise(runs))
