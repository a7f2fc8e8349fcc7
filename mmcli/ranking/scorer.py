"""A fitted method as tensors: what becomes of a history.

Every scorer is linear in the history, so that a score is an exact sum over what the user has met: ``scores = x @ B``
for a matrix of item by item (dense or cut to the largest of each column), ``scores = fold(x) @ V.T`` for factors, and
the same row for everyone for popularity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[np.float32]
KEEP = 400  # numbers kept of a column: of 1,682 films .3303 of .3305 NDCG@20 is left (100: .3223)
BLOCK = 256  # users scored at once


@dataclass(eq=False)
class Scorer:
    """What a method learned. One of ``matrix`` (items x items: row the item met, column the item scored), ``factors``
    (items x width) with ``fold``, or ``popularity`` (items,).

    ``fold`` is ``gram``: implicit least squares, ``(V'V + alpha V_h'V_h + reg I)^-1 (1 + alpha) V_h' 1`` (Hu et al.,
    ICDM 2008), or ``mean``: the mean of ``inputs`` of the history.
    """

    popularity: Array
    matrix: Any = None
    factors: Array | None = None
    inputs: Array | None = None
    fold: str = ""
    alpha: float = 1.0
    reg: float = 0.0
    _gram: Array | None = field(default=None, repr=False)

    def scores(self, histories: Any) -> Array:
        """Users' histories, csr ``(users, items)``, to float32 ``(users, items)``."""
        if self.matrix is not None:
            product = histories @ self.matrix
            dense = product.toarray() if sp.issparse(product) else product
            return np.ascontiguousarray(dense, np.float32)
        if self.factors is not None:
            return np.ascontiguousarray(self.users(histories) @ self.factors.T, np.float32)
        return np.tile(self.popularity, (histories.shape[0], 1))

    def users(self, histories: Any) -> Array:
        """The factors of users, float32 ``(users, width)``."""
        assert self.factors is not None
        if self.fold == "mean":
            assert self.inputs is not None
            total = np.maximum(np.asarray(histories.sum(1)), 1)
            return np.asarray((histories @ self.inputs) / total, np.float32)
        return fold_in(histories, self.factors, self.alpha, self.reg, self.gram())

    def gram(self) -> Array:
        """``V'V``, float32 ``(width, width)``."""
        assert self.factors is not None
        if self._gram is None:
            self._gram = self.factors.T @ self.factors
        return self._gram

    def shares(self, history: NDArray[np.int64], weights: Array) -> Array:
        """How much of ``scores @ weights`` each item of the history is, float32 ``(history,)``; they sum to it.

        ``weights`` float32 ``(items,)``: a one for an item known, its coefficients for a new one.
        """
        if self.matrix is not None:
            return np.asarray(self.matrix[history] @ weights, np.float32).ravel()
        if self.factors is None:
            return np.full(len(history), self.popularity @ weights / max(1, len(history)), np.float32)
        target = self.factors.T @ weights
        if self.fold == "mean":
            assert self.inputs is not None
            return np.asarray(self.inputs[history] @ target / max(1, len(history)), np.float32)
        own = self.factors[history]
        system = self.gram() + self.alpha * own.T @ own
        system.flat[:: len(system) + 1] += self.reg * (len(history) + 1)
        return np.asarray((1 + self.alpha) * own @ np.linalg.solve(system, target), np.float32)


@dataclass(eq=False)
class Sum:
    """Several scorers added with ``weights``: still linear in the history."""

    scorers: list[Scorer]
    weights: list[float]

    @property
    def popularity(self) -> Array:
        """How many users met each item, float32 ``(items,)``."""
        return self.scorers[0].popularity

    def scores(self, histories: Any) -> Array:
        """As :meth:`Scorer.scores`."""
        total = np.float32(self.weights[0]) * self.scorers[0].scores(histories)
        for scorer, weight in zip(self.scorers[1:], self.weights[1:], strict=True):
            total += np.float32(weight) * scorer.scores(histories)
        return total

    def shares(self, history: NDArray[np.int64], weights: Array) -> Array:
        """As :meth:`Scorer.shares`."""
        pairs = zip(self.scorers, self.weights, strict=True)
        return np.asarray(sum(np.float32(w) * s.shares(history, weights) for s, w in pairs), np.float32)


def spread(scorer: Scorer, histories: Any, most: int = 2000) -> float:
    """The standard deviation of the scores of some users: what different methods are brought to one scale by."""
    rows = histories[np.linspace(0, histories.shape[0] - 1, min(most, histories.shape[0])).astype(np.int64)]
    parts = [scorer.scores(rows[i : i + BLOCK]) for i in range(0, rows.shape[0], BLOCK)]
    return max(1e-12, float(np.sqrt(np.mean([np.var(part) for part in parts]))))


def fold_in(rows: Any, factors: Array, alpha: float, reg: float, gram: Array) -> Array:
    """The least-squares factors of rows of events, exactly: float32 ``(rows, width)``. A plain loop of solves."""
    width = factors.shape[1]
    result = np.zeros((rows.shape[0], width), np.float32)
    at_once = 2000
    for start in range(0, rows.shape[0], at_once):
        end = min(rows.shape[0], start + at_once)
        systems = np.repeat(gram[None], end - start, 0)
        sides = np.zeros((end - start, width), np.float32)
        for row in range(start, end):
            own = factors[rows.indices[rows.indptr[row] : rows.indptr[row + 1]]]
            systems[row - start] += alpha * (own.T @ own)
            systems[row - start].flat[:: width + 1] += reg * (len(own) + 1)
            sides[row - start] = (1 + alpha) * own.sum(0)
        result[start:end] = np.linalg.solve(systems, sides[:, :, None])[:, :, 0]
    return result


def cut(matrix: Array, keep: int = KEEP) -> Any:
    """The largest ``keep`` numbers of each column by size, csr; the matrix itself where that saves nothing."""
    n = len(matrix)
    if keep * 2 >= n:
        return matrix
    size = np.abs(matrix)
    bound = np.partition(size, n - keep, axis=0)[n - keep]
    return sp.csr_matrix(np.where(size >= bound, matrix, np.float32(0)))


def top(scores: Array, k: int) -> NDArray[np.int64]:
    """The ``k`` best of each row in order, int64 ``(rows, k)``; of equal scores the item that comes first.

    >>> top(np.array([[0.1, 0.3, 0.3, 0.2]], np.float32), 3)
    array([[1, 2, 3]])
    """
    n = scores.shape[1]
    k = min(k, n)
    if k == n:
        return np.argsort(-scores, axis=1, kind="stable")
    bound = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    # argpartition takes any of equal scores; those at the bound are counted in from the left.
    result = np.empty((len(scores), k), np.int64)
    for row, (values, least) in enumerate(zip(scores, bound[:, 0], strict=True)):
        above = np.flatnonzero(values > least)
        chosen = np.concatenate([above, np.flatnonzero(values == least)[: k - len(above)]])
        result[row] = chosen[np.lexsort((chosen, -values[chosen]))]
    return result
