"""How sure a figure is: Wilson's interval for proportions, the percentile bootstrap for everything else.

Where items come in at least ``min_groups`` groups (speakers, videos), items of one group are no independent evidence:
the bootstrap then draws whole groups, and Wilson's interval is taken at the effective number of items.

Every metric of this package is a function of item weights. A bootstrap resample is a row of weights, how often each
item was drawn, so one piece of code gives the figure (all weights one) and its resamples.

E. B. Wilson, JASA 22 (1927) 209-212; B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), 13.3;
E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998) 193-201 (effective sample size).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import UsageError

Array = NDArray[np.float64]
# What one block of resamples may hold: 4 million weights are 32 MB.
BLOCK_WEIGHTS = 4_000_000


@dataclass(frozen=True)
class Config:
    """How intervals are made."""

    level: float = 0.95  # coverage, between 0 and 1
    resamples: int = 1000  # bootstrap draws, at least 100
    seed: int = 0  # of the draws
    min_groups: int = 10  # from so many groups on, groups are drawn and not items

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise UsageError(f"an interval of level {self.level:g} does not exist; 0.95 is usual")
        if self.resamples < 100:
            raise UsageError(f"{self.resamples} resamples give no interval; 1000 is usual, 100 the least")
        if self.min_groups < 2:
            raise UsageError("groups can be drawn from two on (min_groups)")


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion ``successes / n``; (0, 1) where nothing was counted.

    >>> low, high = wilson(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)
    """
    if n <= 0:
        return 0.0, 1.0
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + level / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # Rounding must not push the bound of a perfect score inside it.
    return (0.0 if successes == 0 else float(max(0.0, centre - half))), (
        1.0 if successes == n else float(min(1.0, centre + half))
    )


def group_codes(groups: Any, config: Config) -> NDArray[np.int64] | None:
    """Group numbers ``(n,)``, or None where there are fewer than ``min_groups`` groups or no item shares its group."""
    if groups is None:
        return None
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < config.min_groups or len(names) == len(codes):
        return None
    return np.asarray(codes, dtype=np.int64)


def effective_n(hits: Array, counted: Array, codes: NDArray[np.int64] | None, level: float) -> float:
    """How many independent items a proportion over grouped items is worth.

    ``hits`` and ``counted`` ``(n,)`` are the item's share in numerator and denominator. The variance between groups
    (ratio estimator) over the binomial variance is the design effect; it never makes the interval narrower.
    """
    n = float(counted.sum())
    if codes is None or n == 0:
        return n
    hits_by = np.bincount(codes, weights=hits)
    counted_by = np.bincount(codes, weights=counted)
    hits_by, counted_by = hits_by[counted_by > 0], counted_by[counted_by > 0]
    groups = len(counted_by)
    p = float(hits.sum()) / n
    if groups < 2 or p in (0.0, 1.0):
        return float(groups)  # no spread to judge by: each group counts once
    from scipy.stats import norm, t

    variance = groups / (groups - 1) * float(((hits_by - p * counted_by) ** 2).sum()) / n**2
    design = max(1.0, variance / (p * (1 - p) / n))
    few = norm.ppf(0.5 + level / 2) / t.ppf(0.5 + level / 2, groups - 1)
    return float(n / design * few**2)


def draws(n: int, codes: NDArray[np.int64] | None, config: Config) -> Iterator[Array]:
    """Blocks of bootstrap weights ``(resamples in the block, n)``, float64; the same for the same seed.

    Each row counts how often every item was drawn when ``n`` items, or as many groups as there are, were drawn with
    replacement.
    """
    rng = np.random.default_rng(config.seed)
    left = config.resamples
    # Always the same block size for the same n: the draws must not depend on what they are used for.
    size = int(np.clip(BLOCK_WEIGHTS // max(1, n), 1, 250))
    while left > 0:
        rows = min(size, left)
        left -= rows
        if codes is None:
            picks = rng.integers(0, n, (rows, n))
            yield np.stack([np.bincount(row, minlength=n) for row in picks]).astype(np.float64)
        else:
            groups = int(codes.max()) + 1
            picks = rng.integers(0, groups, (rows, groups))
            counts = np.stack([np.bincount(row, minlength=groups) for row in picks])
            yield counts[:, codes].astype(np.float64)


def percentile(values: Array, level: float) -> list[float] | None:
    """The percentile interval of resampled figures; None where more than one in ten is undefined."""
    known = values[np.isfinite(values)]
    if len(known) < 0.9 * len(values):
        return None
    tail = 50 * (1 - level)
    low, high = np.percentile(known, [tail, 100 - tail])
    return [float(low), float(high)]


Scores = Callable[[Array], Mapping[str, Array]]


@dataclass(frozen=True)
class Proportion:
    """A figure that is a proportion of items: ``hits`` of ``counted``, both ``(n,)`` of zeros and ones."""

    hits: Array
    counted: Array


def measured(
    scores: Scores,
    n: int,
    *,
    proportions: Mapping[str, Proportion] | None = None,
    counts: Mapping[str, int] | None = None,
    groups: Any = None,
    config: Config | None = None,
) -> dict[str, dict[str, Any]]:
    """``{name: {value, interval, n, method}}`` of every figure that ``scores`` gives.

    ``scores(weights (b, n))`` returns ``(b,)`` per figure, NaN where undefined; the figures named in ``proportions``
    get Wilson's interval. ``counts`` overrides the n of a figure that concerns some items only. Undefined figures have
    the value None, and None for an interval.
    """
    config = config or Config()
    proportions = proportions or {}
    codes = group_codes(groups, config)
    points = {name: float(value[0]) for name, value in scores(np.ones((1, n))).items()}
    resampled: dict[str, list[Array]] = {name: [] for name in points if name not in proportions}
    if resampled:
        for weights in draws(n, codes, config):
            for name, values in scores(weights).items():
                if name in resampled:
                    resampled[name].append(values)
    suffix = "" if codes is None else " by group"
    result: dict[str, dict[str, Any]] = {}
    for name, value in points.items():
        entry: dict[str, Any] = {"value": value if np.isfinite(value) else None, "interval": None, "n": n}
        if counts and name in counts:
            entry["n"] = counts[name]
        if name in proportions:
            share = proportions[name]
            entry["n"] = int(share.counted.sum())
            worth = effective_n(share.hits, share.counted, codes, config.level)
            if entry["n"] and entry["value"] is not None:
                entry["interval"] = list(wilson(value * worth, worth, config.level))
            entry["method"] = "wilson" + suffix
        else:
            if entry["value"] is not None:
                entry["interval"] = percentile(np.concatenate(resampled[name]), config.level)
            entry["method"] = "bootstrap" + suffix
        result[name] = entry
    return result
