"""Lyrics (LRC): ``[mm:ss.xx]line``; a line lasts until the next begins, the last as long as it takes to be read.

A line may have several times. ``[offset:+500]`` moves all of them earlier by so many milliseconds; times of words
(``<mm:ss.xx>``) are passed over.
"""

from __future__ import annotations

import re

from mmcli.errors import MediaError
from mmcli.media.transcripts import read_aloud_s

SUFFIXES = (".lrc",)
TIME = re.compile(r"\[(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)\]")
WORD = re.compile(r"<\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?>")
OFFSET = re.compile(r"\[offset:\s*([+-]?\d{1,7})\s*\]", re.IGNORECASE)
MOST_S = 10.0  # of a line: one before a solo does not last through it


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`.

    >>> tiers("[00:01.50]la la\\n[00:03.00]", "x.lrc")
    {'': [(1.5, 3.0, 'la la')]}
    """
    moved = OFFSET.search(text)
    earlier = float(moved[1]) / 1000 if moved else 0.0
    lines: list[tuple[float, str]] = []
    for line in text.splitlines():
        times, end = [], 0
        while match := TIME.match(line, end):
            times.append(60.0 * int(match[1]) + float(match[2].replace(":", ".")) - earlier)
            end = match.end()
        words = " ".join(WORD.sub("", line[end:]).split())
        lines += [(max(0.0, time), words) for time in times]
    if not lines:
        raise MediaError("holds no line with a time, as [00:12.00]", source=name)
    lines.sort(key=lambda line: line[0])
    out = []
    for k, (start, words) in enumerate(lines):
        later = next((time for time, _ in lines[k + 1 :] if time > start), None)
        read = read_aloud_s(words)
        end_s = start + read if later is None else min(later, start + max(read, MOST_S))
        if words:
            out.append((start, end_s, words))
    return {"": out}
