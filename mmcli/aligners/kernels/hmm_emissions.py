"""Log-likelihoods for hidden Markov models, worked out block by block so that no (frames, states) array need exist."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.aligners.kernels.costs import prepare
from mmcli.errors import InputError

Array = NDArray[np.float64]


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
