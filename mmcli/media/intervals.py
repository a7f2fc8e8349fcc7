"""Annotations as intervals: Praat TextGrids, subtitles, transcripts, and tables with columns start, end and label.

Tables (csv, tsv) may call them onset, offset and event_label, as the DCASE challenges do, and a column filename (or id)
may say which recording a row is of. A table of time and label is a series: each label holds until the next.

Reference: Praat manual, "TextGrid file formats" (text files, long and short).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmcli.errors import InputError, UsageError
from mmcli.media import files, transcripts
from mmcli.media.clips import SubtitleClip
from mmcli.media.door import open_clip
from mmcli.media.text import decoded

Interval = tuple[float, float, str]
NONE = "none"  # what is said of a time at which nothing is
SEPARATOR = "|"  # between labels that hold at once, as in manifests
TABLES = (".csv", ".tsv")
COLUMNS = {
    "of": ("filename", "file", "id", "recording"),
    "start": ("start", "onset"),
    "end": ("end", "offset"),
    "label": ("label", "event_label"),
    "time": ("time", "t"),
}

# What a TextGrid is made of, long or short: numbers, quoted strings ("" is a quote), and the flag <exists>. In the long
# form names and indices stand between them, which are passed over.
_VALUE = re.compile(r'"((?:[^"]|"")*)"|(?<![\w\[])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\]])')


def read(text: str) -> list[Interval]:
    """The intervals that ``FILE`` or ``FILE#TIER`` names: (start, end, label), seconds; empty labels are left out.

    Of a TextGrid the first interval tier where none is named; a second tier of one name is ``NAME (2)``. Raises
    :class:`InputError` for a file that holds none, :class:`UsageError` for an unknown tier.
    """
    return next(iter(read_tiers(text).values()))


def parted(text: str) -> tuple[str, str]:
    """The file and the tier ("" for none) that ``FILE`` or ``FILE#TIER`` names; a file may have a # in its own name.

    >>> parted("talk.TextGrid#words")
    ('talk.TextGrid', 'words')
    """
    name, _, tier = text.partition("#") if not Path(text).exists() else (text, "", "")
    return name, tier


def read_tiers(text: str) -> dict[str, list[Interval]]:
    """The intervals of every tier that ``FILE`` holds, or of the one that ``FILE#TIER`` names, as :func:`read`.

    Files without tiers have one, without a name. Raises :class:`MissingError` where there is no such file.
    """
    name, wanted = parted(text)
    files.regular(name)
    suffix = Path(name).suffix.lower()
    if suffix == ".textgrid":
        tiers = _textgrid(decoded(Path(name)), name)
        if wanted and wanted not in tiers:
            raise UsageError(f"has no interval tier {wanted!r}", source=name, hint="tiers: " + ", ".join(tiers))
        tiers = {wanted: tiers[wanted]} if wanted else tiers
    elif suffix in TABLES:
        table = _table(decoded(Path(name)), name)
        of = {recording for recording, _ in table}
        if len(of) > 1:
            hint = "cut one recording with it, or evaluate spans of all of them"
            raise InputError(f"is of {len(of)} recordings, {', '.join(sorted(of)[:3])} ...", source=name, hint=hint)
        tiers = {"": [row for _, row in table]}
    elif transcripts.format_of(name) is not None:
        tiers = transcripts.read(Path(name), decoded(Path(name)))
        if wanted and wanted not in tiers:
            raise UsageError(f"has no tier {wanted!r}", source=name, hint="tiers: " + ", ".join(tiers))
        if len(tiers) > 1 and not wanted and transcripts.holds_recordings(Path(name)):
            hint = f"{name}#{next(iter(tiers))}"
            raise InputError(
                f"is of {len(tiers)} recordings, {', '.join(sorted(tiers)[:3])} ...", source=name, hint=hint
            )
        tiers = {wanted: tiers[wanted]} if wanted else tiers
    else:
        clip = open_clip(name, "subtitle")
        tiers = {"": list(clip.cues) if isinstance(clip, SubtitleClip) else []}
    labelled = {tier: [(a, b, " ".join(c.split())) for a, b, c in rows if c.strip()] for tier, rows in tiers.items()}
    labelled = {tier: rows for tier, rows in labelled.items() if rows}
    if not labelled:
        raise InputError("holds no interval with a label", source=text)
    for rows in labelled.values():
        for start, end, label in rows:
            if not 0 <= start < end < math.inf:
                raise InputError(f"interval {label!r} runs from {start:g} s to {end:g} s", source=text)
    return labelled


def read_recordings(text: str) -> dict[str, list[Interval]]:
    """The intervals that ``FILE`` or ``FILE#TIER`` names, by recording; "" where the file names none.

    A row of a table that names a recording and has nothing else is of one in which nothing happens. Errors are those
    of :func:`read_tiers`.
    """
    name, tier = parted(text)
    if not tier and transcripts.holds_recordings(Path(name)):
        files.regular(name)
        return {
            recording: read(f"{name}#{recording}") for recording in transcripts.read(Path(name), decoded(Path(name)))
        }
    if tier or Path(name).suffix.lower() not in TABLES:
        return {"": read(text)}
    files.regular(name)
    of: dict[str, list[Interval]] = {}
    for recording, (start, end, label) in _table(decoded(Path(name)), name):
        rows = of.setdefault(recording, [])
        if label.strip():
            if not 0 <= start < end < math.inf:
                raise InputError(f"interval {label!r} runs from {start:g} s to {end:g} s", source=text)
            rows.append((start, end, " ".join(label.split())))
    if not of:
        raise InputError("holds no interval with a label", source=text)
    return of


def label_at(intervals: Sequence[Interval], time: float) -> str:
    """What holds at a time: the labels of the intervals about it, joined by ``|``, or ``none``.

    >>> label_at([(0.0, 2.0, "talk"), (1.0, 3.0, "music")], 1.5), label_at([], 1.0)
    ('music|talk', 'none')
    """
    labels = sorted({label for start, end, label in intervals if start <= time < end})
    return SEPARATOR.join(labels) or NONE


def _table(text: str, name: str) -> list[tuple[str, Interval]]:
    """Each row with the recording that it is of."""
    tabs = Path(name).suffix.lower() == ".tsv" or "\t" in text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), strict=True, delimiter="\t" if tabs else ",")
    labelled: list[tuple[str, Interval]] = []
    try:
        column = {key: next((n for n in names if n in (rows.fieldnames or ())), "") for key, names in COLUMNS.items()}
        series = bool(column["time"] and column["label"]) and not column["end"]
        if not series and not (column["start"] and column["end"] and column["label"]):
            raise InputError("has no columns start, end and label (or time and label)", source=name)
        for row in rows:
            of, label = row.get(column["of"]) or "", row[column["label"]] or ""
            if series:
                time = float(row[column["time"]])
                labelled.append((of, (time, time, label)))
            elif of and not label.strip() and not (row[column["start"]] or "").strip():
                labelled.append((of, (0.0, 0.0, "")))
            else:
                labelled.append((of, (float(row[column["start"]]), float(row[column["end"]]), label)))
    except (TypeError, ValueError):
        raise InputError(f"line {rows.reader.line_num}: start or end is no number", source=name) from None
    except csv.Error as error:  # a quote that nothing closes would swallow the intervals after it
        raise InputError(f"line {rows.reader.line_num}: {error}", source=name) from None
    return _until_the_next(labelled, name) if series else labelled


def _until_the_next(rows: list[tuple[str, Interval]], name: str) -> list[tuple[str, Interval]]:
    """A series of labels as intervals; the last label of a recording holds as long as the one before it."""
    made = []
    for i, (of, (time, _, label)) in enumerate(rows):
        following = rows[i + 1] if i + 1 < len(rows) and rows[i + 1][0] == of else None
        before = rows[i - 1] if i and rows[i - 1][0] == of else None
        if following is None and before is None:
            raise InputError(f"has one label{f' of {of}' if of else ''}: how long it holds is not said", source=name)
        end = following[1][0] if following is not None else 2 * time - (before[1][0] if before else 0.0)
        if not time < end:
            raise InputError(f"times do not increase at {time:g} s", source=name)
        made.append((of, (time, end, label)))
    return made


def _textgrid(text: str, name: str) -> dict[str, list[Interval]]:
    values = [m[1].replace('""', '"') if m[1] is not None else float(m[2]) for m in _VALUE.finditer(text)]
    if values[:2] != ["ooTextFile", "TextGrid"]:
        raise InputError("is no TextGrid in text form", source=name)
    tiers: dict[str, list[Interval]] = {}
    again: Counter[str] = Counter()
    try:
        position = 5  # after the two names, start, end and the number of tiers
        for _ in range(int(float(values[4]))):
            kind, title, count = str(values[position]), str(values[position + 1]), int(float(values[position + 4]))
            position += 5
            step = 3 if kind == "IntervalTier" else 2
            if not 0 <= step * count <= len(values) - position:  # a damaged count of billions takes all memory
                raise IndexError(count)
            rows = [values[position + step * i : position + step * (i + 1)] for i in range(count)]
            position += step * count
            if kind == "IntervalTier":
                called = title
                while called in tiers:  # Praat allows two tiers of one name
                    again[title] += 1
                    called = f"{title} ({again[title] + 1})"
                tiers[called] = [(float(a), float(b), str(c)) for a, b, c in rows]
    except (IndexError, ValueError, OverflowError):
        raise InputError("is damaged: a tier ends before its last interval", source=name) from None
    if not tiers:
        raise InputError("has no interval tier", source=name)
    return tiers
