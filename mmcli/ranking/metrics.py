"""Figures of ranked lists, exact over the whole catalogue, and how sure they are.

NDCG, recall, MRR, hit rate; coverage, popularity lift. Intervals resample users and items: another draw of either would
have given other figures. Users alone are not enough: over three draws of new items the gain of one modality changed its
sign while every interval over users left 0 out. Items are drawn with replacement (Owen, Annals of Applied Statistics
1(2), 2007: the pigeonhole bootstrap): an item drawn twice stands twice in every list and is wanted twice by who wants
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.ranking.scorer import BLOCK, top

KS = (10, 20)
PRIMARY = "ndcg@20"
Array = NDArray[np.float64]
Score = Callable[[Any], NDArray[np.float32]]


@dataclass(eq=False)
class Lists:
    """What was shown to whom: ``users`` int64 ``(n,)``; ``shown`` int64 ``(n, depth)``, best first, -1 where the
    catalogue ends; ``hits`` bool of the same shape; ``wanted`` int64 ``(n,)``, relevant items of each user.
    """

    users: NDArray[np.int64]
    shown: NDArray[np.int64]
    hits: NDArray[np.bool_]
    wanted: NDArray[np.int64]


def rank(score: Score, histories: Any, test: Any, among: NDArray[np.bool_], depth: int = KS[-1]) -> Lists:
    """Rank all items of ``among`` for every user with a test item there; what is in the history is left out.

    ``histories`` and ``test`` are csr ``(users, items)``; ``score`` takes rows of histories.
    """
    import scipy.sparse as sp

    test = sp.csr_matrix(test @ sp.diags(among.astype(np.float32)))
    test.eliminate_zeros()
    users = np.flatnonzero(np.diff(test.indptr)).astype(np.int64)
    depth = min(depth, int(among.sum()))
    shown, hits = np.full((len(users), depth), -1, np.int64), np.zeros((len(users), depth), bool)
    for start in range(0, len(users), BLOCK):
        own = users[start : start + BLOCK]
        rows = histories[own]
        scores = score(rows)
        scores[:, ~among] = -np.inf
        scores[np.repeat(np.arange(len(own)), np.diff(rows.indptr)), rows.indices] = -np.inf
        best = top(scores, depth)
        there = np.isfinite(np.take_along_axis(scores, best, 1))
        relevant = np.zeros(scores.shape, bool)
        mine = test[own]
        relevant[np.repeat(np.arange(len(own)), np.diff(mine.indptr)), mine.indices] = True
        shown[start : start + BLOCK] = np.where(there, best, -1)
        hits[start : start + BLOCK] = np.take_along_axis(relevant, best, 1) & there
    return Lists(users, shown, hits, np.diff(test.indptr)[users].astype(np.int64))


def per_user(lists: Lists, ks: tuple[int, ...] = KS) -> dict[str, Array]:
    """Every figure of each user, float64 ``(users,)``.

    >>> lists = Lists(np.array([0]), np.array([[4, 7]]), np.array([[False, True]]), np.array([1]))
    >>> {name: float(v[0].round(3)) for name, v in per_user(lists, (2,)).items()}
    {'ndcg@2': 0.631, 'recall@2': 1.0, 'mrr@2': 0.5, 'hit_rate@2': 1.0}
    """
    places = np.arange(1, max(ks) + 1)
    discounts = 1 / np.log2(places + 1)
    best = np.asarray(np.concatenate([[0.0], np.cumsum(discounts)]), np.float64)
    result: dict[str, Any] = {}
    for k in ks:
        hits = lists.hits[:, :k].astype(np.float64)
        n = hits.shape[1]
        result[f"ndcg@{k}"] = hits @ discounts[:n] / best[np.minimum(lists.wanted, k)]
        result[f"recall@{k}"] = hits.sum(1) / lists.wanted
        result[f"mrr@{k}"] = (hits / places[:n]).max(1, initial=0)
        result[f"hit_rate@{k}"] = hits.any(1).astype(np.float64)
    return result


def beyond(lists: Lists, popularity: NDArray[Any], among: NDArray[np.bool_], k: int = KS[0]) -> dict[str, float]:
    """Of the first ``k`` of all lists: ``coverage`` (share of the items of ``among`` shown to anyone), ``gini`` of how
    often each is, ``novelty`` (mean bits of surprise of an item shown, by who met it in training),
    ``popularity_lift`` (mean count of an item shown over that of an item met).
    """
    shown = lists.shown[:, :k]
    shown = shown[shown >= 0]
    count = np.bincount(shown, minlength=len(popularity))[among].astype(np.float64)
    ordered = np.sort(count)
    n = len(ordered)
    gini = float((2 * np.arange(1, n + 1) - n - 1) @ ordered / max(1e-12, n * ordered.sum()))
    met = popularity.astype(np.float64)
    total = max(1.0, float(met.sum()))
    novelty = -np.log2((met[shown] + 1) / (total + len(met)))
    usual = float((met * met).sum()) / total
    return {
        "coverage": float((count > 0).mean()),
        "gini": gini,
        "novelty": float(novelty.mean()) if len(shown) else 0.0,
        "popularity_lift": float(met[shown].mean()) / usual if len(shown) and usual else 0.0,
    }


DEPTH = 60  # of a list: an item may be drawn not at all, and 20 of those that are drawn are looked at
DRAWS = 100
_USERS = 3000
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
            place = np.where(inside, start + 1, k + 1).min(axis=1)
            each = {
                f"ndcg@{k}": np.where(inside, gains[last] - gains[first], 0).sum(1) / ideal,
                f"recall@{k}": np.where(inside, last - first, 0).sum(1) / np.maximum(asked, 1),
                f"mrr@{k}": np.where(place <= k, 1 / place, 0),
                f"hit_rate@{k}": (place <= k).astype(np.float64),
            }
            for name, values in each.items():
                both.setdefault(name, []).append(float(values[valid] @ weight[valid]) / max(total, 1e-12))
                alone.setdefault(name, []).append(float(values[valid].mean()) if valid.any() else 0.0)
    return Spread({k: np.array(v) for k, v in both.items()}, {k: np.array(v) for k, v in alone.items()})


def intervals(
    values: Mapping[str, float], spread: Spread, level: float, *, wider: float = 1.0, inside: bool = True
) -> dict[str, list[float]]:
    """``value -+ z sd`` over users and items, times ``wider``."""
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    result = {}
    for name, value in values.items():
        half = wider * z * float(np.var(spread.both[name], ddof=1)) ** 0.5
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
