"""A hidden Markov model whose states are the frames of the reference, from left to right; the query is what it emits.

Each state may stay, go on to the next or skip; its emission is a Gaussian about its reference frame with one diagonal
variance for all. Variance and transition probabilities are estimated by Viterbi training (Juang and Rabiner 1990, "The
segmental K-means algorithm"): the best state sequence gives the counts, the counts a new model, until the sequence
stands still. Everything is computed on logarithms. Unlike plain DTW, the weights of the features and the price of
staying and skipping come from the pair itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.aligners.kernels import hmm as kernel
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import InputError, UsageError

ACCEPTS = (("features", "features"),)
FEWEST_SKIPS = 1  # states that may be left out at once; more only where the query is too short for the reference


@dataclass(frozen=True)
class Config:
    """How the model starts and when its training ends."""

    iterations: int = 20  # rounds of training at most, 1 or more
    floor: float = 1e-3  # smallest variance of a dimension, as a share of the variance of both sides, above 0 to 1
    stay: float = 0.25  # probability of staying in a state at the start, in (0, 1)
    skip: float = 0.25  # probability of skipping at the start, in (0, 1); stay + skip below 1

    def __post_init__(self) -> None:
        if self.iterations < 1 or not 0 < self.floor <= 1:
            raise UsageError("iterations must be at least 1 and floor in (0, 1]")
        if not (self.stay > 0 and self.skip > 0 and self.stay + self.skip < 1):
            raise UsageError("stay and skip must be above 0 and together below 1")


@dataclass(frozen=True)
class Model:
    """One variance per dimension (d,), and log-probabilities of moving 0, 1, 2 ... states on."""

    variance: NDArray[np.float64]
    log_moves: NDArray[np.float64]


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The most probable reference frame of every query frame.

    ``x`` (the reference) and ``y``: arrays (frames, dims) or Features.

    ``path`` has one pair per query frame; a skipped reference frame does not appear. ``cost`` is minus the logarithm of
    the probability density of the path and of the query along it under the last model, negative where densities exceed
    1. Raises InputError for NaN, Inf, empty input and where no path exists, MismatchError for differing widths.

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> align(x, np.repeat(x, 2, axis=0)).path[:, 0].tolist()
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    (xv, _), (yv, _) = inputs.checked(x, y)
    x64, y64 = xv.astype(np.float64), yv.astype(np.float64)
    if len(x64) > 1 and len(y64) == 1:
        raise InputError(f"one query frame cannot lead through {len(x64)} reference frames")
    model = start(x64, y64, config)
    path, score = best_path(x64, y64, model)
    for _ in range(config.iterations - 1):
        model = train(x64, y64, path, model, config)
        before = path
        path, score = best_path(x64, y64, model)
        if np.array_equal(path, before):
            break
    pairs = np.column_stack([path, np.arange(len(path))])
    return inputs.warped(x, y, pairs, -score, name="hmm", config=config)


def start(x: NDArray[np.float64], y: NDArray[np.float64], config: Config) -> Model:
    """The model before training: the variance of both sides together, moves as configured."""
    moves = max(FEWEST_SKIPS, -(-(len(x) - 1) // max(len(y) - 1, 1)) - 1)
    first = np.array([config.stay, 1.0 - config.stay - config.skip] + [config.skip / moves] * moves)
    return Model(_overall_variance(x, y), np.log(first))


def best_path(x: NDArray[np.float64], y: NDArray[np.float64], model: Model) -> tuple[NDArray[np.int64], float]:
    """The state of each query frame, int64 (frames,), from the first state to the last, and its log-probability."""
    emission = kernel.gaussian(y, x, model.variance)
    stay, on, *skips = model.log_moves.tolist()
    return kernel.viterbi(emission, stay, on, skips)


def train(
    x: NDArray[np.float64], y: NDArray[np.float64], path: NDArray[np.int64], model: Model, config: Config
) -> Model:
    """The model that the path speaks for: mean squared error per dimension, floored; counts of the moves plus one."""
    error = y - x[path]
    variance = np.maximum((error * error).mean(axis=0), config.floor * _overall_variance(x, y))
    counts = 1.0 + np.bincount(np.diff(path), minlength=len(model.log_moves))
    return Model(variance, np.log(counts / counts.sum()))


def _overall_variance(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    both = np.concatenate([x, y])
    variance = both.var(axis=0)
    return np.asarray(np.maximum(variance, 1e-6 * max(float(variance.max()), 1e-12)))
