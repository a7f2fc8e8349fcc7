"""A walk of three steps over users and items, popular ends held back (RP3-beta).

Reference: B. Paudel et al., ACM TiiS 7(1), 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from mmcli.ranking.scorer import Scorer


@dataclass(frozen=True)
class Config:
    """``beta`` is the power of an item's count that divides its score; ``neighbours`` are kept of each item."""

    beta: float = 0.4
    neighbours: int = 200


GRID = (Config(), Config(0.6))
_DENSE = 5000  # items


def fit(histories: Any, config: Config, seed: int = 0) -> Scorer:
    """The matrix of the walk, csr, of csr ``(users, items)``."""
    popularity = np.asarray(histories.sum(0), np.float32).ravel()
    users = sp.diags(1 / np.maximum(np.asarray(histories.sum(1)).ravel(), 1)) @ histories
    items = (sp.diags(1 / np.maximum(popularity, 1)) @ histories.T).tocsr()
    n = len(popularity)
    held_back = np.maximum(popularity, 1) ** np.float32(config.beta)
    parts = []
    for start in range(0, n, _DENSE):
        own = np.arange(start, min(n, start + _DENSE))
        block = np.asarray((items[own] @ users).todense(), np.float32) / held_back
        block[np.arange(len(own)), own] = 0
        if config.neighbours < n:
            bound = np.partition(block, n - config.neighbours, axis=1)[:, n - config.neighbours, None]
            block[block < bound] = 0
        parts.append(sp.csr_matrix(block))
    return Scorer(popularity, matrix=sp.vstack(parts, format="csr", dtype=np.float32))
