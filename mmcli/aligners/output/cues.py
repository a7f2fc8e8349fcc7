"""Subtitles written in another of their formats, through pysubs2: cues and their words, without styles or places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmcli.media import open_clip
from mmcli.media.clips import SubtitleClip

FORMATS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa"}


def converted(path: Path, suffix: str, clock: Callable[[float], float]) -> bytes:
    """The cues of a subtitle file on another clock, as the format of ``suffix`` in UTF-8.

    Raises MediaError for a file that holds no cues or cannot be read.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a.srt"
    >>> _ = file.write_text("1\\n00:00:01,000 --> 00:00:02,500\\n<i>hi</i>\\n")
    >>> print(converted(file, ".vtt", lambda t: t + 60).decode().strip())
    WEBVTT
    <BLANKLINE>
    1
    00:01:01.000 --> 00:01:02.500
    hi
    """
    import pysubs2

    clip = open_clip(path, "subtitle")
    assert isinstance(clip, SubtitleClip)
    written = pysubs2.SSAFile()
    for start, end, words in clip.cues:
        event = pysubs2.SSAEvent(start=round(clock(start) * 1000), end=round(clock(end) * 1000))
        event.plaintext = words
        written.append(event)
    text: str = written.to_string(FORMATS[suffix])
    return text.encode()
