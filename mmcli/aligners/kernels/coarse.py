"""Coarse to fine: a warp made fast, and a proof that it is the cheapest, or a bound on what it may miss.

The warp of the pooled sequences leads a corridor, inside which the warp is exact (the idea of Müller, Mattes and Kurth
2006, "An efficient multiscale approach to audio synchronization"). Its cost is an upper bound on the optimum, so no
cell of the whole matrix matters that cannot be reached for less; the engine sweeps what is left. Half of that is saved
by two sweeps: one from the end back to the middle says what every path still costs behind each row of the second half,
and the other, from the beginning, need not follow a path that has already spent what that leaves.

Where the proof would take more than a share of the whole matrix, a lower threshold is proved instead: that no path is
cheaper than so much. How far the sweeps get is tried out first on every eighth frame, where they cost a sixty-fourth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.aligners.kernels import costs, engine
from mmcli.aligners.kernels.corridor import around
from mmcli.errors import InputError, UsageError

SMALL = 1 << 24  # cells that are not worth anything but the whole: some ten milliseconds
UNTRIED = 400_000_000  # cells up to which the proof is attempted whatever it takes: a fifth of a second
TRIAL = 8  # of so many frames, one is taken to try out how far a proof would get
THRESHOLDS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
GUARD = 1.5  # how much more than the trial let expect a proof may take before it is given up
TOLERANCE = {"float32": 1e-6, "float64": 1e-11}  # within which the engine's two numbers for one path agree


@dataclass(frozen=True, eq=False)
class Coarse:
    """A warping path int64 (k, 2) and its ``cost``. The optimum is not below ``cost - bound``; 0 where ``exact``."""

    cost: float
    path: NDArray[np.int64]
    exact: bool
    bound: float


def align(
    x: ArrayLike,
    y: ArrayLike,
    *,
    factor: int = 8,
    radius: int = 16,
    share: float = 0.2,
    certify: bool = True,
    **options: Unpack[engine.Options],
) -> Coarse:
    """A warping path between ``x`` (n, d) and ``y`` (m, d), end to end, and what is known about the optimum.

    ``factor`` frames are pooled into one; ``radius`` pooled frames lie on either side of the corridor's middle;
    ``share``: of all cells, as many as a proof may sweep; without ``certify`` none is attempted and the bound is the
    cost. ``options`` as for ``engine.align`` but corridor, open ends and upper. Small problems are solved whole.

    Raises UsageError for an option without a meaning here, and as ``engine.align``.

    >>> warp = align([[0.0], [1.0], [2.0]], [[0.0], [2.0]])
    >>> warp.cost, warp.exact, warp.bound
    (1.0, True, 0.0)
    """
    for name in ("corridor", "open_begin", "open_end", "upper", "rest", "most"):
        if name in options:
            raise UsageError(f"{name} has no meaning from coarse to fine", hint="use the exact engine")
    if factor < 2 or radius < 1 or not 0 < share <= 1:
        raise UsageError("factor must be at least 2, radius at least 1, share above 0 and at most 1")
    a, b = costs.pair(x, y)
    warp = None
    if len(a) * len(b) > SMALL and min(len(a), len(b)) >= 4 * factor:
        warp = _in_corridor(a, b, factor, radius, options)
    if warp is None:
        whole = engine.align(a, b, **options)
        return Coarse(whole.cost, whole.path, True, 0.0)
    if not certify:
        return Coarse(warp.cost, warp.path, False, warp.cost)
    return _certified(a, b, warp, share, options)


def _in_corridor(
    x: NDArray[Any], y: NDArray[Any], factor: int, radius: int, options: engine.Options
) -> engine.WarpingPath | None:
    """The cheapest path near that of the pooled sequences; None where the step pattern leads through neither."""
    try:
        rough = engine.align(_pooled(x, factor), _pooled(y, factor), **options)
        near = around(rough.path * factor + (factor - 1) / 2, len(x), len(y), factor * radius)
        return engine.align(x, y, **engine.Options(**{**options, "corridor": near}))
    except InputError:
        if options.get("pattern") in ("asymmetric", "slope2"):
            return None
        raise


def _pooled(x: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means of ``factor`` frames each; what is left over at the end goes without."""
    count = len(x) // factor
    means = x[: count * factor].reshape(count, factor, x.shape[1]).mean(axis=1, dtype=np.float64)
    return np.asarray(means, dtype=x.dtype)


def _certified(
    x: NDArray[Any], y: NDArray[Any], warp: engine.WarpingPath, share: float, options: engine.Options
) -> Coarse:
    cells = float(len(x)) * len(y)
    threshold: float | None = 1.0
    most = cells
    if cells > UNTRIED:
        most = GUARD * share * cells
        threshold = _reachable(x, y, warp, share, options)
    if threshold is None:
        return Coarse(warp.cost, warp.path, False, warp.cost)
    limits = _limits(x, y, warp, threshold, most, options)
    least = engine.distance(x, y, **limits)
    near = TOLERANCE[options.get("precision", "float32")]
    if np.isnan(least):
        return Coarse(warp.cost, warp.path, False, warp.cost)
    if least < warp.cost * (1 - near):  # there is a cheaper path, and the sweep went past nothing that could beat it
        better = engine.align(x, y, **engine.Options(**{**limits, "upper": least * (1 + near), "most": None}))
        return Coarse(better.cost, better.path, True, 0.0)
    if threshold == 1.0:
        return Coarse(warp.cost, warp.path, True, 0.0)
    return Coarse(warp.cost, warp.path, False, warp.cost * (1 - threshold * (1 - near)))


def _reachable(
    x: NDArray[Any], y: NDArray[Any], warp: engine.WarpingPath, share: float, options: engine.Options
) -> float | None:
    """The largest of the thresholds whose proof takes at most ``share`` of the cells, judged by every eighth frame."""
    a, b = x[::TRIAL], y[::TRIAL]
    near = around(warp.path / TRIAL, len(a), len(b), TRIAL)
    few = engine.align(a, b, **engine.Options(**{**options, "pattern": "symmetric1", "corridor": near}))
    plain = engine.Options(**{**options, "pattern": "symmetric1"})  # others cannot do with every eighth frame
    most = share * len(a) * len(b)
    for threshold in THRESHOLDS:
        if not np.isnan(engine.distance(a, b, **_limits(a, b, few, threshold, most, plain))):
            return threshold
    return None


def _limits(
    x: NDArray[Any],
    y: NDArray[Any],
    warp: engine.WarpingPath,
    threshold: float,
    most: float,
    options: engine.Options,
) -> engine.Options:
    """What the engine needs to sweep for paths of at most ``threshold`` times the cost of ``warp``, no others."""
    limits = engine.Options(**{**options, "upper": threshold * warp.cost, "most": most})
    if options.get("pattern") == "symmetric2":  # backwards, its first cell would count differently
        return limits
    middle = len(x) // 2
    second = warp.path[warp.path[:, 0] >= middle] - np.array([middle, 0])
    part = costs.path_cost(x[middle:], y, second, options.get("metric", "euclidean"))
    half = engine.Options(**{**options, "upper": threshold * part, "most": most / 2})
    behind = engine.lowest(x[: middle - 1 : -1], y[::-1], **half)[::-1]  # from each row of the second half on
    limits["rest"] = np.concatenate([np.full(middle, behind[0]), behind[1:], [0.0]])
    return limits
