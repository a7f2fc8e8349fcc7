"""Whether two inputs belong together: the cost of their best warp against that of the best warp of a shuffled query.

Any two recordings can be warped onto each other at some cost. The query cut into blocks of a second and put
together in a random order sounds the same on average but has no order in common with the reference: where the true
query warps hardly cheaper than the shuffled one, the order of the two has nothing in common either. The statistic is
the ratio of the two costs per step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.kernels import engine

BLOCK_S = 1.0  # of a shuffled block
SHUFFLES = 2


@dataclass(frozen=True)
class Evidence:
    """``ratio``: true cost over shuffled cost, 0 (alike) to about 1 (strangers); ``cost``, ``null``: both per step;
    ``covered``: the share of the side that is used less, where ends may be left out."""

    ratio: float
    cost: float
    null: float
    covered: float = 1.0


def measure(
    x: NDArray[Any],
    y: NDArray[Any],
    hop_s: float,
    metric: str,
    *,
    opened: tuple[bool, bool],
    shuffles: int = SHUFFLES,
    block_s: float = BLOCK_S,
) -> Evidence:
    """The statistic of frames ``x`` (n, d) and ``y`` (m, d), ``hop_s`` seconds apart.

    ``opened``: whether frames of x, of y may be left out at the ends. The ``shuffles`` of blocks of ``block_s`` are
    fixed: the same input gives the same answer.

    >>> x = np.random.default_rng(0).standard_normal((200, 8)).cumsum(axis=0)
    >>> measure(x, x[::2], 0.1, "euclidean", opened=(False, False)).ratio < 0.4
    True
    """
    cost, covered = _warped(x, y, metric, opened)
    block = max(2, round(block_s / hop_s))
    null = float(np.mean([_per_step(x, shuffled(y, block, seed), metric, opened) for seed in range(shuffles)]))
    if opened == (False, False) and cost < limits.MAY_REPEAT.value * null:
        null = min(null, _per_step(x, np.roll(y, len(y) // 2, axis=0), metric, opened))
    least = limits.LEAST_NULL.value if metric == "cosine" else 0.0
    return Evidence(ratio(cost, null, least=least), cost, null, covered)


def ratio(cost: float, null: float, *, least: float = 0.0) -> float:
    """The statistic; drawn to 1 where the null is lower than ``least``.

    >>> ratio(0.2, 0.8), ratio(0.0, 0.0), ratio(0.01, 0.04, least=0.4)
    (0.25, 0.0, 0.925)
    """
    if null <= 0:
        return 0.0 if cost == 0 and least == 0 else 1.0
    told = min(1.0, null / least) if least > 0 else 1.0
    return 1.0 - told * (1.0 - cost / null)


def best(
    x: NDArray[Any],
    y: NDArray[Any],
    hop_s: float,
    metric: str,
    *,
    ends: Sequence[tuple[bool, bool]],
    shuffles: int = SHUFFLES,
    block_s: float = BLOCK_S,
) -> tuple[Evidence, tuple[bool, bool]]:
    """The least statistic of :func:`measure` over what ``opened`` may be, and for which of ``ends`` it is."""
    tested = {o: measure(x, y, hop_s, metric, opened=o, shuffles=shuffles, block_s=block_s) for o in ends}
    opened = min(tested, key=lambda o: tested[o].ratio)
    return tested[opened], opened


def shuffled(y: NDArray[Any], block: int, seed: int) -> NDArray[Any]:
    """The frames in blocks of ``block``, the blocks in a random order that depends on ``seed`` alone."""
    n = max(1, len(y) // block)
    order = np.random.default_rng(seed).permutation(n)
    parts = np.array_split(np.arange(len(y)), n)
    return np.ascontiguousarray(y[np.concatenate([parts[k] for k in order])])


def _per_step(x: NDArray[Any], y: NDArray[Any], metric: str, opened: tuple[bool, bool]) -> float:
    return _warped(x, y, metric, opened)[0]


def _warped(x: NDArray[Any], y: NDArray[Any], metric: str, opened: tuple[bool, bool]) -> tuple[float, float]:
    """Cost per step, and the share of the side that is used less."""
    warp = engine.align(
        np.ascontiguousarray(x, dtype=np.float32),
        np.ascontiguousarray(y, dtype=np.float32),
        metric=metric,
        open_begin=opened,
        open_end=opened,
    )
    used = (warp.path[-1] - warp.path[0] + 1) / np.array([len(x), len(y)])
    return warp.cost / len(warp.path), float(used.min())
