"""A weighted average of the modalities that are there.

Weights are renormalised over the modalities present in each row, so a missing one neither counts nor dilutes. Blocks of
different widths are first projected onto a common one (:mod:`mmcli.fusion.blocks`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmcli.errors import UsageError
from mmcli.fusion import blocks as the_blocks
from mmcli.fusion import learned
from mmcli.fusion.blocks import Blocks
from mmcli.registry import nearest


@dataclass(frozen=True)
class Config:
    """``weights``: modality name to weight, zero or more; a modality that is not named has weight 1. ``auto``: learn
    them from the labels of the training rows instead (:mod:`mmcli.fusion.learned`).
    """

    weights: dict[str, float] = field(default_factory=dict)
    auto: bool = False

    def __post_init__(self) -> None:
        """Refuse weights that cannot be averaged with."""
        for name, weight in self.weights.items():
            if not (np.isfinite(weight) and weight >= 0):
                raise UsageError(f"weight {name}={weight} is not a number of zero or more")


def fit(blocks: Blocks, config: Config) -> dict[str, Any]:
    """The weights in force, and the projection where widths differ; with ``auto`` also how well they did."""
    if config.auto:
        return learned.fit(blocks)
    for name in config.weights:
        if name not in blocks.values:
            raise UsageError(f"--weight {name}: no such modality", hint=nearest(name, blocks.values))
    weights = {name: float(config.weights.get(name, 1.0)) for name in blocks.values}
    if sum(weights.values()) == 0:
        raise UsageError("all weights are zero")
    return {"weights": weights, "projection": the_blocks.fit(blocks) if the_blocks.differs(blocks) else None}


def fuse(blocks: Blocks, config: Config, state: dict[str, Any]) -> np.ndarray:
    """float32 ``(n, width)``; a row without any weighted modality is zero.

    >>> b = Blocks({"a": np.ones((1, 1)), "b": np.zeros((1, 1))}, {"a": np.array([True]), "b": np.array([True])})
    >>> fuse(b, Config({"a": 3.0}), fit(b, Config({"a": 3.0})))
    array([[0.75]], dtype=float32)
    """
    total: np.ndarray | float = 0.0
    weight = np.zeros((blocks.rows, 1))
    for name, values in the_blocks.common(blocks, state["projection"]).items():
        share = state["weights"][name] * blocks.present[name][:, None]
        total = total + np.where(share > 0, values, 0.0) * share
        weight = weight + share
    return np.asarray(total / np.where(weight > 0, weight, 1.0), dtype=np.float32)
