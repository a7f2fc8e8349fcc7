"""Item neighbours: the cosine of who liked both, shrunk where few did.

Reference: M. Deshpande and G. Karypis, ACM TOIS 22(1), 2004.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from mmcli.ranking.scorer import Scorer


@dataclass(frozen=True)
class Config:
    """``neighbours`` kept of each item; ``shrink`` is added to the denominator of the cosine."""

    neighbours: int = 100
    shrink: float = 20.0


GRID = (Config(), Config(100, 5.0))
_DENSE = 5000  # items


def fit(histories: Any, config: Config, seed: int = 0) -> Scorer:
    """The matrix of neighbours, csr, of csr ``(users, items)``; row the item met, column the item scored."""
    return from_gram((histories.T @ histories).tocsr(), config)


def from_gram(gram: Any, config: Config) -> Scorer:
    """The same of the csr Gram matrix ``X'X``, to which new users may have been added."""
    popularity = np.asarray(gram.diagonal(), np.float32)
    root = np.sqrt(popularity)
    n = gram.shape[0]
    parts = []
    for start in range(0, n, _DENSE):  # some columns at a time: the matrix of all pairs need not fit
        own = np.arange(start, min(n, start + _DENSE))
        block = np.asarray(gram[own].todense(), np.float32).T  # symmetric: rows are columns
        block /= np.outer(root, root[own]) + np.float32(config.shrink + 1e-9)
        block[own, np.arange(len(own))] = 0
        if config.neighbours < n:
            bound = np.partition(block, n - config.neighbours, axis=0)[n - config.neighbours]
            block[block < bound] = 0
        parts.append(sp.csc_matrix(block))
    return Scorer(popularity, matrix=sp.hstack(parts, format="csr", dtype=np.float32))
