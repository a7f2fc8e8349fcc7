"""Recordings made small for pages that are listened to and looked at: sound as Opus, a video as a strip of frames."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mmcli.media.clips import AudioClip, VideoClip
from mmcli.media.door import MediaOptions, open_clip

OPUS_RATE = 48_000  # Hz, the clock of Opus
BITS_PER_S = 24_000  # speech is clear at it, music passable
WHOLE_S = 300.0  # a longer video is entered at its key frames instead of being decoded as a whole


def opus(clip: AudioClip) -> bytes:
    """The sound as mono Opus in WebM, 24 kbit/s: what every current browser plays and seeks in to the sample.

    Sample 0 of the clip is time 0 of the file; the same samples give the same bytes.
    """
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="webm", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("libopus", rate=OPUS_RATE)
        stream.layout = "mono"
        stream.bit_rate = BITS_PER_S
        stream.codec_context.flags |= 1 << 23  # bit-exact: no version in the file
        at = 0
        for block in clip.blocks(OPUS_RATE, 10.0):
            frame = av.AudioFrame.from_ndarray(block[None, :].astype(np.float32), format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = OPUS_RATE, at, Fraction(1, OPUS_RATE)
            at += len(block)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


@dataclass(frozen=True)
class Strip:
    """``jpeg``: ``len(times)`` frames of ``width`` x ``height`` pixels side by side; ``times`` in seconds."""

    jpeg: bytes
    times: list[float]
    width: int
    height: int


def strip(clip: VideoClip, count: int, height: int) -> Strip:
    """About ``count`` frames of a video at equal distances, ``height`` pixels high.

    Raises MediaError for damaged video.
    """
    from PIL import Image

    width = max(1, round(height * clip.width / clip.height))
    tiles, times = [], []
    for time, pixels in _spread(clip, count):
        tiles.append(Image.fromarray(pixels).resize((width, height)))
        times.append(round(time, 3))
    picture = Image.new("RGB", (width * len(tiles), height))
    for k, tile in enumerate(tiles):
        picture.paste(tile, (k * width, 0))
    out = io.BytesIO()
    picture.save(out, format="JPEG", quality=70)
    return Strip(out.getvalue(), times, width, height)


def _spread(clip: VideoClip, count: int) -> Any:
    step = max(clip.duration_s, 1e-3) / count
    if clip.duration_s <= WHOLE_S or clip.path is None:
        yield from clip.frames(1.0 / step)
        return
    for k in range(count):
        part: Any = open_clip(clip.path, "video", options=MediaOptions(start=k * step, end=(k + 1) * step))
        _, pixels = next(part.frames())
        yield k * step, pixels
