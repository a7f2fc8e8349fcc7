"""Areas under curves of ranked scores, for many rows of item weights at once.

Ties are one step of the curve, as in scikit-learn's ``roc_auc_score`` and ``average_precision_score``, which these
equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Ranked:
    """Scores ``(n,)`` sorted once, highest first, so that every row of weights costs one pass.

    >>> ranked = Ranked(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
    >>> float(ranked.auroc(np.ones((1, 4)))[0]), round(float(ranked.average_precision(np.ones((1, 4)))[0]), 4)
    (0.875, 0.8333)
    """

    def __init__(self, scores: Array, positive: NDArray[np.bool_]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, np.int64)
        self._positive = positive[self._order].astype(np.float64)

    def _steps(self, weights: Array) -> tuple[Array, Array]:
        """Weight of positives and of negatives at each distinct score, highest score first, each ``(b, steps)``."""
        ordered = weights[:, self._order]
        hits = ordered * self._positive
        positive = np.add.reduceat(hits, self._starts, axis=1)
        return positive, np.add.reduceat(ordered, self._starts, axis=1) - positive

    def both(self, weights: Array) -> tuple[Array, Array]:
        """:meth:`auroc` and :meth:`average_precision` in one pass."""
        positive, negative = self._steps(weights)
        return _auroc(positive, negative), _average_precision(positive, negative)

    def auroc(self, weights: Array) -> Array:
        """The chance that a positive item scores above a negative one, ties counting half; NaN without one of each."""
        return _auroc(*self._steps(weights))

    def average_precision(self, weights: Array) -> Array:
        """The mean of the precision over the steps of recall; NaN without a positive item."""
        return _average_precision(*self._steps(weights))


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


def rests_on(has: NDArray[np.bool_], names: Sequence[str]) -> dict[str, Any]:
    """How many items the areas of each class rest on, and their means: arguments of :func:`interval.measured`.

    ``has`` ``(n, classes)``: which item is of which class. An AUROC rests on the rarer of both sides, average
    precision on the items of the class.
    """
    count = has.sum(axis=0)
    known = [c for c in range(len(names)) if 0 < count[c] < len(has)]
    areas = {f"auroc/{names[c]}": int(min(count[c], len(has) - count[c])) for c in known}
    averages = {f"average_precision/{names[c]}": int(count[c]) for c in known}
    return {
        "rests_on": areas | averages,
        "means": {"auroc_macro": list(areas), "average_precision_macro": list(averages)},
    }
