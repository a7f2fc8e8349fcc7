"""Captions as YouTube gives them (SBV): ``0:00:01.000,0:00:03.500``, the lines of the cue, an empty line."""

from __future__ import annotations

import re

from mmcli.errors import MediaError

SUFFIXES = (".sbv",)
TIMES = re.compile(r"\s*(\d{1,3}):(\d\d):(\d\d(?:\.\d{1,3})?),(\d{1,3}):(\d\d):(\d\d(?:\.\d{1,3})?)\s*")


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`.

    >>> tiers("0:00:01.000,0:00:03.500\\nla\\nlo\\n", "x.sbv")
    {'': [(1.0, 3.5, 'la lo')]}
    """
    rows: list[tuple[float, float, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if times := TIMES.fullmatch(line):
            start, end = (3600 * int(times[k]) + 60 * int(times[k + 1]) + float(times[k + 2]) for k in (1, 4))
            rows.append((start, end, []))
        elif line.strip() and not rows:
            raise MediaError(f"line {number}: no times as 0:00:01.000,0:00:03.500", source=name)
        elif line.strip():
            rows[-1][2].append(line.strip())
    return {"": [(start, end, " ".join(words)) for start, end, words in rows if words]}
