"""A left-to-right hidden Markov model as one checked problem, cut into blocks of frames that fit into memory.

The log-likelihoods of its frames are worked out block by block as well, so that no (frames, states) array need exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.aligners.kernels import hmm_twin
from mmcli.aligners.kernels.costs import prepare
from mmcli.errors import InputError

Array = NDArray[np.float64]
Ranges = NDArray[np.int64]
Emission = Callable[[int, int, int, int], Array]
PIECE = 32_768  # cells of emissions asked for at once
CELLS = 4_000_000  # of a block at most: some 130 MB of emissions, stored rows and posteriors


@dataclass(frozen=True)
class Block:
    """Frames ``[t0, t1)`` and the states ``[s0, s1)`` that they and their neighbours may be in."""

    t0: int
    t1: int
    s0: int
    s1: int
    lo: Ranges  # relative to s0
    hi: Ranges


def _extension() -> Any:
    """The compiled recurrences, or None where the package was built without a compiler."""
    try:
        from mmcli.aligners.kernels import hmm
    except ImportError:
        return None
    return hmm


class Model:
    """One problem: emissions, transitions, corridor and ends, checked once.

    ``log_emission``: log-likelihoods float64 (frames, states), or a function of ``(t0, t1, s0, s1)`` that returns that
    block of them, which needs ``frames`` and ``states`` or an attribute ``shape``. Minus infinity is allowed.
    ``log_self``, ``log_next`` and each entry of ``log_skip`` (entry k jumps k + 2 states): a number, or (states,) by
    the state that is left. ``ranges`` int64 (frames, 2): the states ``[lo, hi)`` allowed at each frame. ``log_start``
    and ``log_end`` (states,): None for "in the first" and "in the last state"; zeros leave the end free. ``compiled``:
    False for the twin.

    Raises InputError where numbers are not log-probabilities or shapes do not fit.
    """

    def __init__(
        self,
        log_emission: ArrayLike | Emission,
        log_self: ArrayLike,
        log_next: ArrayLike,
        log_skip: Sequence[ArrayLike] = (),
        *,
        frames: int | None = None,
        states: int | None = None,
        ranges: NDArray[Any] | None = None,
        log_start: ArrayLike | None = None,
        log_end: ArrayLike | None = None,
        compiled: bool = True,
    ) -> None:
        self.kernel: Any = _extension() if compiled else None
        if self.kernel is None:
            self.kernel = hmm_twin.compiled()
        if callable(log_emission):
            self._emission: Emission = log_emission
            shape = getattr(log_emission, "shape", (frames, states))
        else:
            dense = np.asarray(log_emission, dtype=np.float64)
            shape = dense.shape
            self._emission = lambda t0, t1, s0, s1: dense[t0:t1, s0:s1]
        if len(shape) != 2 or not all(shape):
            raise InputError(f"emissions of shape {tuple(shape)}", hint="give (frames, states), both at least 1")
        self.frames, self.states = (int(v or 0) for v in shape)
        self.trans = np.stack([self._per_state(v, "transitions") for v in (log_self, log_next, *log_skip)])
        self.start = self._end_values(log_start, 0)
        self.end = self._end_values(log_end, self.states - 1)
        self.lo, self.hi = self._ranges(ranges)
        self.blocks = self._cut()
        self._room = np.empty(max((b.t1 - b.t0) * (b.s1 - b.s0) for b in self.blocks))

    def _per_state(self, value: ArrayLike, what: str) -> Array:
        v = np.asarray(value, dtype=np.float64)
        if v.ndim > 1 or (v.ndim == 1 and len(v) != self.states):
            raise InputError(f"{what} of shape {v.shape} for {self.states} states", hint="give a number or one a state")
        if np.isnan(v).any() or (v == np.inf).any():
            raise InputError(f"{what} hold NaN or plus infinity", hint="give log-probabilities")
        return np.ascontiguousarray(np.broadcast_to(v, (self.states,)))

    def _end_values(self, value: ArrayLike | None, only: int) -> Array:
        if value is not None:
            return self._per_state(value, "log-probabilities of the ends")
        v = np.full(self.states, -np.inf)
        v[only] = 0.0
        return v

    def _ranges(self, ranges: NDArray[Any] | None) -> tuple[Ranges, Ranges]:
        if ranges is None:
            return np.zeros(self.frames, dtype=np.int64), np.full(self.frames, self.states, dtype=np.int64)
        r = np.asarray(ranges, dtype=np.int64)
        if (
            r.shape != (self.frames, 2)
            or (r[:, 0] < 0).any()
            or (r[:, 1] > self.states).any()
            or (r[:, 0] >= r[:, 1]).any()
        ):
            raise InputError(
                f"a corridor of shape {r.shape} for {self.frames} frames and {self.states} states",
                hint="give one range [lo, hi) of states a frame, none of them empty",
            )
        return np.ascontiguousarray(r[:, 0]), np.ascontiguousarray(r[:, 1])

    def _cut(self) -> list[Block]:
        """Blocks as long as the square root of the frames asks for, but not so long that the corridor moves away."""
        n = self.frames
        width = float((self.hi - self.lo).mean())
        count = int(min(max(32.0, width * n / self.states), max(32.0, np.sqrt(2.0 * n)), max(1.0, CELLS / width)))
        blocks = []
        for t0 in range(0, n, count):
            t1 = min(t0 + count, n)
            near = slice(max(0, t0 - 1), min(n, t1 + 1))  # the rows handed in and out must fit as well
            s0, s1 = int(self.lo[near].min()), int(self.hi[near].max())
            blocks.append(Block(t0, t1, s0, s1, self.lo[t0:t1] - s0, self.hi[t0:t1] - s0))
        return blocks

    def trans_of(self, b: Block) -> Array:
        """The transitions out of the block's states, float64 (jumps, states of the block)."""
        return np.ascontiguousarray(self.trans[:, b.s0 : b.s1])

    def start_of(self, b: Block) -> Array:
        """The log-probabilities of the first frame's states where the block has that frame, else empty."""
        return self.start[b.s0 : b.s1] if b.t0 == 0 else np.empty(0)

    def end_of(self, b: Block) -> Array:
        """The log-probabilities of the last frame's states where the block has that frame, else empty."""
        return self.end[b.s0 : b.s1] if b.t1 == self.frames else np.empty(0)

    def emission(self, b: Block) -> Array:
        """The checked emissions of a block, float64 (frames, states of the block), until the next call.

        They are asked for a few frames at a time, so that what a function works with stays in the cache. Outside the
        corridor nothing is filled in.
        """
        width = b.s1 - b.s0
        e = self._room[: (b.t1 - b.t0) * width].reshape(b.t1 - b.t0, width)
        step = max(1, PIECE // width)
        for t in range(0, len(e), step):
            last = min(t + step, len(e))
            lo, hi = int(b.lo[t:last].min()), int(b.hi[t:last].max())
            piece = np.asarray(self._emission(b.t0 + t, b.t0 + last, b.s0 + lo, b.s0 + hi), dtype=np.float64)
            if piece.shape != (last - t, hi - lo):
                raise InputError(f"a block of emissions of shape {piece.shape}, asked for {(last - t, hi - lo)}")
            if not piece.max() < np.inf:  # NaN compares false
                raise InputError(
                    "log-likelihoods hold NaN or plus infinity", hint="look for zero variances and empty frames"
                )
            e[t:last, lo:hi] = piece
        return e


def place(values: NDArray[Any], first: int, b: Block, empty: float | Array) -> NDArray[Any]:
    """A row (..., width) that begins at state ``first``, on the states of block ``b``; ``empty`` elsewhere.

    >>> place(np.array([1.0, 2.0]), 3, Block(0, 1, 2, 6, np.array([0]), np.array([4])), 0.0).tolist()
    [0.0, 1.0, 2.0, 0.0]
    """
    out = np.empty((*values.shape[:-1], b.s1 - b.s0))
    out[:] = empty
    s0, s1 = max(first, b.s0), min(first + values.shape[-1], b.s1)
    if s0 < s1:
        out[..., s0 - b.s0 : s1 - b.s0] = values[..., s0 - first : s1 - first]
    return out


class Gaussians:
    """Diagonal Gaussians: a function of ``(t0, t1, s0, s1)`` with the attribute ``shape`` (frames, states)."""

    def __init__(self, frames: NDArray[Any], means: NDArray[Any], variances: ArrayLike) -> None:
        self._x = np.ascontiguousarray(frames, dtype=np.float64)
        mu = np.asarray(means, dtype=np.float64)
        var = np.asarray(variances, dtype=np.float64)
        if self._x.ndim != 2 or mu.ndim != 2 or self._x.shape[1] != mu.shape[1]:
            raise InputError(f"frames of shape {self._x.shape} and means of shape {mu.shape}", hint="give equal widths")
        if not (var > 0).all() or not np.isfinite(var).all():
            raise InputError("a variance that is not positive", hint="put a floor under the variances")
        self.shape = (len(self._x), len(mu))
        self._precision = np.broadcast_to(1.0 / var, mu.shape)
        # Both sides relative to one centre, so that squares of large means do not eat the digits of small distances.
        centre = mu.mean(axis=0)
        self._x = self._x - centre
        self._mu = mu - centre
        self._constant = -0.5 * (mu.shape[1] * np.log(2 * np.pi) - np.log(self._precision).sum(axis=1))

    def __call__(self, t0: int, t1: int, s0: int, s1: int) -> Array:
        """Log-likelihoods float64 (t1 - t0, s1 - s0)."""
        x, mu, p = self._x[t0:t1], self._mu[s0:s1], self._precision[s0:s1]
        weighted = mu * p
        out = (x * x) @ (-0.5 * p.T)
        out += x @ weighted.T
        out -= 0.5 * (mu * weighted).sum(axis=1)
        np.minimum(out, 0.0, out=out)  # a squared distance that rounding made negative
        out += self._constant[s0:s1]
        return np.asarray(out)


def gaussian(frames: NDArray[Any], means: NDArray[Any], variances: ArrayLike) -> Gaussians:
    """Log-densities of ``frames`` (T, d) under Gaussians with ``means`` (S, d) and diagonal ``variances``.

    ``variances``: (S, d), (d,) or one number. Raises InputError for unequal widths and variances that are not positive.

    >>> gaussian(np.array([[1.0]]), np.array([[1.0], [2.0]]), 1.0)(0, 1, 0, 2).round(4).tolist()
    [[-0.9189, -1.4189]]
    """
    return Gaussians(frames, means, variances)


class Costs:
    """Local costs as log-likelihoods: a function of ``(t0, t1, s0, s1)`` with the attribute ``shape``."""

    def __init__(self, x: NDArray[Any], y: NDArray[Any], metric: str, scale: float) -> None:
        self._x, self._y = prepare(x, y, metric)
        centre = 0.0 if metric == "cosine" else self._y.mean(axis=0)
        self._x, self._y = self._x - centre, self._y - centre
        self._xx, self._yy = (self._x**2).sum(axis=1), (self._y**2).sum(axis=1)
        self._metric, self._scale = metric, float(scale)
        self.shape = (len(x), len(y))

    def __call__(self, t0: int, t1: int, s0: int, s1: int) -> Array:
        """``-cost / scale``, float64 (t1 - t0, s1 - s0)."""
        x, y = self._x[t0:t1], self._y[s0:s1]
        if self._metric == "manhattan":
            cost = np.abs(x[:, None] - y[None]).sum(axis=2)
        else:
            cost = x @ (-2.0 * y.T)
            cost += self._xx[t0:t1, None]
            cost += self._yy[s0:s1]
            np.maximum(cost, 0.0, out=cost)
            if self._metric == "euclidean":
                np.sqrt(cost, out=cost)
        cost *= (-0.5 if self._metric == "cosine" else -1.0) / self._scale
        return np.asarray(cost)


def costs(x: NDArray[Any], y: NDArray[Any], metric: str = "cosine", scale: float = 1.0) -> Costs:
    """``-local cost / scale`` between ``x`` (T, d), the time, and ``y`` (S, d), the states of a pair HMM.

    ``metric`` as for dynamic time warping; ``scale`` in units of the cost: the mean cost on the path times a
    temperature.

    >>> costs(np.array([[1.0]]), np.array([[1.0], [3.0]]), "euclidean", 2.0)(0, 1, 0, 2).tolist()
    [[-0.0, -1.0]]
    """
    if not scale > 0:
        raise InputError(f"a scale of {scale}", hint="give the mean cost, a positive number")
    return Costs(x, y, metric, scale)
