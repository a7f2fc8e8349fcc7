"""Timed text as cues in order of their start: srt, vtt, ass and ssa through pysubs2, others by :mod:`.transcripts`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.errors import MediaError
from mmcli.media import transcripts
from mmcli.media.clips import SubtitleClip
from mmcli.media.text import decoded

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

FORMATS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa"}


# A cue of the longest sentence on record has some 300 characters; the patterns that read cues take the square of it.
MAX_CUE = 2_000
_DRAWING = re.compile(r"\\p[1-9]")


def bounded(text: str, path: Path) -> str:
    """The same text with no stretch that the parser would take quadratic time for: runs of blank lines become one, and
    the drawings of ass files are left out.

    Raises :class:`MediaError` for a line, or for lines without a break between them, of more than ``MAX_CUE``
    characters.
    """
    kept: list[str] = []
    length = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            if kept and not kept[-1]:
                continue
            kept.append("")
            length = 0
            continue
        length = len(line) if "-->" in line or ":" in line[:12] else length + len(line)
        if len(line) > MAX_CUE and _DRAWING.search(line[:MAX_CUE]):
            continue
        if length > MAX_CUE:
            raise MediaError(f"line {number}: a cue of more than {MAX_CUE:,} characters", source=path)
        kept.append(line)
    return "\n".join(kept)


def read(path: Path, options: MediaOptions) -> SubtitleClip:
    """The clip of a subtitle file. Comments and drawings of ass files are left out, as are cues without text.

    A cue that ends before it begins is kept for as long as its words take to be read, and named in the clip's
    ``mended``. With ``options.start`` and ``end`` the cues that overlap the segment, cut to it and counted from its
    start.
    """
    begin, end = options.start or 0.0, float("inf") if options.end is None else options.end
    if transcripts.format_of(path) is not None:
        return _of_transcript(path, begin, end)
    import pysubs2

    text = bounded(decoded(path, told_apart=True), path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles that are passed over anyway
            parsed = pysubs2.SSAFile.from_string(text, format_=FORMATS.get(path.suffix.lower()))
    except (pysubs2.Pysubs2Error, ValueError, IndexError, KeyError, AttributeError, OverflowError, TypeError) as error:
        raise MediaError(f"is no subtitle file that can be read: {error}", source=path) from error
    cues: list[tuple[float, float, str]] = []
    mended: list[str] = []
    for event in parsed:
        words = event.plaintext.strip()
        if event.is_comment or event.is_drawing or not words:
            continue
        if event.start < 0:
            raise MediaError(f"a cue begins at {event.start / 1000:g} s", source=path)
        ends = event.end / 1000
        if event.end < event.start:
            ends = event.start / 1000 + transcripts.read_aloud_s(words)
            mended.append(f"the cue at {event.start / 1000:g} s ended before it began, at {event.end / 1000:g} s")
        start_s, end_s = max(begin, event.start / 1000), min(end, ends)
        if start_s < end_s or (start_s == end_s and begin <= start_s <= end):
            cues.append((start_s - begin, end_s - begin, words))
    if not cues:
        raise MediaError("holds no cues", source=path)
    return SubtitleClip(name=path.name, path=path, cues=sorted(cues), mended=tuple(mended))


def _of_transcript(path: Path, begin: float, end: float) -> SubtitleClip:
    """The first tier of a transcript as cues; a file of several recordings is refused."""
    tiers = transcripts.read(path, decoded(path))
    if len(tiers) > 1 and transcripts.holds_recordings(path):
        raise MediaError(f"is of {len(tiers)} recordings, {', '.join(sorted(tiers)[:3])} ...", source=path.name)
    cues = []
    for start, until, words in next(iter(tiers.values())):
        if max(begin, start) <= min(end, until):
            cues.append((max(begin, start) - begin, min(end, until) - begin, words))
    if not cues:
        raise MediaError("holds no cues", source=path)
    return SubtitleClip(name=path.name, path=path, cues=sorted(cues))


def rendered(cues: Iterable[tuple[float, float, str]], suffix: str) -> bytes:
    """Cues (start and end in seconds, words) as a subtitle file of a suffix in ``FORMATS``, UTF-8, without styles.

    >>> print(rendered([(61.0, 62.5, "hi")], ".vtt").decode().strip())
    WEBVTT
    <BLANKLINE>
    1
    00:01:01.000 --> 00:01:02.500
    hi
    """
    import pysubs2

    written = pysubs2.SSAFile()
    for start, end, words in cues:
        event = pysubs2.SSAEvent(start=round(start * 1000), end=round(end * 1000))
        event.plaintext = words
        written.append(event)
    text: str = written.to_string(FORMATS[suffix])
    return text.encode()
