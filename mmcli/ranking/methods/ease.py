"""Every item from all others by ridge regression, in closed form (EASE).

Reference: H. Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019. One Cholesky factor of the items'
Gram matrix: the memory is twice 4 bytes a pair of items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import InputError
from mmcli.ranking.scorer import Array, Scorer, cut


@dataclass(frozen=True)
class Config:
    """``reg`` is added to the diagonal of the Gram matrix."""

    reg: float = 200.0


GRID = (Config(), Config(100.0), Config(400.0))


def fit(histories: Any, config: Config, seed: int = 0) -> Scorer:
    """The matrix of csr ``(users, items)``, at most 400 numbers a column."""
    return from_gram((histories.T @ histories).tocsr(), config)


def from_gram(gram: Any, config: Config) -> Scorer:
    """The same of the csr Gram matrix ``X'X``, to which new users may have been added."""
    popularity = np.asarray(gram.diagonal(), np.float32)
    return Scorer(popularity, matrix=cut(of_gram(gram.toarray(), config.reg)))


def of_gram(gram: Any, reg: float) -> Array:
    """The item matrix, float32 ``(items, items)`` with a zero diagonal, of a Gram matrix of the same shape.

    >>> of_gram(np.array([[2.0, 1.0], [1.0, 2.0]]), 2.0).round(3).tolist()
    [[0.0, 0.25], [0.25, 0.0]]
    """
    from scipy.linalg import lapack

    system = np.asfortranarray(gram, np.float32)
    system.flat[:: len(system) + 1] += np.float32(reg)
    factor, problem = lapack.spotrf(system, lower=1, overwrite_a=1)
    if problem == 0:
        inverse, problem = lapack.spotri(factor, lower=1, overwrite_c=1)
    if problem:
        raise InputError(f"the Gram matrix with reg {reg:g} has no inverse", hint="a larger --set ease.reg")
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    matrix = inverse / -np.diag(inverse)
    np.fill_diagonal(matrix, 0)
    return np.asarray(matrix, np.float32)
