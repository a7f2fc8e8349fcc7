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
from mmcli.evaluation.intervals.calibration import error_interval
from mmcli.evaluation.intervals.interval import AREA, INVERTED, SHARE, SKEWED, Config
from mmcli.evaluation.metrics import classes as of_classes
from mmcli.evaluation.metrics.classes import BY_CLASS, PROBABILITIES, Ranked, mean_of_known
from mmcli.evaluation.metrics.figure import Evidence, Figure

Array = NDArray[np.float64]
Int = NDArray[np.int64]

PRIMARY = "accuracy"
BINS = 15
PSEUDO_ITEMS = 4.0  # that the recall of a class is smoothed by where its spread is judged
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


def _mean_in_use(sample: Any, values: Array) -> Array:
    """The mean over the classes that occur in labels or predictions."""
    in_use = (sample.support + sample.predicted > 0).astype(np.float64)
    return np.asarray(values.sum(axis=1) / in_use.sum(axis=1))


def _weighted(sample: Any, values: Array) -> Array:
    """The mean over the classes, each as often as it has items."""
    return np.asarray((values * sample.support).sum(axis=1) / sample.total)


def _floor(part: str) -> Any:
    return lambda m: Evidence(floor=m.floors(PSEUDO_ITEMS, absent=False)[part])


# How intervals are made, by measurement: see mmcli.evaluation.intervals.interval.
FIGURES = (
    Figure(
        "accuracy",
        "accuracy",
        lambda s: s.hit.sum(axis=1) / s.total,
        evidence=lambda m: Evidence(hits=m.right),
        shown=True,
        head=True,
    ),
    Figure(
        "balanced_accuracy",
        "balanced accuracy",
        lambda s: s.recall.sum(axis=1) / (s.support > 0).sum(axis=1),
        SHARE,
        _floor("recall"),
        shown=True,
        head=True,
    ),
    Figure("precision_macro", "precision macro", lambda s: _mean_in_use(s, s.precision), SHARE, _floor("precision")),
    Figure("precision_weighted", "precision weighted", lambda s: _weighted(s, s.precision), SHARE),
    Figure("recall_macro", "recall macro", lambda s: _mean_in_use(s, s.recall), SHARE, _floor("recall")),
    Figure("recall_weighted", "recall weighted", lambda s: _weighted(s, s.recall), SHARE),
    Figure("f1_macro", "F1 macro", lambda s: _mean_in_use(s, s.f1), SHARE, _floor("f1"), shown=True, head=True),
    Figure("f1_weighted", "F1 weighted", lambda s: _weighted(s, s.f1), SHARE, shown=True),
    Figure(
        "auroc_macro",
        "AUROC",
        lambda s: mean_of_known(s.areas[0]),
        AREA,
        lambda m: m.mean_of("auroc"),
        shown=True,
        needs=PROBABILITIES,
    ),
    Figure(
        "average_precision_macro",
        "average precision",
        lambda s: mean_of_known(s.areas[1]),
        AREA,
        lambda m: m.mean_of("average_precision"),
        needs=PROBABILITIES,
    ),
    Figure("log_loss", "log loss", lambda s: s.mean(s.data.log_loss), SKEWED, shown=True, needs=PROBABILITIES),
    Figure("brier", "Brier score", lambda s: s.mean(s.data.brier), SHARE, shown=True, needs=PROBABILITIES),
    Figure(
        "ece",
        "calibration error",
        lambda s: np.abs((s.data.bin @ (s.weights * s.data.gap).T).T).sum(axis=1) / s.total,
        INVERTED,
        lambda m: Evidence(bounds=m.error_bounds),
        shown=True,
        head=True,
        needs=PROBABILITIES,
    ),
    *BY_CLASS,
)


class Metrics(of_classes.Metrics):
    """Every figure as a function of item weights ``(b, n)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(self, labels: Int, predictions: Int, probabilities: Array | None, names: list[str]) -> None:
        from scipy.sparse import csr_matrix

        n, k = len(labels), len(names)
        super().__init__(FIGURES, n, names, () if probabilities is None else (PROBABILITIES,))
        items = np.arange(n)
        right = labels == predictions
        self.right = right.astype(np.float64)
        self.labels, self.predictions = labels[:, None] == np.arange(k), predictions[:, None] == np.arange(k)
        self._label = csr_matrix((np.ones(n), (labels, items)), (k, n))
        self._predicted = csr_matrix((np.ones(n), (predictions, items)), (k, n))
        self._hit = csr_matrix((self.right, (labels, items)), (k, n))
        if probabilities is not None:
            self.ranked = [Ranked(probabilities[:, c], labels == c) for c in range(k)]
            self.log_loss = -np.log(np.clip(probabilities[items, labels], np.finfo(np.float64).eps, 1.0))
            squares = (probabilities - self.labels) ** 2
            self.brier = squares.sum(axis=1) / (2 if k == 2 else 1)
            self._confidence = probabilities.max(axis=1)
            self._sure_right = probabilities.argmax(axis=1) == labels
            self.gap = self._confidence - self._sure_right
            self.bin = csr_matrix((np.ones(n), (bins(self._confidence), items)), (BINS, n))

    def counts(self, weights: Array) -> tuple[Array, Array, Array]:
        """The weight of the items of each class, of those predicted to be, and of those that are both."""
        support, predicted, hit = ((m @ weights.T).T for m in (self._label, self._predicted, self._hit))
        return support, predicted, hit

    def error_bounds(self, codes: Int | None, config: Config) -> list[float]:
        """The interval of the calibration error."""
        right = self._sure_right.astype(np.float64)
        return error_interval(self._confidence, right, bins(self._confidence), codes, config)


def bins(confidence: Array) -> Int:
    """The reliability bin of each confidence: 15 of equal width, (low, high], the first with 0."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


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
    config: Config | None = None,
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}``; predictions are the most probable classes where none are given.

    The figures of one class are named ``precision/CLASS`` and so on. Raises :class:`InputError` as :func:`validate`.

    >>> figures = evaluate(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    >>> figures["accuracy"]["value"], figures["recall/a"]["value"], figures["recall/a"]["n"]
    (0.75, 0.5, 2)
    """
    truth, guess, table, names = validate(labels, predictions, probabilities, classes)
    return Metrics(truth, guess, table, names).measured(groups, config)
