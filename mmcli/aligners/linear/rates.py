"""Rates: which ones are tried, how one is fitted to the last part per million, and which have a name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core.frames import coarse
from mmcli.aligners.linear import fit as the_fit
from mmcli.aligners.linear import windows
from mmcli.aligners.linear.fit import Fit, Material

NAMED: dict[str, float] = {
    "24/25": 24 / 25,
    "25/24": 25 / 24,
    "23.976/25": 24 / 1.001 / 25,
    "25/23.976": 25 * 1.001 / 24,
    "1000/1001": 1000 / 1001,
    "1001/1000": 1001 / 1000,
}
GRID = 0.004  # between tried rates: half of it moves the ends of a 10 s window by 10 ms either way
PROBE_DIMS, PROBE_FRAMES = 16, 16_384  # what rates are compared by; an hour then takes 0.2 s a frame
PROBES = 24  # windows that a tried rate is judged by
ROUNDS = 4  # of measuring again with the rate found
ENOUGH = 0.6  # of the windows must agree with a line before other rates are not tried
UNSETTLED = 0.002  # a slope still as steep as this after ROUNDS was not followed to its end


def best_line(
    x: Material,
    y: Material,
    *,
    window_s: float,
    step_s: float,
    tolerance_s: float = 0.0,
    most_ppm: float = 2000.0,
    most_stretch: float = 0.06,
) -> Fit:
    """The line with the rate that explains most windows; other rates are tried where a rate near 1 does not do."""

    def at(rate: float) -> Fit:
        lags = the_fit.local_lags(x, y, rate=rate, window_s=window_s, step_s=step_s, most_ppm=most_ppm)
        return the_fit.fit(lags, "affine", tolerance_s=tolerance_s)

    first = polish(x, y, at(1.0), window_s=window_s, step_s=step_s, tolerance_s=tolerance_s)
    settled = abs(first.line.slope) < UNSETTLED
    if most_stretch == 0 or (first.agreeing >= ENOUGH and settled):
        return first
    tried = probe(x, y, most_stretch=most_stretch, window_s=window_s)
    if abs(tried - 1.0) < GRID / 2:
        return first
    second = polish(x, y, at(tried), window_s=window_s, step_s=step_s, tolerance_s=tolerance_s)
    if second.strength == first.strength:
        return first if settled else second
    return second if second.strength > first.strength else first


def polish(x: Material, y: Material, fit: Fit, *, window_s: float, step_s: float, tolerance_s: float = 0.0) -> Fit:
    """The line measured again with the query stretched by its rate, until the rate no longer blurs the windows."""
    window = min(the_fit.PHASE_WINDOW_S, fit.lags.window_s) if x.samples is not None else fit.lags.window_s
    blur = the_fit.PHASE_SMEAR_S if x.samples is not None else 0.25 * x.hop_s
    for _ in range(ROUNDS):
        if abs(fit.line.slope) * window / 2 <= blur or fit.line.agree.sum() < 3:
            break
        lags = the_fit.local_lags(x, y, rate=fit.rate, window_s=window_s, step_s=step_s)
        again = the_fit.fit(lags, "affine", tolerance_s=tolerance_s)
        if again.strength < fit.strength:
            break
        fit = again
    return fit


def probe(x: Material, y: Material, *, most_stretch: float, window_s: float) -> float:
    """Of the named rates and a grid, the one under which a few windows of the query fit the reference best."""
    grid = np.arange(-round(most_stretch / GRID), round(most_stretch / GRID) + 1) * GRID + 1.0
    named = [r for r in NAMED.values() if abs(r - 1) <= most_stretch]
    rates = np.unique(np.concatenate([grid, named]))
    hop = max(x.hop_s, y.hop_s, 0.02, float(max(x.times[-1] - x.times[0], y.times[-1] - y.times[0])) / PROBE_FRAMES)
    a = windows.searched(_pooled(x.frames), x.times, hop)
    b, b_times = coarse(_pooled(y.frames), y.times, max(1, round(hop / y.hop_s)))  # once for all rates
    scores, step = [], window_s / 2
    for rate in rates.tolist():
        found = windows.positions(a, b, b_times * rate, window_s=window_s, step_s=step, candidates=8, most=PROBES)
        choice = windows.track(found)
        rows = np.flatnonzero(choice >= 0)
        scores.append(float(found.score[rows, choice[rows]].mean()) if len(rows) else -1.0)
    return float(rates[int(np.argmax(scores))])


def _pooled(frames: NDArray[Any]) -> NDArray[Any]:
    """Means of neighbouring columns, PROBE_DIMS of them where there are twice as many: enough to compare rates."""
    group = frames.shape[1] // PROBE_DIMS
    if group < 2:
        return frames
    return np.asarray(frames[:, : group * PROBE_DIMS].reshape(len(frames), PROBE_DIMS, group).mean(axis=2))


def named(rate: float, tolerance: float) -> str | None:
    """The name of the known ratio within ``tolerance`` of ``rate``, the nearest; None where there is none.

    >>> named(0.96004, 1e-4), named(0.9590, 1e-4), named(0.97, 1e-4)
    ('24/25', '23.976/25', None)
    """
    name = min(NAMED, key=lambda n: abs(NAMED[n] - rate))
    return name if abs(NAMED[name] - rate) <= tolerance else None


def inverse(name: str | None) -> str | None:
    """The name of a known ratio the other way round; None for None.

    >>> inverse("24/25")
    '25/24'
    """
    return None if name is None else "/".join(reversed(name.split("/")))
