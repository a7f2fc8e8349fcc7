"""Attention without parameters: modalities that agree in the shared space speak louder.

Each modality of a row is a vector of the shared space (:mod:`.cca`). Every one attends to all that are
there by scaled dot product (A. Vaswani et al., Attention is all you need, 2017, eq. 1, with queries, keys and values
all the same), and the answers are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.fusion.blocks import Blocks
from mmcli.fusion.strategies import cca


@dataclass(frozen=True)
class Config(cca.Config):
    """As :class:`mmcli.fusion.strategies.cca.Config`: the shared space that attention works in."""


def fit(blocks: Blocks, config: Config) -> dict[str, Any]:
    """The shared space."""
    return cca.fit(blocks, config)


def fuse(blocks: Blocks, config: Config, state: dict[str, Any]) -> np.ndarray:
    """float32 ``(n, dims)``; a row with one modality is that modality, a row without any is zero.

    >>> hidden = np.linspace(-1, 1, 9)[:, None]
    >>> b = Blocks({"a": hidden, "b": hidden}, {m: np.ones(9, bool) for m in "ab"})
    >>> state = fit(b, Config())
    >>> bool(np.allclose(fuse(b, Config(), state), cca.fuse(b, Config(), state)))
    True
    """
    spoken = np.moveaxis(cca.shared(blocks, state), 0, 1)
    there = np.stack([blocks.present[name] for name in blocks.values], axis=1)
    scores = spoken @ np.swapaxes(spoken, 1, 2) / np.sqrt(state["dims"])
    scores = np.where(there[:, None, :], scores, -np.inf)
    scores = scores - np.where(there.any(axis=1), scores.max(axis=(1, 2), initial=-1e30), 0.0)[:, None, None]
    weights = np.where(there[:, None, :], np.exp(np.maximum(scores, -700.0)), 0.0)
    weights = weights / np.maximum(weights.sum(axis=2, keepdims=True), 1e-300)
    answers = (weights @ spoken) * there[:, :, None]
    return np.asarray(answers.sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None], dtype=np.float32)
