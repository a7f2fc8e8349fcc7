"""The largest value of the modalities that are there, column by column.

Blocks of different widths are first projected onto a common one (:mod:`mmcli.fusion.blocks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.fusion import blocks as the_blocks
from mmcli.fusion.blocks import Blocks


@dataclass(frozen=True)
class Config:
    """The maximum has nothing to set."""


def fit(blocks: Blocks, config: Config) -> dict[str, Any]:
    """The projection onto a common width, where widths differ."""
    return {"projection": the_blocks.fit(blocks) if the_blocks.differs(blocks) else None}


def fuse(blocks: Blocks, config: Config, state: dict[str, Any]) -> np.ndarray:
    """float32 ``(n, width)``; a row without any modality is zero.

    >>> b = Blocks({"a": np.ones((1, 1)), "b": np.zeros((1, 1))}, {"a": np.array([True]), "b": np.array([True])})
    >>> fuse(b, Config(), fit(b, Config()))
    array([[1.]], dtype=float32)
    """
    stacked = []
    for name, own in the_blocks.common(blocks, state["projection"]).items():
        stacked.append(np.where(blocks.present[name][:, None], own, -np.inf))
    largest = np.max(stacked, axis=0)
    return np.where(np.isfinite(largest), largest, 0.0).astype(np.float32)
