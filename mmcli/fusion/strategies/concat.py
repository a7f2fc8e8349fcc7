"""Side by side: the columns of every modality one after another, in the order of the data set.

Where some rows lack a modality, its columns hold the training mean there, and one more column per modality says whether
it was there (1) or not (0): a model can tell a filled value from a real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.fusion.blocks import Blocks


@dataclass(frozen=True)
class Config:
    """Concatenation has nothing to set."""


def fit(blocks: Blocks, config: Config) -> dict[str, Any]:
    """The training mean of each block, and whether any modality is ever missing."""
    partial = any(not present.all() for present in blocks.present.values())
    means = {
        name: (blocks.known(name).mean(axis=0) if blocks.present[name].any() else np.zeros(values.shape[1])).tolist()
        for name, values in blocks.values.items()
    }
    return {"means": means, "flags": partial}


def fuse(blocks: Blocks, config: Config, state: dict[str, Any]) -> np.ndarray:
    """float32 ``(n, sum of widths)``, plus one column per modality where the training rows had gaps.

    >>> b = Blocks({"a": np.ones((1, 2)), "b": np.zeros((1, 1))}, {"a": np.array([True]), "b": np.array([True])})
    >>> fuse(b, Config(), fit(b, Config()))
    array([[1., 1., 0.]], dtype=float32)
    """
    columns = []
    for name, values in blocks.values.items():
        there = blocks.present[name][:, None]
        columns.append(np.where(there, values, np.asarray(state["means"][name])))
    if state["flags"]:
        columns += [blocks.present[name][:, None].astype(np.float64) for name in blocks.values]
    return np.concatenate(columns, axis=1).astype(np.float32)
