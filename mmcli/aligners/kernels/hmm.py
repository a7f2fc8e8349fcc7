"""Left-to-right hidden Markov models: Viterbi and forward-backward over hours, in a corridor, in bounded memory.

At each frame the model is in one state; from state s it stays (self), goes on (next) or jumps over some (skips). Two
uses: reference frames as states with Gaussian emissions, and a pair HMM, where the frames of one recording are the
time and those of the other the states, whose posteriors say where in the other recording each frame lies, and how
surely. Frames are worked through in blocks; one row of values a block is kept, and each block is worked through again
on the way back, so that memory grows with the square root of the number of frames.

The arguments of every function here are those of ``hmm_model.Model``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.aligners.kernels._hmm import backward_rows, kernel_name, viterbi_rows
from mmcli.aligners.kernels._hmm import forward_rows as _forward_rows
from mmcli.aligners.kernels.hmm_model import Array, Emission, Model, costs, gaussian, place
from mmcli.errors import InputError

__all__ = ["Summary", "costs", "gaussian", "posterior_blocks", "posterior_summary", "posteriors", "viterbi"]


def viterbi(
    log_emission: ArrayLike | Emission,
    log_self: ArrayLike,
    log_next: ArrayLike,
    log_skip: Sequence[ArrayLike] = (),
    **options: Any,
) -> tuple[NDArray[np.int64], float]:
    """The most probable states, int64 (frames,), and their log-probability, re-summed in float64 along the path.

    Ties: the step to the next state, then staying, then the skips in ascending order. ``options`` as for ``Model``.

    Raises InputError where no sequence of states leads from the start to the end, and as ``Model`` does.

    >>> emission = np.log([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> path, score = viterbi(emission, np.log(0.5), np.log(0.5))
    >>> path.tolist(), round(float(np.exp(score)), 3)
    ([0, 0, 1], 0.108)
    """
    model = Model(log_emission, log_self, log_next, log_skip, **options)
    kernel, kept = model.kernel, []
    row, first = np.empty(0), 0
    no_codes = np.empty((0, 0), dtype=np.int8)
    for b in model.blocks:
        row, first = place(row, first, b, -np.inf), b.s0
        kept.append(row.copy())
        kernel.viterbi_rows(model.emission(b), b.lo, b.hi, model.trans_of(b), model.start_of(b), row, no_codes)
    last = row + model.end[first : first + len(row)]
    s = int(last.argmax())
    if last[s] == -np.inf:
        raise _nothing_fits()
    s += first
    path = np.empty(model.frames, dtype=np.int64)
    score = [model.end[s]]
    for b, kept_row in zip(reversed(model.blocks), reversed(kept), strict=True):
        emission, codes = model.emission(b), np.zeros((b.t1 - b.t0, b.s1 - b.s0), dtype=np.int8)
        kernel.viterbi_rows(emission, b.lo, b.hi, model.trans_of(b), model.start_of(b), kept_row, codes)
        for t in range(b.t1 - 1, b.t0 - 1, -1):
            path[t] = s
            score.append(emission[t - b.t0, s - b.s0])
            if t:
                jump = int(codes[t - b.t0, s - b.s0])
                s -= jump
                score.append(model.trans[jump, s])
    score.append(model.start[s])
    return path, float(np.sum(score))


def posterior_blocks(
    log_emission: ArrayLike | Emission,
    log_self: ArrayLike,
    log_next: ArrayLike,
    log_skip: Sequence[ArrayLike] = (),
    **options: Any,
) -> Iterator[tuple[int, int, Array]]:
    """Blocks ``(t0, s0, gamma)`` from the last frames to the first.

    ``gamma`` float64 (frames of the block, states from s0 on): the probability of each state at each frame given all
    frames; every row sums to one, and what the block does not show is zero. ``options`` as for ``Model``.

    Raises InputError where no sequence of states leads from the start to the end, and as ``Model`` does.

    >>> blocks = posterior_blocks(np.zeros((3, 2)), np.log(0.5), np.log(0.5))
    >>> [(t0, s0, gamma.round(3).tolist()) for t0, s0, gamma in blocks]
    [(0, 0, [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])]
    """
    return _backward(*_forward(Model(log_emission, log_self, log_next, log_skip, **options))[1:])


def _forward(model: Model) -> tuple[float, Model, list[Array]]:
    """The log-likelihood, and the row of forward values that each block begins with."""
    kernel, kept = model.kernel, []
    row, first, base = np.empty((kernel.PLANES, 0)), 0, 0.0
    nothing = np.empty((0, kernel.PLANES, 0))
    for b in model.blocks:
        row, first = place(row, first, b, kernel.EMPTY), b.s0
        kept.append(row.copy())
        args = (model.emission(b), b.lo, b.hi, model.trans_of(b), model.start_of(b))
        base = kernel.forward_rows(*args, row, nothing, base)
    last = kernel.logs(row, base) + model.end[first : first + row.shape[1]]
    top = last.max()
    if top == -np.inf:
        raise _nothing_fits()
    return float(top + np.log(np.exp(last - top).sum())), model, kept


def _backward(model: Model, kept: list[Array]) -> Iterator[tuple[int, int, Array]]:
    kernel = model.kernel
    row, first = np.empty((kernel.PLANES, 0)), 0
    memory = np.empty(kernel.PLANES * max((b.t1 - b.t0) * (b.s1 - b.s0) for b in model.blocks))  # one for all blocks
    for b, kept_row in zip(reversed(model.blocks), reversed(kept), strict=True):
        shape = (b.t1 - b.t0, b.s1 - b.s0)
        emission, trans = model.emission(b), model.trans_of(b)
        store = memory[: kernel.PLANES * shape[0] * shape[1]].reshape(shape[0], kernel.PLANES, shape[1])
        gamma = np.empty(shape)
        kernel.forward_rows(emission, b.lo, b.hi, trans, model.start_of(b), kept_row, store, 0.0)
        row, first = place(row, first, b, kernel.EMPTY), b.s0
        kernel.backward_rows(emission, b.lo, b.hi, trans, model.end_of(b), row, store, gamma)
        yield b.t0, b.s0, gamma


def posteriors(
    log_emission: ArrayLike | Emission,
    log_self: ArrayLike,
    log_next: ArrayLike,
    log_skip: Sequence[ArrayLike] = (),
    **options: Any,
) -> Array:
    """The probability of each state at each frame, float64 (frames, states), for problems small enough to hold it.

    >>> posteriors(np.zeros((3, 2)), np.log(0.5), np.log(0.5)).round(3).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    model = Model(log_emission, log_self, log_next, log_skip, **options)
    out = np.zeros((model.frames, model.states))
    for t0, s0, gamma in _backward(*_forward(model)[1:]):
        out[t0 : t0 + len(gamma), s0 : s0 + gamma.shape[1]] = gamma
    return out


@dataclass(frozen=True, eq=False)
class Summary:
    """Where each frame lies among the states: ``mean`` and ``deviation`` (frames,), ``quantiles`` (frames, levels)."""

    log_likelihood: float
    mean: Array
    deviation: Array
    quantiles: Array


def posterior_summary(
    log_emission: ArrayLike | Emission,
    log_self: ArrayLike,
    log_next: ArrayLike,
    log_skip: Sequence[ArrayLike] = (),
    *,
    levels: Sequence[float] = (0.05, 0.5, 0.95),
    **options: Any,
) -> Summary:
    """Mean, standard deviation and quantiles of the state, frame by frame, and the log-likelihood of all frames.

    Quantiles take state s to hold its probability evenly between s - 0.5 and s + 0.5, so they move smoothly.
    ``options`` as for ``Model``.

    >>> summary = posterior_summary(np.zeros((3, 2)), np.log(0.5), np.log(0.5), levels=(0.25, 0.5))
    >>> summary.mean.tolist(), summary.quantiles[1].tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5])
    """
    model = Model(log_emission, log_self, log_next, log_skip, **options)
    log_likelihood, _, kept = _forward(model)
    mean, deviation = np.empty(model.frames), np.empty(model.frames)
    quantiles = np.empty((model.frames, len(levels)))
    for t0, s0, gamma in _backward(model, kept):
        rows = slice(t0, t0 + len(gamma))
        at = np.arange(gamma.shape[1], dtype=np.float64)
        centre = gamma @ at
        mean[rows] = centre + s0
        deviation[rows] = np.sqrt(np.einsum("ts,ts->t", gamma, (at - centre[:, None]) ** 2))
        up_to = gamma.cumsum(axis=1)
        for k, level in enumerate(levels):
            s = np.minimum((up_to < level).sum(axis=1), gamma.shape[1] - 1)
            r = np.arange(len(gamma))
            inside = np.where(gamma[r, s] > 0, (level - up_to[r, s]) / np.where(gamma[r, s] > 0, gamma[r, s], 1.0), 0.0)
            quantiles[rows, k] = s0 + s + 0.5 + np.clip(inside, -1.0, 0.0)
    return Summary(log_likelihood, mean, deviation, quantiles)


def _nothing_fits() -> InputError:
    return InputError(
        "no sequence of states leads from the start to the end",
        hint="widen the corridor, allow skips, or free the ends (log_start, log_end)",
    )


# The recurrences of ``hmm_twin`` in C, with that module's attributes; the import fails where there is no compiler.
#
# A row of forward or backward values has two planes: mantissas in [1, 2), or 0, and their binary exponents.

__all__ = ["EMPTY", "PLANES", "backward_rows", "forward_rows", "kernel_name", "logs", "viterbi_rows"]

PLANES = 2
EMPTY = np.array([[0.0], [-1e300]])  # the value of a state that cannot be reached


def logs(row: NDArray[np.float64], base: float) -> NDArray[np.float64]:
    """The logarithms of a row of forward values.

    >>> logs(np.array([[1.5, 0.0], [1.0, -1e300]]), 0.0).round(3).tolist()
    [1.099, -inf]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(row[0]) + np.maximum(row[1], -1e15) * np.log(2.0) + base)


def forward_rows(
    emission: Any,
    lo: Any,
    hi: Any,
    trans: Any,
    start: Any,
    row: Any,
    store: Any,
    base: float,
    kernel: str | None = None,
) -> float:
    """As in ``hmm_twin``; values carry their exponents with them, so ``base`` comes back as it went in.

    >>> row = np.zeros((2, 1))
    >>> one, e = np.ones(1, dtype=np.int64), np.log(np.full((1, 1), 0.5))
    >>> forward_rows(e, one - 1, one, e, np.zeros(1), row, np.empty((0, 2, 0)), 0.0), logs(row, 0.0).round(3).tolist()
    (0.0, [-0.693])
    """
    _forward_rows(emission, lo, hi, trans, start, row, store, kernel)
    return base
