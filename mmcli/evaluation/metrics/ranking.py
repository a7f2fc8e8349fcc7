"""Rankings and retrieval across modalities: Recall@k, Precision@k, NDCG@k, MAP, MRR, hit rate, median rank.

``scores`` ``(queries, candidates)``, higher is better; ``relevance`` of the same shape: true or false, or grades of at
least 0 for NDCG (gain ``2^grade - 1``, Burges et al., ICML 2005). Ties go against the model, relevant candidates
last, so that a constant score profits from nothing. Queries without a relevant candidate are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError
from mmcli.evaluation.intervals.interval import SHARE, Config
from mmcli.evaluation.metrics import figure
from mmcli.evaluation.metrics.figure import Evidence, Figure

Array = NDArray[np.float64]

TASK = "retrieval"
PRIMARY = "mrr"
KS = (1, 5, 10)
MEDIAN_RANK = "median_rank"
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


def _order(scores: Array, grades: Array) -> NDArray[np.int64]:
    """The candidates of each query, best score first; in a tie the least relevant first."""
    return np.asarray(np.lexsort((grades, -scores), axis=1), np.int64)


class Ranking:
    """The grades of some queries in ranked order ``(queries, candidates)``, and what figures are computed from."""

    def __init__(self, grades: Array) -> None:
        self.grades = grades
        self.relevant = (grades > 0).astype(np.float64)
        self.count = self.relevant.sum(axis=1)
        self.hits = np.cumsum(self.relevant, axis=1)
        self.places = np.arange(1, grades.shape[1] + 1)

    @cached_property
    def first(self) -> Array:
        """The place of the first relevant candidate ``(queries,)``, from 1."""
        return np.asarray(self.relevant.argmax(axis=1) + 1.0)

    def ndcg(self, k: int) -> Array:
        """The discounted gain of the first k candidates over that of the best order."""
        gains, discounts = 2.0**self.grades - 1, 1 / np.log2(self.places + 1)
        ideal = -np.sort(-gains, axis=1)
        best = (ideal * discounts)[:, :k].sum(axis=1)
        return np.asarray((gains * discounts)[:, :k].sum(axis=1) / best)


def _hit(search: Search, name: str) -> Evidence:
    return Evidence(hits=search.each[name])


def _recall(search: Search, name: str) -> Evidence:
    return Evidence(hits=search.each[name]) if search.single else Evidence()


def _at(k: int) -> tuple[Figure, ...]:
    """The figures of the first k candidates."""
    hit, recall = f"hit_rate@{k}", f"recall@{k}"
    return (
        Figure(
            hit,
            f"hit rate@{k}",
            lambda r: (r.hits[:, k - 1] > 0).astype(np.float64),
            SHARE,
            lambda m: _hit(m.search, hit),
            shown=True,
            head=k == 1,
        ),
        Figure(recall, recall, lambda r: r.hits[:, k - 1] / r.count, SHARE, lambda m: _recall(m.search, recall)),
        Figure(f"precision@{k}", f"precision@{k}", lambda r: r.hits[:, k - 1] / k, SHARE),
        Figure(f"ndcg@{k}", f"NDCG@{k}", lambda r: r.ndcg(k), SHARE, shown=k == max(KS)),
    )


def figures(ks: tuple[int, ...]) -> tuple[Figure, ...]:
    """The figures of a search; ``value(ranking)`` of one is what each query has ``(queries,)``."""
    return (
        Figure(
            "map",
            "mean average precision",
            lambda r: (r.relevant * r.hits / r.places).sum(axis=1) / r.count,
            SHARE,
            shown=True,
        ),
        Figure("mrr", "mean reciprocal rank", lambda r: 1 / r.first, SHARE, shown=True),
        *(each for k in ks for each in _at(k)),
        # Of queries the median and not the mean, and no share: the plain percentiles of its resamples.
        Figure(MEDIAN_RANK, "median rank", lambda r: r.first, shown=True, head=True, form="g"),
    )


FIGURES = figures(KS)


def per_query(grades: Array, ks: tuple[int, ...] = KS) -> dict[str, Array]:
    """What each query has of every figure ``(queries,)``, from grades in ranked order."""
    ranking = Ranking(grades)
    return {each.name: each.value(ranking) for each in figures(tuple(k for k in ks if k <= grades.shape[1]))}


@dataclass(frozen=True, eq=False)
class Search:
    """Every query searched: ``each`` figure of each query ``(queries,)`` by name, ``top`` the candidate that was put
    first, ``single`` whether every query has one relevant candidate.
    """

    each: dict[str, Array]
    top: NDArray[np.int64]
    single: bool

    @property
    def rank(self) -> Array:
        """The place of the first relevant candidate of each query ``(queries,)``, from 1."""
        return self.each[MEDIAN_RANK]


def search(queries: Any, candidates: Any, related: Related, ks: tuple[int, ...] = KS) -> Search:
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
    return Search(each, np.concatenate(tops), single)


class Metrics(figure.Metrics):
    """Every figure as a function of query weights ``(b, queries)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(self, search: Search, ks: tuple[int, ...] = KS) -> None:
        super().__init__([each for each in figures(ks) if each.name in search.each], len(search.rank))
        self.search = search

    def __call__(self, weights: Array) -> dict[str, Array]:
        """The figures, each ``(b,)``: means over queries, and the median of their ranks."""
        total = weights.sum(axis=1)
        result = {name: weights @ values / total for name, values in self.search.each.items() if name != MEDIAN_RANK}
        return result | {MEDIAN_RANK: _median(self.search.rank, weights)}


def evaluate(
    scores: Any,
    relevance: Any,
    *,
    ks: tuple[int, ...] = KS,
    groups: Any = None,
    config: Config | None = None,
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}`` over queries. Raises :class:`InputError` as :func:`validate`.

    >>> figures = evaluate([[0.9, 0.1, 0.5], [0.2, 0.3, 0.9]], [[1, 0, 0], [0, 1, 0]], ks=(1, 2))
    >>> figures["recall@1"]["value"], figures["mrr"]["value"], figures["median_rank"]["value"]
    (0.5, 0.75, 1.5)
    """
    table, grades = validate(scores, relevance)
    if groups is not None:
        groups = np.asarray(groups)[(np.asarray(relevance) > 0).any(axis=1)]
    order = _order(table, grades)
    each = per_query(np.take_along_axis(grades, order, axis=1), ks)
    search = Search(each, order[:, 0], bool(((grades > 0).sum(axis=1) == 1).all()))
    return Metrics(search, ks).measured(groups, config)


def measured(search: Search, *, groups: Any = None, config: Config | None = None) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}`` of a search; what is a share of the queries has Wilson's interval."""
    return Metrics(search).measured(groups, config)


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
