"""An alignment in the formats of other tools, chosen by the suffix of the output.

=========== ==============================================================================================
json        the map itself
csv         its knots: t_reference, t_query, confidence; of a text its lines and words
TextGrid    Praat: a tier of lines and one of words (text); else a tier of what has a partner and what not
srt, vtt    the lines of a text as cues
ctm         its words: file, channel, start, duration, word, score (NIST)
txt         labels for Audacity: start, end, text, separated by tabs
=========== ==============================================================================================
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from mmcli.artifacts.formats.alignment import Alignment, dumps
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import csvfile
from mmcli.errors import UsageError
from mmcli.registry import nearest

FORMATS = ("json", "csv", "textgrid", "srt", "vtt", "ctm", "labels")
SUFFIXES = {".txt": "labels", **{f".{name}": name for name in FORMATS[:-1]}}
Interval = tuple[float, float, str]


def format_of(output: Path | str, asked: str | None = None) -> str:
    """The format that was asked for, or that the suffix of the output says; json where it has none.

    >>> format_of("map.TextGrid"), format_of("-"), format_of("x.txt", "ctm")
    ('textgrid', 'json', 'ctm')
    """
    if asked is None:
        suffix = Path(output).suffix.lower()
        if suffix and suffix not in SUFFIXES:
            from mmcli.aligners import editors

            known, projects = (" ".join(s[1:] for s in some) for some in (SUFFIXES, editors.suffixes()))
            hint = f"maps: {known}; projects: {projects}; editing programs without one of their own import otio, fcpxml"
            raise UsageError(f"no map is written as {suffix}", source=output, hint=f"{hint} or edl")
        return SUFFIXES.get(suffix, "json")
    if asked.lower() not in ("map", *FORMATS):
        raise UsageError(f"unknown format {asked!r}", hint=nearest(asked.lower(), ("map", *FORMATS)))
    return "json" if asked.lower() == "map" else asked.lower()


def render(alignment: Alignment, form: str) -> bytes:
    """The bytes of a file in one of ``FORMATS``.

    Raises UsageError for formats of lines and words where no text was aligned.
    """
    if form == "json":
        return dumps(alignment)
    if form == "csv":
        return _csv(alignment).encode()
    if form == "textgrid":
        return _textgrid(alignment).encode()
    if form == "labels":
        rows = _spoken(alignment, "word") if alignment.segments else _parts(alignment)
        return "".join(f"{a:.6f}\t{b:.6f}\t{_flat(t)}\n" for a, b, t in rows).encode()
    if not alignment.segments:
        raise UsageError(f"{form} holds lines or words, and no text was aligned", hint="maps: json, csv, TextGrid, txt")
    if form == "ctm":
        return _ctm(alignment).encode()
    lines = _spoken(alignment, "line")
    mark = "," if form == "srt" else "."
    cues = [f"{k}\n{_stamp(a, mark)} --> {_stamp(b, mark)}\n{t}\n" for k, (a, b, t) in enumerate(lines, 1)]
    return (("WEBVTT\n\n" if form == "vtt" else "") + "\n".join(cues)).encode()


def _csv(alignment: Alignment) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if alignment.segments:
        writer.writerow(["kind", "text", "start", "end", "score", "spoken"])
        for s in alignment.segments:
            times = ["" if s[k] is None else f"{s[k]:.6f}" for k in ("start", "end")]
            writer.writerow([s["kind"], csvfile.defused(s["text"]), *times, s["score"], str(s["spoken"]).lower()])
        return out.getvalue()
    writer.writerow(["t_reference", "t_query", "confidence_s"])
    half: list[Any] = [""] * len(alignment.knots) if alignment.confidence_s is None else list(alignment.confidence_s)
    writer.writerows([f"{a:.6f}", f"{b:.6f}", h] for (a, b), h in zip(alignment.knots.tolist(), half, strict=True))
    return out.getvalue()


def _ctm(alignment: Alignment) -> str:
    name = Path(alignment.reference["name"]).stem.replace(" ", "_")
    rows = [s for s in alignment.segments or [] if s["kind"] == "word" and s["spoken"]]
    return "".join(
        f"{name} 1 {s['start']:.3f} {s['end'] - s['start']:.3f} {_flat(s['text']).replace(' ', '_')} {s['score']}\n"
        for s in rows
    )


def _textgrid(alignment: Alignment) -> str:
    """Every moment of the reference lies in an interval of each tier; pauses are empty ones."""
    if alignment.segments:
        tiers = [("lines", _spoken(alignment, "line")), ("words", _spoken(alignment, "word"))]
    else:
        tiers = [("map", _parts(alignment))]
    last = max((b for _, rows in tiers for _, b, _ in rows), default=0.0)
    end = max(float(alignment.reference["duration_s"] or 0.0), last)
    out = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.6f}"]
    out += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for k, (name, rows) in enumerate(tiers, 1):
        filled = _filled(rows, end)
        out += [f"    item [{k}]:", '        class = "IntervalTier"', f'        name = "{name}"', "        xmin = 0"]
        out += [f"        xmax = {end:.6f}", f"        intervals: size = {len(filled)}"]
        for j, (a, b, text) in enumerate(filled, 1):
            quoted = _flat(text).replace('"', '""')
            out += [f"        intervals [{j}]:", f"            xmin = {a:.6f}", f"            xmax = {b:.6f}"]
            out += [f'            text = "{quoted}"']
    return "\n".join(out) + "\n"


def _filled(rows: list[Interval], end: float) -> list[Interval]:
    out: list[Interval] = []
    at = 0.0
    for a, b, text in rows:
        a = max(a, at)
        if b <= a:
            continue
        if a > at + 1e-9:
            out.append((at, a, ""))
        out.append((a, b, text))
        at = b
    if end > at + 1e-9:
        out.append((at, end, ""))
    return out


def _spoken(alignment: Alignment, kind: str) -> list[Interval]:
    return [(s["start"], s["end"], s["text"]) for s in alignment.segments or [] if s["kind"] == kind and s["spoken"]]


def _parts(alignment: Alignment) -> list[Interval]:
    """Stretches of the reference with a partner, and those without."""
    ends = [s[[0, -1]].ravel().tolist() for s in TimeMap(alignment).segments]
    rows = [(a, b, f"query {p:.3f} to {q:.3f} s") for a, p, b, q in ends]
    rows += [(b["start"], b["end"], "only in the reference") for b in alignment.breaks if b["side"] == "reference"]
    return sorted(rows)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _stamp(t: float, mark: str) -> str:
    ms = round(t * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"
