"""Plain wav files, 16 bits a sample, read without a library: most recordings of most corpora are such files.

Only what is beyond doubt is read here: one format chunk of linear PCM, then a data chunk that lies within the file,
both announced within the first 4,096 bytes. Everything else, all damage included, is for libsndfile, which costs some
sixty system calls a file. The samples are the same, bit for bit: a 16-bit integer over 32,768 is exact in float32.

Reference: IBM and Microsoft, Multimedia Programming Interface and Data Specifications 1.0 (1991), chapter 3, RIFF WAVE.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import limits

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

LOOK = 4096  # bytes in which the chunks have to be announced
_FORMAT = struct.Struct("<HHIIHH")  # tag, channels, rate, bytes a second, bytes a frame, bits a sample
_PCM = 1


class Layout(NamedTuple):
    """Where the samples lie: int16 little-endian, ``frames`` of ``channels``, from byte ``begin``."""

    rate: int
    channels: int
    frames: int
    begin: int


def layout(first: bytes, size: int) -> Layout | None:
    """The layout of a plain file of ``size`` bytes from its first ``LOOK`` bytes; None where it is not plain."""
    if first[:4] != b"RIFF" or first[8:12] != b"WAVE":
        return None
    at, form = 12, None
    while at + 8 <= len(first):
        name, length = first[at : at + 4], int.from_bytes(first[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            return None if form is None else _plain(form, at, length, size)
        if name == b"fmt ":
            if form is not None or length not in (16, 18) or at + length > len(first):
                return None
            form = _FORMAT.unpack_from(first, at)
        at += length + (length & 1)
    return None


def _plain(form: tuple[int, ...], begin: int, length: int, size: int) -> Layout | None:
    tag, channels, rate, _, width, bits = form
    if tag != _PCM or bits != 16 or channels < 1 or width != 2 * channels:
        return None
    if length == 0 or length % width or begin + length > size:
        return None
    return Layout(rate, channels, length // width, begin)


def pieces(
    path: Path, first: int, stop: int | None, options: MediaOptions, *, where: Layout
) -> Iterator[NDArray[np.float32]]:
    """The samples from frame ``first`` to before ``stop``, float32 mono, block by block."""
    end = where.frames if stop is None else min(stop, where.frames)
    width = 2 * where.channels
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(where.begin + first * width)
            while first < end:
                count = min(limits.AUDIO_PIECE, end - first)
                data = file.read(count * width)
                if len(data) != count * width:
                    raise MediaError("is truncated: it ends before its data do", source=path)
                yield _mono(np.frombuffer(data, "<i2"), where.channels, options.channel)
                first += count
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error


def _mono(data: NDArray[np.int16], channels: int, channel: int | None) -> NDArray[np.float32]:
    """As :mod:`mmcli.media.audio` makes one of several channels: the one asked for, or their mean in float32."""
    samples = data.astype(np.float32)
    samples *= np.float32(1 / 32_768)
    if channels == 1:
        return samples
    frames = samples.reshape(-1, channels)
    if channel is not None:
        return np.ascontiguousarray(frames[:, channel])
    mixed: NDArray[np.float32] = frames.mean(axis=1, dtype=np.float32)
    return mixed
