"""Areas under curves of ranked scores, for many rows of item weights at once.

Ties are one step of the curve, as in scikit-learn's ``roc_auc_score`` and ``average_precision_score``, which these
equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.evaluation.intervals import interval

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


# How sure the expected calibration error is: by asking which errors would have shown what was seen.
#
# On few items the calibration error of a perfectly calibrated model is far above zero, and no bootstrap can tell:
# drawing again from what was drawn adds the same excess once more (of 3-class models with 200 items, percentile
# intervals hold the true error in none of 100 runs where it is 0.003, in 80 to 90 elsewhere). So the interval is a
# test turned round (G. Casella and R. Berger, Statistical Inference, 2002, 9.2): models from perfectly calibrated on,
# ever further off in the bins where this one is off, are simulated, and those that show as much as was seen, neither
# in under 2.5 % of the cases above nor below, are not ruled out. Where a model is off is shrunken towards what all
# bins share, since a part of it is chance (W. James and C. Stein, 1961).

Int = NDArray[np.int64]

METHOD = "inverted test"
HALVINGS = 12  # of the search for an end
FURTHEST = 1024.0  # times what was seen
SMALLEST = 1e-3  # error that the search starts from where less was seen


class Family:
    """Models that are off as this one is, by a factor: from perfectly calibrated (0) on.

    ``confidence`` and ``right`` ``(n,)``, of the predicted class; ``place`` the bin of each item; ``codes`` group
    numbers or None.
    """

    def __init__(self, confidence: Array, right: Array, place: Int, codes: Int | None, config: interval.Config) -> None:
        n = len(confidence)
        counts = np.bincount(place).astype(np.float64)
        used = counts > 0
        self._confidence = np.bincount(place, weights=confidence)[used] / counts[used]
        rate = np.bincount(place, weights=right)[used] / counts[used]
        self._weight = counts[used] / n
        gap = rate - self._confidence
        self.seen = float((self._weight * np.abs(gap)).sum())
        worth = max(1, round(n / design(right - confidence, codes)))
        self._gap = _shrunken(gap, rate, self._confidence, self._weight, worth)
        self._seed = config.seed
        self._counts = np.random.default_rng(config.seed).multinomial(worth, self._weight, config.resamples)

    def shown(self, factor: float) -> Array:
        """Calibration errors that such a model shows on as many items, one for each resample."""
        # The same generator at every factor, so that a search sees a smooth curve.
        rng = np.random.default_rng([self._seed, 1])
        hits = rng.binomial(self._counts, self._rate(factor))
        away = np.abs(hits - self._counts * self._confidence).sum(axis=1)
        return np.asarray(away / self._counts.sum(axis=1), np.float64)

    def true(self, factor: float) -> float:
        """The calibration error that such a model has."""
        return float((self._weight * np.abs(self._rate(factor) - self._confidence)).sum())

    def _rate(self, factor: float) -> Array:
        return np.clip(self._confidence + factor * self._gap, 0.0, 1.0)


def error_interval(
    confidence: Array, right: Array, place: Int, codes: Int | None = None, config: interval.Config | None = None
) -> list[float]:
    """The interval of the calibration error; see :class:`Family` for the arguments.

    >>> sure = np.full(100, 0.8)
    >>> low, high = error_interval(sure, (np.arange(100) % 5 > 0).astype(float), np.zeros(100, np.int64))
    >>> low, 0.05 < high < 0.12
    (0.0, True)
    """
    config = config or interval.Config()
    family = Family(confidence, right, place, codes, config)
    tail = (1 - config.level) / 2
    near = 1e-12
    low = _first(lambda factor: float((family.shown(factor) >= family.seen - near).mean()) >= tail)
    high = _first(lambda factor: float((family.shown(factor) <= family.seen + near).mean()) < tail)
    return [min(family.true(low), family.seen), max(family.true(high), family.seen)]


def _first(holds: Callable[[float], bool]) -> float:
    """The smallest factor from which on something holds; 0 where it always does."""
    if holds(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not holds(high) and high < FURTHEST:
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def design(gap: Array, codes: Int | None) -> float:
    """By how much grouped items are worth less than as many apart, at least 1: the variance of their sum over that of
    independent ones.
    """
    if codes is None:
        return 1.0
    centred = gap - gap.mean()
    by_group = np.bincount(codes, weights=centred)
    groups, own = len(by_group), float((centred**2).sum())
    return max(1.0, groups / max(1, groups - 1) * float((by_group**2).sum()) / own) if own > 0 else 1.0


def _shrunken(gap: Array, rate: Array, confidence: Array, weight: Array, worth: int) -> Array:
    """Each bin's gap moved towards the mean gap by the part of its spread that is chance, as large as was seen."""
    counts = np.maximum(weight * worth, 1.0)
    likely = (counts * rate + confidence) / (counts + 1)  # a bin of one item, all right, is not certain
    noise = np.maximum(likely * (1 - likely), 1e-6) / counts
    mean = float((weight * gap).sum())
    real = max(0.0, float((weight * ((gap - mean) ** 2 - noise)).sum()))
    shape = mean + (gap - mean) * real / (real + noise)
    if not np.any(np.abs(shape) > 1e-12):
        shape = np.where(confidence > 0.5, -1.0, 1.0)  # nothing was seen: off towards the middle, all alike
    size, seen = float((weight * np.abs(shape)).sum()), float((weight * np.abs(gap)).sum())
    return np.asarray(shape * max(seen, SMALLEST) / size, np.float64)
