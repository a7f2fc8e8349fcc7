"""Side by side with equal energy: each modality is centred and scaled so that its columns' variances sum to one.

A block of a thousand columns then weighs as much as one of ten, where plain concatenation lets the wide one drown the
narrow one (the block scaling of multiblock analysis: J. Westerhuis, T. Kourti and J. MacGregor, J. Chemometrics 12,
1998). A missing modality adds nothing: its columns are zero there, which is its training mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.fusion.blocks import Blocks


@dataclass(frozen=True)
class Config:
    """Block scaling has nothing to set."""


def fit(blocks: Blocks, config: Config) -> dict[str, Any]:
    """The training mean and the energy of each block."""
    state = {}
    for name, values in blocks.values.items():
        rows = blocks.known(name)
        center = rows.mean(axis=0) if len(rows) else np.zeros(values.shape[1])
        energy = float(np.sqrt(((rows - center) ** 2).mean(axis=0).sum())) if len(rows) else 0.0
        state[name] = {"center": center.tolist(), "scale": energy if energy > 0 else 1.0}
    return state


def fuse(blocks: Blocks, config: Config, state: dict[str, Any]) -> np.ndarray:
    """float32 ``(n, sum of widths)``.

    >>> b = Blocks({"a": np.array([[0.0], [20.0]])}, {"a": np.array([True, True])})
    >>> fuse(b, Config(), fit(b, Config())).tolist()
    [[-1.0], [1.0]]
    """
    columns = []
    for name, values in blocks.values.items():
        centred = (values - np.asarray(state[name]["center"])) / state[name]["scale"]
        columns.append(np.where(blocks.present[name][:, None], centred, 0.0))
    return np.concatenate(columns, axis=1).astype(np.float32)
