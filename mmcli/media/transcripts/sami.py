"""SAMI: a SYNC lasts until the next one, which is often empty; a tier is a class of paragraphs, mostly a language.

Tags are found by patterns of bounded length: the parser of the standard library takes the square of the time for
comments and tags that nothing closes (16 s of a 240 kB file).
"""

from __future__ import annotations

import html
import re

from mmcli.errors import MediaError
from mmcli.media.transcripts import read_aloud_s

SUFFIXES = (".smi", ".sami")
TAG = re.compile(r"<(/?[A-Za-z]{1,20})([^<>]{0,300})>")
ASIDE = re.compile(r"<!--[^<>]{0,5000}-->|<[^<>]{0,300}>")  # comments, and tags that only say how words look
START = re.compile(r"\bstart\s{0,3}=\s{0,3}[\"']?(\d{1,9})\b", re.IGNORECASE)
CLASS = re.compile(r"\bclass\s{0,3}=\s{0,3}[\"']?([\w-]{1,40})", re.IGNORECASE)


def _syncs(text: str, name: str) -> list[tuple[float, dict[str, list[str]]]]:
    """The times of a file, and under each the words of each class."""
    syncs: list[tuple[float, dict[str, list[str]]]] = []
    kind, end = "", 0
    for tag in [*TAG.finditer(text), None]:
        between = text[end : len(text) if tag is None else tag.start()]
        words = html.unescape(ASIDE.sub(" ", between)).strip()  # a space that does not break is one to strip, too
        if syncs and words:
            syncs[-1][1].setdefault(kind, []).append(words)
        if tag is None:
            break
        end = tag.end()
        what = tag[1].lower()
        if what == "sync":
            start = START.search(tag[2])
            if start is None:
                raise MediaError(f"{tag[0][:40]!r} has no time as <SYNC Start=1000>", source=name)
            syncs.append((int(start[1]) / 1000, {}))
            kind = ""
        elif what == "p" and syncs:
            given = CLASS.search(tag[2])
            kind = given[1] if given else ""
            syncs[-1][1].setdefault(kind, [])  # an empty paragraph ends what was shown
    return sorted(syncs, key=lambda sync: sync[0])


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`.

    >>> tiers("<SAMI><SYNC Start=1000><P Class=EN>la<br>lo<SYNC Start=2500><P Class=EN>&nbsp;", "x.smi")
    {'EN': [(1.0, 2.5, 'la lo')]}
    """
    syncs = _syncs(text.partition("</BODY>")[0], name)
    if not syncs:
        raise MediaError("holds no <SYNC Start=...>", source=name)
    out: dict[str, list[tuple[float, float, str]]] = {}
    shown: dict[str, tuple[float, str]] = {}
    for time, kinds in syncs:
        for kind, pieces in kinds.items():
            if kind in shown:
                start, words = shown.pop(kind)
                out.setdefault(kind, []).append((start, time, words))
            if words := " ".join(" ".join(pieces).split()):
                shown[kind] = (time, words)
    for kind, (start, words) in shown.items():
        out.setdefault(kind, []).append((start, start + read_aloud_s(words), words))
    return out
