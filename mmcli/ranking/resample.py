"""Intervals that resample users and items: another draw of either would have given other figures.

Users alone are not enough: over three draws of new items the gain of one modality changed its sign while every
interval over users left 0 out. Items are drawn with replacement (Owen, Annals of Applied Statistics 1(2), 2007: the
pigeonhole bootstrap): an item drawn twice stands twice in every list and is wanted twice by who wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.ranking.metrics import KS, PRIMARY, Lists

Array = NDArray[np.float64]
DEPTH = 60  # of a list: an item may be drawn not at all, and 20 of those that are drawn are looked at
DRAWS = 100
_USERS = 3000
# On 60 draws of 265 of 1,324 films as new, 90 % intervals of one held the figure of another in 81 % of all pairs; with
# this factor in 89 % (in-sample; other draws: bench_ranking.py). Draws of few, unequally popular items vary by more
# than a bootstrap of one of them shows, and what is left to learn from changes with them.
FRESH = 1.3
PERMUTATIONS = 999


@dataclass(eq=False)
class Spread:
    """Resampled figures: ``both`` of users and items, ``items`` of items alone, each ``{name: (draws,)}``."""

    both: dict[str, Array]
    items: dict[str, Array]


def resampled(
    lists: Lists, test: Any, among: NDArray[np.bool_], seed: int, draws: int = DRAWS, ks: tuple[int, ...] = KS
) -> Spread:
    """The figures of lists of depth ``DEPTH`` under draws of users and of the items of ``among``."""
    rng = np.random.default_rng(seed)
    users, pool = len(lists.users), np.flatnonzero(among)
    some = np.arange(users) if users <= _USERS else np.sort(rng.choice(users, _USERS, replace=False))
    shown, hits = lists.shown[some], lists.hits[some]
    wanted = test[lists.users[some]]
    places = np.arange(1, max(ks) + 1)
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(places + 1))])
    both: dict[str, list[float]] = {}
    alone: dict[str, list[float]] = {}
    for _ in range(draws):
        count = np.bincount(pool[rng.integers(0, len(pool), len(pool))], minlength=len(among))
        weight = np.bincount(rng.integers(0, len(some), len(some)), minlength=len(some)).astype(np.float64)
        copies = np.where(shown >= 0, count[shown], 0)
        end = np.cumsum(copies, axis=1)
        start = end - copies
        asked = np.asarray(wanted @ count.astype(np.float32)).ravel()
        valid = asked > 0
        total = float(weight[valid].sum())
        for k in ks:
            last, first = np.minimum(end, k), np.minimum(start, k)
            inside = hits & (last > first)
            ideal = gains[np.minimum(np.maximum(asked, 1), k).astype(np.int64)]
            found = np.where(inside, start + 1, k + 1).min(axis=1)
            each = {
                f"ndcg@{k}": np.where(inside, gains[last] - gains[first], 0).sum(1) / ideal,
                f"recall@{k}": np.where(inside, last - first, 0).sum(1) / np.maximum(asked, 1),
                f"mrr@{k}": np.where(found <= k, 1 / found, 0),
                f"hit_rate@{k}": (found <= k).astype(np.float64),
            }
            for name, values in each.items():
                both.setdefault(name, []).append(float(values[valid] @ weight[valid]) / max(total, 1e-12))
                alone.setdefault(name, []).append(float(values[valid].mean()) if valid.any() else 0.0)
    return Spread({k: np.array(v) for k, v in both.items()}, {k: np.array(v) for k, v in alone.items()})


def intervals(
    values: Mapping[str, float], spread: Spread, level: float, *, fresh: bool = False, inside: bool = True
) -> dict[str, list[float]]:
    """``value -+ z sd`` over users and items; ``fresh``: such that the figure of another draw of as many items falls in
    with this probability, whose own variance over items is added.
    """
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    result = {}
    for name, value in values.items():
        variance = float(np.var(spread.both[name], ddof=1))
        if fresh:
            variance = FRESH**2 * (variance + float(np.var(spread.items[name], ddof=1)))
        half = z * variance**0.5
        result[name] = [max(0.0, value - half), min(1.0, value + half)] if inside else [value - half, value + half]
    return result


def difference(a: Spread, b: Spread, value: float, level: float, name: str = PRIMARY) -> list[float]:
    """The interval of a difference ``a - b`` of two sets of lists that were resampled with one seed: paired draws."""
    gap = {name: a.both[name] - b.both[name]}
    return intervals({name: value}, Spread(gap, gap), level, inside=False)[name]


def by_chance(lists: Lists, test: Any, pool: NDArray[np.int64], seed: int, k: int = KS[-1]) -> tuple[float, float]:
    """What the lists would reach if the items of ``pool`` had each other's content: the mean NDCG, and the share of
    ``PERMUTATIONS`` exchanges that reach at least what the lists do.
    """
    rng = np.random.default_rng(seed)
    users, shown = lists.users, lists.shown[:, :k]
    place = np.full(test.shape[1], -1)
    place[pool] = np.arange(len(pool))
    if len(users) > _USERS:
        some = np.sort(rng.choice(len(users), _USERS, replace=False))
        users, shown = users[some], shown[some]
    relevant = np.asarray(test[users][:, pool].todense()) > 0
    discounts = 1 / np.log2(np.arange(2, shown.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(relevant.sum(1), shown.shape[1]) - 1]
    columns = np.where(shown >= 0, place[shown], 0)
    there = (shown >= 0) * discounts / ideal[:, None]
    rows = np.arange(len(users))[:, None]

    def reached(order: NDArray[np.int64]) -> float:
        return float((relevant[rows, order[columns]] * there).sum() / len(users))

    own = reached(np.arange(len(pool)))
    others = np.array([reached(rng.permutation(len(pool))) for _ in range(PERMUTATIONS)])
    return float(others.mean()), float((1 + (others >= own - 1e-12).sum()) / (1 + PERMUTATIONS))
