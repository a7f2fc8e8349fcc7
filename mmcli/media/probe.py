"""What a media file holds, in a few plain values, for ``mmcli info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.errors import UsageError
from mmcli.media.clips import AudioClip, ImageClip, SeriesClip, SubtitleClip, TextClip, VideoClip
from mmcli.media.door import modality_of, open_clip


def describe(path: Path | str) -> dict[str, Any]:
    """Modality, name, size, SHA-256 and the measures of a media file, JSON-able.

    Raises :class:`MediaError` or :class:`MissingError` as :func:`mmcli.media.open_clip` does, and :class:`UsageError`
    for mmcli's own files.
    """
    modality = modality_of(path)
    if modality == "features":
        raise UsageError("is one of mmcli's own files, not media", source=path)
    clip = open_clip(path, modality)
    facts: dict[str, Any] = {"modality": modality, **(clip.source or {})}
    if isinstance(clip, AudioClip):
        facts |= {"rate_hz": clip.rate, "channels": clip.channels, "duration_s": round(clip.duration_s, 6)}
    elif isinstance(clip, VideoClip):
        facts |= {"width": clip.width, "height": clip.height, "rate_hz": round(clip.rate_hz, 6)}
        facts |= {"duration_s": round(clip.duration_s, 6), "has_audio": clip.has_audio}
    elif isinstance(clip, ImageClip):
        height, width, channels = clip.pixels.shape
        facts |= {"width": width, "height": height, "channels": channels}
    elif isinstance(clip, TextClip):
        facts |= {"characters": len(clip.text), "words": len(clip.text.split()), "lines": clip.text.count("\n") + 1}
    elif isinstance(clip, SeriesClip):
        rows, dims = clip.values.shape
        facts |= {
            "rows": rows,
            "dims": dims,
            "columns": clip.columns[:100],
            "timed": clip.timed,
            "rate_hz": clip.rate_hz,
        }
        facts["duration_s"] = float(clip.times[-1] - clip.times[0]) if clip.timed else None
    elif isinstance(clip, SubtitleClip):
        facts |= {"cues": len(clip.cues), "duration_s": clip.cues[-1][1]}
    return facts
