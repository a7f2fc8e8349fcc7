"""Pieces at the ends of a run whose lags the phase of the sound tells apart where frames cannot: twenty milliseconds
cut out of the first seconds."""

from __future__ import annotations

import numpy as np

from mmcli.aligners.core import limits
from mmcli.aligners.linear.fit import Material
from mmcli.aligners.linear.trace import Run
from mmcli.aligners.linear.windows import refine

END_S, END_WINDOW_S, END_STEP_S = 4.0, 1.0, 0.5  # at either end of a piece, listened to by phase
END_REACH_S = 0.15


def mend_ends(x: Material, y: Material, runs: list[Run]) -> list[Run]:
    """The runs with pieces at their ends that the phase of the sound hears at another lag."""
    if x.samples is None or y.samples is None:
        return runs
    out: list[Run] = []
    for run in runs:
        out += _parted(x, y, run)
    return out


def _parted(x: Material, y: Material, run: Run) -> list[Run]:
    """A run, and what its first and its last seconds say about a lag of their own."""
    if run.end - run.start < 2 * END_S + 2.0:
        return [run]
    head = _other_lag(x, y, run, at_end=False)
    tail = _other_lag(x, y, run, at_end=True)
    out = []
    start, end = run.start, run.end
    if head is not None:
        lag, start = head
        out.append(Run(lag, run.slope, run.start, start))
    if tail is not None:
        _, end = tail
    out.append(Run(run.lag, run.slope, start, end))
    if tail is not None:
        out.append(Run(tail[0], run.slope, end, run.end))
    return out


def _other_lag(x: Material, y: Material, run: Run, *, at_end: bool) -> tuple[float, float] | None:
    """The lag of the outermost seconds of a run and where they end, if they have one of their own."""
    assert x.samples is not None
    samples = y.samples_at(run.slope)
    steps = np.arange(END_WINDOW_S / 2, END_S + END_WINDOW_S, END_STEP_S)
    centres = run.end - steps if at_end else run.start + steps  # from the outside in
    lags, known = [], []
    for centre in centres.tolist():
        lag, z = refine(
            x.samples, samples, x.rate_hz, run.slope * centre, run.lag,
            window_s=run.slope * END_WINDOW_S, search_s=END_REACH_S,
        )  # fmt: skip
        lags.append(lag - run.lag if np.isfinite(lag) else np.nan)
        known.append(np.isfinite(lag) and z >= limits.END_Z.value)
    moved, sure = np.array(lags), np.array(known)
    outer = np.flatnonzero(sure & (np.abs(moved) > limits.END_OTHER_S.value))
    inner = np.flatnonzero(sure & (np.abs(moved) <= limits.END_SAME_S.value))
    if len(outer) < limits.END_FEWEST.value or len(inner) < limits.END_FEWEST.value or outer[-1] > inner[0]:
        return None
    own = float(np.median(moved[outer]))
    if np.abs(moved[outer] - own).max() > limits.END_SAME_S.value:
        return None
    outermost, innermost = float(centres[outer[-1]]), float(centres[inner[0]])
    return run.lag + own, (outermost + innermost) / 2
