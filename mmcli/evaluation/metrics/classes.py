"""Figures of classes, one an item or any number: counts, areas under curves, their means, and how sure those are.

Ties of scores are one step of a curve, as in scikit-learn's ``roc_auc_score`` and ``average_precision_score``, which
the areas equal.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.evaluation.intervals.interval import AREA, SHARE
from mmcli.evaluation.metrics import figure
from mmcli.evaluation.metrics.figure import Evidence, Figure

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

PROBABILITIES = "probabilities"  # what some figures need


class Ranked:
    """Scores ``(n,)`` sorted once, highest first, so that every row of weights costs one pass.

    >>> ranked = Ranked(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
    >>> [round(float(area[0]), 4) for area in ranked.areas(np.ones((1, 4)))]
    [0.875, 0.8333]
    """

    def __init__(self, scores: Array, positive: Bool) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, np.int64)
        self._positive = positive[self._order].astype(np.float64)

    def areas(self, weights: Array) -> tuple[Array, Array]:
        """AUROC and average precision, each ``(b,)``.

        AUROC is the chance that a positive item scores above a negative one, ties counting half, NaN without one of
        each; average precision the mean of the precision over the steps of recall, NaN without a positive item.
        """
        ordered = weights[:, self._order]
        # Weight of positives and of negatives at each distinct score, highest score first, (b, steps).
        positive = np.add.reduceat(ordered * self._positive, self._starts, axis=1)
        negative = np.add.reduceat(ordered, self._starts, axis=1) - positive
        return _auroc(positive, negative), _average_precision(positive, negative)


def _auroc(positive: Array, negative: Array) -> Array:
    below = negative.sum(axis=1, keepdims=True) - np.cumsum(negative, axis=1)
    wins = (positive * (below + 0.5 * negative)).sum(axis=1)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    area: Array = np.divide(wins, pairs, out=np.full(len(wins), np.nan), where=pairs > 0)
    return area


def _average_precision(positive: Array, negative: Array) -> Array:
    hits = np.cumsum(positive, axis=1)
    shown = hits + np.cumsum(negative, axis=1)
    precision = np.divide(hits, shown, out=np.zeros_like(hits), where=shown > 0)
    total = positive.sum(axis=1)
    area = (positive * precision).sum(axis=1)
    mean: Array = np.divide(area, total, out=np.full(len(area), np.nan), where=total > 0)
    return mean


class Sample(figure.Sample):
    """Weighted items counted by class, ``(b, classes)``, and the rates that come from the counts."""

    @cached_property
    def counts(self) -> tuple[Array, Array, Array]:
        """Weights of the items that have a class, that are predicted to, and of both."""
        counts: tuple[Array, Array, Array] = self.data.counts(self.weights)
        return counts

    @property
    def support(self) -> Array:
        """The weight of the items that have a class."""
        return self.counts[0]

    @property
    def predicted(self) -> Array:
        """The weight of the items that are predicted to have it."""
        return self.counts[1]

    @property
    def hit(self) -> Array:
        """The weight of the items of both kinds."""
        return self.counts[2]

    @cached_property
    def precision(self) -> Array:
        """Of those predicted to have a class, the share that has it; 0 where there are none."""
        return ratio(self.hit, self.predicted)

    @cached_property
    def recall(self) -> Array:
        """Of those that have a class, the share that is predicted to; 0 where there are none."""
        return ratio(self.hit, self.support)

    @cached_property
    def f1(self) -> Array:
        """The harmonic mean of both."""
        return ratio(2 * self.hit, self.support + self.predicted)

    @cached_property
    def areas(self) -> tuple[Array, Array]:
        """AUROC and average precision of each class; NaN where undefined."""
        pairs = [ranked.areas(self.weights) for ranked in self.data.ranked]
        return np.stack([auroc for auroc, _ in pairs], axis=1), np.stack([average for _, average in pairs], axis=1)


class Metrics(figure.Metrics):
    """What the metrics of classes share: who has a class, who is predicted to, and the ranked scores of each."""

    labels: Bool  # (n, classes)
    predictions: Bool  # (n, classes)
    ranked: list[Ranked]

    def sample(self, weights: Array) -> Sample:
        """Items counted by class."""
        return Sample(self, weights)

    @cached_property
    def support(self) -> NDArray[np.int64]:
        """How many items have each class."""
        return np.asarray(self.labels.sum(axis=0))

    def floors(self, pseudo: float, absent: bool) -> dict[str, float]:
        """:func:`macro_errors` of the data set."""
        hits, support, predicted = (
            table.sum(axis=0).astype(np.float64)
            for table in (self.labels & self.predictions, self.labels, self.predictions)
        )
        return macro_errors(hits, support, predicted, pseudo, absent=absent)

    def mean_of(self, name: str) -> Evidence:
        """Evidence of the mean of the areas ``name`` over the classes that some items have and some do not."""
        known = zip(self.classes, self.support, strict=True)
        return Evidence(mean_of=[f"{name}/{c}" for c, support in known if 0 < support < self.n])


def _of_labels(metrics: Any, c: int) -> Evidence:
    hits = (metrics.labels[:, c] & metrics.predictions[:, c]).astype(np.float64)
    return Evidence(hits=hits, counted=metrics.labels[:, c].astype(np.float64))


def _of_predictions(metrics: Any, c: int) -> Evidence:
    hits = (metrics.labels[:, c] & metrics.predictions[:, c]).astype(np.float64)
    return Evidence(hits=hits, counted=metrics.predictions[:, c].astype(np.float64))


def _of_rarer(metrics: Any, c: int) -> Evidence:
    """An AUROC rests on the rarer of both sides."""
    support = int(metrics.support[c])
    return Evidence(n=support, rests_on=min(support, metrics.n - support) or None)


def _of_support(metrics: Any, c: int) -> Evidence:
    support = int(metrics.support[c])
    return Evidence(n=support, rests_on=support or None)


BY_CLASS = (
    Figure("precision", "precision", lambda s: s.precision, evidence=_of_predictions, by_class=True),
    Figure("recall", "recall", lambda s: s.recall, evidence=_of_labels, by_class=True),
    Figure("f1", "F1", lambda s: s.f1, SHARE, lambda m, c: Evidence(n=int(m.support[c])), by_class=True),
    Figure("auroc", "AUROC", lambda s: s.areas[0], AREA, _of_rarer, by_class=True, needs=PROBABILITIES),
    Figure(
        "average_precision",
        "average precision",
        lambda s: s.areas[1],
        AREA,
        _of_support,
        by_class=True,
        needs=PROBABILITIES,
    ),
)


def ratio(part: Array, whole: Array) -> Array:
    """One over the other; 0 where there is nothing to divide by."""
    quotient: Array = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return quotient


def mean_of_known(values: Array) -> Array:
    """The mean over the classes ``(b, classes)`` where they are defined; NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: Array = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


# How sure the mean of a figure over classes is, where some classes have few items.
#
# A class of three items that are all right shows no spread, and no resample of it will; neither does one that is never
# predicted, whose precision is 0 because nothing can be divided. Each class's figure is drawn towards that of all
# classes together, as by some more items of theirs (A. Agresti and B. A. Coull, The American Statistician 52, 1998,
# add four to a single proportion).


def macro_errors(hits: Array, support: Array, predicted: Array, pseudo: float, *, absent: bool) -> dict[str, float]:
    """The standard error that the mean of precision, recall and F1 over classes has at least.

    ``hits``, ``support`` and ``predicted`` ``(classes,)`` count items. ``absent``: whether a class counts that no item
    has and none is predicted to; without it recall is a mean over the classes that occur in labels. ``pseudo``: see
    :func:`macro_error`.

    >>> floors = macro_errors(np.array([45.0, 2.0]), np.array([50.0, 2.0]), np.array([45.0, 7.0]), 4.0, absent=False)
    >>> round(floors["recall"], 2), round(floors["precision"], 2)
    (0.1, 0.09)
    """
    known = (support > 0) | absent
    used = (support + predicted > 0) | absent
    return {
        "precision": macro_error(hits[used], predicted[used], pseudo),
        "recall": macro_error(hits[known], support[known], pseudo),
        "f1": macro_error(hits[used], (support + predicted)[used] / 2, pseudo),
    }


def macro_error(hits: Array, counted: Array, pseudo: float) -> float:
    """The standard error of the mean of ``hits / counted`` ``(classes,)``, 0 where nothing was counted.

    ``pseudo`` is how many items of the common rate each class is given. What nothing was counted of is off by the
    whole common rate.

    >>> round(macro_error(np.array([45.0, 2.0]), np.array([50.0, 2.0]), 4.0), 2)
    0.1
    >>> round(macro_error(np.ones(2), np.ones(2), 4.0), 2)
    0.28
    """
    common = (hits.sum() + 1) / (counted.sum() + 2)
    likely = (hits + pseudo * common) / (counted + pseudo)
    square = np.where(counted > 0, likely * (1 - likely) / np.maximum(counted, 1.0), likely**2)
    return float(np.sqrt(square.sum()) / len(square))
