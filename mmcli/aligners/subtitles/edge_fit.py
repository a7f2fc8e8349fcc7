"""The rate and the lags of cues, by where they begin and end beside where speech does.

Speech begins more often than cues do, and some of its beginnings are missed: to a cue the beginning of speech is one of
many points, or none. So the likelihood of a rate and a lag is that of points: a cue begins beside a beginning of speech
with a spread of its hand, or anywhere (a Poisson process with a spatial mixture; Diggle, "Statistical analysis of
spatial point patterns", 1983). A steady hand has a narrow spread, and its own few edges decide; a hand that is off by a
third of a second has a wide one, and all edges near together do, which is nearly their mean. Ends have a lag and a
spread of their own, as many are held on.

A rate that has a name is one of a few, and 1 is what most subtitles have: another rate must be likelier by as much as
looking for it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear import rates

Vector = NDArray[np.float64]

GRID_S = 0.01
SPREADS_S = (0.03, 0.05, 0.08, 0.13, 0.2, 0.3, 0.5)  # standard deviations of a hand that are tried
SHARE = 0.7  # of the edges of cues that belong to an edge of speech
NEAR_S = 0.7  # by which a lag may lie beside where the curves put it
RATE_REACH, RATE_REACH_S = 0.004, 1.0  # how far a rate is looked for beside that of the curves, and from end to end
RATE_STEP_S = 0.04  # from end to end


@dataclass(frozen=True)
class Group:
    """Cues (k, 2), seconds, that lie under one ``lag`` where the rate is ``rate``, nearly."""

    cues: Vector
    lag: float
    rate: float

    def at(self, rate: float) -> float:
        """The lag of its middle under another rate."""
        return self.lag + (self.rate - rate) * float(self.cues[:, 0].mean())


class Points:
    """What an edge of a cue says of a place: nats more than if it were anywhere, for each spread of the hand."""

    def __init__(self, known: Vector, duration_s: float) -> None:
        self._tables: dict[float, Vector] = {}
        n = max(2, round((duration_s + 4.0) / GRID_S))
        self._dense = np.zeros(n)
        np.add.at(self._dense, np.clip(np.round((known + 2.0) / GRID_S).astype(int), 0, n - 1), 1.0)
        self._density = max(len(known), 1) / max(duration_s, 1.0)

    def speak(self, at: Vector, spread: float) -> Vector:
        """Of edges at seconds ``at``, of any shape."""
        table = self._table(spread)
        k = np.clip(np.round((at + 2.0) / GRID_S).astype(np.int64), 0, len(table) - 1)
        return table[k]

    def _table(self, spread: float) -> Vector:
        if spread not in self._tables:
            from scipy.ndimage import gaussian_filter1d

            dense = gaussian_filter1d(self._dense, spread / GRID_S, mode="constant", truncate=4.0) / GRID_S
            self._tables[spread] = np.log(1.0 - SHARE + SHARE * dense / self._density)
        return self._tables[spread]


@dataclass(frozen=True)
class Settled:
    """The rate, its name, and the spread of the hand at starts and at ends, seconds."""

    rate: float
    rate_name: str | None
    starts_s: float
    ends_s: float


def settled(groups: list[Group], begins: Points, ends: Points) -> Settled:
    """The rate that the edges speak for, each group under a lag of its own: 1 or a named one where no other is clearly
    likelier."""
    rate = groups[0].rate
    span = max(sum(float(np.ptp(g.cues)) for g in groups), 1.0)
    reach = min(RATE_REACH, max(RATE_REACH_S / span, 3e-4))
    step = RATE_STEP_S / span
    known: dict[float, str | None] = {1.0: None, **{r: name for name, r in rates.NAMED.items()}}
    simple = [r for r in known if abs(r - rate) <= reach]
    spreads = _spreads(groups, rate, begins, ends)
    for _ in range(2):  # under a rate that is a little wrong the hand looks less steady than it is
        beside = rate + step * np.arange(-round(reach / step), round(reach / step) + 1)
        tried = sorted({rate, *simple, *beside.tolist()})
        said = {r: _said(groups, r, begins, ends, spreads) for r in tried}
        free = max(said, key=lambda r: said[r])
        now = _spreads(groups, free, begins, ends)
        if now == spreads:
            break
        spreads = now
    best = choice(said, simple)
    return Settled(best, known.get(best), *_spreads(groups, best, begins, ends))


def choice(said: dict[float, float], simple: list[float]) -> float:
    """The rate that is taken of those of which so many nats are ``said``; ``simple`` are 1 and the named ones of them.

    >>> choice({1.0: 0.0, 0.999: 1.5, 0.9992: 2.0}, [1.0, 0.999])
    1.0
    """
    free = max(said, key=lambda r: said[r])
    if not simple:
        return free
    best = max(simple, key=lambda r: said[r] + (limits.CUES_NAMED.value if r == 1.0 else 0.0))
    return free if said[free] - said[best] > limits.CUES_FREE.value else best


def _spreads(groups: list[Group], rate: float, begins: Points, ends: Points) -> tuple[float, float]:
    """The likeliest spreads of starts and of ends."""
    best = []
    for k, points in enumerate((begins, ends)):
        said = [sum(float(_lags(g, rate, k, points, s)[1].max()) for g in groups) for s in SPREADS_S]
        best.append(SPREADS_S[int(np.argmax(said))])
    return best[0], best[1]


def _said(groups: list[Group], rate: float, begins: Points, ends: Points, spreads: tuple[float, float]) -> float:
    return sum(
        float(_lags(g, rate, k, points, spreads[k])[1].max()) for k, points in enumerate((begins, ends)) for g in groups
    )


def _lags(group: Group, rate: float, edge: int, points: Points, spread: float) -> tuple[Vector, Vector]:
    """Lags about that of the group, and what its starts (``edge`` 0) or ends (1) say of each."""
    step = max(GRID_S, spread / 4)
    reach = round(NEAR_S / step)
    lags: Vector = np.asarray(group.at(rate) + step * np.arange(-reach, reach + 1), dtype=np.float64)
    at = rate * group.cues[:, edge]
    return lags, np.asarray(points.speak(lags[:, None] + at[None, :], spread).sum(axis=1), dtype=np.float64)


def lag(group: Group, rate: float, edge: int, points: Points, spread: float) -> float:
    """The likeliest lag of the starts or the ends of a group, to a fraction of the grid."""
    lags, said = _lags(group, rate, edge, points, spread)
    k = int(np.argmax(said))
    if not 0 < k < len(lags) - 1:
        return float(lags[k])
    before, here, after = said[k - 1 : k + 2]
    bend = before - 2 * here + after
    return float(lags[k] + (0.5 * (before - after) / bend * (lags[1] - lags[0]) if bend < 0 else 0.0))
