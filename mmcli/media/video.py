"""Moving pictures through PyAV: mp4, webm, mkv and their kin, streamed frame by frame with their presentation times."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import announced, containers, files, limits
from mmcli.media.clips import VideoClip, at_rate

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

UInt8 = NDArray[np.uint8]


def read(path: Path, options: MediaOptions) -> VideoClip:
    """The clip of a video file. Its first frame is decoded to learn how it is turned."""
    first = files.head(path)
    files.refuse_foreign(path, "video", ("video", "audio"), first)
    announced.refuse_truncated(path, files.container(first) or "")
    with containers.opened(path) as container:
        stream = containers.track(container, "video", options.track, path)
        _check_size(stream.codec_context.width, stream.codec_context.height, path)
        containers.bound_frames(stream, limits.frame_pixels(path.stat().st_size))
        end = containers.declared(container, stream)
        has_audio = len(container.streams.audio) > 0
        rate = float(stream.average_rate or stream.base_rate or 0)
        frame = next(iter(container.decode(stream)), None)
        if frame is None:
            raise MediaError("holds no picture", source=path)
        _check_size(frame.width, frame.height, path)
        width, height = frame.width, frame.height
        if _quarter_turns(frame) % 2:
            width, height = height, width
    if end is None:  # a live recording: only counting tells
        with containers.opened(path) as container:
            end = containers.counted(container, containers.track(container, "video", options.track, path))
    segment = None
    duration = end
    if options.start is not None or options.end is not None:
        start = options.start or 0.0
        containers.check_segment(start, options.end, end, path)
        segment = {"start": start, "end": end if options.end is None else min(options.end, end)}
        duration = segment["end"] - start
    return VideoClip(
        name=path.name,
        path=path,
        width=width,
        height=height,
        rate_hz=rate,
        duration_s=duration,
        decode=partial(_decode, path, options),
        has_audio=has_audio,
        segment=segment,
    )


def _decode(path: Path, options: MediaOptions, rate: float | None) -> Iterator[tuple[float, UInt8]]:
    start, stop = options.start or 0.0, options.end
    most = limits.frame_pixels(path.stat().st_size)
    for time, frame in at_rate(_within(_all_frames(path, options.track, start), start, stop), rate):
        yield time, _pixels(frame, path, most)


def _within(frames: Iterator[tuple[float, Any]], start: float, stop: float | None) -> Iterator[tuple[float, Any]]:
    for time, frame in frames:
        if stop is not None and time >= stop:
            return
        if time >= start - 1e-9 or start == 0:  # a frame from before time zero is still shown at it
            yield max(0.0, time - start), frame


def _all_frames(path: Path, track: int | None, start: float) -> Iterator[tuple[float, Any]]:
    """Decoded frames with their times on the clip's clock, from the key frame before ``start`` on."""
    with containers.opened(path) as container:
        stream = containers.track(container, "video", track, path)
        end = containers.declared(container, stream)
        zero = containers.origin(container)
        containers.bound_frames(stream, limits.frame_pixels(path.stat().st_size))
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = limits.DECODER_THREADS
        if start > 0:
            container.seek(int((zero + start) / stream.time_base), stream=stream, backward=True)
        step = 1 / float(stream.average_rate or 25)
        # An avi has no presentation times: libav makes wrong ones where frames are reordered, while the decoding time
        # that comes with a decoded frame counts on in order (ffmpeg calls it the best effort).
        in_order = "avi" in container.format.name.split(",")
        last = None
        for frame in container.decode(stream):
            stamp = frame.dts if in_order else frame.pts  # the last frames of an avi have none
            if stamp is not None and frame.time_base is not None:
                base = frame.time_base
                last = stamp * base.numerator / base.denominator - zero  # rounded once, without a Fraction a frame
            else:
                last = 0.0 if last is None else last + step
            if last > limits.MAX_DURATION_S:
                raise MediaError(f"is damaged: a timestamp of {last:.1f} s", source=path)
            yield last, frame
        if end is not None and (last or 0.0) + step < end - max(1.0, 0.02 * end) - limits.DURATION_SLACK_S:
            raise MediaError(f"is truncated: declares {end:.2f} s of video, ends at {last or 0:.2f} s", source=path)


def _check_size(width: int, height: int, path: Path, most: int | None = None) -> None:
    most = limits.frame_pixels(path.stat().st_size) if most is None else most
    if width * height > most:
        raise MediaError(
            f"has frames of {width} x {height}, more than the {most:,} pixels a frame of such a file may have",
            source=path,
        )


def _quarter_turns(frame: Any) -> int:
    """How often the stored frame must be turned counter-clockwise by 90 degrees to be shown (display matrix)."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def _pixels(frame: Any, path: Path, most: int) -> UInt8:
    _check_size(frame.width, frame.height, path, most)
    pixels: UInt8 = frame.to_ndarray(format="rgb24")
    turns = _quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
