"""Timed text of broadcasters (TTML, DFXP, IMSC): each ``<p>`` with its times, one tier a language of ``<div>``.

Times are clock times, with frames or fractions, or counts of h, m, s, ms, f or t, from the begin of what they stand
in; things after each other (``timeContainer="seq"``) are refused. Reference: Timed Text Markup Language 1 (W3C
Recommendation, 2018), sections 6.2 and 10.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from mmcli.errors import MediaError
from mmcli.media import transcripts

SUFFIXES = (".ttml", ".dfxp", ".itt")
CLOCK = re.compile(r"(\d{2,4}):(\d\d):(\d\d(?:\.\d{1,9})?)(?::(\d{2,3}))?")
COUNT = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(h|ms|m|s|f|t)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
MOST_NESTED = 50


@dataclass(frozen=True)
class Clock:
    """Frames and ticks a second, as the root of a file says."""

    frames: float
    ticks: float

    def seconds(self, text: str, name: str) -> float:
        """A time expression in seconds."""
        text = text.strip()
        if clock := CLOCK.fullmatch(text):
            whole = 3600.0 * int(clock[1]) + 60.0 * int(clock[2]) + float(clock[3])
            return whole + int(clock[4] or 0) / self.frames
        if count := COUNT.fullmatch(text):
            unit = {**SECONDS, "f": 1 / self.frames, "t": 1 / self.ticks}[count[2]]
            return float(count[1]) * unit
        raise MediaError(f"{text[:40]!r} is no time as 00:00:01.5, 00:00:01:12 or 1.5s", source=name)


def tiers(text: str, name: str) -> dict[str, list[tuple[float, float, str]]]:
    """See :mod:`mmcli.media.transcripts`. Raises MediaError for a file that declares entities, too.

    >>> tiers('<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="1s" dur="2s">la<br/>lo</p></body></tt>', "x.ttml")
    {'': [(1.0, 3.0, 'la lo')]}
    """
    root = transcripts.xml_root(text, name, "timed text")
    if _local(root.tag) != "tt":
        raise MediaError(f"is no timed text: it begins with <{_local(root.tag)[:40]}>", source=name)
    out: dict[str, list[tuple[float, float, str]]] = {}
    for body in (child for child in root if _local(child.tag) == "body"):
        _walk(body, 0.0, float("inf"), root.get(LANGUAGE) or "", _clock(root, name), out, name, 0)
    return {tier: sorted(rows) for tier, rows in out.items()}


def _local(tag: object) -> str:
    """A tag without its namespace, of which drafts had others."""
    return str(tag).rpartition("}")[2]


def _clock(root: ElementTree.Element, name: str) -> Clock:
    """What one frame and one tick are; 30 frames and, where there are no frames, a tick a second, by the standard."""
    given = {_local(key): value for key, value in root.attrib.items()}
    try:
        top, bottom = map(float, re.split(r"[\s:]+", given.get("frameRateMultiplier", "1 1").strip()))
        frames = float(given.get("frameRate", 30)) * top / bottom
        ticks = float(
            given.get("tickRate", frames * float(given.get("subFrameRate", 1)) if "frameRate" in given else 1)
        )
    except (ValueError, ZeroDivisionError):
        raise MediaError("its frameRate, frameRateMultiplier or tickRate is no number", source=name) from None
    if not (0 < frames < float("inf") and 0 < ticks < float("inf")):
        raise MediaError("its frameRate or tickRate is not above 0", source=name)
    return Clock(frames, ticks)


def _walk(
    node: ElementTree.Element,
    begin: float,
    until: float,
    language: str,
    clock: Clock,
    out: dict[str, list[tuple[float, float, str]]],
    name: str,
    depth: int,
) -> None:
    """The cues of an element that stands in one which lasts from ``begin`` to ``until``."""
    if depth > MOST_NESTED:
        raise MediaError(f"elements stand in each other more than {MOST_NESTED} deep", source=name)
    if node.get("timeContainer") == "seq":
        raise MediaError('things after each other (timeContainer="seq") are not read', source=name)
    language = node.get(LANGUAGE) or language
    start = begin + (clock.seconds(node.attrib["begin"], name) if "begin" in node.attrib else 0.0)
    end = until
    if "end" in node.attrib:
        end = min(end, begin + clock.seconds(node.attrib["end"], name))
    if "dur" in node.attrib:
        end = min(end, start + clock.seconds(node.attrib["dur"], name))
    kind = _local(node.tag)
    timed = [child for child in node.iter() if child is not node and "begin" in child.attrib]
    if kind in ("p", "span") and not timed:
        words = " ".join(_words(node).split())
        if words and "begin" not in node.attrib and begin == 0.0 and until == float("inf"):
            return  # shown always: no cue
        if words and end == float("inf"):
            raise MediaError(f"{words[:40]!r} has no end", source=name)
        if words:
            out.setdefault(language, []).append((start, end, words))
        return
    for child in node:
        if _local(child.tag) in ("div", "p", "span"):
            _walk(child, start, end, language, clock, out, name, depth + 1)


def _words(node: ElementTree.Element) -> str:
    """The text of an element, a space for each ``<br/>``."""
    for child in node.iter():
        if _local(child.tag) == "br":
            child.text = " "
    return "".join(node.itertext())
