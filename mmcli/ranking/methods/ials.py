"""Factors of items by implicit alternating least squares, for catalogues that a matrix of all pairs does not fit.

References: Y. Hu, Y. Koren and C. Volinsky, ICDM 2008; regularised by counts as S. Rendle et al., RecSys 2022; many
events go through conjugate gradients as G. Takacs, I. Pilaszy and D. Tikk, RecSys 2011. A user is folded in from the
history, and none is kept. Beyond ``_WHOLE`` events users are taken in blocks from disk: the same steps, in which items
add up what the blocks say.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.ranking import row_blocks
from mmcli.ranking.row_blocks import RowBlocks
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
_WHOLE = 30_000_000  # events up to which all are in memory, in two orders
_SOLVED = 1e-12  # squared length of a residual below which a row is left alone


def fit(histories: Any, config: Config, seed: int = 0, jobs: int = 1) -> Scorer:
    """The factors of the items of csr ``(users, items)``."""
    if histories.nnz > _WHOLE:
        with tempfile.TemporaryDirectory(prefix="mmcli-") as folder:
            pairs = row_blocks.pairs(histories)
            blocks = row_blocks.gathered(pairs, histories.shape, histories.nnz, Path(folder))
            return fit_blocks(blocks, config, seed, jobs)
    rng = np.random.default_rng(seed)
    users, items = histories.shape
    width = min(config.factors, items)
    a = rng.normal(0, 0.1 / width**0.5, (users, width)).astype(np.float32)
    b = rng.normal(0, 0.1 / width**0.5, (items, width)).astype(np.float32)
    across = histories.T.tocsr()
    kernel = None if histories.nnz <= _EXACT else _kernel()
    if kernel is not None:
        a, b = _padded(a), _padded(b)
    for _ in range(config.passes):
        a = _half(histories, b, a, config, kernel, jobs)
        b = _half(across, a, b, config, kernel, jobs)
    popularity = np.asarray(histories.sum(0), np.float32).ravel()
    return Scorer(
        popularity, factors=np.ascontiguousarray(b[:, :width]), fold="gram", alpha=config.alpha, reg=config.reg
    )


def fit_blocks(blocks: RowBlocks, config: Config, seed: int = 0, jobs: int = 1) -> Scorer:
    """The same from blocks of users, of which one is in memory at a time, with the factors of its users."""
    rng = np.random.default_rng(seed)
    width = min(config.factors, blocks.shape[1])
    for k, count in enumerate(np.diff(blocks.edges).tolist()):
        blocks.keep_users(k, _padded(rng.normal(0, 0.1 / width**0.5, (count, width)).astype(np.float32)))
    b = _padded(rng.normal(0, 0.1 / width**0.5, (blocks.shape[1], width)).astype(np.float32))
    kernel = _kernel()
    for _ in range(config.passes):
        gram = b.T @ b
        own = np.zeros_like(gram)
        for k in range(len(blocks)):
            a = _descended(blocks.rows(k), b, blocks.users(k, len(gram)), gram, config, kernel, jobs)
            blocks.keep_users(k, a)
            own += a.T @ a
        _descend_items(blocks, b, own, config, jobs)
    return _scorer(blocks.counts, b[:, :width], config)


def _descend_items(blocks: RowBlocks, b: Array, gram: Array, config: Config, jobs: int) -> None:
    """What ``descend`` does for the items, in place: a product with an item's matrix is a sum over the blocks."""
    damp = (config.reg * (blocks.counts + 1)).astype(np.float32)[:, None]
    alpha, add = np.float32(config.alpha), _adder()

    def over_blocks(x: Array, out: Array, constant: float) -> None:
        for k in range(len(blocks)):
            columns, users = blocks.columns(k), blocks.users(k, b.shape[1])
            arguments = (columns.indptr.astype(np.int64), columns.indices, users, x, out, np.float32(constant), alpha)
            _in_parts(add, arguments, columns.indptr, jobs)

    # the residual (1 + alpha) Y'1 - (gram + alpha Y'Y + damp) b, of which the adder makes the parts over the events
    r = np.zeros_like(b)
    over_blocks(b, r, -(1 + config.alpha))
    r = -r - damp * b - b @ gram
    p, size = r.copy(), np.einsum("iw,iw->i", r, r)
    for _ in range(_STEPS):
        q = np.zeros_like(b)
        over_blocks(p, q, 0.0)
        q += damp * p + p @ gram
        curve = np.einsum("iw,iw->i", p, q)
        live = size >= _SOLVED
        length = np.divide(size, curve, out=np.zeros_like(size), where=live)[:, None]
        b += length * p
        r -= length * q
        after = np.einsum("iw,iw->i", r, r)
        p = r + np.divide(after, size, out=np.zeros_like(size), where=live)[:, None] * p
        size = np.where(live, after, size)


def _scorer(counts: Any, factors: Array, config: Config) -> Scorer:
    popularity = np.asarray(counts, np.float32).ravel()
    return Scorer(popularity, factors=np.ascontiguousarray(factors), fold="gram", alpha=config.alpha, reg=config.reg)


def _padded(factors: Array) -> Array:
    """Zeros, which stay zeros, up to a multiple of 32 columns: of 8 to 24 columns the compiled sums came in another
    order, and the last digits out otherwise, with another number of threads.
    """
    return np.pad(factors, ((0, 0), (0, -factors.shape[1] % 32)))


def _half(rows: Any, other: Array, own: Array, config: Config, kernel: Any, jobs: int) -> Array:
    gram = other.T @ other
    if kernel is None:
        return fold_in(rows, other, config.alpha, config.reg, gram)
    return _descended(rows, other, own, gram, config, kernel, jobs)


def _descended(rows: Any, other: Array, own: Array, gram: Array, config: Config, kernel: Any, jobs: int) -> Array:
    indptr, indices = rows.indptr.astype(np.int64), rows.indices.astype(np.int32)
    arguments = (indptr, indices, other, own, gram, np.float32(config.alpha), np.float32(config.reg), _STEPS)
    _in_parts(kernel, arguments, indptr, jobs)
    return own


def _in_parts(kernel: Callable[..., None], arguments: tuple[Any, ...], indptr: Any, jobs: int) -> None:
    """Call ``kernel(*arguments, start, end)`` for ranges of rows of about as many events, a thread each."""
    edges = np.searchsorted(indptr, np.linspace(0, indptr[-1], jobs + 1)).astype(np.int64)
    edges[0], edges[-1] = 0, len(indptr) - 1
    if jobs == 1:
        kernel(*arguments, edges[0], edges[-1])
        return
    with ThreadPoolExecutor(jobs) as pool:  # compiled code lets the other threads run
        list(pool.map(lambda i: kernel(*arguments, edges[i], edges[i + 1]), range(jobs)))


@functools.cache
def _kernel() -> Callable[..., None]:
    import numba

    compiled: Callable[..., None] = numba.njit(nogil=True, fastmath=True)(descend)
    return compiled


@functools.cache
def _adder() -> Callable[..., None]:
    import numba

    compiled: Callable[..., None] = numba.njit(nogil=True, fastmath=True)(add_events)
    return compiled


def add_events(
    indptr: Any, indices: Any, other: Any, x: Any, out: Any, constant: Any, alpha: Any, start: int, end: int
) -> None:
    """Add ``(constant + alpha y'x) y`` over the events of the rows ``start`` to ``end``; y: their rows of ``other``."""
    width = other.shape[1]
    for row in range(start, end):
        for e in range(indptr[row], indptr[row + 1]):
            y = other[indices[e]]
            dot = np.float32(0)
            for k in range(width):
                dot += y[k] * x[row, k]
            weight = constant + alpha * dot
            for k in range(width):
                out[row, k] += weight * y[k]


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
