"""A figure of a report, whole: its name, its title, where it is shown, how it comes about and how sure it is.

A task is a tuple of figures and a class of :class:`Metrics`. One :class:`Figure` more in a task's ``FIGURES`` is one
metric more: in the report, with its interval, in the table on the terminal and on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.evaluation.intervals import interval
from mmcli.evaluation.intervals.interval import AREA, CORRELATION, METHODS, PERCENTILE, SKEWED, Config, Tails

Array = NDArray[np.float64]
Codes = NDArray[np.int64] | None


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the interval of a figure rests on in one data set; nothing of it given: all items, by the figure's kind."""

    n: int | None = None  # items that the figure concerns, where not all
    hits: Array | None = None  # (n,) zeros and ones: the figure is the proportion of these (Wilson's interval)
    counted: Array | None = None  # (n,) zeros and ones: of these; None: of all items
    # Items that the figure rests on where these are fewer than all: the area of a class of four items is no surer than
    # four items make it, its t has as many degrees of freedom less one.
    rests_on: int | None = None
    floor: float = 0.0  # the standard error that it has at least: resamples of few items cannot show it
    # The figures whose mean it is. It has the degrees of freedom that their variances add up to (F. E. Satterthwaite,
    # Biometrics Bulletin 2, 1946).
    mean_of: Sequence[str] = ()
    bounds: Callable[[Codes, Config], list[float]] | None = None  # an interval of its own


@dataclass(frozen=True)
class Figure:
    """One metric of a task.

    ``value(sample)`` is the metric of each of b weighted samples (:class:`Sample`), float64 ``(b,)``, NaN where it is
    undefined; of a figure ``by_class`` ``(b, classes)``, which is reported as ``NAME/CLASS``. ``evidence(metrics)``, by
    class ``evidence(metrics, c)``, says what its interval rests on, ``interval`` of which kind that is.
    """

    name: str  # in the report and on the terminal
    title: str  # on the page
    value: Callable[[Any], Any]
    interval: str = PERCENTILE
    evidence: Callable[..., Evidence] = field(default=lambda *_: Evidence())
    # Whether it stands in the table on the terminal, and at the head of the page; those with a 2 after the others.
    shown: int = False
    head: int = False
    by_class: bool = False
    needs: str | None = None  # what has to be known of the items; without it the figure is left out
    said: str | None = None  # in a sentence, where that is not the title
    unit: str | None = None  # s: seconds
    form: str = ".3f"  # of a number for people

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return self.said or self.title

    def text(self, value: float) -> str:
        """A value for people: seconds as milliseconds, shares of the form ``.1%`` with a space before their sign.

        >>> Figure("mean_s", "mean", float, unit="s").text(0.0123), Figure("seen", "seen", float, form=".1%").text(0.5)
        ('12.3 ms', '50.0 %')
        """
        if self.unit == "s":
            return f"{1000 * value:.1f} ms"
        return f"{value:{self.form}}".replace("%", " %")


class Sample:
    """What figures are computed from: the data of a task, under b rows of item weights ``(b, n)``."""

    def __init__(self, data: Any, weights: Array) -> None:
        self.data, self.weights = data, weights

    @cached_property
    def total(self) -> Array:
        """The weight of each sample ``(b,)``."""
        return np.asarray(self.weights.sum(axis=1))

    def mean(self, values: Array) -> Array:
        """The mean of what each item has ``(n,)`` in each sample ``(b,)``."""
        return np.asarray(self.weights @ values / self.total)


class Metrics:
    """The figures of one data set as a function of item weights ``(b, n)``: ``metrics(weights) -> {name: (b,)}``."""

    def __init__(
        self, figures: Sequence[Figure], n: int, classes: Sequence[str] = (), known: Sequence[str] = ()
    ) -> None:
        """``known``: what is known of the items, of what figures may need."""
        self.n, self.classes = n, list(classes)
        self.figures = [f for f in figures if f.needs is None or f.needs in known]

    def sample(self, weights: Array) -> Any:
        """What the figures are computed from."""
        return Sample(self, weights)

    def __call__(self, weights: Array) -> dict[str, Array]:
        """The figures, each ``(b,)``; NaN where undefined."""
        sample = self.sample(weights)
        result: dict[str, Array] = {f.name: f.value(sample) for f in self.figures if not f.by_class}
        for c, name in enumerate(self.classes):
            result |= {f"{f.name}/{name}": f.value(sample)[:, c] for f in self.figures if f.by_class}
        return result

    def evidence(self) -> dict[str, tuple[Figure, Evidence]]:
        """Every figure by its name in the report, with what its interval rests on."""
        result = {f.name: (f, f.evidence(self)) for f in self.figures if not f.by_class}
        for c, name in enumerate(self.classes):
            result |= {f"{f.name}/{name}": (f, f.evidence(self, c)) for f in self.figures if f.by_class}
        return result

    def measured(self, groups: Any = None, config: Config | None = None) -> dict[str, dict[str, Any]]:
        """``{name: {value, interval, n, method}}`` of every figure.

        Undefined figures have the value None, and None for an interval.
        """
        config = config or Config()
        codes = interval.group_codes(groups, config)
        units = self.n if codes is None else int(codes.max()) + 1
        known = self.evidence()
        drawn = self._drawn(known, codes, config)
        kinds = {known[name][0].interval for name in drawn}
        shaped = kinds & {SKEWED, AREA, CORRELATION} and units > 2
        shape = interval.tails(self, self.n, codes, config.seed) if shaped else {}
        worth = {name: float(min(units, known[name][1].rests_on or units)) for name in drawn}
        for name in drawn:
            if parts := known[name][1].mean_of:
                worth[name] = interval.satterthwaite({part: drawn[part] for part in parts}, worth, units)
        suffix = "" if codes is None else " by group"
        result: dict[str, dict[str, Any]] = {}
        for name, values in self(np.ones((1, self.n))).items():
            (figure, evidence), value = known[name], float(values[0])
            n = self.n if evidence.n is None else evidence.n
            bounds: list[float] | None = None
            kind = figure.interval
            if evidence.hits is not None:
                counted = np.ones(self.n) if evidence.counted is None else evidence.counted
                n, kind = int(counted.sum()), interval.WILSON
                if n and np.isfinite(value):
                    items = interval.effective_n(evidence.hits, counted, codes, config.level)
                    bounds = list(interval.wilson(value * items, items, config.level))
            elif evidence.bounds is not None:
                bounds = evidence.bounds(codes, config)
            elif np.isfinite(value) and kind == PERCENTILE:
                bounds = interval.percentile(drawn[name], config.level)
            elif np.isfinite(value) and n:
                bounds = interval.studentised(
                    kind, value, drawn[name], worth[name], shape.get(name, Tails()), config.level, n, evidence.floor
                )
            result[name] = {
                "value": value if np.isfinite(value) else None,
                "interval": bounds,
                "n": n,
                "method": METHODS[kind] + suffix,
            }
        return result

    def _drawn(self, known: dict[str, tuple[Figure, Evidence]], codes: Codes, config: Config) -> dict[str, Array]:
        """The figures of the bootstrap's resamples, each ``(resamples,)``: of those whose interval comes from them."""
        parts: dict[str, list[Array]] = {
            name: [] for name, (_, evidence) in known.items() if evidence.hits is None and evidence.bounds is None
        }
        if parts:
            for weights in interval.draws(self.n, codes, config):
                values = self(weights)
                for name, part in parts.items():
                    part.append(values[name])
        return {name: np.concatenate(part) for name, part in parts.items()}
