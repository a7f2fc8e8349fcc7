"""Timed text through pysubs2: srt, vtt, ass and ssa as cues in order of their start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.errors import MediaError
from mmcli.media.clips import SubtitleClip
from mmcli.media.text import decoded

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

FORMATS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa"}


def read(path: Path, options: MediaOptions) -> SubtitleClip:
    """The clip of a subtitle file. Comments and drawings of ass files are left out, as are cues without text.

    With ``options.start`` and ``end`` the cues that overlap the segment, cut to it and counted from its start.
    """
    import pysubs2

    text = decoded(path)
    try:
        parsed = pysubs2.SSAFile.from_string(text, format_=FORMATS.get(path.suffix.lower()))
    except (pysubs2.Pysubs2Error, ValueError, IndexError, KeyError, AttributeError, OverflowError, TypeError) as error:
        raise MediaError(f"is no subtitle file that can be read: {error}", source=path) from error
    begin, end = options.start or 0.0, float("inf") if options.end is None else options.end
    cues: list[tuple[float, float, str]] = []
    for event in parsed:
        words = event.plaintext.strip()
        if event.is_comment or event.is_drawing or not words:
            continue
        if event.end < event.start or event.start < 0:
            raise MediaError(f"a cue runs from {event.start / 1000:g} s to {event.end / 1000:g} s", source=path)
        start_s, end_s = max(begin, event.start / 1000), min(end, event.end / 1000)
        if start_s < end_s or (start_s == end_s and begin <= start_s <= end):
            cues.append((start_s - begin, end_s - begin, words))
    if not cues:
        raise MediaError("holds no cues", source=path)
    return SubtitleClip(name=path.name, path=path, cues=sorted(cues))
