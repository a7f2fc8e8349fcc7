"""Every place of cues on the clock of an activity curve, under every rate, and what speaks for each.

Two things do. The cues' own curve (:mod:`.shape`) times the activity, in standard deviations above all other offsets
under the same rate: half of the square are nats. And the starts of cues beside the beginnings of speech, as points of a
mixture (:mod:`.edge_fit`): captions that follow on each other without a pause have a flat curve, and only their starts
say anything. A cue outside of the recording says less than one at any place inside it: most files of cues are of the
whole of a recording, but not all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear import rates
from mmcli.aligners.subtitles.shape import CELL_S, curve

Vector = NDArray[np.float64]

RATE_STEP, FINE_STEP = 0.001, 0.0001
MOST_STRETCH = 0.06
LEAST_OVERLAP_S = 20.0  # of cues and activity, or a quarter of the cues
ELSEWHERE_S = 1.0
SPREADS_S, SHARE = (0.08, 0.2), 0.5  # of the hand at starts, and of the starts that belong to a beginning of speech
LONG_S = 1.0  # a pause after which a line begins as surely as after any longer one
OUTSIDE = -0.3  # nats of a cue that begins outside of the recording


@dataclass(frozen=True)
class Standing:
    """``nats`` that the cues speak for their place, less the price of having looked everywhere; ``rival``: for the best
    other place; ``z``: of the curve alone, in standard deviations of all other offsets; ``curve``: its nats."""

    nats: float
    rival: float
    z: float
    curve: float


@dataclass(frozen=True)
class Tried:
    """One rate: ``nats`` and ``z`` of every offset that leaves enough overlap, the first at ``low`` seconds."""

    nats: Vector
    z: Vector
    low: float


class Ground:
    """An activity curve, in cells less their mean, and its beginnings of speech in seconds, ready for cues of up to
    ``span`` s."""

    def __init__(self, activity: Vector, begins: Vector, ends: Vector, span: float) -> None:
        from scipy.fft import next_fast_len, rfft
        from scipy.ndimage import gaussian_filter1d

        self.n = len(activity)
        self.size = int(next_fast_len(self.n + int(span / CELL_S) + 4, real=True))
        self.activity = rfft(activity.astype(np.float32), self.size)
        fine = CELL_S / 5
        dense = np.zeros(5 * self.n + 5)
        np.add.at(dense, np.clip(np.round(begins / fine).astype(int), 0, len(dense) - 1), after_pauses(begins, ends))
        density = max(len(begins), 1) / max(self.n * CELL_S, 1.0)
        self.begins = []
        for spread in SPREADS_S:
            here = gaussian_filter1d(dense, spread / fine, mode="constant")[: 5 * self.n : 5] / fine
            said = np.log(1.0 - SHARE + SHARE * here / density) - OUTSIDE
            self.begins.append(rfft(said.astype(np.float32), self.size))

    def tried(self, cues: Vector, letters: NDArray[np.int64] | None, rate: float) -> Tried:
        """What speaks for every offset of the cues (k, 2) under a rate."""
        from scipy.fft import irfft, rfft

        shape, first = curve(cues, letters, rate)
        m = len(shape)
        at = np.arange(-m + 1, self.n)
        product = irfft(self.activity * np.conj(rfft(shape.astype(np.float32), self.size)), self.size)[at % self.size]
        area = np.concatenate([[0.0], np.cumsum(shape * shape)])
        power = area[np.clip(self.n - at, 0, m)] - area[np.clip(-at, 0, m)]
        least = max(min(LEAST_OVERLAP_S / CELL_S, 0.5 * area[-1]), 0.25 * area[-1])
        good = power >= least
        if not good.any():
            return Tried(np.zeros(0), np.zeros(0), 0.0)
        value = product[good].astype(np.float64) / np.sqrt(power[good])
        spread, middle = float(np.sqrt(np.mean(value * value))), float(np.median(value))
        deviation = 1.4826 * float(np.median(np.abs(value - middle)))
        z = (value - middle) / max(min(spread, 2 * deviation), deviation, 1e-9)
        place = (rate * cues[:, 0] - first) / CELL_S
        starts = np.zeros(m + 1)
        np.add.at(starts, np.floor(place).astype(int), 1.0 - place % 1.0)
        np.add.at(starts, np.floor(place).astype(int) + 1, place % 1.0)
        own = np.conj(rfft(starts.astype(np.float32), self.size))
        begin = np.max([irfft(b * own, self.size)[at[good] % self.size] for b in self.begins], axis=0)
        nats = np.sign(z) * z * z / 2 + begin + OUTSIDE * len(cues)
        return Tried(np.asarray(nats, dtype=np.float64), z, int(at[good][0]) * CELL_S - first)


def after_pauses(begins: Vector, ends: Vector) -> Vector:
    """How much of a beginning each beginning of speech is, mean 1: a line begins after a pause, and the longer that is
    the likelier.

    >>> after_pauses(np.array([1.0, 3.0, 4.25]), np.array([2.0, 4.0, 5.0])).round(2).tolist()
    [1.2, 1.2, 0.6]
    """
    if len(begins) == 0:
        return np.zeros(0)
    pause = begins - np.concatenate([[-np.inf], ends[: len(begins) - 1]])
    weight = np.sqrt(np.clip(pause, 0.05, LONG_S))
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def best_line(
    activity: Vector, begins: Vector, ends: Vector, cues: Vector, letters: NDArray[np.int64] | None
) -> tuple[float, float, Standing] | None:
    """Rate and offset under which the cues fit best, and how that stands to other places; None where there is none.

    ``activity``: in cells, less its mean; ``begins``, ``ends``: where speech does, seconds; ``cues`` (k, 2), seconds in
    order; ``letters`` (k,): how long their texts are.
    """
    ground = Ground(activity, begins, ends, (float(cues.max()) - float(cues.min())) * (1 + MOST_STRETCH) + 3.0)
    coarse = {rate: ground.tried(cues, letters, rate) for rate in _rates_tried(RATE_STEP, 1.0, MOST_STRETCH)}
    coarse = {rate: tried for rate, tried in coarse.items() if len(tried.z)}
    if not coarse:
        return None
    best = max(coarse, key=lambda r: float(coarse[r].nats.max()))
    fine = {
        rate: coarse[rate] if rate in coarse else ground.tried(cues, letters, rate)
        for rate in _rates_tried(FINE_STEP, best, RATE_STEP)
    }
    top = {rate: float(tried.nats.max()) for rate, tried in fine.items() if len(tried.z)}
    rate = max(top, key=lambda r: top[r])
    simple = [r for r in (1.0, *rates.NAMED.values()) if r in top and is_as_good(top[r], top[rate])]
    if simple:
        rate = max(simple, key=lambda r: (r == 1.0, top[r]))
    chosen = fine[rate]
    k = int(np.argmax(chosen.nats))
    offset = chosen.low + CELL_S * k
    # Neighbouring rates are alike.
    price = float(np.log(max(sum(len(t.z) * CELL_S for t in coarse.values()) / ELSEWHERE_S / 8.0, 1.0)))
    middle = float(cues.mean())
    rival = 0.0
    for other, tried in coarse.items():
        places = tried.low + CELL_S * np.arange(len(tried.z)) + other * middle
        far = np.abs(places - (offset + rate * middle)) > max(ELSEWHERE_S, abs(other - rate) * float(np.ptp(cues)))
        rival = max(rival, float(tried.nats[far].max(initial=0.0)))
    z = float(chosen.z[k])
    return rate, offset, Standing(float(chosen.nats[k]) - price, rival - price, z, z * abs(z) / 2 - price)


def is_as_good(nats: float, best: float) -> bool:
    """Whether a simple rate of so many nats is taken where another has the most."""
    return nats >= best - limits.CUES_SIMPLER.value


def _rates_tried(step: float, around: float, reach: float) -> list[float]:
    n = round(reach / step)
    grid = around + step * np.arange(-n, n + 1)
    named = [r for r in (1.0, *rates.NAMED.values()) if abs(r - around) <= reach]
    return sorted({*(round(float(r), 9) for r in grid), *named})
