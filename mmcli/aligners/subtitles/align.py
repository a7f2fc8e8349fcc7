"""A subtitle against sound or against another subtitle, as an alignment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import result
from mmcli.aligners.core.result import refusal
from mmcli.aligners.subtitles import place
from mmcli.aligners.subtitles.activity import of_cues
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import InputError

FEWEST_CUES = 5
EARLY_S = 0.1  # before a cue, where a break inside the cue before it ends


def against(
    activity: NDArray[np.float64],
    cues: list[tuple[float, float, str]],
    *,
    reference: dict[str, Any],
    query: dict[str, Any],
    force: bool,
    config: Any,
) -> Alignment:
    """The map of cues (the query) onto the clock of a curve of speech activity (the reference).

    Raises InputError for too few cues, MismatchError with the evidence where the cues do not fit, unless ``force``.
    """
    spans = _merged(cues)
    if len(spans) < FEWEST_CUES:
        raise InputError(f"{len(spans)} cues say too little; {FEWEST_CUES} are needed", source=query["name"])
    found = place.place(activity, spans)
    z, limit = found.stands.z, found.stands.limit
    evidence = f"agreement z = {z:.1f} above the same cues in other orders"
    if not found.stands.is_clear and not force:
        reason = f"{evidence}, the limit is {limit:.1f} (strangers lie below 2.4)"
        raise refusal(reason, query["name"], statistic="z of the agreement", value=z, limit=limit)
    verdict = "match" if found.stands.is_clear else "no match (forced)"
    rate = "" if found.named is None else f", rate {found.named}"
    quality = {
        "ratio": None,
        "verdict": verdict,
        "reason": f"{evidence}; {found.edges} edges lie within {found.error_s * 1e3:.0f} ms (median){rate}",
    }
    common: dict[str, Any] = {
        "quality": quality,
        "method": result.method("auto", config),
        "reference": reference,
        "query": query,
    }
    offsets = [p[2] for p in found.pieces]
    half = round(max(1.645 * 1.4826 * found.error_s / np.sqrt(max(found.edges, 1)), 0.005), 6)
    if len(found.pieces) == 1:
        ends = np.array([spans[0, 0], spans[-1, 1]])
        knots = np.column_stack([offsets[0] + found.rate * ends, ends])
        return Alignment(
            model="offset" if found.rate == 1.0 else "affine",
            knots=knots,
            offset_s=offsets[0],
            rate=found.rate,
            ppm=(found.rate - 1.0) * 1e6,
            confidence_s=[half] * 2,
            **common,
        )
    pieces = timemap.from_segments(_segments(spans, found), "piecewise")
    return Alignment(
        model="piecewise", knots=pieces.knots, breaks=pieces.breaks, confidence_s=[half] * len(pieces.knots), **common
    )


def _segments(spans: NDArray[np.float64], found: place.Found) -> list[NDArray[np.float64]]:
    """The knots of each piece; a break lies in the pause between two cues, with as much of the pause on either side."""
    begin = min(float(spans[0, 0]), 0.0)
    out: list[NDArray[np.float64]] = []
    for k, (_, b, offset) in enumerate(found.pieces):
        end = following = float(spans[-1, 1])
        if k + 1 < len(found.pieces):
            last, first = float(spans[b - 1, 1]), float(spans[b, 0])
            only_query = max(0.0, (offset - found.pieces[k + 1][2]) / found.rate)  # seconds that have no partner
            spare = first - last - only_query
            # Where the pause is too short for it, the break lies inside the cue before, which ran on across it.
            end = last + spare / 2 if spare >= 0 else first - only_query - min(EARLY_S, (last - spans[b - 1, 0]) / 2)
            following = end + only_query
        if end > begin:
            t = np.array([begin, end])
            out.append(np.column_stack([offset + found.rate * t, t]))
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
