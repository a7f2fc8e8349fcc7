"""Factors of items by implicit alternating least squares, for catalogues that a matrix of all pairs does not fit.

References: Y. Hu, Y. Koren and C. Volinsky, ICDM 2008; regularised by counts as S. Rendle et al., RecSys 2022; many
events go through conjugate gradients as G. Takacs, I. Pilaszy and D. Tikk, RecSys 2011. A user is folded in from the
history, and none is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.ranking.scorer import Array, Scorer, fold_in


@dataclass(frozen=True)
class Config:
    """``factors`` of an item, ``reg`` and ``alpha`` (how much more an event weighs than none), passes over the data."""

    factors: int = 64
    reg: float = 1.0
    alpha: float = 5.0
    passes: int = 8


GRID = (Config(32, 0.3, 2.0), Config(32, 1.0, 10.0), Config())
_EXACT = 300_000  # events up to which each system is solved; beyond, three conjugate gradient steps from the last pass
_STEPS = 3


def fit(histories: Any, config: Config, seed: int = 0, jobs: int = 1) -> Scorer:
    """The factors of the items of csr ``(users, items)``."""
    rng = np.random.default_rng(seed)
    users, items = histories.shape
    width = min(config.factors, items)
    a = rng.normal(0, 0.1 / width**0.5, (users, width)).astype(np.float32)
    b = rng.normal(0, 0.1 / width**0.5, (items, width)).astype(np.float32)
    across = histories.T.tocsr()
    kernel = None if histories.nnz <= _EXACT else _kernel()
    for _ in range(config.passes):
        a = _half(histories, b, a, config, kernel, jobs)
        b = _half(across, a, b, config, kernel, jobs)
    popularity = np.asarray(histories.sum(0), np.float32).ravel()
    return Scorer(popularity, factors=b, fold="gram", alpha=config.alpha, reg=config.reg)


def _half(rows: Any, other: Array, own: Array, config: Config, kernel: Any, jobs: int) -> Array:
    gram = other.T @ other
    if kernel is None:
        return fold_in(rows, other, config.alpha, config.reg, gram)
    indptr, indices = rows.indptr.astype(np.int64), rows.indices.astype(np.int32)
    edges = np.searchsorted(indptr, np.linspace(0, indptr[-1], jobs + 1)).astype(np.int64)
    edges[0], edges[-1] = 0, len(own)
    arguments = (indptr, indices, other, own, gram, np.float32(config.alpha), np.float32(config.reg), _STEPS)
    if jobs == 1:
        kernel(*arguments, 0, len(own))
        return own
    with ThreadPoolExecutor(jobs) as pool:  # compiled code lets the other threads run
        list(pool.map(lambda i: kernel(*arguments, edges[i], edges[i + 1]), range(jobs)))
    return own


@functools.cache
def _kernel() -> Callable[..., None]:
    import numba

    compiled: Callable[..., None] = numba.njit(nogil=True, fastmath=True)(descend)
    return compiled


def descend(
    indptr: Any, indices: Any, other: Any, own: Any, gram: Any, alpha: Any, reg: Any, steps: int, start: int, end: int
) -> None:
    """Some conjugate gradient steps for the rows ``start`` to ``end`` of ``own``, in place: each system's matrix is
    ``gram + alpha Y'Y + reg (count + 1) I`` over the rows Y of ``other`` that the row has events with, and is never
    made.
    """
    width = other.shape[1]
    x, r = np.zeros(width, np.float32), np.zeros(width, np.float32)
    p, q = np.zeros(width, np.float32), np.zeros(width, np.float32)
    for row in range(start, end):
        first, last = indptr[row], indptr[row + 1]
        damp = reg * np.float32(last - first + 1)
        for k in range(width):
            x[k] = own[row, k]
        for k in range(width):
            s = -damp * x[k]
            for j in range(width):
                s -= gram[k, j] * x[j]
            r[k] = s
        for e in range(first, last):
            y = other[indices[e]]
            dot = np.float32(0)
            for k in range(width):
                dot += y[k] * x[k]
            weight = (1 + alpha) - alpha * dot
            for k in range(width):
                r[k] += weight * y[k]
        size = np.float32(0)
        for k in range(width):
            p[k] = r[k]
            size += r[k] * r[k]
        for _ in range(steps):
            if size < 1e-12:
                break
            for k in range(width):
                s = damp * p[k]
                for j in range(width):
                    s += gram[k, j] * p[j]
                q[k] = s
            for e in range(first, last):
                y = other[indices[e]]
                dot = np.float32(0)
                for k in range(width):
                    dot += y[k] * p[k]
                dot *= alpha
                for k in range(width):
                    q[k] += dot * y[k]
            curve = np.float32(0)
            for k in range(width):
                curve += p[k] * q[k]
            length = size / curve
            after = np.float32(0)
            for k in range(width):
                x[k] += length * p[k]
                r[k] -= length * q[k]
                after += r[k] * r[k]
            ratio = after / size
            for k in range(width):
                p[k] = r[k] + ratio * p[k]
            size = after
        for k in range(width):
            own[row, k] = x[k]
