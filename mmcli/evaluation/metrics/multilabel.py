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
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.intervals.curves import Ranked, rests_on

Array = NDArray[np.float64]
Bool = NDArray[np.bool_]

PRIMARY = "f1_samples"
THRESHOLD = 0.5
PSEUDO_ITEMS = 2.0  # that a label is smoothed by where its spread is judged
AVERAGES = ("micro", "macro", "weighted")
# How intervals are made: see mmcli.evaluation.intervals.interval.
KINDS = {
    **{f"{name}_{average}": interval.SHARE for name in ("precision", "recall", "f1") for average in AVERAGES},
    **dict.fromkeys(("f1_samples", "hamming_loss", "f1", "brier"), interval.SHARE),
    **dict.fromkeys(("auroc", "auroc_macro", "average_precision", "average_precision_macro"), interval.AREA),
    "log_loss": interval.SKEWED,
}


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


class Metrics:
    """Every figure as a function of item weights ``(b, n)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(self, labels: Bool, predictions: Bool, probabilities: Array, names: list[str]) -> None:
        self.names = names
        self._truth, self._guess = labels.astype(np.float64), predictions.astype(np.float64)
        self._hit = self._truth * self._guess
        self._exact = (labels == predictions).all(axis=1).astype(np.float64)
        self._wrong = (labels != predictions).mean(axis=1)
        self._item_f1 = item_f1(labels, predictions)
        eps = np.finfo(np.float64).eps
        table = np.clip(probabilities, eps, 1 - eps)
        self._log_loss = -np.where(labels, np.log(table), np.log1p(-table)).mean(axis=1)
        self._brier = ((probabilities - self._truth) ** 2).mean(axis=1)
        self._ranked = [Ranked(probabilities[:, c], labels[:, c]) for c in range(len(names))]

    def __call__(self, weights: Array) -> dict[str, Array]:
        """The figures, each ``(b,)``; NaN where undefined."""
        total = weights.sum(axis=1)
        support, predicted, hit = weights @ self._truth, weights @ self._guess, weights @ self._hit
        precision, recall, f1 = _ratio(hit, predicted), _ratio(hit, support), _ratio(2 * hit, support + predicted)
        result = {
            "f1_samples": weights @ self._item_f1 / total,
            "exact_match": weights @ self._exact / total,
            "hamming_loss": weights @ self._wrong / total,
        }
        for name, values, above, below in (
            ("precision", precision, hit, predicted),
            ("recall", recall, hit, support),
            ("f1", f1, 2 * hit, support + predicted),
        ):
            result[f"{name}_micro"] = _ratio(above.sum(axis=1), below.sum(axis=1))
            result[f"{name}_macro"] = values.mean(axis=1)
            result[f"{name}_weighted"] = _ratio((values * support).sum(axis=1), support.sum(axis=1))
        areas = [ranked.both(weights) for ranked in self._ranked]
        auroc, average = (np.stack([pair[i] for pair in areas], axis=1) for i in (0, 1))
        for name, values in (("auroc_macro", auroc), ("average_precision_macro", average)):
            known = np.isfinite(values)
            count, sums = known.sum(axis=1), np.where(known, values, 0.0).sum(axis=1)
            result[name] = np.divide(sums, count, out=np.full(len(total), np.nan), where=count > 0)
        result["log_loss"] = weights @ self._log_loss / total
        result["brier"] = weights @ self._brier / total
        for c, name in enumerate(self.names):
            result[f"precision/{name}"], result[f"recall/{name}"] = precision[:, c], recall[:, c]
            result[f"f1/{name}"] = f1[:, c]
            result[f"auroc/{name}"], result[f"average_precision/{name}"] = auroc[:, c], average[:, c]
        return result


def evaluate(
    labels: Any,
    probabilities: Any,
    classes: Any = None,
    *,
    threshold: float = THRESHOLD,
    groups: Any = None,
    config: interval.Config | None = None,
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}``. Raises :class:`InputError` as :func:`validate`.

    >>> found = evaluate([[1, 0], [1, 1]], [[0.9, 0.2], [0.8, 0.4]])
    >>> found["exact_match"]["value"], found["f1_micro"]["value"]
    (0.5, 0.8)
    """
    truth, guess, table, names = validate(labels, probabilities, classes, threshold)
    n = len(truth)
    exact = (truth == guess).all(axis=1).astype(np.float64)
    shares = {"exact_match": interval.Proportion(exact, np.ones(n))}
    counts: dict[str, int] = {}
    for c, name in enumerate(names):
        hit = (truth[:, c] & guess[:, c]).astype(np.float64)
        shares[f"recall/{name}"] = interval.Proportion(hit, truth[:, c].astype(np.float64))
        shares[f"precision/{name}"] = interval.Proportion(hit, guess[:, c].astype(np.float64))
        support = int(truth[:, c].sum())
        counts |= dict.fromkeys((f"f1/{name}", f"auroc/{name}", f"average_precision/{name}"), support)
    metrics = Metrics(truth, guess, table, names)
    return interval.measured(
        metrics,
        n,
        proportions=shares,
        counts=counts,
        kinds=KINDS,
        floors=macro_errors(truth, guess),
        **rests_on(truth, names),
        groups=groups,
        config=config,
    )


def macro_errors(labels: Bool, predictions: Bool) -> dict[str, float]:
    """The standard error that each mean over labels has at least, by name: see :mod:`.macro`."""
    support, predicted = labels.sum(axis=0).astype(np.float64), predictions.sum(axis=0).astype(np.float64)
    hits = (labels & predictions).sum(axis=0).astype(np.float64)
    return {
        "precision_macro": interval.error(hits, predicted, PSEUDO_ITEMS),
        "recall_macro": interval.error(hits, support, PSEUDO_ITEMS),
        "f1_macro": interval.error(hits, (support + predicted) / 2, PSEUDO_ITEMS),
    }


def _ratio(part: Array, whole: Array) -> Array:
    ratio: Array = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return ratio
