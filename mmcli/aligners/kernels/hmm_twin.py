"""The recurrences of left-to-right hidden Markov models in the log domain: plain loops that numba compiles.

They run where the extension ``_hmm`` does not, and are its oracle. All three work on one block of frames: ``emission``
(frames, width) are log-likelihoods of the states from some first state on, of which ``[lo[b], hi[b])`` are allowed at
frame b; ``trans[k, s]`` is the log-probability to go from state s to s + k (k = 0 self, 1 next, 2 and more skips).
Recurrences after Rabiner 1989, "A tutorial on hidden Markov models", equations 19 to 27 and 30 to 34.

A row of forward or backward values is an array (PLANES, width). Here there is one plane, the logarithm relative to
``base``, so that long recordings do not eat the digits. The extension has two: mantissa and binary exponent.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.kernels import jit

Array = NDArray[np.float64]
Ranges = NDArray[np.int64]
PLANES = 1
EMPTY = np.full((1, 1), -np.inf)  # the value of a state that cannot be reached


def logs(row: Array, base: float) -> Array:
    """The logarithms of a row of forward values.

    >>> logs(np.array([[0.5]]), 2.0).tolist()
    [2.5]
    """
    return np.asarray(row[0] + base)


def viterbi_rows(
    emission: Array, lo: Ranges, hi: Ranges, trans: Array, start: Array, row: Array, codes: NDArray[np.int8]
) -> None:
    """The best log-probability of each state, frame by frame; ``row`` (width,) in and out.

    ``start`` (width,) holds the log-probabilities of the first frame, or is empty. ``codes`` (frames, width) gets how
    many states the best way in jumped, or is empty. Ties: next, self, then the skips.
    """
    width, jumps = emission.shape[1], trans.shape[0]
    before = np.empty(width)
    for b in range(emission.shape[0]):
        before[:] = row
        row[:] = -np.inf
        for s in range(lo[b], hi[b]):
            if b == 0 and start.size:
                row[s] = start[s] + emission[b, s]
                continue
            best, code = -np.inf, 1
            if jumps > 1 and s >= 1:
                best = before[s - 1] + trans[1, s - 1]
            if before[s] + trans[0, s] > best:
                best, code = before[s] + trans[0, s], 0
            for k in range(2, min(jumps, s + 1)):
                if before[s - k] + trans[k, s - k] > best:
                    best, code = before[s - k] + trans[k, s - k], k
            row[s] = best + emission[b, s]
            if codes.size:
                codes[b, s] = code


def forward_rows(
    emission: Array, lo: Ranges, hi: Ranges, trans: Array, start: Array, row: Array, store: Array, base: float
) -> float:
    """The log-probability of the frames so far and each state; ``row`` (1, width) in and out, relative to ``base``.

    ``store`` (frames, 1, width) gets every row (each relative to a base of its own), or is empty. Returns the new base.
    """
    width, jumps = emission.shape[1], trans.shape[0]
    before = np.empty(width)
    for b in range(emission.shape[0]):
        before[:] = row[0]
        row[:] = -np.inf
        top = -np.inf
        for s in range(lo[b], hi[b]):
            if b == 0 and start.size:
                value = start[s]
            else:
                most = -np.inf
                for k in range(min(jumps, s + 1)):
                    most = max(most, before[s - k] + trans[k, s - k])
                value = most
                if most > -np.inf:
                    total = 0.0
                    for k in range(min(jumps, s + 1)):
                        total += math.exp(before[s - k] + trans[k, s - k] - most)
                    value += math.log(total)
            row[0, s] = value + emission[b, s]
            top = max(top, row[0, s])
        if top > -np.inf:
            for s in range(lo[b], hi[b]):
                row[0, s] -= top
            base += top
        if store.size:
            store[b] = row
    return base


def backward_rows(
    emission: Array, lo: Ranges, hi: Ranges, trans: Array, end: Array, row: Array, store: Array, gamma: Array
) -> None:
    """The posterior of each state at each frame of the block, from the block's last frame to its first.

    ``row`` (1, width) in and out: the next frame's emission times its backward value; ``end`` (width,) holds the
    log-probabilities of ending, where this block is the last, or is empty. ``store``: what ``forward_rows`` stored.
    ``gamma`` (frames, width) gets posteriors that sum to one.
    """
    width, jumps = emission.shape[1], trans.shape[0]
    after = np.empty(width)
    for b in range(emission.shape[0] - 1, -1, -1):
        after[:] = row[0]
        row[:] = -np.inf
        gamma[b] = 0.0
        top, highest = -np.inf, -np.inf
        for s in range(lo[b], hi[b]):
            if b == emission.shape[0] - 1 and end.size:
                value = end[s]
            else:
                most = -np.inf
                for k in range(min(jumps, width - s)):
                    most = max(most, after[s + k] + trans[k, s])
                value = most
                if most > -np.inf:
                    total = 0.0
                    for k in range(min(jumps, width - s)):
                        total += math.exp(after[s + k] + trans[k, s] - most)
                    value += math.log(total)
            gamma[b, s] = store[b, 0, s] + value
            row[0, s] = value + emission[b, s]
            top, highest = max(top, row[0, s]), max(highest, gamma[b, s])
        total = 0.0
        for s in range(lo[b], hi[b]):
            gamma[b, s] = math.exp(gamma[b, s] - highest) if highest > -np.inf else 0.0
            total += gamma[b, s]
        for s in range(lo[b], hi[b]):
            gamma[b, s] = gamma[b, s] / total if total > 0 else 0.0
            if top > -np.inf:
                row[0, s] -= top


@lru_cache(maxsize=1)
def compiled() -> Any:
    """The three recurrences with the attributes of this module, compiled by numba where it imports."""
    functions = {f.__name__: jit.compiled(f) or f for f in (viterbi_rows, forward_rows, backward_rows)}
    return SimpleNamespace(PLANES=PLANES, EMPTY=EMPTY, logs=logs, **functions)
