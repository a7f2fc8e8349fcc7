"""What a release may cost and what it costs: settings, and the sum of releases as a privacy loss distribution.

Every release here is a Gaussian mechanism, sampled by Poisson or over everything. Two data sets are neighbours where
one holds one unit (an item, or a group) more. The sum is that of privacy loss distributions (S. Meiser and E.
Mohammadi, CCS 2018; Y. Koskela et al., AISTATS 2020) through dp_accounting, rounded against us.

The ledger of a data set keeps its releases to a budget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmcli.artifacts.io import append
from mmcli.artifacts.io.append import Journal
from mmcli.errors import ArtifactError, InputError, MissingError, UsageError

UNITS = ("item", "group")
SCALES = "scales "  # and a name of their own: the release of `fuse --private`
RELATION = "add or remove one unit"
FULL_BATCH = 20_000  # units; above, a step samples so many on average
INTERVAL = 1e-4  # of the privacy loss: with 1e-3 the sum of 36,000 sampled steps is 1.2 % too high, with this 0.3 %
COUNT_SHARE = (
    7.0  # the count of units gets 1/49 of a run's squared privacy loss: 1 % of epsilon, 3 to 30 units of error
)


@dataclass(frozen=True)
class PrivateConfig:
    """``--private epsilon=3,delta=1e-5``. Zeros of ``steps``, ``rate``, ``learning`` and ``items`` are chosen.

    Nothing here may be chosen by looking at the private rows: who tries values on them spends budget each time.
    """

    epsilon: float = 0.0
    delta: float = 1e-5
    unit: str = "item"  # group: a whole speaker or video is protected
    steps: int = 0
    rate: float = 0.0  # share of the units that a step draws, each by its own coin; 1: all of them
    clip: float = 1.0  # largest norm of what one unit adds to a step
    learning: float = 0.0  # step size
    momentum: float = 0.9
    kept: float = 0.5  # the mean of the weights after this last share of the steps is the model
    low: float = math.nan  # of numbers as labels: the least and the largest that are possible
    high: float = math.nan
    local: int = 5  # of --clients: steps that a client takes by itself in a round
    step: float = 0.5  # of --clients: size of a client's own steps

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise UsageError("--private needs an epsilon above 0", hint="for example --private epsilon=3,delta=1e-5")
        if not 0 < self.delta < 1:
            raise UsageError(f"delta is a probability between 0 and 1, not {self.delta:g}")
        if self.unit not in UNITS:
            raise UsageError(f"unit is {' or '.join(UNITS)}, not {self.unit!r}")
        ranges = {
            "steps": (0, 10**6),
            "rate": (0, 1),
            "clip": (1e-6, 1e6),
            "learning": (0, 1e3),
            "momentum": (0, 0.999),
        }
        ranges |= {"kept": (0, 1), "local": (1, 1000), "step": (1e-6, 1e3)}
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"private {name} must be between {low:g} and {high:g}, not {getattr(self, name):g}")
        if not (math.isnan(self.low) and math.isnan(self.high)) and not -1e30 < self.low < self.high < 1e30:
            raise UsageError(f"labels between {self.low:g} and {self.high:g}", hint="private: low=0,high=5")


@dataclass(frozen=True)
class Release:
    """A Gaussian mechanism: ``noise`` in multiples of what one unit can change, ``steps`` times at ``rate``."""

    what: str
    noise: float
    rate: float = 1.0
    steps: int = 1


def as_json(releases: Sequence[Release]) -> list[dict[str, Any]]:
    """The releases as plain JSON."""
    return [asdict(release) for release in releases]


def from_json(values: Sequence[Mapping[str, Any]]) -> list[Release]:
    """The inverse of :func:`as_json`. Raises :class:`UsageError` for what no release can be."""
    releases = []
    for value in values:
        try:
            release = Release(str(value["what"]), float(value["noise"]), float(value["rate"]), int(value["steps"]))
        except (KeyError, TypeError, ValueError) as problem:
            raise UsageError(f"a release that cannot be read ({problem})") from problem
        if not (release.noise > 0 and 0 < release.rate <= 1 and release.steps > 0):
            raise UsageError(f"a release with noise {release.noise:g}, rate {release.rate:g}, steps {release.steps}")
        releases.append(release)
    return releases


def exact(mu: float, delta: float) -> float:
    """Epsilon of Gaussian mechanisms with ``mu`` = sqrt(sum of 1 / noise**2), in closed form.

    B. Balle and Y.-X. Wang, "Improving the Gaussian mechanism for differential privacy", ICML 2018, theorem 8.

    >>> round(exact(1.0, 1e-5), 4)
    4.3772
    """
    from scipy.optimize import brentq
    from scipy.special import log_ndtr, ndtr

    def excess(epsilon: float) -> float:
        return float(ndtr(mu / 2 - epsilon / mu) - math.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu)) - delta)

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-12))


def epsilon(releases: Sequence[Release], delta: float) -> float:
    """What the releases cost together, at ``delta``: an upper bound.

    Raises :class:`MissingError` where dp_accounting is not installed.
    """
    mu2 = 0.0
    sampled: dict[tuple[float, float], int] = {}
    for release in releases:
        if release.rate >= 1:
            mu2 += release.steps / release.noise**2  # Gaussians over everything add up to one
        else:
            key = release.noise, release.rate
            sampled[key] = sampled.get(key, 0) + release.steps
    parts = tuple(sorted((*key, steps) for key, steps in sampled.items()))
    return _epsilon(mu2, parts, delta, INTERVAL)


@lru_cache(maxsize=256)
def _epsilon(mu2: float, sampled: tuple[tuple[float, float, int], ...], delta: float, interval: float) -> float:
    accounting, pld = _libraries()
    accountant = pld.PLDAccountant(value_discretization_interval=interval)
    if mu2 > 0:
        accountant.compose(accounting.GaussianDpEvent(mu2**-0.5))
    for noise, rate, steps in sampled:
        accountant.compose(accounting.PoissonSampledDpEvent(rate, accounting.GaussianDpEvent(noise)), steps)
    return float(accountant.get_epsilon(delta)) if mu2 > 0 or sampled else 0.0


def solve(target: float, delta: float, rate: float, steps: int, beside: Sequence[Release] = ()) -> float:
    """The least noise with which ``steps`` at ``rate`` and the releases ``beside`` cost no more than ``target``.

    Raises :class:`UsageError` where the releases beside leave nothing, or where no noise would do.
    """
    if beside and (spent := epsilon(beside, delta)) >= target:
        what = ", ".join(sorted({release.what for release in beside}))
        raise UsageError(f"epsilon {target:g} is spent already: {what} cost {spent:.4g}", hint="a larger epsilon")

    def cost(noise: float, interval: float) -> float:
        mu2 = sum(r.steps / r.noise**2 for r in beside)
        if rate < 1:
            return _epsilon(mu2, ((noise, rate, steps),), delta, interval)
        mu2 += steps / noise**2
        return exact(mu2**0.5, delta) if interval > INTERVAL else _epsilon(mu2, (), delta, interval)

    low, high = 0.05, 1.0
    while cost(high, 1e-2) > target:
        low, high = high, high * 2
        if high > 1e7:
            raise UsageError(f"no noise makes epsilon {target:g} of {steps} steps")
    while high / low > 1.0005:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if cost(middle, 1e-3) > target else (low, middle)
    while cost(high, INTERVAL) > target:
        high *= 1.0005
    return high


def counting(target: float, delta: float) -> Release:
    """The count of the units, where their number is not public: a small part of what ``target`` allows."""
    low, high = 1e-6, 1e3
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if exact(middle, delta) > target else (middle, high)
    return Release("number of units", COUNT_SHARE / low)


def version() -> str:
    """The accountant and its version."""
    from importlib.metadata import version as installed

    return f"dp_accounting {installed('dp-accounting')}, privacy loss distributions, interval {INTERVAL:g}"


def _libraries() -> tuple[Any, Any]:
    try:
        import absl.logging
        import dp_accounting
        from dp_accounting import pld
    except ImportError as problem:
        raise MissingError(
            "privacy is counted by dp_accounting, which is not installed", hint="pip install 'mmcli[private]'"
        ) from problem
    absl.logging.set_verbosity(absl.logging.ERROR)
    return dp_accounting, pld


# Every release made from a data set, in a file beside it, and the budget that they may not pass together.
#
# ``DATASET.privacy.ndjson`` holds one line a release. It is written before the release is, so that a run that dies has
# been counted. The ledger knows what was made from this data set through mmcli; other data sets made of the same
# recordings have ledgers of their own, and their sum is for their owner to see.


@dataclass
class Ledger:
    """The releases so far; ``budget`` (epsilon, delta) once one was set."""

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    budget: tuple[float, float] | None = None

    def spent(self, delta: float, more: Sequence[Release] = ()) -> float:
        """Epsilon of everything in the ledger and ``more``, together, at ``delta``."""
        together = [*(r for row in self.rows for r in from_json(row["releases"])), *more]
        once = {r for r in together if r.what.startswith(SCALES)}  # models that share them release them once
        return epsilon([*(r for r in together if r not in once), *once], delta)


def beside(dataset: Path) -> Path:
    """Where the ledger of a data set is."""
    return dataset.with_name((dataset.stem if dataset.suffix == ".npz" else dataset.name) + ".privacy.ndjson")


def load(path: Path) -> Ledger:
    """The ledger in a file; an empty one where there is none."""
    ledger = Ledger(path)
    if not path.exists():
        return ledger
    for row in append.read(path):
        try:
            if "budget" in row:
                ledger.budget = float(row["budget"]["epsilon"]), float(row["budget"]["delta"])
                continue
            from_json(row["releases"])
            ledger.rows.append({"what": str(row["what"]), "unit": str(row["unit"]), "releases": row["releases"]})
        except (KeyError, TypeError, ValueError, UsageError) as problem:
            raise ArtifactError(f"is no ledger of releases ({problem})", source=path) from problem
    return ledger


def enter(
    path: Path, what: str, unit: str, releases: Sequence[Release], budget: tuple[float, float] | None, delta: float
) -> tuple[float, int]:
    """Write a release down; returns what all of them cost together at ``delta`` (the budget's, where there is one), and
    how many they are.

    A budget that was set holds until another is. Raises :class:`InputError`, and writes nothing, where the release
    would pass it, or where earlier releases protect other units.
    """
    with Journal(path) as journal:  # locked: two runs cannot both take the last of the budget
        ledger = load(path)
        if odd := next((row for row in ledger.rows if row["unit"] != unit), None):
            raise InputError(
                f"{odd['what']!r} protects each {odd['unit']}, this release each {unit}: their costs do not add up",
                source=path,
                hint=f"use unit={odd['unit']}",
            )
        held = budget or ledger.budget
        delta = held[1] if held else delta
        total = ledger.spent(delta, releases)
        if held is not None and total > held[0]:
            before = ledger.spent(delta)
            raise InputError(
                f"the budget is epsilon {held[0]:g} at delta {delta:g}; {before:.4g} are spent by {len(ledger.rows)} "
                f"releases, and with this one it would be {total:.4g}",
                source=path,
                hint="a smaller epsilon for this one; what is released cannot be taken back",
            )
        if budget is not None and budget != ledger.budget:
            journal.append({"budget": {"epsilon": budget[0], "delta": budget[1]}})
        journal.append({"what": what, "unit": unit, "releases": as_json(releases)})
    return total, len(ledger.rows) + 1


def parse(text: str) -> tuple[float, float]:
    """``epsilon=8,delta=1e-5`` as two numbers.

    >>> parse("epsilon=8,delta=1e-6"), parse("8")
    ((8.0, 1e-06), (8.0, 1e-05))
    """
    values = {"epsilon": "", "delta": "1e-5"}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = "epsilon", name
        if name not in values:
            raise UsageError(f"--budget has no {name!r}", hint="--budget epsilon=8,delta=1e-5")
        values[name] = value
    try:
        epsilon_, delta = float(values["epsilon"]), float(values["delta"])
    except ValueError:
        raise UsageError(f"--budget {text!r} is not epsilon=NUMBER,delta=NUMBER") from None
    if not (0 < epsilon_ < float("inf") and 0 < delta < 1):
        raise UsageError(f"--budget {text!r}: epsilon above 0, delta between 0 and 1")
    return epsilon_, delta
