"""Media as data URIs, and small pictures of them, for pages that carry their pictures and sounds with them.

What browsers show and is small enough goes in as it is; the rest is decoded and put in smaller: pictures as JPEG of at
most 512 pixels a side, sound as the first ten seconds in 16 kHz, 16 bit, mono.
"""

from __future__ import annotations

import base64
import io
import itertools
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import files
from mmcli.media.clips import AudioClip, Float32, ImageClip, VideoClip
from mmcli.media.door import MediaOptions, open_clip

MAX_AS_IT_IS = 300_000  # bytes
MAX_SIDE = 512  # pixels
MAX_SECONDS = 10.0
RATE = 16_000
SMALL_SIDE = 48  # pixels of a thumbnail, on the screen
BARS = 48  # of a small waveform
HEARD_S = 30.0  # of a recording that its small waveform shows: a table of two hundred hours must not take an hour
COARSE_HZ = 8_000
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
}


def data_uri(path: Path | str, modality: str, *, options: MediaOptions | None = None) -> str:
    """The picture, or the sound (of a video: its track), as ``data:TYPE;base64,...``.

    Raises :class:`MediaError` where the file cannot be decoded: what does not decode is not shown either.
    """
    path = files.regular(path, modality)
    clip = open_clip(path, modality, options=options)
    if isinstance(clip, ImageClip):
        kind = files.container(files.head(path))
        if kind in TYPES and path.stat().st_size <= MAX_AS_IT_IS:
            return uri(TYPES[kind], path.read_bytes())
        return uri("image/jpeg", _jpeg(_bytes_of(clip)))
    if isinstance(clip, AudioClip):
        kind = files.container(files.head(path))
        small = path.stat().st_size <= MAX_AS_IT_IS
        if kind in TYPES and TYPES[kind].startswith("audio") and small and clip.segment is None:
            return uri(TYPES[kind], path.read_bytes())
        first = next(clip.blocks(RATE, MAX_SECONDS))
        return uri("audio/wav", _wav(first))
    raise MediaError(f"a page cannot show the modality {modality!r}", source=path)


def uri(kind: str, data: bytes) -> str:
    """``data`` of a media type as a URI.

    >>> uri("image/png", b"abc")
    'data:image/png;base64,YWJj'
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def small_picture(clip: ImageClip | VideoClip, side: int = SMALL_SIDE) -> str:
    """The picture, or the first one of a film after a tenth of it, as a JPEG of at most twice ``side`` pixels a side.

    Twice, because the screens of phones have as many pixels. Raises :class:`MediaError` where it does not decode.
    """
    if isinstance(clip, ImageClip):
        return uri("image/jpeg", _jpeg(_bytes_of(clip), 2 * side))
    after = 0.1 * clip.duration_s
    last = None
    for time, pixels in clip.frames():
        last = pixels
        if time >= after:
            break
    return uri("image/jpeg", _jpeg(np.asarray(last), 2 * side))


def loudness(clip: AudioClip, bars: int = BARS) -> list[float]:
    """How far the sound swings in each of ``bars`` parts of its first half minute, from 0 to 1 (its loudest part)."""
    first = next(clip.blocks(min(clip.rate, COARSE_HZ), HEARD_S))
    edges = np.linspace(0, len(first), bars + 1).astype(np.int64)
    swing = [float(np.abs(first[a:b]).max()) if b > a else 0.0 for a, b in itertools.pairwise(edges)]
    most = max(swing) or 1.0
    return [value / most for value in swing]


def _bytes_of(clip: ImageClip) -> NDArray[np.uint8]:
    return np.round(clip.pixels * 255).astype(np.uint8)


def _jpeg(pixels: NDArray[np.uint8], most: int = MAX_SIDE) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((most, most))
    out = io.BytesIO()
    picture.save(out, format="JPEG", quality=85)
    return out.getvalue()


def _wav(samples: Float32) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()
