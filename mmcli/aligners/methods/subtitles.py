"""A subtitle against sound or against another subtitle: its cues against a curve of speech activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs, limits
from mmcli.aligners.core.odds import ODDS, settled
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
DECIDES = "more of the cues, or another recording of the same film, would decide it"
MOST_UNDER = 3  # cues that begin while one lasts, above which it is a sign over the picture
USUAL_S = 0.02  # by which speech begins beside what a listener takes for its beginning
MOST_DISAGREE_S = 0.4
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
        quality=_quality(
            placement, rates.inverse(placement.rate_name) if turned else placement.rate_name, config.force
        ),
        method=inputs.method_entry("subtitles", config),
        reference=inputs.about(x),
        query=inputs.about(y),
    )


def placed(
    activity: NDArray[np.float64], cues: Cues, *, name: str, force: bool
) -> tuple[Placement, NDArray[np.float64]]:
    """Where cues lie on the clock of a curve of speech activity, and the spans of the cues in order.

    ``name`` is that of the subtitle. Raises InputError for too few cues, MismatchError with the evidence where they do
    not fit or it cannot be told, unless ``force``.
    """
    spans, letters = spoken_spans(cues)
    if len(spans) < limits.FEWEST_CUES.value:
        raise InputError(f"{len(spans)} cues say too little; {limits.FEWEST_CUES.value} are needed", source=name)
    placement = place.place(activity, spans, letters)
    settled(probability(placement), _agreement(placement), name, force=force, decides=DECIDES)
    return placement, spans


def probability(placement: Placement) -> float:
    """That the cues lie where they were placed."""
    return ODDS["cues"].probability(evidence(placement))


def evidence(placement: Placement) -> dict[str, float]:
    """What the odds of a placement are made of."""
    standing = placement.standing
    return {
        "nats": float(np.log1p(max(standing.nats, 0.0))),
        "margin": float(np.log1p(max(standing.nats - max(standing.rival, 0.0), 0.0))),
        "pieces": float(len(placement.pieces)),
    }


def _agreement(placement: Placement) -> str:
    standing = placement.standing
    return (
        f"the cues lie {standing.z:.1f} standard deviations above other places "
        f"({standing.nats:.0f} nats, the next place {max(standing.rival, 0.0):.0f})"
    )


def _quality(placement: Placement, rate_name: str | None, force: bool) -> dict[str, Any]:
    """The verdict, and its reason as a sentence."""
    edges = f"{placement.edges} edges lie within {placement.error_s * 1e3:.0f} ms (median)"
    rate = "" if rate_name is None else f", rate {rate_name}"
    chance = probability(placement)
    return {
        "ratio": None,
        "verdict": settled(chance, "", None, force=force, decides=DECIDES),
        "reason": f"{_agreement(placement)}; {edges}{rate}",
        "probability": chance,
    }


def _map(placement: Placement, spans: NDArray[np.float64], *, turned: bool) -> dict[str, Any]:
    """The map of cues onto the clock of the activity as fields of an alignment; inverted where ``turned``."""
    half = _half_width(placement)
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


def _half_width(placement: Placement) -> float:
    """Half of the 90 % interval in seconds: of the edges among themselves, and of what starts and ends differ in."""
    spread = 1.645 * 1.4826 * placement.error_s / float(np.sqrt(max(placement.edges, 1)))
    return round(max(float(np.hypot(spread, USUAL_S)), 0.25 * min(placement.disagree_s, MOST_DISAGREE_S)), 6)


def spoken_spans(cues: Cues) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Start and end of the cues that are spoken, in order, float64 (k, 2), and how many letters each holds.

    A cue that another begins in ends there: two that overlap are held on, or signs under speech. A cue that lasts over
    many others is a sign, and is left out.

    >>> spoken_spans([(0.0, 9.0, "a"), (2.0, 3.0, "bb"), (2.0, 3.0, "cc")])[0].tolist()
    [[0.0, 2.0], [2.0, 3.0]]
    """
    ordered = sorted((s, e, text) for s, e, text in cues if e > s)
    starts = np.array([s for s, _, _ in ordered])
    spans: list[tuple[float, float]] = []
    letters: list[int] = []
    for k, (start, end, text) in enumerate(ordered):
        under = int(np.searchsorted(starts, end)) - int(np.searchsorted(starts, start, side="right"))
        if under > MOST_UNDER:
            continue
        following = next((s for s, _, _ in ordered[k + 1 :] if s > start), end)
        if spans and start <= spans[-1][0] + 1e-3:  # two that begin together are one
            letters[-1] += len(text)
            continue
        spans.append((start, min(end, following)))
        letters.append(len(text))
    return np.array(spans, dtype=np.float64).reshape(-1, 2), np.array(letters, dtype=np.int64)


def activity_of_cues(cues: list[tuple[float, float, str]]) -> NDArray[np.float64]:
    """The curve of a subtitle that serves as reference."""
    return of_cues([(s, e) for s, e, _ in cues], max(e for _, e, _ in cues))
