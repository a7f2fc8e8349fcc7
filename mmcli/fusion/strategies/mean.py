"""The plain average of the modalities that are there: :mod:`mmcli.fusion.strategies.weighted` with every weight 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.fusion.blocks import Blocks
from mmcli.fusion.strategies import weighted


@dataclass(frozen=True)
class Config:
    """The mean has nothing to set."""


def fit(blocks: Blocks, config: Config) -> dict[str, Any]:
    """The projection onto a common width, where widths differ."""
    return weighted.fit(blocks, weighted.Config())


def fuse(blocks: Blocks, config: Config, state: dict[str, Any]) -> np.ndarray:
    """float32 ``(n, width)``: the mean over the modalities present in each row.

    >>> b = Blocks({"a": np.ones((1, 1)), "b": np.zeros((1, 1))}, {"a": np.array([True]), "b": np.array([False])})
    >>> fuse(b, Config(), fit(b, Config()))
    array([[1.]], dtype=float32)
    """
    return weighted.fuse(blocks, weighted.Config(), state)
