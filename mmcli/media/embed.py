"""Media as data URIs, for pages that carry their pictures and sounds with them.

What browsers show and is small enough goes in as it is; the rest is decoded and put in smaller: pictures as JPEG of at
most 512 pixels a side, sound as the first ten seconds in 16 kHz, 16 bit, mono.
"""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import numpy as np

from mmcli.errors import MediaError
from mmcli.media import files
from mmcli.media.clips import AudioClip, Float32, ImageClip
from mmcli.media.door import MediaOptions, open_clip

MAX_AS_IT_IS = 300_000  # bytes
MAX_SIDE = 512  # pixels
MAX_SECONDS = 10.0
RATE = 16_000
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
        return uri("image/jpeg", _jpeg(clip))
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


def _jpeg(clip: ImageClip) -> bytes:
    from PIL import Image

    bytes_ = np.round(clip.pixels * 255).astype(np.uint8)
    picture = Image.fromarray(bytes_[:, :, 0] if bytes_.shape[2] == 1 else bytes_)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
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
