"""One number per item: MAE, RMSE, R2, Pearson and Spearman, and the accuracies of the sentiment field.

R2 and the correlations of a constant are undefined (None). For scores on the sentiment scale from -3 to 3 there are
also ``acc2_nonnegative`` (negative against the rest), ``acc2_positive`` (negative against positive, items of label 0
left out) and ``acc7`` (both rounded to the nearest of the seven integers), as in A. Zadeh et al., ACL 2018, and the
papers after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError
from mmcli.evaluation.intervals.interval import CORRELATION, SKEWED, Config
from mmcli.evaluation.metrics import figure
from mmcli.evaluation.metrics.figure import Evidence, Figure

Array = NDArray[np.float64]

PRIMARY = "mae"
SENTIMENT = "sentiment"  # the scale that some figures need


def validate(labels: Any, predictions: Any) -> tuple[Array, Array]:
    """Both as float64 ``(n,)``. Raises :class:`InputError` for no items, differing lengths, NaN and Inf."""
    try:
        truth, guess = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("labels and predictions have to be numbers") from None
    if truth.ndim != 1 or truth.shape != guess.shape:
        raise InputError(f"labels {truth.shape} for predictions {guess.shape}; one number per item is wanted")
    if len(truth) == 0:
        raise InputError("there are no items to evaluate")
    if not (np.isfinite(truth).all() and np.isfinite(guess).all()):
        raise InputError("labels or predictions hold NaN or Inf")
    return truth, guess


def is_sentiment(labels: Array) -> bool:
    """Whether the labels lie on the scale from -3 to 3 and use both sides of it."""
    return bool(labels.min() < 0 < labels.max() and np.abs(labels).max() <= 3)


def _r2(sample: Any) -> Array:
    weights, labels = sample.weights, sample.data.labels
    squares = weights @ sample.data.error**2
    # Shifted by the plain mean: sums of squares of large numbers would cancel.
    centred = labels - labels.mean()
    spread = weights @ centred**2 - (weights @ centred) ** 2 / sample.total
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(~_varies(weights, labels), np.nan, 1 - squares / spread))


def _share(name: str, title: str, head: bool = False) -> Figure:
    """A proportion of the items that count, of the sentiment scale."""

    def value(sample: Any) -> Array:
        share = sample.data.shares[name]
        counted = sample.weights @ share.counted
        nothing = np.full(len(counted), np.nan)
        return np.asarray(np.divide(sample.weights @ share.hits, counted, out=nothing, where=counted > 0))

    return Figure(name, title, value, evidence=lambda m: m.shares[name], shown=True, head=head, needs=SENTIMENT)


# How intervals are made, by measurement: see mmcli.evaluation.intervals.interval.
FIGURES = (
    Figure(
        "mae",
        "MAE",
        lambda s: s.mean(np.abs(s.data.error)),
        SKEWED,
        shown=True,
        head=True,
        said="mean absolute error",
    ),
    Figure("rmse", "RMSE", lambda s: np.sqrt(s.mean(s.data.error**2)), SKEWED, shown=True),
    Figure("r2", "R²", _r2, shown=True, head=True),
    Figure(
        "pearson",
        "Pearson correlation",
        lambda s: _pearson(s.weights, s.data.labels[None], s.data.predictions[None]),
        CORRELATION,
        shown=True,
        head=True,
    ),
    Figure(
        "spearman",
        "Spearman correlation",
        lambda s: _pearson(s.weights, *(_ranks(s.weights, *order) for order in s.data.order)),
        CORRELATION,
        shown=True,
    ),
    _share("acc2_nonnegative", "Acc-2 (negative or not)", head=True),
    _share("acc2_positive", "Acc-2 (negative or positive)"),
    _share("acc7", "Acc-7"),
)


class Metrics(figure.Metrics):
    """Every figure as a function of item weights ``(b, n)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(self, labels: Array, predictions: Array) -> None:
        super().__init__(FIGURES, len(labels), known=(SENTIMENT,) if is_sentiment(labels) else ())
        self.labels, self.predictions = labels, predictions
        self.error = predictions - labels
        self.order = [_order(labels), _order(predictions)]
        self.shares = sentiment_shares(labels, predictions)


def sentiment_shares(labels: Array, predictions: Array) -> dict[str, Evidence]:
    """Hits and counted items of Acc-2 in both readings and of Acc-7."""
    ones = np.ones(len(labels))
    signed = (labels != 0).astype(np.float64)
    seven = np.round(np.clip(predictions, -3, 3)) == np.round(np.clip(labels, -3, 3))
    return {
        "acc2_nonnegative": Evidence(hits=((labels >= 0) == (predictions >= 0)).astype(np.float64), counted=ones),
        "acc2_positive": Evidence(hits=((labels > 0) == (predictions > 0)) * signed, counted=signed),
        "acc7": Evidence(hits=seven.astype(np.float64), counted=ones),
    }


def evaluate(
    labels: Any, predictions: Any, *, groups: Any = None, config: Config | None = None
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}``. Raises :class:`InputError` as :func:`validate`.

    >>> figures = evaluate([1.0, 2.0, 4.0], [1.0, 3.0, 4.5])
    >>> figures["mae"]["value"], round(figures["pearson"]["value"], 4)
    (0.5, 0.9631)
    """
    return Metrics(*validate(labels, predictions)).measured(groups, config)


def _varies(weights: Array, values: Array) -> NDArray[np.bool_]:
    """Per row of weights, whether the items drawn hold two different values; values ``(n,)`` or ``(b, n)``."""
    drawn = weights > 0
    highest = np.where(drawn, values, -np.inf).max(axis=1)
    return np.asarray(highest > np.where(drawn, values, np.inf).min(axis=1))


def _pearson(weights: Array, x: Array, y: Array) -> Array:
    """Weighted correlation per row; x and y ``(1 or b, n)``; NaN where one of them does not vary."""
    total = weights.sum(axis=1, keepdims=True)
    dx = x - (weights * x).sum(axis=1, keepdims=True) / total
    dy = y - (weights * y).sum(axis=1, keepdims=True) / total
    both = (weights * dx * dy).sum(axis=1)
    size = np.sqrt((weights * dx**2).sum(axis=1) * (weights * dy**2).sum(axis=1))
    known = _varies(weights, x) & _varies(weights, y) & (size > 0)
    correlation: Array = np.divide(both, size, out=np.full(len(both), np.nan), where=known)
    return correlation.clip(-1.0, 1.0)


def _order(values: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The sorting order, where each distinct value starts in it, and the distinct value that each item has."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    first = np.r_[True, ranked[1:] != ranked[:-1]]
    place = np.empty(len(values), dtype=np.intp)
    place[order] = np.cumsum(first) - 1
    return order, np.flatnonzero(first), place


def _ranks(weights: Array, order: NDArray[np.intp], starts: NDArray[np.intp], place: NDArray[np.intp]) -> Array:
    """The mean rank of each item in the sample its row of weights describes ``(b, n)``."""
    mass = np.add.reduceat(weights[:, order], starts, axis=1)
    middle = np.cumsum(mass, axis=1) - (mass - 1) / 2
    return np.asarray(middle[:, place])
