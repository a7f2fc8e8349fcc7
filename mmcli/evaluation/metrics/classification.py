"""One class per item: accuracy and its relatives, what each class gets, and how good the probabilities are.

Conventions. ``labels`` and ``predictions`` are class numbers ``(n,)``; ``probabilities`` ``(n, classes)``. As in
scikit-learn, precision, recall and F1 of a class with nothing to divide by are 0, averages run over the classes that
occur in labels or predictions (balanced accuracy: in labels), AUROC and average precision are one class against the
rest and their mean over classes, Brier's score is halved for two classes, and log loss clips probabilities at the
smallest float step from 0. The expected calibration error has 15 bins of equal width (Guo et al., ICML 2017, eq. 5).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError
from mmcli.evaluation.intervals import curves, interval
from mmcli.evaluation.intervals.curves import Ranked, rests_on

Array = NDArray[np.float64]
Int = NDArray[np.int64]

PRIMARY = "accuracy"
BINS = 15
PSEUDO_ITEMS = 4.0  # that the recall of a class is smoothed by where its spread is judged
AVERAGES = ("macro", "weighted")
# How intervals are made, by measurement: see mmcli.evaluation.intervals.interval.
KINDS = {
    "balanced_accuracy": interval.SHARE,
    **{f"{name}_{average}": interval.SHARE for name in ("precision", "recall", "f1") for average in AVERAGES},
    **dict.fromkeys(("f1", "brier"), interval.SHARE),
    **dict.fromkeys(("auroc", "auroc_macro", "average_precision", "average_precision_macro"), interval.AREA),
    "log_loss": interval.SKEWED,
}
# Single-precision softmax over thousands of classes misses 1 by less than this.
SUM_TOLERANCE = 1e-3


def validate(
    labels: Any, predictions: Any, probabilities: Any = None, classes: Any = None
) -> tuple[Int, Int, Array | None, list[str]]:
    """The inputs as class numbers, checked; labels and predictions may be given as names of ``classes`` or as numbers.

    Raises :class:`InputError` for no items, differing lengths, unknown classes, NaN, and rows that do not sum to 1.

    >>> labels, predictions, _, _ = validate(["b", "a"], None, [[0.2, 0.8], [0.9, 0.1]], ["a", "b"])
    >>> labels.tolist(), predictions.tolist()
    ([1, 0], [1, 0])
    """
    table = None if probabilities is None else np.asarray(probabilities, dtype=np.float64)
    if classes is None:
        known = np.unique(np.concatenate([np.asarray(labels).ravel(), np.asarray(predictions).ravel()]))
        classes = [str(name) for name in known]
    names = [str(name) for name in classes]
    truth = _numbers(labels, names, "label")
    if len(truth) == 0:
        raise InputError("there are no items to evaluate")
    if table is not None:
        if table.shape != (len(truth), len(names)):
            raise InputError(f"probabilities {table.shape} for {len(truth)} items and {len(names)} classes")
        if not np.isfinite(table).all() or table.min() < 0:
            raise InputError("probabilities hold NaN, Inf or negative values")
        if np.abs(table.sum(axis=1) - 1).max() > SUM_TOLERANCE:
            row = int(np.argmax(np.abs(table.sum(axis=1) - 1)))
            raise InputError(f"probabilities of item {row} sum to {table[row].sum():.6g}, not 1")
    if predictions is None:
        if table is None:
            raise InputError("neither predictions nor probabilities are given")
        guess: Int = table.argmax(axis=1).astype(np.int64)
    else:
        guess = _numbers(predictions, names, "prediction")
    if len(guess) != len(truth):
        raise InputError(f"{len(truth)} labels for {len(guess)} predictions")
    return truth, guess, table, names


def _numbers(values: Any, names: list[str], what: str) -> Int:
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{what}s have shape {array.shape}; one per item is wanted")
    if array.dtype.kind in "iu":
        if len(array) and not (array.min() >= 0 and array.max() < len(names)):
            raise InputError(f"{what} {int(array.max())} is no class number below {len(names)}")
        return array.astype(np.int64)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{what}s hold NaN or Inf")
    lookup = {name: i for i, name in enumerate(names)}
    try:
        return np.array([lookup[str(value)] for value in array], dtype=np.int64)
    except KeyError as error:
        raise InputError(f"{what} {error.args[0]!r} is none of the classes", hint=", ".join(names[:20])) from None


def confusion(labels: Int, predictions: Int, classes: int) -> Int:
    """Counts ``(classes, classes)``: row = label, column = prediction."""
    cells = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


class Metrics:
    """Every figure as a function of item weights ``(b, n)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(self, labels: Int, predictions: Int, probabilities: Array | None, names: list[str]) -> None:
        from scipy.sparse import csr_matrix

        n, k = len(labels), len(names)
        items = np.arange(n)
        correct = labels == predictions
        self.names = names
        self._label = csr_matrix((np.ones(n), (labels, items)), (k, n))
        self._predicted = csr_matrix((np.ones(n), (predictions, items)), (k, n))
        self._hit = csr_matrix((correct.astype(np.float64), (labels, items)), (k, n))
        self._table = probabilities
        if probabilities is not None:
            self._ranked = [Ranked(probabilities[:, c], labels == c) for c in range(k)]
            self._log_loss = -np.log(np.clip(probabilities[items, labels], np.finfo(np.float64).eps, 1.0))
            squares = (probabilities - (labels[:, None] == np.arange(k))) ** 2
            self._brier = squares.sum(axis=1) / (2 if k == 2 else 1)
            self._gap = probabilities.max(axis=1) - (probabilities.argmax(axis=1) == labels)
            self._bin = csr_matrix((np.ones(n), (bins(probabilities.max(axis=1)), items)), (BINS, n))

    def __call__(self, weights: Array) -> dict[str, Array]:
        """The figures, each ``(b,)``; NaN where undefined."""
        total = weights.sum(axis=1)
        support = (self._label @ weights.T).T
        predicted = (self._predicted @ weights.T).T
        hit = (self._hit @ weights.T).T
        precision, recall = _ratio(hit, predicted), _ratio(hit, support)
        f1 = _ratio(2 * hit, support + predicted)
        in_use = (support + predicted > 0).astype(np.float64)
        result = {
            "accuracy": hit.sum(axis=1) / total,
            "balanced_accuracy": recall.sum(axis=1) / (support > 0).sum(axis=1),
        }
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            result[f"{name}_macro"] = values.sum(axis=1) / in_use.sum(axis=1)
            result[f"{name}_weighted"] = (values * support).sum(axis=1) / total
        if self._table is not None:
            areas = [ranked.both(weights) for ranked in self._ranked]
            auroc, precision_area = (np.stack([pair[i] for pair in areas], axis=1) for i in (0, 1))
            result["auroc_macro"] = _mean_of_known(auroc)
            result["average_precision_macro"] = _mean_of_known(precision_area)
            result["log_loss"] = weights @ self._log_loss / total
            result["brier"] = weights @ self._brier / total
            result["ece"] = np.abs((self._bin @ (weights * self._gap).T).T).sum(axis=1) / total
        for c, name in enumerate(self.names):
            result[f"precision/{name}"] = precision[:, c]
            result[f"recall/{name}"] = recall[:, c]
            result[f"f1/{name}"] = f1[:, c]
            if self._table is not None:
                result[f"auroc/{name}"] = auroc[:, c]
                result[f"average_precision/{name}"] = precision_area[:, c]
        return result


def bins(confidence: Array) -> Int:
    """The reliability bin of each confidence: 15 of equal width, (low, high], the first with 0."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def macro_errors(labels: Int, predictions: Int, classes: int) -> dict[str, float]:
    """The standard error that each mean over classes has at least, by name: see :mod:`.macro`.

    >>> found = macro_errors(np.array([0] * 50 + [1] * 2), np.array([1] * 5 + [0] * 45 + [1] * 2), 2)
    >>> round(found["balanced_accuracy"], 2), round(found["precision_macro"], 2)
    (0.1, 0.09)
    """
    support, predicted = (np.bincount(v, minlength=classes).astype(np.float64) for v in (labels, predictions))
    hits = np.bincount(labels, weights=labels == predictions, minlength=classes).astype(np.float64)
    known, used = support > 0, support + predicted > 0
    recall = interval.error(hits[known], support[known], PSEUDO_ITEMS)
    return {
        "balanced_accuracy": recall,
        "recall_macro": recall,
        "precision_macro": interval.error(hits[used], predicted[used], PSEUDO_ITEMS),
        "f1_macro": interval.error(hits[used], (support + predicted)[used] / 2, PSEUDO_ITEMS),
    }


def reliability(labels: Int, probabilities: Array) -> list[dict[str, float | int]]:
    """What stands behind the calibration error: per occupied bin its bounds, mean confidence, accuracy and count."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = bins(confidence)
    rows: list[dict[str, float | int]] = []
    for b in np.unique(place):
        inside = place == b
        rows.append(
            {
                "low": float(b / BINS),
                "high": float((b + 1) / BINS),
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(right[inside].mean()),
                "n": int(inside.sum()),
            }
        )
    return rows


def evaluate(
    labels: Any,
    predictions: Any = None,
    probabilities: Any = None,
    classes: Any = None,
    *,
    groups: Any = None,
    config: interval.Config | None = None,
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}``; predictions are the most probable classes where none are given.

    The figures of one class are named ``precision/CLASS`` and so on. Raises :class:`InputError` as :func:`validate`.

    >>> found = evaluate(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    >>> found["accuracy"]["value"], found["recall/a"]["value"], found["recall/a"]["n"]
    (0.75, 0.5, 2)
    """
    truth, guess, table, names = validate(labels, predictions, probabilities, classes)
    right = (truth == guess).astype(np.float64)
    shares = {"accuracy": interval.Proportion(right, np.ones(len(truth)))}
    counts: dict[str, int] = {}
    for c, name in enumerate(names):
        is_label, is_guess = (truth == c).astype(np.float64), (guess == c).astype(np.float64)
        shares[f"recall/{name}"] = interval.Proportion(right * is_label, is_label)
        shares[f"precision/{name}"] = interval.Proportion(right * is_guess, is_guess)
        counts |= dict.fromkeys((f"f1/{name}", f"auroc/{name}", f"average_precision/{name}"), int(is_label.sum()))
    metrics = Metrics(truth, guess, table, names)
    floors = macro_errors(truth, guess, len(names))
    found = interval.measured(
        metrics,
        len(truth),
        proportions=shares,
        counts=counts,
        kinds=KINDS,
        floors=floors,
        **({} if table is None else rests_on(np.eye(len(names), dtype=np.bool_)[truth], names)),
        groups=groups,
        config=config,
    )
    if table is not None:
        config = config or interval.Config()
        confidence = table.max(axis=1)
        hit = (table.argmax(axis=1) == truth).astype(np.float64)
        codes = interval.group_codes(groups, config)
        found["ece"]["interval"] = curves.error_interval(confidence, hit, bins(confidence), codes, config)
        found["ece"]["method"] = curves.METHOD + ("" if codes is None else " by group")
    return found


def _ratio(part: Array, whole: Array) -> Array:
    ratio: Array = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return ratio


def _mean_of_known(values: Array) -> Array:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: Array = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean
