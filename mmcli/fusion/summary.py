"""One frame for a whole item, so that modalities without a common clock can stand side by side."""

from __future__ import annotations

from typing import Any

import numpy as np


def summarise(values: np.ndarray, meta: dict[str, Any]) -> np.ndarray:
    """A vector, float64, of an item's ``values`` float ``(frames, ...)``.

    One frame: itself. Token ids: the share of each word of the vocabulary (padding left out). More frames: mean and
    standard deviation over time.

    >>> summarise(np.array([[0.0], [2.0]]), {"kind": "sequence"})
    array([1., 1.])
    """
    if meta.get("kind") == "tokens":
        counts = np.bincount(values.reshape(-1).astype(np.int64), minlength=int(meta["vocabulary_size"]))[1:]
        return np.asarray(counts / max(1, counts.sum()), dtype=np.float64)
    flat = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    if is_static(meta):
        return np.asarray(flat[0])
    return np.concatenate([flat.mean(axis=0), flat.std(axis=0)])


def is_static(meta: dict[str, Any]) -> bool:
    """Whether the items of a stream are one frame each by their kind."""
    return meta.get("kind") in ("image", "vector")
