"""The intervals of an annotation as items: pieces of one recording, each with its label.

Annotations are Praat TextGrids (``FILE.TextGrid#TIER``, the first interval tier where none is named), subtitles, and
csv files with columns start, end and label.

Reference: Praat manual, "TextGrid file formats" (text files, long and short).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmcli.batch.inputs import Item
from mmcli.errors import InputError, UsageError
from mmcli.media import SubtitleClip, open_clip
from mmcli.media.text import decoded

Interval = tuple[float, float, str]


def read(text: str) -> list[Interval]:
    """The intervals that ``FILE`` or ``FILE#TIER`` names: (start, end, label), seconds; empty labels are left out.

    Raises :class:`InputError` for a file that holds none, :class:`UsageError` for an unknown tier.
    """
    name, _, tier = text.partition("#") if not Path(text).exists() else (text, "", "")
    suffix = Path(name).suffix.lower()
    if suffix == ".textgrid":
        found = _textgrid(decoded(Path(name)), tier, name)
    elif suffix == ".csv":
        found = list(_table(decoded(Path(name)), name))
    else:
        clip = open_clip(name, "subtitle")
        found = list(clip.cues) if isinstance(clip, SubtitleClip) else []
    found = [(start, end, " ".join(label.split())) for start, end, label in found if label.strip()]
    if not found:
        raise InputError("holds no interval with a label", source=text)
    for start, end, label in found:
        if not 0 <= start < end:
            raise InputError(f"interval {label!r} runs from {start:g} s to {end:g} s", source=text)
    return found


def cut(item: Item, intervals: list[Interval]) -> list[Item]:
    """An item in pieces: ``ID/0001`` and so on, each with its interval and label, all of one group."""
    width = max(4, len(str(len(intervals))))
    return [
        replace(
            item,
            id=f"{item.id}/{number:0{width}d}",
            start=start,
            end=end,
            label=label,
            group=item.group or item.id,
        )
        for number, (start, end, label) in enumerate(intervals, start=1)
    ]


def _table(text: str, name: str) -> Iterator[Interval]:
    rows = csv.DictReader(io.StringIO(text))
    if not {"start", "end", "label"} <= set(rows.fieldnames or ()):
        raise InputError("has no columns start, end and label", source=name)
    for number, row in enumerate(rows, start=2):
        try:
            yield float(row["start"]), float(row["end"]), row["label"] or ""
        except (TypeError, ValueError):
            raise InputError(f"line {number}: start or end is no number", source=name) from None


# What a TextGrid is made of, long or short: numbers, quoted strings ("" is a quote), and the flag <exists>. In the long
# form names and indices stand between them, which are passed over.
_VALUE = re.compile(r'"((?:[^"]|"")*)"|(?<![\w\[])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\]])')


def _textgrid(text: str, tier: str, name: str) -> list[Interval]:
    values = [m[1].replace('""', '"') if m[1] is not None else float(m[2]) for m in _VALUE.finditer(text)]
    if values[:2] != ["ooTextFile", "TextGrid"]:
        raise InputError("is no TextGrid in text form", source=name)
    tiers: dict[str, list[Interval]] = {}
    try:
        position = 5  # after the two names, start, end and the number of tiers
        for _ in range(int(float(values[4]))):
            kind, title, count = str(values[position]), str(values[position + 1]), int(float(values[position + 4]))
            position += 5
            step = 3 if kind == "IntervalTier" else 2
            rows = [values[position + step * i : position + step * (i + 1)] for i in range(count)]
            position += step * count
            if kind == "IntervalTier":
                tiers[title] = [(float(a), float(b), str(c)) for a, b, c in rows]
    except (IndexError, ValueError, OverflowError):
        raise InputError("is damaged: a tier ends before its last interval", source=name) from None
    if tier and tier not in tiers:
        raise UsageError(f"has no interval tier {tier!r}", source=name, hint="tiers: " + ", ".join(tiers))
    if not tiers:
        raise InputError("has no interval tier", source=name)
    return tiers[tier] if tier else next(iter(tiers.values()))
