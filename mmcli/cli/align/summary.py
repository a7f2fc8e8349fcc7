"""One screen about an alignment: the map, between what, how well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mmcli.cli import console
from mmcli.errors import MismatchError

if TYPE_CHECKING:
    from mmcli.aligners.output.outcome import Outcome
    from mmcli.artifacts.formats.alignment import Alignment

UNMATCHED_S = 0.5  # at an end of a file, from which the summary says that it has no partner
MOST_PIECES = 8  # that are listed one by one
Row = tuple[str, object]


def rows(alignment: Alignment) -> list[Row]:
    """What a person wants to know of it, by name: model, offset and rate, pieces, cuts, verdict and evidence."""
    out: list[Row] = [("model", alignment.model)]
    if alignment.offset_s is not None:
        out.append(("offset", f"{round(alignment.offset_s, 4) + 0.0:+.4f} s"))
        out.append(("rate", f"{alignment.rate:.6f} ({alignment.ppm:+.1f} ppm)"))
    out += _sides(alignment) if len(alignment.knots) else _of_text(alignment)
    out += _pieces(alignment)
    for gap in alignment.breaks:
        what = "a cut" if gap["side"] == "reference" else "an insert"
        where = f"at {gap['start']:.2f} s of the {gap['side']}"
        out.append(("only there", f"{what} of {gap['end'] - gap['start']:.3f} s {where}"))
    if alignment.ambiguous is not None:
        other = alignment.ambiguous
        out.append(("ambiguous", f"the {other['side']} repeats itself: {other['shift_s']:+} s fits nearly as well"))
    if alignment.cost is not None:
        # Four digits: the sixth already depends on the processor's FFT. The map holds them all.
        out.append(("cost", f"{alignment.cost:.4g}"))
    probability = alignment.quality.get("probability")
    certain = "" if probability is None else f" (probability {probability:.1%} that the map is right)"
    return [*out, ("match", f"{alignment.quality['verdict']}{certain}"), ("evidence", alignment.quality["reason"])]


def title(alignment: Alignment, outcome: Outcome) -> str:
    """What was made: the output and the method, or where a file was put on another clock that."""
    made = alignment.method["name"] if outcome.form is not None else f"{outcome.query.name} on the reference's clock"
    return made if outcome.output is None else f"{outcome.output}: {made}"


def _sides(alignment: Alignment) -> list[Row]:
    out: list[Row] = []
    for side, column in (("reference", 0), ("query", 1)):
        about, start, end = getattr(alignment, side), alignment.knots[0, column], alignment.knots[-1, column]
        out.append((side, f"{about['name']}, {start:.2f} to {end:.2f} s"))
        rest = [(0.0, start), (end, about["duration_s"] or end)]
        beyond = [f"{a:.2f} to {b:.2f} s" for a, b in rest if b - a > UNMATCHED_S]
        if beyond and alignment.model in ("piecewise", "warp"):
            out.append(("", f"no partner for {' and '.join(beyond)}"))
    out.append(("knots", len(alignment.knots)))
    return out


def _of_text(alignment: Alignment) -> list[Row]:
    """A text: its lines have times in the reference, none of their own."""
    heard = [s for s in alignment.segments or [] if s["start"] is not None]
    where = f", {min(s['start'] for s in heard):.2f} to {max(s['end'] for s in heard):.2f} s" if heard else ""
    return [("reference", f"{alignment.reference['name']}{where}"), ("query", alignment.query["name"])]


def _pieces(alignment: Alignment) -> list[Row]:
    """Of lines with breaks, each piece with its offset."""
    if alignment.model != "piecewise":
        return []
    from mmcli.artifacts.formats.timemap import TimeMap

    pieces = TimeMap(alignment).segments
    out: list[Row] = []
    for number, piece in enumerate(pieces[:MOST_PIECES], 1):
        (r0, q0), (r1, q1) = piece[0].tolist(), piece[-1].tolist()
        slope = (r1 - r0) / (q1 - q0) if q1 > q0 else math.nan
        pace = "" if abs(slope - 1.0) < 5e-7 else f", rate {slope:.6f}"
        out.append((f"piece {number}", f"{r0:.2f} to {r1:.2f} s: offset {round(r0 - q0, 4) + 0.0:+.4f} s{pace}"))
    if len(pieces) > MOST_PIECES:
        out.append(("", f"and {len(pieces) - MOST_PIECES} more pieces, see the map"))
    return out


# What was looked for, by the decision that it was weighed under (core/odds): in the words of who has the two files.
NEAREST = {
    "line": "one recording twice, by an offset and a rate",
    "line in doubt": "one recording twice, by an offset and a rate",
    "line of frames": "one recording twice, by an offset and a rate",
    "line and warp": "one recording twice, by an offset and a rate",
    "warp": "two renditions of one thing",
    "two kinds": "two kinds of stream of one thing",
    "frames": "two renditions of one thing",
    "voices": "two voices that say the same",
    "text": "the text as it is spoken there",
    "cues": "the cues where somebody speaks",
    "sections": "two renditions of one piece, section by section",
    "movement": "two sensors of one movement",
}


def refusal(error: MismatchError, reference: str) -> MismatchError:
    """The refusal in a plain sentence; its figures are a note, which ``-v`` shows. One that rests on no probability
    says what it is already, and stays as it is."""
    evidence = error.evidence or {}
    if evidence.get("statistic") != "probability":
        return error
    weighed = [c for c in evidence.get("candidates", []) if c.get("decision") in NEAREST]
    best = max(weighed, key=lambda c: float(c["probability"]), default=None)
    nearest = (
        "" if best is None else f"; nearest look-alike: {NEAREST[best['decision']]} ({best['probability']:.0%} likely)"
    )
    if evidence.get("verdict") == "unsure":
        what = f"may match {reference} or not: what they share, look-alikes can share too{nearest}"
    else:
        what = f"does not match {reference}: the two share nothing that both would show{nearest}"
    console.note(f"figures: {error.what}")
    plain = MismatchError(what, source=error.source, hint=error.hint if console.settings.verbose else _and(error.hint))
    plain.evidence = error.evidence
    return plain


def _and(hint: str | None) -> str:
    return f"{hint}; -v shows the figures" if hint else "-v shows the figures"


def warn_of_twins() -> None:
    """Say in one line that alignments run by the twins in Python, where there was no compiler."""
    from mmcli.aligners.kernels import engine

    if not engine.describe()["compiled"]:
        from mmcli.installation import KERNELS

        slower = KERNELS["dtw"][2]
        console.warn(
            f"no compiled kernels: the twins in Python serve, about {slower:.0f} times slower (`mmcli doctor`)"
        )
