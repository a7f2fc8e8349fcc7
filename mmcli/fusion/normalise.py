"""Scales that agree between modalities: fitted on training rows, kept with the data, applied to everything later.

Statistics run over every axis but the last: per column of a vector, per band of a spectrogram, per channel of an image.
Token ids are names, not quantities, and are left alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.errors import UsageError

METHODS = ("zscore", "robust", "l2", "none")


def fit(values: np.ndarray, method: str) -> dict[str, Any]:
    """The normaliser of ``values`` float ``(rows, ..., columns)`` as a JSON-able dict ``{method, center, scale}``.

    ``zscore``: mean and standard deviation. ``robust``: median and interquartile range over 1.349, which is the
    standard deviation where the values are normal. ``l2`` and ``none`` need no statistics. A constant column keeps
    scale 1.

    >>> fit(np.array([[0.0, 5.0], [2.0, 5.0]]), "zscore")
    {'method': 'zscore', 'center': [1.0, 5.0], 'scale': [1.0, 1.0]}
    """
    if method not in METHODS:
        raise UsageError(f"unknown normalisation {method!r}", hint="one of: " + ", ".join(METHODS))
    if method in ("l2", "none"):
        return {"method": method}
    rows = np.asarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
    if len(rows) == 0:
        return {"method": "none"}
    if method == "zscore":
        center, scale = rows.mean(axis=0), rows.std(axis=0)
    else:
        low, center, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
        scale = (high - low) / 1.349
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(center)), scale, 1.0)
    return {"method": method, "center": center.tolist(), "scale": scale.tolist()}


def apply(values: np.ndarray, normaliser: dict[str, Any]) -> np.ndarray:
    """``values`` float ``(rows, ..., columns)`` on the normaliser's scale, float32.

    ``l2`` divides each frame by its Euclidean norm; a frame of zeros stays as it is.
    """
    method = normaliser["method"]
    if method == "none":
        return np.asarray(values, dtype=np.float32)
    wide = np.asarray(values, dtype=np.float64)
    if method == "l2":
        norm = np.sqrt((wide.reshape(len(wide), -1) ** 2).sum(axis=1)).reshape(-1, *[1] * (wide.ndim - 1))
        return np.asarray(wide / np.where(norm > 0, norm, 1.0), dtype=np.float32)
    center, scale = np.asarray(normaliser["center"]), np.asarray(normaliser["scale"])
    return np.asarray((wide - center) / scale, dtype=np.float32)
