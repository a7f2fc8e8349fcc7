"""How sure a figure is: Wilson's interval for proportions, the bootstrap for everything else.

On 200 items the plain percentile interval covers too little of what is skewed (an AUROC of 0.99: 88 of 100). A figure
therefore has one of these kinds, each chosen because it covers 93 to 97 % of simulated runs where the others do not:

``share``: Wilson's interval at the number of items that the bootstrap's standard error is worth (balanced accuracy,
precision, F1, Brier). ``skewed`` and ``area`` (the same within [0, 1]): the bootstrap's standard error with Student's
t, corrected for skewness by Hall's transformation (log loss, MAE, RMSE; AUROC, average precision, which rest on the
items of the class).
``correlation``: the bootstrap's standard error of Fisher's z with Student's t. ``mean``: the bootstrap's standard error
with Student's t (differences between models on the same items: with 12 or 20 groups the percentiles hold 90 of 100).
``percentile``: everything else. The calibration error, which on few items is biased upwards whatever the resamples say,
has its own (:mod:`.calibration`).

Where items come in at least ``min_groups`` groups (speakers, videos), items of one group are no independent evidence:
the bootstrap then draws whole groups, and Wilson's interval is taken at the effective number of items.

Every metric of this package is a function of item weights. A bootstrap resample is a row of weights, how often each
item was drawn, so one piece of code gives the figure (all weights one) and its resamples.

E. B. Wilson, JASA 22 (1927) 209-212; B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), 13.3;
E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998) 193-201 (effective sample size); P. Hall, J. R. Statist.
Soc. B 54 (1992) 221-228 (skewness removed by a monotone cubic); T. C. Hesterberg, The American Statistician 69 (2015)
371-386 (the bootstrap's error is short by sqrt(n / (n - 1))).

They are our own: ``scipy.stats.bootstrap`` draws single items and never groups, and offers percentile, basic and BCa
intervals, none of the kinds above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import UsageError

Array = NDArray[np.float64]
Scores = Callable[[Array], Mapping[str, Array]]  # weights (b, n) -> {name: (b,)}, NaN where undefined
# What one block of resamples may hold: 4 million weights are 32 MB.
BLOCK_WEIGHTS = 4_000_000
NEAR_ONE = 1 - 1e-9  # correlations beyond have no z worth the name
MOST_RESAMPLES = 1_000_000
FEWEST_DEGREES = 2.0  # of freedom that a part of a mean brings with it, if it has but one item
MOST_BLOCKS = 200  # of items or groups that are left out in turn to see how skewed a figure is
SHARE, SKEWED, AREA, CORRELATION, MEAN, PERCENTILE = "share", "skewed", "area", "correlation", "mean", "percentile"
WILSON, INVERTED = "wilson", "inverted"  # of proportions; of the calibration error
METHODS = {
    WILSON: "wilson",
    INVERTED: "inverted test",
    SHARE: "wilson at the bootstrap's effective n",
    SKEWED: "bootstrap t, skewness corrected",
    AREA: "bootstrap t, skewness corrected",
    MEAN: "bootstrap t",
    CORRELATION: "bootstrap t of Fisher's z",
    PERCENTILE: "bootstrap",
}


@dataclass(frozen=True)
class Config:
    """How intervals are made."""

    level: float = 0.95  # coverage, between 0 and 1
    resamples: int = 1000  # bootstrap draws, 100 to 1,000,000
    seed: int = 0  # of the draws
    min_groups: int = 10  # from so many groups on, groups are drawn and not items

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise UsageError(f"an interval of level {self.level:g} does not exist; 0.95 is usual")
        if self.resamples < 100:
            raise UsageError(f"{self.resamples} resamples give no interval; 1000 is usual, 100 the least")
        if self.resamples > MOST_RESAMPLES:
            raise UsageError(f"{self.resamples:,} resamples would take days; {MOST_RESAMPLES:,} are the most")
        if self.seed < 0:
            raise UsageError(f"a seed of {self.seed}; 0 or more is needed")
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
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
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
    from scipy.special import ndtri, stdtrit

    variance = groups / (groups - 1) * float(((hits_by - p * counted_by) ** 2).sum()) / n**2
    design = max(1.0, variance / (p * (1 - p) / n))
    few = float(ndtri(0.5 + level / 2) / stdtrit(groups - 1, 0.5 + level / 2))
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


def studentised(
    kind: str,
    value: float,
    values: Array,
    units: float,
    shape: Tails,
    level: float,
    counted: int | None = None,
    floor: float = 0.0,
) -> list[float] | None:
    """The interval of a figure from its resampled ``values``, by its kind; ``units`` items or groups were drawn.

    None where more than one in ten is undefined. A figure in [0, 1] that is one of these ends, or that no resample
    changes, has Wilson's interval for as many items as it concerns (``counted``), at most ``units``.
    """
    from scipy.special import stdtrit

    known = values[np.isfinite(values)]
    if len(known) < 0.9 * len(values) or units < 2:
        return None
    if kind == CORRELATION:
        return _correlation_interval(value, known, units, min(units - 1, shape.freedom), level)
    error = float(known.std(ddof=1)) * float(np.sqrt(units / (units - 1)))
    # Rounding leaves a figure that does not vary a spread of its own.
    still = error <= 1e-12 * max(1.0, abs(value))
    if kind in (SHARE, AREA) and (still or value in (0.0, 1.0)):
        worth_at_most = units if counted is None else min(units, counted)
        return list(wilson(value * worth_at_most, worth_at_most, level))
    if still:
        return [value, value]
    quantile = float(stdtrit(units - 1, 0.5 + level / 2))
    if kind == SHARE:
        worth = min(float(units) ** 2, value * (1 - value) / max(error, floor) ** 2)
        return list(wilson(value * worth, worth, level))
    if kind == MEAN:
        return [value - quantile * error, value + quantile * error]
    quantile = float(stdtrit(min(units - 1, shape.freedom), 0.5 + level / 2)) if kind == SKEWED else quantile
    low, high = (value - error * _unskewed(side * quantile, shape.skew) for side in (1, -1))
    top = 1.0 if kind == AREA else np.inf
    return [float(max(0.0, low)), float(min(top, high))]


def satterthwaite(parts: Mapping[str, Array], worth: Mapping[str, float], units: int) -> float:
    """How many items a mean of figures rests on, by the variances of its ``parts`` and what each of them rests on."""
    total = weighted = 0.0
    for name, values in parts.items():
        known = values[np.isfinite(values)]
        if len(known) > 1:
            variance = float(known.var(ddof=1))
            total += variance
            weighted += variance**2 / max(FEWEST_DEGREES, worth[name] - 1)
    return float(units) if weighted == 0 else min(float(units), total**2 / weighted + 1)


def _correlation_interval(value: float, known: Array, units: float, freedom: float, level: float) -> list[float]:
    """R. A. Fisher, Metron 1 (1921) 3-32: the z of a correlation is close to normal."""
    from scipy.special import stdtrit

    if abs(value) >= NEAR_ONE:
        return [value, value]
    drawn = np.arctanh(np.clip(known, -NEAR_ONE, NEAR_ONE))
    half = float(stdtrit(freedom, 0.5 + level / 2) * drawn.std(ddof=1) * np.sqrt(units / (units - 1)))
    z = np.arctanh(value)
    return [float(np.tanh(z - half)), float(np.tanh(z + half))]


def _unskewed(w: float, g: float) -> float:
    """The studentised deviate whose skewness-corrected value is ``w`` (Hall 1992, eq. 2.2, inverted)."""
    if abs(g) < 1e-6:
        return w
    return float(3 / g * (np.cbrt(1 + g * (w - g / 6)) - 1))


@dataclass(frozen=True)
class Tails:
    """``skew`` of a figure's sampling distribution; ``freedom``, how many degrees its standard error rests on."""

    skew: float = 0.0
    freedom: float = np.inf


def tails(scores: Scores, n: int, codes: NDArray[np.int64] | None, seed: int) -> dict[str, Tails]:
    """The tails of every figure, from what blocks of items or groups change when they are left out (jackknife).

    A standard error is known the worse the more of it comes from few items: of ``n`` pulls with kurtosis k its square
    has the relative variance (k - 1) / n, as that of a normal sample with 2 n / (k - 1) degrees of freedom.
    """
    units = n if codes is None else int(codes.max()) + 1
    blocks = np.random.default_rng(seed).permutation(units) % min(units, MOST_BLOCKS)
    places = blocks if codes is None else blocks[codes]
    result: dict[str, list[Array]] = {}
    count = int(blocks.max()) + 1
    at_once = max(1, BLOCK_WEIGHTS // n)
    for start in range(0, count, at_once):
        left_out = np.arange(start, min(start + at_once, count))
        for name, values in scores((places[None] != left_out[:, None]).astype(np.float64)).items():
            result.setdefault(name, []).append(values)
    return {name: _tails(np.concatenate(parts), units) for name, parts in result.items()}


def _tails(values: Array, units: int) -> Tails:
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return Tails()
    pull = values.mean() - values
    square = float((pull**2).sum())
    if square**1.5 <= 1e-30:
        return Tails()
    # A block of m units has 1/m of the excess of its units.
    excess = units / len(values) * (len(values) * float((pull**4).sum()) / square**2 - 3.0)
    return Tails(float((pull**3).sum()) / square**1.5, max(FEWEST_DEGREES, 2.0 * units / max(2.0, 2.0 + excess)))


def mean(values: Array, groups: Any = None, config: Config | None = None) -> dict[str, Any]:
    """``{value, interval, n, method}`` of the mean of independent items' values ``(n,)``, such as paired differences.

    >>> entry = mean(np.arange(20.0))
    >>> entry["value"], [round(bound, 1) for bound in entry["interval"]]
    (9.5, [6.8, 12.2])
    """
    config = config or Config()
    codes = group_codes(groups, config)
    n = len(values)
    units = n if codes is None else int(codes.max()) + 1
    value = float((np.ones((1, n)) @ values / n)[0])
    drawn = np.concatenate([block @ values / block.sum(axis=1) for block in draws(n, codes, config)])
    bounds = studentised(MEAN, value, drawn, units, Tails(), config.level, n)
    return {
        "value": value,
        "interval": bounds,
        "n": n,
        "method": METHODS[MEAN] + ("" if codes is None else " by group"),
    }
