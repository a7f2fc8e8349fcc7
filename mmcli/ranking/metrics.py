"""Figures of ranked lists, exact over the whole catalogue: NDCG, recall, MRR, hit rate; coverage, popularity lift."""

from __future__ import annotations

from collections.abc import Callable
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
