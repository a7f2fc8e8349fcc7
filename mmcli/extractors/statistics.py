"""Statistics over time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmcli.errors import UsageError


def _slope(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Of the least-squares line, per second; 0 where there is one frame."""
    centred = times - times.mean()
    scale = float((centred**2).sum())
    return centred @ values / scale if scale else np.zeros(values.shape[1])


def _percentile(q: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda values, times: np.percentile(values, q, axis=0)


STATISTICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": lambda values, times: values.mean(axis=0),
    "std": lambda values, times: values.std(axis=0),
    "min": lambda values, times: values.min(axis=0),
    "max": lambda values, times: values.max(axis=0),
    "range": lambda values, times: np.ptp(values, axis=0),
    "median": _percentile(50),
    "p5": _percentile(5),
    "p25": _percentile(25),
    "p75": _percentile(75),
    "p95": _percentile(95),
    "slope": _slope,
}


def check(text: str, where: str) -> list[str]:
    """The names in a list separated by commas. Raises :class:`UsageError` for none, for unknown and double ones."""
    names = [n.strip() for n in text.split(",")]
    wrong = [n for n in names if n not in STATISTICS]
    if wrong or len(set(names)) < len(names):
        raise UsageError(f"{where} = {text!r}", hint="some of: " + ", ".join(STATISTICS))
    return names


def over_time(
    values: np.ndarray, times: np.ndarray, columns: list[str] | None, text: str
) -> tuple[np.ndarray, list[str]]:
    """The statistics of values (frames, dims) as one vector, and the names of its columns.

    >>> over_time(np.array([[1.0], [3.0]]), np.array([0.0, 1.0]), ["x"], "mean,slope")
    (array([2., 2.]), ['x.mean', 'x.slope'])
    """
    names = columns or [str(i) for i in range(values.shape[1])]
    wide = values.astype(np.float64)
    chosen = check(text, "statistics")
    vector = np.concatenate([STATISTICS[statistic](wide, times) for statistic in chosen])
    return vector, [f"{name}.{statistic}" for statistic in chosen for name in names]
