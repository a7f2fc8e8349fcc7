"""How good a map is, next to what is known to be true: errors in seconds, shares within limits, honest intervals.

Conventions: event times in seconds, float64 (n,), in order; the true times first. The first four metrics are those of
``mir_eval.alignment`` (Raffel et al. 2014, "mir_eval: a transparent implementation of common MIR metrics"), same names,
same values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.errors import InputError, MismatchError

Times = NDArray[np.float64]

LIMITS_S = (0.010, 0.020, 0.050, 0.100)
WINDOW_S = 0.3
# Skew-normal fit to how listeners judged lyrics that come early or late (Lizé Masclef, Vaglio and Moussallam 2021,
# "User-centered evaluation of lyrics to audio alignment"): shape, location and scale in seconds, and its peak.
SKEW, LOCATION, SCALE, PEAK = 1.12244251, -0.22270315, 0.29779424, 1.6857
GRID_S = 0.05  # at which two maps are compared
MOST_POINTS = 2_000_000  # of a truth, a day of them
SEGMENT_S = 1.0  # and the length of the segments into which they are cut then


def validate(true: ArrayLike, found: ArrayLike) -> tuple[Times, Times]:
    """Both as float64 (n,); raises MismatchError for differing lengths, InputError for none, NaN and disorder."""
    a, b = np.asarray(true, dtype=np.float64), np.asarray(found, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise MismatchError(f"{a.size} true times and {b.size} found times cannot be compared")
    if a.size == 0:
        raise InputError("there are no times to compare")
    for name, t in (("true", a), ("found", b)):
        if not np.isfinite(t).all():
            raise InputError(f"the {name} times hold NaN or infinity")
        if np.any(np.diff(t) < 0):
            raise InputError(f"the {name} times do not rise")
    return a, b


def absolute_error(true: ArrayLike, found: ArrayLike) -> tuple[float, float]:
    """Median and mean of the absolute differences, seconds.

    >>> median, mean = absolute_error([0.0, 1.0, 2.0], [0.1, 1.0, 2.3])
    >>> round(median, 3), round(mean, 3)
    (0.1, 0.133)
    """
    a, b = validate(true, found)
    error = np.abs(b - a)
    return float(np.median(error)), float(error.mean())


def percentage_correct(true: ArrayLike, found: ArrayLike, window: float = WINDOW_S) -> float:
    """The share of times within ``window`` seconds of the truth, 0 to 1.

    >>> percentage_correct([0.0, 1.0], [0.1, 1.5])
    0.5
    """
    a, b = validate(true, found)
    return float((np.abs(b - a) <= window).mean())


def percentage_correct_segments(true: ArrayLike, found: ArrayLike, duration: float | None = None) -> float:
    """The share of time in which the found segment is the true one, 0 to 1.

    Segments lie between neighbouring times; with ``duration`` also before the first and after the last of them.

    >>> percentage_correct_segments([0.0, 1.0, 2.0], [0.0, 1.5, 2.0])
    0.75
    """
    a, b = validate(true, found)
    if duration is not None:
        if not duration > 0 or max(a.max(), b.max()) > duration:
            raise InputError(f"times lie after the end at {duration} s")
        starts, ends = (np.concatenate([[0.0], t]) for t in (a, b)), (np.append(t, duration) for t in (a, b))
        total = float(duration)
    else:
        total = float(a[-1] - a[0])
        if total <= 0:
            raise InputError("the true times are all the same")
        starts, ends = (t[:-1] for t in (a, b)), (t[1:] for t in (a, b))
    shared = np.minimum(*ends) - np.maximum(*starts)
    return float(np.maximum(shared, 0.0).sum() / total)


def karaoke_perceptual_metric(true: ArrayLike, found: ArrayLike) -> float:
    """How well listeners take the times to fit, mean over all; not symmetric, and not 1 for a perfect map.

    >>> round(karaoke_perceptual_metric([1.0], [1.0]), 3)
    0.961
    """
    a, b = validate(true, found)
    return _perceptual(b - a)


def _perceptual(late: Times) -> float:
    z = (late - LOCATION) / SCALE
    normal = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * math.erfc(-SKEW * v / math.sqrt(2)) for v in z])
    return float((2 / SCALE * normal * below / PEAK).mean())


def score(found: Alignment, true: Times, every: int = 1) -> dict[str, dict[str, Any]]:
    """The metrics of a map at points (n, 2) of ``[t_reference, t_query]`` that belong together.

    The query times are mapped onto the reference clock. Points where the map says nothing count in ``unmapped`` alone.
    Where the map carries intervals: the share of points inside (``coverage``) and the mean whole width (``width_s``).
    Every ``every``-th point bounds a segment.
    """
    m = TimeMap(found)
    points = true[np.argsort(true[:, 0], kind="stable")]
    estimate = m.to_reference(points[:, 1])
    known = np.isfinite(estimate)
    if not known.any():
        raise MismatchError("the map says nothing about any of the true points")
    a = points[known, 0]
    metrics = _metrics(a, estimate[known], len(points), every)
    own = m.to_query(a)
    seen = np.isfinite(own)
    if found.confidence_s is not None and len(found.knots) >= 2 and seen.any():
        half = np.interp(a, found.knots[:, 0], np.asarray(found.confidence_s))
        inside = np.abs(own - points[known, 1]) <= half
        metrics["coverage"] = {"value": float(inside[seen].mean()), "n": int(seen.sum()), "level": 0.9}
        metrics["width_s"] = {"value": float(2 * half.mean()), "n": int(known.sum()), "unit": "s"}
    return metrics


def score_map(found: Alignment, true: TimeMap) -> dict[str, dict[str, Any]]:
    """The metrics of a map against the true one, every ``GRID_S`` seconds of the reference where the true one holds.

    A line that holds everywhere counts where the found map has knots. Correct segments are those of a second. A truth
    of more than a day is looked at in MOST_POINTS places, so that no file decides how much memory this takes.
    """
    if true.is_line and len(found.knots):
        true = true.restrict(float(found.knots[0, 0]), float(found.knots[-1, 0]))
    whole = true.segments
    step = max(GRID_S, float(whole[-1][-1, 0] - whole[0][0, 0]) / MOST_POINTS)
    first, *others = true.resample(step).segments
    points = np.concatenate([first, *(s[1:] for s in others)])  # where two touch, the moment is not theirs alone
    return score(found, points, every=max(1, round(SEGMENT_S / step)))


def score_starts(true: ArrayLike, found: ArrayLike, total: int) -> dict[str, dict[str, Any]]:
    """The metrics of starts (n,) against the true ones; of ``total`` that were to be found."""
    a, b = np.asarray(true, dtype=np.float64), np.asarray(found, dtype=np.float64)
    order = np.argsort(a, kind="stable")
    return _metrics(a[order], b[order], total)


def _metrics(a: Times, b: Times, total: int, every: int = 1) -> dict[str, dict[str, Any]]:
    """Of pairs of times in order of the true ones; found ones out of order count as what they are."""
    error = np.abs(b - a)
    n = len(a)
    out: dict[str, dict[str, Any]] = {
        "mean_s": {"value": float(error.mean()), "n": n, "unit": "s"},
        "median_s": {"value": float(np.median(error)), "n": n, "unit": "s"},
        "p95_s": {"value": float(np.percentile(error, 95)), "n": n, "unit": "s"},
        "max_s": {"value": float(error.max()), "n": n, "unit": "s"},
    }
    for limit in LIMITS_S:
        out[f"within_{round(limit * 1000)}_ms"] = {"value": float((error <= limit).mean()), "n": n}
    bounds, others = a[::every], np.maximum.accumulate(b[::every])  # segments have an order
    if len(bounds) > 1 and bounds[-1] > bounds[0]:
        out["correct_segments"] = {"value": percentage_correct_segments(bounds, others), "n": len(bounds) - 1}
    out["perceptual"] = {"value": _perceptual(b - a), "n": n}
    out["unmapped"] = {"value": (total - n) / total, "n": total}
    return out
