"""A subtitle against sound or against another subtitle: its cues against a curve of speech activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs, limits
from mmcli.aligners.core.odds import probability, said, settled
from mmcli.aligners.linear import rates
from mmcli.aligners.subtitles import curve
from mmcli.aligners.subtitles.activity import of_cues, of_sound
from mmcli.aligners.subtitles.cues import spoken_spans
from mmcli.aligners.subtitles.curve import ByCurve
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import InputError
from mmcli.media.clips import AudioClip, SubtitleClip

ACCEPTS = (("audio", "subtitle"), ("subtitle", "subtitle"), ("subtitle", "audio"))
Cues = list[tuple[float, float, str]]
USUAL_S = 0.05  # by which speech begins beside what a listener takes for its beginning
# Of the usual error, and of how far ends disagree with starts: 90 % and more of 62 maps of choose (corpus) are held.
EARLY, BEHIND = 1.25, 0.15
EARLY_S = 0.1  # before a cue, where a break inside the cue before it ends


@dataclass(frozen=True)
class Config:
    """What happens to a subtitle that does not fit."""

    force: bool = False  # make a map even where the cues do not fit


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The map between ``x`` (the reference) and ``y``: a SubtitleClip and an AudioClip in either order, or two
    subtitles.

    Raises InputError for too few cues, MismatchError with the evidence where the cues do not fit.
    """
    match x, y:
        case AudioClip(), SubtitleClip():
            placement = placed(of_sound(x), y.cues, name=y.name, force=config.force)
        case SubtitleClip(), SubtitleClip():
            placement = placed(activity_of_cues(x.cues), y.cues, name=y.name, force=config.force)
        case SubtitleClip(), AudioClip():
            placement = placed(of_sound(y), x.cues, name=x.name, force=config.force)
        case _:
            raise inputs.incomparable([inputs.kind_of(v) for v in (x, y)], [inputs.name_of(v) for v in (x, y)])
    turned = isinstance(y, AudioClip)
    return Alignment(
        **_map(placement.at, placement.spans, turned=turned),
        quality=_quality(
            placement, rates.inverse(placement.at.rate_name) if turned else placement.at.rate_name, _mended(x, y)
        ),
        method=inputs.method_entry("subtitles", config),
        reference=inputs.about(x),
        query=inputs.about(y),
    )


@dataclass(frozen=True)
class Placed:
    """Where the cues lie, the cues themselves in order (k, 2), seconds, and what is said of it."""

    at: ByCurve
    spans: NDArray[np.float64]
    verdict: str

    @property
    def probability(self) -> float:
        """That they belong there."""
        return probability("cues", self.at.evidence)


def placed(activity: NDArray[np.float64], cues: Cues, *, name: str, force: bool) -> Placed:
    """Where cues lie on the clock of a curve of speech activity.

    ``name`` is that of the subtitle. Raises InputError for too few cues, MismatchError with the evidence where they do
    not fit or that cannot be told, unless ``force``.
    """
    spans, letters = spoken_spans(cues)
    if len(spans) < limits.FEWEST_CUES.value:
        raise InputError(f"{len(spans)} cues say too little; {limits.FEWEST_CUES.value} are needed", source=name)
    at = curve.place(activity, spans, letters, name=name or None)
    verdict = settled(
        probability("cues", at.evidence),
        _agreement(at),
        name or None,
        force=force,
        decides="more of the cues, or more of the sound, would decide it",
        evidence={"candidates": [said("cues", at.evidence)]},
    )
    return Placed(at, spans, verdict)


def _agreement(at: ByCurve) -> str:
    standing = at.standing
    nats = f"{standing.nats:.0f} nats, the next place {standing.rival:.0f}"
    return f"agreement z = {standing.z:.1f} above all other places ({nats}), {at.on_time:.0%} of the cues begin on time"


def _mended(*sides: Any) -> str:
    """What had to be mended of the subtitles, a clause for each."""
    return "".join(f"; {what}" for side in sides for what in getattr(side, "mended", ()))


def _quality(placement: Placed, rate_name: str | None, mended: str) -> dict[str, Any]:
    """The verdict, and its reason as a sentence."""
    at = placement.at
    edges = f"{at.edges} edges lie within {at.error_s * 1e3:.0f} ms (median)"
    rate = "" if rate_name is None else f", rate {rate_name}"
    return {
        "ratio": None,
        "verdict": placement.verdict,
        "reason": f"{_agreement(at)}; {edges}{mended}{rate}",
        "probability": placement.probability,
        "candidates": [said("cues", at.evidence)],
    }


def _map(placement: ByCurve, spans: NDArray[np.float64], *, turned: bool) -> dict[str, Any]:
    """The map of cues onto the clock of the activity as fields of an alignment; inverted where ``turned``."""
    half = half_width(placement.error_s, placement.disagree_s)
    if len(placement.pieces) > 1:
        pieces = timemap.from_segments(_segments(spans, placement), "piecewise")
        pieces = pieces.invert() if turned else pieces
        confidence = [half] * len(pieces.knots)
        return {"model": "piecewise", "knots": pieces.knots, "breaks": pieces.breaks, "confidence_s": confidence}
    offset, rate = placement.pieces[0][2], placement.rate
    model, ends = "offset" if rate == 1.0 else "affine", np.array([spans[0, 0], spans[-1, 1]])
    line = timemap.TimeMap(np.column_stack([offset + rate * ends, ends]), model=model, offset_s=offset, rate=rate)
    line = line.invert() if turned else line
    return {
        "model": model,
        "knots": line.knots,
        "offset_s": line.offset_s,
        "rate": line.rate,
        "ppm": None if line.rate is None else (line.rate - 1.0) * 1e6,
        "confidence_s": [half] * 2,
    }


def half_width(error_s: float, disagree_s: float) -> float:
    """Half of the 90 % interval of cues in seconds: what a listener takes for the beginning of a line lies beside where
    it gets loud, cues are set early by a hand that is as steady as they are alike, and ends that say something else
    than starts leave a doubt.

    >>> half_width(0.0, 0.0), half_width(0.1, 0.0)
    (0.05, 0.134629)
    """
    return round(float(np.sqrt(USUAL_S**2 + (EARLY * error_s) ** 2 + (BEHIND * disagree_s) ** 2)), 6)


def _segments(spans: NDArray[np.float64], placement: ByCurve) -> list[NDArray[np.float64]]:
    """The knots of each piece; a break lies in the pause between two cues, with as much of the pause on either side."""
    begin = min(float(spans[0, 0]), 0.0)
    out: list[NDArray[np.float64]] = []
    for k, (_, b, offset) in enumerate(placement.pieces):
        end = following = float(spans[-1, 1])
        if k + 1 < len(placement.pieces):
            last, first = float(spans[b - 1, 1]), float(spans[b, 0])
            only_query = max(
                0.0, (offset - placement.pieces[k + 1][2]) / placement.rate
            )  # seconds that have no partner
            spare = first - last - only_query
            # Where the pause is too short for it, the break lies inside the cue before, which ran on across it.
            end = last + spare / 2 if spare >= 0 else first - only_query - min(EARLY_S, (last - spans[b - 1, 0]) / 2)
            following = end + only_query
        if end > begin:
            t = np.array([begin, end])
            out.append(np.column_stack([offset + placement.rate * t, t]))
        begin = following
    return out


def activity_of_cues(cues: list[tuple[float, float, str]]) -> NDArray[np.float64]:
    """The curve of a subtitle that serves as reference."""
    return of_cues([(s, e) for s, e, _ in cues], max(e for _, e, _ in cues))
