"""Rankings and retrieval across modalities: Recall@k, Precision@k, NDCG@k, MAP, MRR, hit rate, median rank.

``scores`` ``(queries, candidates)``, higher is better; ``relevance`` of the same shape: true or false, or grades of at
least 0 for NDCG (gain ``2^grade - 1``, Burges et al., ICML 2005). Ties go against the model, relevant candidates
last, so that a constant score profits from nothing. Queries without a relevant candidate are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError
from mmcli.evaluation.intervals import interval

Array = NDArray[np.float64]

KS = (1, 5, 10)
BLOCK_SCORES = 1_000_000  # of queries and candidates at once, 8 MB a table

Related = Callable[[NDArray[np.int64]], Any]


def validate(scores: Any, relevance: Any) -> tuple[Array, Array]:
    """Both as float64, queries without a relevant candidate left out.

    Raises :class:`InputError` for shapes that differ, NaN, negative grades, and no relevant candidate at all.
    """
    table, grades = np.asarray(scores, dtype=np.float64), np.asarray(relevance, dtype=np.float64)
    if table.ndim != 2 or table.shape != grades.shape or 0 in table.shape:
        raise InputError(f"scores {table.shape} for relevance {grades.shape}; (queries, candidates) is wanted")
    if not (np.isfinite(table).all() and np.isfinite(grades).all()) or grades.min() < 0:
        raise InputError("scores or relevance hold NaN, Inf or negative grades")
    asked = (grades > 0).any(axis=1)
    if not asked.any():
        raise InputError("no query has a relevant candidate")
    return table[asked], grades[asked]


def ranked(scores: Array, grades: Array) -> Array:
    """The grades in the order of the scores, best first; in a tie the least relevant first."""
    return np.take_along_axis(grades, _order(scores, grades), axis=1)


def _order(scores: Array, grades: Array) -> NDArray[np.int64]:
    return np.asarray(np.lexsort((grades, -scores), axis=1), np.int64)


def per_query(grades: Array, ks: tuple[int, ...] = KS) -> dict[str, Array]:
    """Every figure of each query ``(queries,)`` from grades in ranked order, without the median rank."""
    relevant = (grades > 0).astype(np.float64)
    count, candidates = relevant.sum(axis=1), grades.shape[1]
    hits = np.cumsum(relevant, axis=1)
    places = np.arange(1, candidates + 1)
    first = relevant.argmax(axis=1) + 1.0
    gains, discounts = 2.0**grades - 1, 1 / np.log2(places + 1)
    ideal = -np.sort(-gains, axis=1)
    result = {
        "map": (relevant * hits / places).sum(axis=1) / count,
        "mrr": 1 / first,
        "rank": first,
    }
    for k in (k for k in ks if k <= candidates):
        at = hits[:, k - 1]
        result[f"hit_rate@{k}"] = (at > 0).astype(np.float64)
        result[f"recall@{k}"] = at / count
        result[f"precision@{k}"] = at / k
        best = (ideal * discounts)[:, :k].sum(axis=1)
        result[f"ndcg@{k}"] = (gains * discounts)[:, :k].sum(axis=1) / best
    return result


@dataclass(frozen=True, eq=False)
class Found:
    """A search: ``each`` figure of each query ``(queries,)``, ``rank`` of the first relevant candidate, ``top`` the
    candidate that was put first, ``single`` whether every query has one relevant candidate.
    """

    each: dict[str, Array]
    rank: Array
    top: NDArray[np.int64]
    single: bool


def search(queries: Any, candidates: Any, related: Related, ks: tuple[int, ...] = KS) -> Found:
    """Every query ``(n, dims)`` searched among the candidates ``(m, dims)`` by cosine similarity, some at a time.

    ``related(rows)`` gives the relevance ``(len(rows), m)`` of some queries; each query needs a relevant candidate.
    Raises :class:`InputError` as :func:`retrieval` and :func:`validate`.
    """
    a, b = np.asarray(queries, dtype=np.float64), np.asarray(candidates, dtype=np.float64)
    parts: list[dict[str, Array]] = []
    tops: list[NDArray[np.int64]] = []
    single = True
    at_once = max(1, BLOCK_SCORES // max(1, len(b)))
    for start in range(0, len(a), at_once):
        rows = np.arange(start, min(start + at_once, len(a)))
        scores, grades = retrieval(a[rows], b, related(rows))
        if not (grades > 0).any(axis=1).all():
            raise InputError("a query has no relevant candidate")
        order = _order(scores, grades)
        parts.append(per_query(np.take_along_axis(grades, order, axis=1), ks))
        tops.append(order[:, 0])
        single = single and bool(((grades > 0).sum(axis=1) == 1).all())
    each = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Found(each, each.pop("rank"), np.concatenate(tops), single)


class Metrics:
    """Every figure as a function of query weights ``(b, queries)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(self, each: dict[str, Array], rank: Array) -> None:
        self.each, self._first = each, rank

    def __call__(self, weights: Array) -> dict[str, Array]:
        """The figures, each ``(b,)``."""
        total = weights.sum(axis=1)
        result = {name: weights @ values / total for name, values in self.each.items()}
        result["median_rank"] = _median(self._first, weights)
        return result


def evaluate(
    scores: Any,
    relevance: Any,
    *,
    ks: tuple[int, ...] = KS,
    groups: Any = None,
    config: interval.Config | None = None,
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}`` over queries. Raises :class:`InputError` as :func:`validate`.

    >>> found = evaluate([[0.9, 0.1, 0.5], [0.2, 0.3, 0.9]], [[1, 0, 0], [0, 1, 0]], ks=(1, 2))
    >>> found["recall@1"]["value"], found["mrr"]["value"], found["median_rank"]["value"]
    (0.5, 0.75, 1.5)
    """
    table, grades = validate(scores, relevance)
    if groups is not None:
        groups = np.asarray(groups)[(np.asarray(relevance) > 0).any(axis=1)]
    each = per_query(ranked(table, grades), ks)
    rank, single = each.pop("rank"), bool(((grades > 0).sum(axis=1) == 1).all())
    return measured(Found(each, rank, _order(table, grades)[:, 0], single), groups=groups, config=config)


def measured(found: Found, *, groups: Any = None, config: interval.Config | None = None) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}`` of a search; what is a share of the queries has Wilson's interval."""
    ones = np.ones(len(found.rank))
    shares = {
        name: interval.Proportion(values, ones)
        for name, values in found.each.items()
        if name.startswith("hit_rate") or (found.single and name.startswith("recall"))
    }
    kinds = dict.fromkeys(found.each, interval.SHARE)
    metrics = Metrics(found.each, found.rank)
    return interval.measured(metrics, len(ones), proportions=shares, kinds=kinds, groups=groups, config=config)


def retrieval(queries: Any, candidates: Any, pairs: Any = None) -> tuple[Array, Array]:
    """Scores and relevance of a search across modalities: cosine similarity of vectors ``(n, dims)`` and ``(m, dims)``.

    ``pairs`` bool ``(n, m)`` says what belongs together; None pairs row with row. Raises :class:`InputError` for widths
    that differ, NaN, and vectors of no length.
    """
    a, b = np.asarray(queries, dtype=np.float64), np.asarray(candidates, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise InputError(f"queries {a.shape} and candidates {b.shape} do not share a space")
    sizes = np.linalg.norm(a, axis=1, keepdims=True), np.linalg.norm(b, axis=1, keepdims=True)
    if not all(np.isfinite(size).all() and (size > 0).all() for size in sizes):
        raise InputError("a vector holds NaN or has no length")
    if pairs is None and len(a) != len(b):
        raise InputError(f"{len(a)} queries and {len(b)} candidates are no pairs")
    relevance = np.eye(len(a)) if pairs is None else np.asarray(pairs, dtype=np.float64)
    return (a / sizes[0]) @ (b / sizes[1]).T, relevance


def _median(values: Array, weights: Array) -> Array:
    """The median of the items drawn, each as often as its weight; between two middle ones their mean."""
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[:, order], axis=1)
    total = running[:, -1:]
    lower = (running >= total / 2).argmax(axis=1)
    upper = (running > total / 2).argmax(axis=1)
    return np.asarray((values[order][lower] + values[order][upper]) / 2, np.float64)
