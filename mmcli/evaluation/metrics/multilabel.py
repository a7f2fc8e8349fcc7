"""Any number of labels per item: F1 in its four averages, exact match, Hamming loss, areas, and losses.

``labels`` bool ``(n, classes)``, ``probabilities`` ``(n, classes)`` of each label on its own; a label is predicted from
``threshold`` on. As in scikit-learn, what has nothing to divide by is 0; AUROC and average precision of a label that
all items have, or none, are undefined and left out of their means.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError
from mmcli.evaluation.intervals.interval import AREA, SHARE, SKEWED, Config
from mmcli.evaluation.metrics import classes as of_classes
from mmcli.evaluation.metrics.classes import BY_CLASS, PROBABILITIES, Ranked, mean_of_known, ratio
from mmcli.evaluation.metrics.figure import Evidence, Figure

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

PRIMARY = "f1_samples"
THRESHOLD = 0.5
PSEUDO_ITEMS = 2.0  # that a label is smoothed by where its spread is judged


def validate(
    labels: Any, probabilities: Any, classes: Any = None, threshold: float = THRESHOLD
) -> tuple[Bool, Bool, Array, list[str]]:
    """Labels, predictions and probabilities ``(n, classes)``, checked, and the names of the classes.

    Raises :class:`InputError` for no items, shapes that differ, NaN and probabilities outside [0, 1].
    """
    truth, table = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if truth.ndim != 2 or truth.shape != table.shape:
        raise InputError(f"labels {truth.shape} for probabilities {table.shape}; (items, classes) is wanted")
    if 0 in truth.shape:
        raise InputError("there are no items to evaluate")
    if not np.isin(truth, (0, 1)).all():
        raise InputError("labels have to be true or false")
    if not np.isfinite(table).all() or table.min() < 0 or table.max() > 1:
        raise InputError("probabilities hold NaN, or values outside 0 and 1")
    names = [str(i) for i in range(truth.shape[1])] if classes is None else [str(name) for name in classes]
    if len(names) != truth.shape[1]:
        raise InputError(f"{len(names)} class names for {truth.shape[1]} columns")
    return truth.astype(np.bool_), table >= threshold, table, names


def item_f1(labels: Bool, predictions: Bool) -> Array:
    """F1 of each item's set of labels ``(n,)``; 0 where both sets are empty, as in scikit-learn."""
    both = (labels & predictions).sum(axis=1).astype(np.float64)
    size = labels.sum(axis=1) + predictions.sum(axis=1)
    result: Array = np.divide(2 * both, size, out=np.zeros(len(both)), where=size > 0)
    return result


def _micro(part: Array, whole: Array) -> Array:
    """The figure of all labels of all items together."""
    return ratio(part.sum(axis=1), whole.sum(axis=1))


def _weighted(sample: Any, values: Array) -> Array:
    """The mean over the labels, each as often as it has items."""
    return ratio((values * sample.support).sum(axis=1), sample.support.sum(axis=1))


def _floor(part: str) -> Any:
    return lambda m: Evidence(floor=m.floors(PSEUDO_ITEMS, absent=True)[part])


# How intervals are made, by measurement: see mmcli.evaluation.intervals.interval.
FIGURES = (
    Figure("f1_samples", "F1 by item", lambda s: s.mean(s.data.item_f1), SHARE, shown=True, head=True, said="F1"),
    Figure(
        "exact_match",
        "exact match",
        lambda s: s.mean(s.data.exact),
        evidence=lambda m: Evidence(hits=m.exact),
        shown=2,
        head=2,
    ),
    Figure("hamming_loss", "hamming loss", lambda s: s.mean(s.data.wrong), SHARE, shown=2),
    Figure("precision_micro", "precision micro", lambda s: _micro(s.hit, s.predicted), SHARE),
    Figure("precision_macro", "precision macro", lambda s: s.precision.mean(axis=1), SHARE, _floor("precision")),
    Figure("precision_weighted", "precision weighted", lambda s: _weighted(s, s.precision), SHARE),
    Figure("recall_micro", "recall micro", lambda s: _micro(s.hit, s.support), SHARE),
    Figure("recall_macro", "recall macro", lambda s: s.recall.mean(axis=1), SHARE, _floor("recall")),
    Figure("recall_weighted", "recall weighted", lambda s: _weighted(s, s.recall), SHARE),
    Figure("f1_micro", "F1 micro", lambda s: _micro(2 * s.hit, s.support + s.predicted), SHARE, shown=True),
    Figure("f1_macro", "F1 macro", lambda s: s.f1.mean(axis=1), SHARE, _floor("f1"), shown=True, head=True),
    Figure("f1_weighted", "F1 weighted", lambda s: _weighted(s, s.f1), SHARE),
    Figure("auroc_macro", "AUROC", lambda s: mean_of_known(s.areas[0]), AREA, lambda m: m.mean_of("auroc")),
    Figure(
        "average_precision_macro",
        "average precision",
        lambda s: mean_of_known(s.areas[1]),
        AREA,
        lambda m: m.mean_of("average_precision"),
        shown=2,
        head=2,
    ),
    Figure("log_loss", "log loss", lambda s: s.mean(s.data.log_loss), SKEWED),
    Figure("brier", "Brier score", lambda s: s.mean(s.data.brier), SHARE),
    *BY_CLASS,
)


class Metrics(of_classes.Metrics):
    """Every figure as a function of item weights ``(b, n)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(self, labels: Bool, predictions: Bool, probabilities: Array, names: list[str]) -> None:
        super().__init__(FIGURES, len(labels), names, (PROBABILITIES,))
        self.labels, self.predictions = labels, predictions
        self._truth, self._guess = labels.astype(np.float64), predictions.astype(np.float64)
        self._hit = self._truth * self._guess
        self.exact = (labels == predictions).all(axis=1).astype(np.float64)
        self.wrong = (labels != predictions).mean(axis=1)
        self.item_f1 = item_f1(labels, predictions)
        eps = np.finfo(np.float64).eps
        table = np.clip(probabilities, eps, 1 - eps)
        self.log_loss = -np.where(labels, np.log(table), np.log1p(-table)).mean(axis=1)
        self.brier = ((probabilities - self._truth) ** 2).mean(axis=1)
        self.ranked = [Ranked(probabilities[:, c], labels[:, c]) for c in range(len(names))]

    def counts(self, weights: Array) -> tuple[Array, Array, Array]:
        """The weight of the items that have each label, of those predicted to, and of those of both."""
        return weights @ self._truth, weights @ self._guess, weights @ self._hit


def evaluate(
    labels: Any,
    probabilities: Any,
    classes: Any = None,
    *,
    threshold: float = THRESHOLD,
    groups: Any = None,
    config: Config | None = None,
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}``. Raises :class:`InputError` as :func:`validate`.

    >>> figures = evaluate([[1, 0], [1, 1]], [[0.9, 0.2], [0.8, 0.4]])
    >>> figures["exact_match"]["value"], figures["f1_micro"]["value"]
    (0.5, 0.8)
    """
    truth, guess, table, names = validate(labels, probabilities, classes, threshold)
    return Metrics(truth, guess, table, names).measured(groups, config)
