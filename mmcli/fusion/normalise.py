"""Scales that agree between modalities: fitted on training rows, kept with the data, applied to everything later.

Statistics run over every axis but the last: per column of a vector, per band of a spectrogram, per channel of an image.
Token ids are names, not quantities, and are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mmcli.artifacts.io import lazy
from mmcli.errors import UsageError

BLOCK = 1 << 14  # rows that are scaled at a time
METHODS = ("zscore", "robust", "l2", "item", "none")


def fit(values: np.ndarray, method: str) -> dict[str, Any]:
    """The normaliser of ``values`` float ``(rows, ..., columns)`` as a JSON-able dict ``{method, center, scale}``.

    ``zscore``: mean and standard deviation. ``robust``: median and interquartile range over 1.349, which is the
    standard deviation where the values are normal. ``l2``, ``item`` and ``none`` need no statistics. A constant
    column keeps scale 1.

    >>> fit(np.array([[0.0, 5.0], [2.0, 5.0]]), "zscore")
    {'method': 'zscore', 'center': [1.0, 5.0], 'scale': [1.0, 1.0]}
    """
    return fit_items([values], method)


def fit_items(items: Iterable[np.ndarray], method: str) -> dict[str, Any]:
    """The same for values that come item by item, each float ``(frames, ..., columns)``.

    ``zscore`` holds one item at a time, ``robust`` needs all of them together.
    """
    refuse_unknown(method)
    if method in ("l2", "item", "none"):
        return {"method": method}
    if method == "zscore":
        seen = Moments()
        for values in items:
            seen.add(values)
        return seen.normaliser()
    parts = [_rows(values) for values in items]
    rows = np.concatenate(parts) if parts else np.zeros((0, 1))
    if len(rows) == 0:
        return {"method": "none"}
    low, center, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    return _state("robust", center, (high - low) / 1.349)


def refuse_unknown(method: str) -> None:
    """Raises :class:`UsageError` for a method that is not known."""
    if method not in METHODS:
        raise UsageError(f"unknown normalisation {method!r}", hint="one of: " + ", ".join(METHODS))


class Moments:
    """Mean and variance of columns, gathered from items one at a time: the same bits however the items are kept.

    Of each item the mean and the sum of squared deviations are joined to those of the items before it: T. F. Chan, G.
    H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983,
    equation 2.1. Nothing large is subtracted from something large, so it is as exact as two passes over everything.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0

    def add(self, values: np.ndarray) -> None:
        """One item, float ``(frames, ..., columns)``."""
        rows = _rows(values)
        if len(rows) == 0:
            return
        if len(rows) == 1:
            mean, squares = rows[0], np.zeros(rows.shape[1])
        else:
            mean = rows.mean(axis=0)
            squares = ((rows - mean) ** 2).sum(axis=0)
        count = self.count + len(rows)
        away = mean - self._mean
        self._mean = mean if self.count == 0 else self._mean + away * (len(rows) / count)
        self._squares = self._squares + squares + away**2 * (self.count * len(rows) / count)
        self.count = count

    def normaliser(self) -> dict[str, Any]:
        """The ``zscore`` normaliser of what was seen; none where that is nothing."""
        if self.count == 0:
            return {"method": "none"}
        return _state("zscore", self._mean, np.sqrt(self._squares / self.count))


def _rows(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1] if values.ndim > 1 else 1)


def _state(method: str, center: np.ndarray, scale: np.ndarray) -> dict[str, Any]:
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(center)), scale, 1.0)
    return {"method": method, "center": center.tolist(), "scale": scale.tolist()}


def apply(values: np.ndarray, normaliser: dict[str, Any]) -> np.ndarray:
    """``values`` float ``(rows, ..., columns)`` on the normaliser's scale, float32.

    ``l2`` divides each frame by its Euclidean norm; a frame of zeros stays as it is. ``item`` takes ``values`` as one
    item, and its mean and standard deviation over all of them: see :func:`apply_items`.
    """
    method = normaliser["method"]
    if method == "none":
        return np.asarray(values, dtype=np.float32)
    wide = np.asarray(values, dtype=np.float64)
    if method == "l2":
        norm = np.sqrt((wide.reshape(len(wide), -1) ** 2).sum(axis=1)).reshape(-1, *[1] * (wide.ndim - 1))
        return np.asarray(wide / np.where(norm > 0, norm, 1.0), dtype=np.float32)
    if method == "item":
        spread = float(wide.std()) if wide.size else 0.0
        return np.asarray((wide - wide.mean()) / spread if spread > 1e-12 else np.zeros_like(wide), dtype=np.float32)
    center, scale = np.asarray(normaliser["center"]), np.asarray(normaliser["scale"])
    return np.asarray((wide - center) / scale, dtype=np.float32)


def apply_items(
    values: lazy.Array | lazy.Rows, offsets: np.ndarray, normaliser: dict[str, Any]
) -> lazy.Array | lazy.Rows:
    """:func:`apply` to the rows of every item, which stand between ``offsets`` int64 ``(items + 1,)``; lazily too."""
    if isinstance(values, lazy.Rows):
        return lazy.changed(values, lambda rows: apply(rows, normaliser))
    if normaliser["method"] == "none":
        return apply(values, normaliser)
    scaled = np.empty(values.shape, np.float32)
    if normaliser["method"] != "item":  # by blocks: float64 of everything at once is twice what there is
        for start in range(0, len(values), BLOCK):
            scaled[start : start + BLOCK] = apply(values[start : start + BLOCK], normaliser)
        return scaled
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        if stop > start:
            scaled[start:stop] = apply(values[start:stop], normaliser)
    return scaled
