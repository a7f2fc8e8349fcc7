"""How good a map is, next to what is known to be true: errors in seconds, shares within limits, honest intervals.

Conventions: event times in seconds, float64 (n,), in order; the true times first. Mean and median error, shares within
a limit, correct segments and the perceptual metric have the values of ``mir_eval.alignment`` (Raffel et al. 2014,
"mir_eval: a transparent implementation of common MIR metrics").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.errors import MismatchError
from mmcli.evaluation.metrics.figure import Figure

Times = NDArray[np.float64]

LIMITS_S = (0.010, 0.020, 0.050, 0.100)
# Skew-normal fit to how listeners judged lyrics that come early or late (Lizé Masclef, Vaglio and Moussallam 2021,
# "User-centered evaluation of lyrics to audio alignment"): shape, location and scale in seconds, and its peak.
SKEW, LOCATION, SCALE, PEAK = 1.12244251, -0.22270315, 0.29779424, 1.6857
GRID_S = 0.05  # at which two maps are compared
MOST_POINTS = 2_000_000  # of a truth, a day of them
SEGMENT_S = 1.0  # and the length of the segments into which they are cut then


LEVEL = 0.9  # of the intervals that a map carries


@dataclass(frozen=True, eq=False)
class Moments:
    """Own times ``(n,)`` beside the true ones, in their order; ``total`` were to be found.

    Every ``every``-th moment bounds a segment. ``inside`` says of the moments that the map has an interval for whether
    that holds the truth, ``width`` how wide each interval is, both None without intervals.
    """

    true: Times
    own: Times
    total: int
    every: int = 1
    inside: NDArray[np.bool_] | None = None
    width: Times | None = None

    @property
    def error(self) -> Times:
        """How far each lies from the truth, in seconds."""
        return np.abs(self.own - self.true)


def correct_segments(true: Times, own: Times) -> float:
    """The share of time in which the segment is the true one, 0 to 1; segments lie between neighbouring times.

    >>> correct_segments(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.5, 2.0]))
    0.75
    """
    shared = np.minimum(true[1:], own[1:]) - np.maximum(true[:-1], own[:-1])
    return float(np.maximum(shared, 0.0).sum() / float(true[-1] - true[0]))


def _segments(moments: Moments) -> tuple[float, int] | None:
    true, own = moments.true[:: moments.every], np.maximum.accumulate(moments.own[:: moments.every])  # in order
    if len(true) < 2 or not true[-1] > true[0]:
        return None
    return correct_segments(true, own), len(true) - 1


def perceptual(late: Times) -> float:
    """How well listeners take times to fit that are ``late`` seconds late, mean over all; not 1 for a perfect map.

    >>> round(perceptual(np.array([0.0])), 3)
    0.961
    """
    z = (late - LOCATION) / SCALE
    normal = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * math.erfc(-SKEW * v / math.sqrt(2)) for v in z])
    return float((2 / SCALE * normal * below / PEAK).mean())


def _within(limit: float) -> Figure:
    ms = round(limit * 1000)
    title = f"within {ms} ms"
    return Figure(f"within_{ms}_ms", title, lambda m: ((m.error <= limit).mean(), len(m.true)), shown=True, form=".1%")


# ``value(moments)`` is the figure and how many moments it rests on, or None where there is none.
FIGURES = (
    Figure("mean_s", "mean", lambda m: (m.error.mean(), len(m.true)), shown=True, unit="s"),
    Figure("median_s", "median", lambda m: (np.median(m.error), len(m.true)), shown=True, unit="s"),
    Figure("p95_s", "95 % within", lambda m: (np.percentile(m.error, 95), len(m.true)), shown=True, unit="s"),
    Figure("max_s", "largest", lambda m: (m.error.max(), len(m.true)), shown=True, unit="s"),
    *map(_within, LIMITS_S),
    Figure("correct_segments", "correct segments", _segments, shown=True, form=".1%"),
    Figure("perceptual", "perceptual", lambda m: (perceptual(m.own - m.true), len(m.true)), shown=True),
    Figure("unmapped", "unmapped", lambda m: ((m.total - len(m.true)) / m.total, m.total), shown=True, form=".1%"),
    Figure(
        "coverage",
        f"inside the {100 * LEVEL:g} % interval",
        lambda m: None if m.inside is None else (m.inside.mean(), len(m.inside)),
        shown=True,
        form=".1%",
    ),
    Figure(
        "width_s",
        "width of the interval",
        lambda m: None if m.width is None else (m.width.mean(), len(m.width)),
        shown=True,
        unit="s",
    ),
)


def score(alignment: Alignment, true: Times, every: int = 1) -> dict[str, dict[str, Any]]:
    """The metrics of a map at points (n, 2) of ``[t_reference, t_query]`` that belong together.

    The query times are mapped onto the reference clock. Points where the map says nothing count in ``unmapped`` alone.
    Where the map carries intervals: the share of points inside (``coverage``) and the mean whole width (``width_s``).
    Every ``every``-th point bounds a segment.
    """
    m = TimeMap(alignment)
    points = true[np.argsort(true[:, 0], kind="stable")]
    estimate = m.to_reference(points[:, 1])
    known = np.isfinite(estimate)
    if not known.any():
        raise MismatchError("the map says nothing about any of the true points")
    a = points[known, 0]
    own = m.to_query(a)
    seen = np.isfinite(own)
    inside = width = None
    if alignment.confidence_s is not None and len(alignment.knots) >= 2 and seen.any():
        half = np.interp(a, alignment.knots[:, 0], np.asarray(alignment.confidence_s))
        inside, width = (np.abs(own - points[known, 1]) <= half)[seen], 2 * half
    return measured(Moments(a, estimate[known], len(points), every, inside, width))


def score_map(alignment: Alignment, true: TimeMap) -> dict[str, dict[str, Any]]:
    """The metrics of a map against the true one, every ``GRID_S`` seconds of the reference where the true one holds.

    A line that holds everywhere counts where the judged map has knots. Correct segments are those of a second. A truth
    of more than a day is looked at in MOST_POINTS places, so that no file decides how much memory this takes.
    """
    if true.is_line and len(alignment.knots):
        true = true.restrict(float(alignment.knots[0, 0]), float(alignment.knots[-1, 0]))
    whole = true.segments
    step = max(GRID_S, float(whole[-1][-1, 0] - whole[0][0, 0]) / MOST_POINTS)
    first, *others = true.resample(step).segments
    points = np.concatenate([first, *(s[1:] for s in others)])  # where two touch, the moment is not theirs alone
    return score(alignment, points, every=max(1, round(SEGMENT_S / step)))


def score_starts(true: ArrayLike, own: ArrayLike, total: int) -> dict[str, dict[str, Any]]:
    """The metrics of starts (n,) next to the true ones; of ``total`` that were to be found."""
    a, b = np.asarray(true, dtype=np.float64), np.asarray(own, dtype=np.float64)
    order = np.argsort(a, kind="stable")
    return measured(Moments(a[order], b[order], total))


def measured(moments: Moments) -> dict[str, dict[str, Any]]:
    """``{name: {value, n}}``, with the unit of a figure that has one; own times out of order count as what they are."""
    result: dict[str, dict[str, Any]] = {}
    for figure in FIGURES:
        value = figure.value(moments)
        if value is not None:
            result[figure.name] = {"value": float(value[0]), "n": int(value[1])}
            if figure.unit:
                result[figure.name]["unit"] = figure.unit
    if "coverage" in result:
        result["coverage"]["level"] = LEVEL
    return result
