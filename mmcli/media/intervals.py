"""Annotations as intervals: Praat TextGrids, subtitles, and csv files with columns start, end and label.

Reference: Praat manual, "TextGrid file formats" (text files, long and short).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mmcli.errors import InputError, UsageError
from mmcli.media import files
from mmcli.media.clips import SubtitleClip
from mmcli.media.door import open_clip
from mmcli.media.text import decoded

Interval = tuple[float, float, str]

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
    elif suffix == ".csv":
        tiers = {"": list(_table(decoded(Path(name)), name))}
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


def _table(text: str, name: str) -> Iterator[Interval]:
    rows = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if not {"start", "end", "label"} <= set(rows.fieldnames or ()):
            raise InputError("has no columns start, end and label", source=name)
        for row in rows:
            yield float(row["start"]), float(row["end"]), row["label"] or ""
    except (TypeError, ValueError):
        raise InputError(f"line {rows.reader.line_num}: start or end is no number", source=name) from None
    except csv.Error as error:  # a quote that nothing closes would swallow the intervals after it
        raise InputError(f"line {rows.reader.line_num}: {error}", source=name) from None


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
