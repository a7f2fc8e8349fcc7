"""A subtitle against sound or against another subtitle: its cues against a curve of speech activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs, limits
from mmcli.aligners.core.inputs import refusal
from mmcli.aligners.linear import rates
from mmcli.aligners.subtitles import place
from mmcli.aligners.subtitles.activity import of_cues, of_sound
from mmcli.aligners.subtitles.place import Placement
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import InputError
from mmcli.media.clips import AudioClip, SubtitleClip

ACCEPTS = (("audio", "subtitle"), ("subtitle", "subtitle"), ("subtitle", "audio"))
Cues = list[tuple[float, float, str]]
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
            placement, spans = placed(of_sound(x), y.cues, name=y.name, force=config.force)
        case SubtitleClip(), SubtitleClip():
            placement, spans = placed(activity_of_cues(x.cues), y.cues, name=y.name, force=config.force)
        case SubtitleClip(), AudioClip():
            placement, spans = placed(of_sound(y), x.cues, name=x.name, force=config.force)
        case _:
            raise inputs.incomparable([inputs.kind_of(v) for v in (x, y)], [inputs.name_of(v) for v in (x, y)])
    turned = isinstance(y, AudioClip)
    return Alignment(
        **_map(placement, spans, turned=turned),
        quality=_quality(placement, rates.inverse(placement.rate_name) if turned else placement.rate_name),
        method=inputs.method_entry("subtitles", config),
        reference=inputs.about(x),
        query=inputs.about(y),
    )


def placed(
    activity: NDArray[np.float64], cues: Cues, *, name: str, force: bool
) -> tuple[Placement, NDArray[np.float64]]:
    """Where cues lie on the clock of a curve of speech activity, and the cues in order, overlapping ones joined.

    ``name`` is that of the subtitle. Raises InputError for too few cues, MismatchError with the evidence where they do
    not fit, unless ``force``.
    """
    spans = _merged(cues)
    if len(spans) < limits.FEWEST_CUES.value:
        raise InputError(f"{len(spans)} cues say too little; {limits.FEWEST_CUES.value} are needed", source=name)
    placement = place.place(activity, spans)
    z, limit = placement.stands.z, placement.stands.limit
    if not placement.stands.is_clear and not force:
        reason = f"{_agreement(placement)}, the limit is {limit:.1f} (strangers lie below 2.4)"
        raise refusal(reason, name, statistic="z of the agreement", value=z, limit=limit)
    return placement, spans


def _agreement(placement: Placement) -> str:
    return f"agreement z = {placement.stands.z:.1f} above the same cues in other orders"


def _quality(placement: Placement, rate_name: str | None) -> dict[str, Any]:
    """The verdict, and its reason as a sentence."""
    edges = f"{placement.edges} edges lie within {placement.error_s * 1e3:.0f} ms (median)"
    rate = "" if rate_name is None else f", rate {rate_name}"
    return {
        "ratio": None,
        "verdict": "match" if placement.stands.is_clear else "no match (forced)",
        "reason": f"{_agreement(placement)}; {edges}{rate}",
    }


def _map(placement: Placement, spans: NDArray[np.float64], *, turned: bool) -> dict[str, Any]:
    """The map of cues onto the clock of the activity as fields of an alignment; inverted where ``turned``."""
    half = round(max(1.645 * 1.4826 * placement.error_s / np.sqrt(max(placement.edges, 1)), 0.005), 6)
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


def _segments(spans: NDArray[np.float64], placement: Placement) -> list[NDArray[np.float64]]:
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


def _merged(cues: list[tuple[float, float, str]]) -> NDArray[np.float64]:
    """Start and end of cues in order, overlapping ones joined, float64 (k, 2)."""
    out: list[list[float]] = []
    for start, end, _ in sorted(cues):
        if out and start <= out[-1][1] + 1e-3:
            out[-1][1] = max(out[-1][1], end)
        elif end > start:
            out.append([start, end])
    return np.array(out, dtype=np.float64).reshape(-1, 2)


def activity_of_cues(cues: list[tuple[float, float, str]]) -> NDArray[np.float64]:
    """The curve of a subtitle that serves as reference."""
    return of_cues([(s, e) for s, e, _ in cues], max(e for _, e, _ in cues))
