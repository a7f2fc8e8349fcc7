"""What audio and video share of PyAV: opening a container without letting it open anything else, and its clock.

Only listed demuxers are tried (a playlist named ``.mp4`` would otherwise fetch what it lists) and only the file
protocol is allowed. The clock of a file starts where its earliest track starts, or at zero where that is negative
(priming samples of an audio codec), so that sound and picture of one file agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmcli.errors import MediaError
from mmcli.media import files, limits

DEMUXERS = "mov,mp4,m4a,matroska,webm,ogg,flac,wav,mp3,aac,aiff,avi,caf,w64"
# Demuxers whose timestamps are real positions, so that a seek can be trusted; the others are decoded from the start.
SEEKABLE = ("mov", "matroska", "ogg")


@contextmanager
def decoding(name: object) -> Iterator[None]:
    """Turns whatever PyAV raises for a damaged file into one :class:`MediaError`."""
    import av

    try:
        yield
    except av.error.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise MediaError(f"is damaged or of an unknown kind: {reason}", source=name) from error
    except (ValueError, IndexError, OverflowError, MemoryError, UnicodeDecodeError, ZeroDivisionError) as error:
        raise MediaError(f"is damaged: {error or type(error).__name__}", source=name) from error


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open container of a file, closed at the end."""
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    with decoding(path):
        try:
            container = av.open(str(path.absolute()), "r", options=options, metadata_errors="replace")
        except av.error.InvalidDataError:
            if files.container(files.head(path)) in ("mp4", "m4a") and not _has_index(path):
                raise MediaError(
                    "has no index (no moov box): the recording was cut off or never finished", source=path
                ) from None
            raise
        with container:
            yield container


def origin(container: Any) -> float:
    """Seconds of the container's timeline that the clip's time zero lies at."""
    return 0.0 if container.start_time is None else max(0.0, container.start_time / 1_000_000)


def declared(container: Any, stream: Any) -> float | None:
    """Where the track ends on the clip's clock, in seconds, as the container declares it; None where it does not."""
    if stream.duration and stream.time_base is not None:
        begin = (stream.start_time or 0) * stream.time_base
        end = float(begin + stream.duration * stream.time_base) - origin(container)
    elif (tag := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))) is not None:
        end = int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) - origin(container)
    elif container.duration:
        end = container.duration / 1_000_000
    else:
        return None
    if not 0 <= end <= limits.MAX_DURATION_S:
        raise MediaError(f"declares a length of {end:g} s")
    return end


def track(container: Any, kind: str, number: int, name: object) -> Any:
    """The ``number``-th stream of a kind (``audio``, ``video``)."""
    streams = getattr(container.streams, kind)
    if kind == "video":  # cover pictures of music files are streams too
        streams = [s for s in streams if "attached_pic" not in str(getattr(s, "disposition", "")).lower()]
    if not streams:
        raise MediaError(f"has no {kind} track", source=name)
    if number >= len(streams):
        raise MediaError(f"has {len(streams)} {kind} track(s), counted from 0: there is no track {number}", source=name)
    if streams[number].codec_context is None:
        raise MediaError(f"has a {kind} track in a codec that cannot be decoded", source=name)
    return streams[number]


def check_segment(start: float, end: float | None, duration: float, name: object) -> None:
    """Raises :class:`MediaError` for a segment that the file does not hold; a quarter second past its end passes."""
    if start >= duration:
        raise MediaError(f"ends at {duration:.2f} s, the segment starts at {start:.2f} s", source=name)
    if end is not None and end > duration + limits.DURATION_SLACK_S:
        raise MediaError(f"ends at {duration:.2f} s, the segment at {end:.2f} s", source=name)


def _has_index(path: Path) -> bool:
    """Whether an MP4 file has a whole moov box among its top-level boxes (ISO 14496-12)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        for _ in range(10_000):
            file.seek(at)
            box = file.read(16)
            if len(box) < 8:
                return False
            length = int.from_bytes(box[:4], "big")
            length = int.from_bytes(box[8:16], "big") if length == 1 else length or size - at
            if box[4:8] == b"moov":
                return at + length <= size
            if length < 8:
                return False
            at += length
    return False
