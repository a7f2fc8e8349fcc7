"""Bytes to arrays: the only room that opens media files.

    clip = mmcli.media.open_clip("talk.mp4", "audio", options=MediaOptions(start=10.0, end=20.0))
    clip.samples(16000)

Every failure is a :class:`mmcli.errors.MediaError` of one line, or a :class:`mmcli.errors.MissingError` where there is
no such file. What the clips offer stands in :mod:`mmcli.media.clips`, what a file may cost in
:mod:`mmcli.media.limits`.
"""

from __future__ import annotations

from mmcli.media.clips import AudioClip, Clip, ImageClip, SeriesClip, SubtitleClip, TableClip, TextClip, VideoClip
from mmcli.media.door import MediaOptions, modality_of, open_clip

__all__ = [
    "AudioClip",
    "Clip",
    "ImageClip",
    "MediaOptions",
    "SeriesClip",
    "SubtitleClip",
    "TableClip",
    "TextClip",
    "VideoClip",
    "modality_of",
    "open_clip",
]
