"""What a media file holds, in a few plain values, for ``mmcli info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.errors import MediaError
from mmcli.media import files, timeunit
from mmcli.media.clips import AudioClip, Clip, ImageClip, SeriesClip, SubtitleClip, TextClip, VideoClip
from mmcli.media.door import MediaOptions, modality_of, open_clip

# Formats of one track from zero, of no language: libav, whose import is a quarter of the command, is not asked.
_ALONE = ("wav", "w64", "aiff", "caf", "au", "flac", "mp3", "aac", "ac3", "amr", "wv", "ape", "tta")


def describe(path: Path | str) -> dict[str, Any]:
    """Modality, name, size, SHA-256 and the measures of a media file, JSON-able.

    Of a container all tracks are listed, with codec, language, start and end in seconds, and which
    one is taken where nothing else is asked for. Raises :class:`MediaError` or :class:`MissingError` as
    :func:`mmcli.media.open_clip` does.
    """
    modality = modality_of(path)
    if modality == "features":
        raise MediaError(
            "has the member meta of mmcli's own files, but is none of them: damaged, or made by another program",
            source=path,
        )
    if Path(path).suffix.lower() == ".xdf":
        from mmcli.media import xdf

        whole = Clip(name=Path(path).name, path=Path(path))
        return {"modality": modality, **(whole.source or {}), "streams": xdf.describe(Path(path))}
    clip = open_clip(path, modality, options=MediaOptions(time_unit="s"))  # told below, where it plainly is another
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
        told = timeunit.plain_unit(clip.times) if clip.timed else None
        if told is not None:
            facts["remarks"] = [f"the time column looks like {told[0]}: say --time-unit {told[1]}"]
    elif isinstance(clip, SubtitleClip):
        facts |= {"cues": len(clip.cues), "duration_s": clip.cues[-1][1]}
    if isinstance(clip, AudioClip):
        next(iter(clip.blocks()), None)  # the first seconds say whether the channels cancel each other
        if clip.remarks:
            facts["remarks"] = clip.remarks
    if isinstance(clip, AudioClip | VideoClip) and clip.path is not None:
        listed = _tracks(clip.path)
        if len(listed) > 1 or modality == "video" or any(t["start_s"] or t["language"] for t in listed):
            facts["tracks"] = listed
    return facts


def _tracks(path: Path) -> list[dict[str, Any]]:
    """Every track of a container; none where libav does not know the file (libsndfile may)."""
    entries: list[dict[str, Any]] = []
    if files.container(files.head(path)) in _ALONE:
        return entries
    from mmcli.media import containers

    try:
        with containers.opened(path) as container:
            count = {"audio": 0, "video": 0}
            taken = {kind: containers.default_of(containers.tracks(container, kind)) for kind in count}
            zero = containers.origin(container)
            for stream in container.streams:
                entry: dict[str, Any] = {"kind": stream.type, "number": None, "taken": False}
                if stream.type in count and stream in containers.tracks(container, stream.type):
                    entry["number"] = count[stream.type]
                    entry["taken"] = count[stream.type] == taken[stream.type]
                    count[stream.type] += 1
                codec = stream.codec_context
                entry["codec"] = codec.name if codec is not None else None
                entry["language"] = None if stream.language in (None, "und") else stream.language
                entry["default"] = containers.is_default(stream)
                start = stream.start_time
                entry["start_s"] = 0.0 if start is None else round(float(start * stream.time_base) - zero, 6)
                entry["end_s"] = containers.declared(container, stream)
                entries.append(entry)
    except MediaError:
        return []
    for index, entry in enumerate(entries):
        end = entry["end_s"]
        if end is None and entry["number"] is not None:
            with containers.opened(path) as container:  # counting reads the container to its end
                end = containers.counted(container, container.streams[index])
        entry["end_s"] = None if end is None else round(end, 6)
    return entries
