"""What audio and video share of PyAV: opening a container without letting it open anything else, and its clock.

Only listed demuxers are tried (a playlist named ``.mp4`` would otherwise fetch what it lists) and only the file
protocol is allowed. The clock of a file starts where its earliest track starts, or at zero where that is negative
(priming samples of an audio codec), so that sound and picture of one file agree. In a transport stream a negative
start is a clock that began anew after its 33 bits (every 26.5 hours): it starts there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmcli.errors import MediaError
from mmcli.media import announced, files, limits, matroska, mp4

# Whatever holds its own sound and pictures. Left out are lists of other files (concat, hls, dash, image2, sdp), devices
# and networks.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,wav,mp3,aac,aiff,avi,caf,w64,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,"
    "flv,asf,rm,mxf,gxf,nut,dv,ac3,eac3,dts,dtshd,truehd,amr,amrnb,amrwb,au,voc,wv,ape,tta,tak,mpc,mpc8,dsf,iff,gsm,"
    "loas,latm,sox,nistsphere,ircam,oma,qcp,obu,av1,shn,wtv,swf,bink,smk,y4m,yuv4mpegpipe,mjpeg"
)
# Demuxers whose timestamps are real positions, so that a seek can be trusted; the others are decoded from the start.
SEEKABLE = ("mov", "matroska")
# A sound that starts so soon after zero in Matroska may be one whose priming libav took off twice.
_PRIMED_S = 0.02
# A time this far back begins a new clock, as in chained ogg files and spliced broadcasts (ffmpeg's rule).
BACK_S = 0.1
# Matroska's clock ticks in milliseconds, and the last packet of a track may be longer than what is shown of it.
STALE_S = 0.02


@contextmanager
def decoding(name: object) -> Iterator[None]:
    """Turns whatever PyAV raises for a damaged file into one :class:`MediaError`."""
    import av

    try:
        yield
    except av.error.PatchWelcomeError as error:
        what = "changes its rate, channels or codec on the way, or is of a kind that libav cannot read"
        raise MediaError(what, source=name, hint="split it there, or convert it: ffmpeg -i FILE OUT.wav") from error
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
            container = av.open(str(path.absolute()), "r", options=options, **tags())
        except av.error.InvalidDataError:
            if files.container(files.head(path)) in ("mp4", "m4a") and not mp4.has_whole_index(path):
                raise MediaError(
                    "has no index (no moov box): the recording was cut off or never finished", source=path
                ) from None
            raise
        with container:
            yield container


def tags() -> dict[str, Any]:
    """What av.open is told of tags that are no UTF-8: to replace their bytes. PyAV 19 knows no such argument and keeps
    the bytes (surrogateescape); nothing here shows a tag."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def origin(container: Any) -> float:
    """Seconds of the container's timeline that the clip's time zero lies at."""
    start = 0.0 if container.start_time is None else container.start_time / 1_000_000
    if "mpegts" not in container.format.name:
        start = max(0.0, start)
    if 0 < start <= _PRIMED_S and "matroska" in container.format.name and len(container.streams) == 1:
        first = next(container.demux(container.streams[0]), None)
        container.seek(0)
        if first is not None and first.pts is not None and first.pts <= 0:
            return 0.0
    return start


def declared(container: Any, stream: Any) -> float | None:
    """Where the track ends on the clip's clock, in seconds, where the container says so and can be believed; else None.

    What libav guesses from a bit rate is not believed: mp3 without a tag, Matroska without a Duration, streams without
    a header; nor the total of a FLAC stream that was cut out of another, nor the last position of a chained ogg file.
    """
    names, path = container.format.name.split(","), Path(container.name)
    begin = float((stream.start_time or 0) * stream.time_base) if stream.time_base is not None else 0.0
    end = None
    if "matroska" in names:
        end = _told_by_matroska(container, stream, path, begin)
    elif stream.duration and stream.time_base is not None and _believed(names, path, stream.start_time or 0):
        end = begin + float(stream.duration * stream.time_base) - origin(container)
        if "ogg" in names and stream.codec_context.name == "opus":  # counted from before the pre-skip (RFC 7845, 4.3)
            end -= int.from_bytes((stream.codec_context.extradata or b"")[10:12], "little") / 48_000
    if end is not None and not 0 <= end <= limits.MAX_DURATION_S:
        raise MediaError(f"declares a length of {end:g} s", source=path)
    return end


def _told_by_matroska(container: Any, stream: Any, path: Path, begin: float) -> float | None:
    """The end of a track from its own tag, or of the file from its Info element; None where neither can be believed.

    A tag outlives the file that it was written for. Who writes a file anew writes some tags anew: libav its DURATION
    (where the track ends), mkvmerge its DURATION with statistics (how long the track is; none in WebM). Another tag is
    believed where it reaches the end of the file, for then nothing was moved.
    """
    info = matroska.info(path)
    whole = container.duration / 1_000_000 if container.duration and info.tells_its_length else None
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))
    if tag is None:
        return whole
    end = int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    if not info.writer.startswith("Lavf"):
        if "_STATISTICS_TAGS" in stream.metadata:
            end += begin
        elif whole is not None and abs(end - whole) > STALE_S:
            return None
    return end - origin(container)


def _believed(names: list[str], path: Path, start: int) -> bool:
    if "mp3" in names:
        return announced.is_whole_mp3(path)
    if "flac" in names:
        return announced.is_plain_flac(path)
    if "ogg" in names:
        return start <= 0 and announced.is_one_ogg(path)  # cut out of a broadcast, it keeps the end of the whole
    return not {"mov", "wav", "w64", "aiff", "caf", "au", "wv", "ape", "tta"}.isdisjoint(names)


def counted(container: Any, stream: Any) -> float:
    """Where the track ends on the clip's clock, from the times of all its packets; nothing is decoded."""
    zero = origin(container)
    end = last = 0.0
    shift = 0.0
    with decoding(container.name):
        for packet in container.demux(stream):
            if not packet.size:
                continue
            length = float((packet.duration or 0) * packet.time_base)
            stamp = packet.pts if packet.pts is not None else packet.dts
            at = last if stamp is None else float(stamp * packet.time_base) - zero + shift
            if stream.type == "audio" and at < last - BACK_S:  # the clock begins anew: a chained or spliced stream
                shift += last - at
                at = last
            last = at + length
            end = max(end, last)
            if not -1.0 <= end <= limits.MAX_DURATION_S:
                raise MediaError(f"is damaged: a timestamp of {at:.1f} s", source=container.name)
    return end


def tracks(container: Any, kind: str) -> list[Any]:
    """The streams of a kind that can be decoded; cover pictures of music files are none."""
    streams = getattr(container.streams, kind)
    return [s for s in streams if kind != "video" or not is_cover(s)]


def bound_frames(stream: Any, most: int) -> None:
    """Lets the decoder refuse frames of more than ``most`` pixels before it makes room for them: what the container
    declares and what the stream holds may disagree."""
    stream.codec_context.options = {**stream.codec_context.options, "max_pixels": str(most)}


def is_cover(stream: Any) -> bool:
    """Whether a track of pictures is the cover of a music file (AV_DISPOSITION_ATTACHED_PIC)."""
    return bool(int(stream.disposition) & 0x400)


def is_default(stream: Any) -> bool:
    """Whether a track is flagged as the default (AV_DISPOSITION_DEFAULT)."""
    return bool(int(stream.disposition) & 1)


def default_of(streams: list[Any]) -> int:
    """The number of the track that is flagged as the default, as players choose; else the first."""
    return next((k for k, stream in enumerate(streams) if is_default(stream)), 0)


def track(container: Any, kind: str, number: int | None, name: object) -> Any:
    """The ``number``-th stream of a kind (``audio``, ``video``); for None the default one."""
    streams = tracks(container, kind)
    if not streams:
        raise MediaError(f"has no {kind} track", source=name)
    number = default_of(streams) if number is None else number
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
