"""What speaks for lines: how well the frames fit, how much better than anywhere else, and what the phase says to that.

Lines are mended first (:mod:`.trace`), then weighed against the same lines at every other place of the reference:
loops, clicks and steady tones fit as well there, and two recordings that share nothing else fit nowhere. Where frames
leave a doubt, as in dubs that share the music under other voices, the phase of the sound is asked in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mmcli.aligners.core import limits
from mmcli.aligners.linear import breaks, ends, trace
from mmcli.aligners.linear.alignment import overlap
from mmcli.aligners.linear.breaks import Piece
from mmcli.aligners.linear.choose import Choice
from mmcli.aligners.linear.contrast import Contrast, Segment, evidence
from mmcli.aligners.linear.fit import Material
from mmcli.aligners.linear.phase import phase_margin
from mmcli.errors import MismatchError

PIECE_NATS = 12.0  # what each further piece costs: a place among thousands
BLOCK_S = 1.0
ASTRAY_S = 0.5  # from a piece: what is heard further off stands at another place
BESIDE_S = 1.0  # a window at a break is heard on either side of it


@dataclass(frozen=True)
class Weighed:
    """A choice of lines, mended, with its ``segments`` [(t_reference, t_query)] * 2 in seconds and the ``evidence``
    that its odds are made of, on logarithmic scales: ``nats`` of the frames, by how many standard deviations they are
    ``ahead`` of the best other place, and how many times as high the phase of the sound is ``heard`` there as anywhere
    else; ``share`` of the windows that agree, ``covered`` share of the shorter side, ``pieces``, ``seconds`` mapped,
    and 1 where pieces are ``torn`` out of it."""

    choice: Choice
    segments: list[Segment]
    evidence: dict[str, float]
    rival_s: float  # how far away the best other place is, seconds of the reference
    astray: float  # see :func:`astray`


def weigh(x: Material, y: Material, choice: Choice) -> Weighed | None:
    """The choice mended and weighed; None where its lines leave nothing that both sides share."""
    try:
        segments = choice.segments or [overlap(x.span, y.span, choice.fit.offset_s, choice.fit.rate)]
    except MismatchError:
        return None
    contrast = Contrast(x, y)
    runs = trace.runs_of(segments)
    mended = ends.mend_ends(x, y, trace.mend(contrast, runs))
    if len(mended) > 1 and mended != runs:
        rate = mended[0].slope
        nothing = np.zeros(len(choice.fit.lags.t), dtype=bool)
        pieces = [Piece(r.lag, 0.0, r.start * rate, r.end * rate, nothing) for r in mended]
        segments = breaks.segments(x, y, pieces, rate)
        fit = replace(choice.fit, model="piecewise", rate=rate)
        choice = replace(choice, model="piecewise", fit=fit, segments=segments)
    said = evidence(contrast, segments)
    heard = 0.0
    if x.samples is not None and not is_clear(said.ahead):
        heard = phase_margin(x, y, segments)
    seconds = float(sum(s[1, 1] - s[0, 1] for s in segments))
    covered = min(1.0, seconds / max(min(m.span[1] - m.span[0] for m in (x, y)), 1e-9))
    return Weighed(
        choice,
        segments,
        {
            "nats": float(np.log1p(max(said.nats - PIECE_NATS * (len(segments) - 1), 0.0))),
            "ahead": float(np.log1p(max(said.ahead, 0.0))),
            "heard": heard,
            "share": _share(choice, contrast, segments, said.gain),
            "covered": covered,
            "torn": float(len(segments) > 1 and is_torn(covered)),
            "pieces": float(len(segments)),
            "seconds": float(np.log1p(seconds)),
        },
        said.shift_s * x.unit_s,
        astray(choice, segments),
    )


def astray(choice: Choice, segments: list[Segment]) -> float:
    """The share of the windows that are clearly heard near a piece, and not on it: 0 for one line, and without sound,
    and 1 where next to none are clearly heard on the pieces.

    Pieces of a recording hold all of its windows, or are places away from them; a recording whose pace changes is heard
    a little before and behind each line that is laid across it.
    """
    lags = choice.fit.lags
    clear = lags.trusted > 0
    if len(segments) < 2 or lags.z is None:
        return 0.0
    t = lags.t[clear] / lags.rate
    heard = lags.t[clear] + lags.lag[clear]
    off = np.full(len(t), np.inf)
    for segment in segments:
        # windows are of the shorter side: where that is the reference, both sides are exchanged
        (r0, q0), (r1, q1) = segment[:, ::-1] if choice.repeats == "query" else segment
        beside = np.abs(r0 + (t - q0) * (r1 - r0) / (q1 - q0) - heard)
        off = np.where((t >= q0 - BESIDE_S) & (t <= q1 + BESIDE_S), np.minimum(off, beside), off)
    if np.sum(off <= lags.tolerance_s) < limits.FEWEST.value:
        return 1.0
    return float(np.mean((off > lags.tolerance_s) & (off < ASTRAY_S)))


def is_astray(share: float) -> bool:
    """Whether pieces leave so many windows beside them that they are laid across a warp."""
    return share >= limits.ASTRAY.value


def is_torn(covered: float) -> bool:
    """Whether pieces cover so little of the shorter side that its order is another one."""
    return covered < limits.WHOLE.value


def is_clear(ahead: float) -> bool:
    """Whether the frames are so many standard deviations ahead of all other places that the phase is not asked."""
    return ahead >= limits.CLEAR_AHEAD.value


def fits_well(score: float) -> bool:
    """Whether the windows of a line fit so well there as those of what repeats itself do, by their correlation."""
    return score >= limits.STEADY_FITS.value


def _share(choice: Choice, contrast: Contrast, segments: list[Segment], gain: float) -> float:
    """The share of the windows that agree; of frames alone no more than what they explain."""
    return choice.share if choice.believed else min(choice.share, explained(contrast, segments, gain))


def explained(contrast: Contrast, segments: list[Segment], gain: float) -> float:
    """The share of stretches of BLOCK_S that speak for their place: a line across a warp explains a part of it."""
    if gain <= 0:
        return 0.0
    width = max(1, round(BLOCK_S / contrast.hop_s))
    nats = []
    for segment in segments:
        rows, values = contrast.of_line(segment)
        value = contrast.nats(rows, values, gain)
        nats += [float(part.sum()) for part in np.array_split(value, max(1, len(value) // width)) if len(part)]
    return float(np.mean(np.array(nats) > 0)) if nats else 0.0
