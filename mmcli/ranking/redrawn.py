"""How far the figure of another draw of new items may lie: measured on the whole catalogue.

What lists of new items reach depends on which few much liked items are among them. One draw says little of that: its
bootstrap does not know what it might have held. The catalogue does: every item was taken for new once, and its scores
by a model that had not met it let draws of as many items be made and ranked at once. Of draws of a fifth of the films
90 % intervals by these held another draw's figure in 86 %, of a tenth in 92, by posters 85; by one draw's bootstrap 67,
68 and 80. On MovieLens 100k a fifth gave 87 and 95, a tenth 82, a half 99.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcli.ranking import metrics
from mmcli.ranking.scorer import top
from mmcli.ranking.trials import Crossed

DRAWS = 100
_USERS = 3000
Array = NDArray[np.float64]


def figures(crossed: Crossed, size: int, seed: int, draws: int = DRAWS, k: int = metrics.KS[-1]) -> Array:
    """The main figure of draws of ``size`` of the items that were placed, float64 ``(draws,)``.

    Of more than half of the items no draws can be made that differ enough: half are drawn, and the deviations from the
    mean are made those of as many as asked for (W. G. Cochran, Sampling Techniques, 1977, 2.6).
    """
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(crossed.among)
    taken = min(size, len(pool) // 2)
    if taken < 1:
        return np.zeros(0)
    some = np.arange(len(crossed.placed))
    if len(some) > _USERS:
        some = np.sort(rng.choice(some, _USERS, replace=False))
    wanted = crossed.wanted[some][:, pool].toarray() > 0
    depth = min(len(pool), 40 + 2 * k * len(pool) // taken)
    scores = crossed.placed[some][:, pool]
    shown = top(scores, depth)
    hits = np.take_along_axis(wanted, shown, 1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[1.0], np.cumsum(discounts)])
    reached = np.zeros(draws)
    for draw in range(draws):
        drawn = np.zeros(len(pool), bool)
        drawn[rng.permutation(len(pool))[:taken]] = True
        there = drawn[shown]
        place = np.cumsum(there, 1) - 1
        good = there & hits & (place < k)
        gain = np.where(good, discounts[np.clip(place, 0, k - 1)], 0).sum(1)
        asked = wanted[:, drawn].sum(1)
        reached[draw] = (gain / ideal[np.minimum(asked, k)])[asked > 0].mean() if asked.any() else 0.0
    scale = max(0.0, 1 / size - 1 / max(len(pool), size + 1)) / (1 / taken - 1 / len(pool))
    return np.asarray(reached.mean() + (reached - reached.mean()) * scale**0.5)


def half_width(reached: Array, level: float) -> float:
    """What the figures of two draws differ by at most, with this probability."""
    one, other = np.triu_indices(len(reached), 1)
    return float(np.quantile(np.abs(reached[one] - reached[other]), level)) if len(one) else 0.0


def wider(crossed: Crossed, size: int, spread: metrics.Spread, level: float, seed: int) -> float:
    """What an interval over users and items is to be multiplied by so that it holds the figure of another draw.

    The part of the users alone, who stay the same, is added. At least 1.
    """
    from scipy.special import ndtri

    half = half_width(figures(crossed, size, seed), level)
    both, items = (float(np.var(part[metrics.PRIMARY], ddof=1)) for part in (spread.both, spread.items))
    users = float(ndtri(0.5 + level / 2)) ** 2 * max(0.0, both - items)
    usual = float(ndtri(0.5 + level / 2)) * both**0.5
    return max(1.0, (half**2 + users) ** 0.5 / usual) if usual else 1.0
