"""Offset, rate or breaks: the simplest of the three that explains a pair of recordings, or none of them.

Each model is judged by the share of windows that it places where their phase says they are; windows that lie outside of
the other recording under the model, or are silent, do not count. Of the models within ten points of the best the
simplest is taken. A model is believed where most windows agree, at least three of them with a phase peak far above what
strangers reach.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear import breaks, rates, windows
from mmcli.aligners.linear.breaks import Piece
from mmcli.aligners.linear.consensus import Line
from mmcli.aligners.linear.fit import Fit, Lags, Material, best_line, fitted, local_lags, said
from mmcli.aligners.linear.windows import Searched

SHORT_WINDOW_S, SHORT_STEP_S = 5.0, 2.0  # windows between breaks
BLURRED = 0.12  # of a hop, that lags of frames are measured to; see alignment.UNSEEN


@dataclass(frozen=True)
class Choice:
    """The model, its line and (for breaks) its segments, how much it explains, and what came second."""

    model: str
    fit: Fit
    segments: list[NDArray[np.float64]]
    share: float
    shares: dict[str, float]
    rate_name: str | None
    repeats: str = "reference"  # the side that windows were looked for in
    believed: bool = True  # False: none of the three explains the pair, and this one comes nearest

    @property
    def ambiguous(self) -> dict[str, object] | None:
        """Another place that fits nearly as well: the side that repeats itself, how far off, for how many windows."""
        shift, share = self.fit.lags.rival
        if share < limits.AMBIGUOUS.value:
            return None
        return {"side": self.repeats, "shift_s": round(shift * self.fit.lags.unit_s, 3), "share": round(share, 4)}

    @property
    def runner_up(self) -> dict[str, object] | None:
        """The best of the other models and its share."""
        others = {m: s for m, s in self.shares.items() if m != self.model}
        if not others:
            return None
        name = max(others, key=lambda m: others[m])
        return {"model": name, "share": round(others[name], 4)}

    def invert(self) -> Choice:
        """The same with the two sides exchanged."""
        f = self.fit
        fit = replace(f, offset_s=-f.offset_s / f.rate, rate=1.0 / f.rate)
        name, segments = rates.inverse(self.rate_name), [s[:, ::-1].copy() for s in self.segments]
        return replace(self, fit=fit, segments=segments, rate_name=name, repeats="query")

    def evidence(self) -> str:
        """One clause for people."""
        z = self.fit.z
        near = said(self.fit.lags.tolerance_s * self.fit.lags.unit_s)
        text = f"{self.share:.0%} of the windows agree within {near}"
        text += "" if z is None else f", phase peak z = {z:.1f}"
        text += "" if self.rate_name is None else f", rate {self.rate_name}"
        other = self.ambiguous
        return text if other is None else f"{text}; ambiguous: {other['shift_s']:+} s fits nearly as well"


def choose(x: Material, y: Material, *, window_s: float, step_s: float) -> Choice:
    """The simplest model that explains the pair; where none of the three does, the nearest, which is not believed.

    The windows are those of the shorter side, so that most of them have a partner to be found.
    """
    lengths = [m.span[1] - m.span[0] for m in (x, y)]
    if lengths[1] > limits.LONGER.value * lengths[0]:
        return _choose(y, x, window_s=window_s, step_s=step_s).invert()
    return _choose(x, y, window_s=window_s, step_s=step_s)


def _choose(x: Material, y: Material, *, window_s: float, step_s: float) -> Choice:
    line = best_line(x, y, window_s=window_s, step_s=step_s)
    simple = _straight(x, y, line)
    straight = (
        simple.share >= limits.ENOUGH.value and _believed(simple.fit, simple.fit.line.agree) and _holds(x, y, simple)
    )
    if straight and simple.share >= limits.CLEAR.value:
        return simple
    broken = _with_breaks(x, y, line)
    best = max(simple.share, broken.share if broken else 0.0)
    shares = {**simple.shares, **(broken.shares if broken else {})}
    if straight and as_good(simple.share, best):
        return replace(simple, shares=shares)
    if broken is not None and broken.share >= limits.ENOUGH.value and _holds(x, y, broken):
        return replace(broken, shares=shares)
    return replace(broken if broken is not None and broken.share > simple.share else simple, believed=False)


def as_good(simpler: float, best: float) -> bool:
    """Whether a simpler model is taken that explains this share of the windows, of which another explains ``best``."""
    return simpler >= best - limits.POINTS.value


def _holds(x: Material, y: Material, choice: Choice) -> bool:
    """Whether the lines hold inside their windows too; where there is sound, phase has said so."""
    if x.samples is not None:
        return True
    ends = np.array(y.span)
    one = np.column_stack([choice.fit.offset_s + choice.fit.rate * ends, ends])
    return holds(x, y, choice.fit.lags, choice.segments or [one])


def _straight(x: Material, y: Material, line: Fit) -> Choice:
    """Offset, or offset and rate."""
    shares = {"affine": _share(x, y, line.lags, line.line.lag(line.lags.t), line.line.agree)}
    constant = fitted(line.lags, "offset") if line.lags.rate == 1.0 else None
    shares["offset"] = (
        0.0 if constant is None else _share(x, y, line.lags, constant.line.lag(line.lags.t), constant.line.agree)
    )
    if constant is not None and as_good(shares["offset"], shares["affine"]) and not _drifts(line):
        return Choice("offset", constant, [], shares["offset"], shares, None)
    name, line = _named(line)
    return Choice("affine", line, [], shares["affine"], shares, name)


def _drifts(line: Fit) -> bool:
    """Whether the slope is more than its own uncertainty: an offset explains a small drift of a short file too."""
    t = line.lags.t[line.line.agree]
    if len(t) < limits.FEWEST.value:
        return False
    moved = abs(line.line.slope) * float(t.max() - t.min())
    least = max(4 * line.line.error_s, 0.001 if line.lags.sharp else BLURRED * line.lags.hop_s)
    return moved > least and abs(line.line.slope) > limits.SURE.value * line.slope_deviation


def _share(x: Material, y: Material, lags: Lags, lag: NDArray[np.float64], agree: NDArray[np.bool_]) -> float:
    """The share of windows that agree, of those that sound and lie inside the reference under the model."""
    counts = counting(x, lags, lag)
    if counts.sum() < 1:
        return 0.0
    good = agree & (lags.trusted > 0) if lags.sharp else agree
    return float((good & counts).sum() / counts.sum())


def counting(x: Material, lags: Lags, lag: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Windows that sound, and that lie inside the reference when put at ``lag``."""
    at = lags.t + lag
    inside = (at - lags.window_s / 2 >= x.span[0] - 0.1) & (at + lags.window_s / 2 <= x.span[1] + 0.1)
    sounds = np.ones(len(lags.t), dtype=bool) if lags.z is None else lags.z > 0
    return inside & sounds


def _believed(fit: Fit, agree: NDArray[np.bool_]) -> bool:
    """Whether enough windows agree clearly: by phase where there is sound, by their frames elsewhere."""
    if fit.lags.z is None:
        return int(agree.sum()) >= min(limits.FEWEST.value, len(fit.lags.t))
    z = fit.lags.z[agree]
    trusted = z[z >= limits.SHARP_Z.value]
    return fit.lags.sharp and len(trusted) >= limits.FEWEST.value and float(np.median(trusted)) >= limits.CLEAR_Z.value


def _named(line: Fit) -> tuple[str | None, Fit]:
    """The line with a known ratio in place of its rate, where that does as well; and the ratio's name."""
    t = line.lags.t[line.line.agree]
    reach = float(np.ptp(t)) if len(t) else 0.0
    if reach <= 0 or abs(line.rate - 1.0) <= limits.SURE.value * line.slope_deviation:
        return None, line
    least = 1e-4 if line.lags.sharp else BLURRED * line.lags.hop_s  # what no lag is measured better than
    worse = 1e-4 if line.lags.sharp else 0.25 * line.lags.hop_s  # pictures are as far apart as a hop
    slack = min(max(limits.SURE.value * line.slope_deviation, 2 * least / reach), limits.NAMES_APART.value / 2)
    name = rates.named(line.rate, slack)
    if name is None:
        return None, line
    slope = rates.NAMED[name] / line.lags.rate - 1.0
    rest = line.lags.lag - slope * line.lags.t
    at_zero = float(np.median(rest[line.line.agree]))
    error = np.abs(rest - at_zero)
    agree = error <= line.lags.tolerance_s
    usual = float(np.median(error[agree])) if agree.any() else np.inf
    if agree.mean() < line.agreeing - 0.02 or usual > limits.NAMED_WORSE.value * line.line.error_s + worse:
        return None, line
    own = Line(at_zero, slope, agree, usual)
    return name, Fit(line.model, at_zero, rates.NAMED[name], line.lags, own)


def _with_breaks(x: Material, y: Material, line: Fit) -> Choice | None:
    """Pieces under lags of their own, at the line's rate or at the query's own."""
    best: Choice | None = None
    for rate in dict.fromkeys((1.0, line.lags.rate)):
        lags = local_lags(x, y, rate=rate, window_s=SHORT_WINDOW_S, step_s=SHORT_STEP_S)
        if x.samples is not None and not lags.sharp:
            continue
        for slope in dict.fromkeys((0.0, fitted(lags, "affine").line.slope)):
            fit = Fit("piecewise", 0.0, (1.0 + slope) * rate, lags, Line(0.0, slope, np.zeros(len(lags.t), bool), 0.0))
            pieces = breaks.groups(lags, fit)
            if len(pieces) < 2:
                continue
            segments = breaks.segments(x, y, pieces, rate)
            if len(segments) != len(pieces):
                continue
            share, agree = _share_of_pieces(x, lags, pieces, segments)
            if best is None or is_ahead(share, best.share):
                fit = replace(fit, line=replace(fit.line, agree=agree, error_s=_scatter(lags, pieces)))
                if _believed(fit, agree):
                    best = Choice("piecewise", fit, segments, share, {"piecewise": share}, None)
    return best if best is not None and len(best.segments) > 1 else None


def is_ahead(share: float, before: float) -> bool:
    """Whether breaks under another rate or slope explain enough more to be taken."""
    return share > before + limits.BREAKS_AHEAD.value


def _share_of_pieces(
    x: Material, lags: Lags, pieces: list[Piece], segments: list[NDArray[np.float64]]
) -> tuple[float, NDArray[np.bool_]]:
    """The share of windows that agree with their piece.

    Windows across a break belong to neither side and do not count, where the break is a cut or an insertion. Where it
    would replace a stretch by another of about the same length they count as not explained: so looks a free warp.
    """
    agree = np.any([p.windows for p in pieces], axis=0)
    half = lags.window_s / 2
    counts = np.zeros(len(lags.t), dtype=bool)
    for k, p in enumerate(pieces):
        low = -np.inf if k == 0 else pieces[k - 1].end
        high = np.inf if k == len(pieces) - 1 else p.end
        counts |= (lags.t > low) & (lags.t <= high) & counting(x, lags, p.lag + p.slope * lags.t)
    for a, b in pairwise(segments):
        reference_gap, query_gap = b[0] - a[-1]
        if min(reference_gap, query_gap) <= limits.EVEN.value * max(reference_gap, query_gap):
            low, high = a[-1, 1] * lags.rate, b[0, 1] * lags.rate
            counts &= ~((lags.t + half > low) & (lags.t - half < high) & ~agree)
    good = agree & (lags.trusted > 0) if lags.sharp else agree
    return (float((good & counts).sum() / counts.sum()) if counts.any() else 0.0), agree


def _scatter(lags: Lags, pieces: list[Piece]) -> float:
    """The usual distance of the windows from the line of their piece."""
    rest = [np.abs(lags.lag - p.lag - p.slope * lags.t)[p.windows] for p in pieces]
    return float(np.median(np.concatenate(rest)))


# Whether a line found by long windows also holds for short ones: a free warp crosses a line, and agrees on average.
#
# A window of ten seconds that is placed by its frames lies where most of it fits. Where the pace wanders by a quarter
# of a second, such windows still agree with one line, and what lies inside them does not. So windows of four tenths of
# the length are looked for around where the line puts them; most of them must fit best just there. Sound needs no such
# test: its phase is measured in short windows from the start.

SHORTER = 0.4  # of the length of the long windows, as phase windows are
LEAST, LEAST_REACH = 8, 8  # frames of a short window, and of the way that it is looked for on either side


def holds(x: Material, y: Material, lags: Lags, segments: list[NDArray[np.float64]]) -> bool:
    """Whether most short windows of the query ``y`` lie where ``segments`` [(t_reference, t_query)] * 2 put them.

    True where there are too few of them to tell.
    """
    hop = windows.hop_for(x.times, y.times * lags.rate, lags.hop_s)
    grid = x.searched(hop)
    length = max(LEAST, round(SHORTER * lags.window_s / hop))
    missed = [_misses(grid, y, s, length) for s in segments]
    energy = np.concatenate([e for e, _ in missed])
    misses = (
        np.concatenate([m for _, m in missed])[energy > limits.SHORT_QUIET.value * energy.mean()]
        if len(energy)
        else energy
    )
    if len(misses) < limits.SHORT_FEWEST.value:
        return True
    near = max(lags.tolerance_s / hop, 2.0) + 0.5  # half a frame: places are whole frames here
    return bool(np.mean(np.abs(misses) <= near) >= limits.SHORT_ENOUGH.value)


def _misses(
    x: Searched, y: Material, segment: NDArray[np.float64], length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The energy of every window on a line, and how many frames from the line it fits best."""
    (r0, q0), (r1, q1) = segment
    rate = float((r1 - r0) / (q1 - q0))
    values, start = windows.uniform(y.frames, y.times * rate, x.hop)
    values = windows.standard(values)
    reach = max(LEAST_REACH, length // 4)
    spread = x.spread(length)
    first, last = (int(np.ceil((q * rate - start) / x.hop)) for q in (q0, q1))
    energies, misses = [], []
    for k in range(max(0, first), min(len(values), last + 1) - length + 1, max(1, length // 2)):
        at = (r0 + start + x.hop * k - q0 * rate - x.start) / x.hop
        low, high = max(0, round(at) - reach), min(len(x.grid) - length, round(at) + reach)
        if not low <= round(at) <= high:
            continue
        window = values[k : k + length] - values[k : k + length].mean(axis=0)
        energy = float((window * window).sum())
        if energy <= 0.0:
            continue
        views = np.lib.stride_tricks.sliding_window_view(x.grid[low : high + length], length, axis=0)
        fit = np.einsum("kdl,ld->k", views, window) / np.sqrt(spread[low : high + 1])
        energies.append(energy)
        misses.append(low + int(np.argmax(fit)) - at)
    return np.array(energies), np.array(misses)
