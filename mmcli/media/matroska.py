"""What the elements of a Matroska or WebM file say before any decoder: who wrote it, whether it is whole, its tracks.

References: RFC 8794 (EBML), RFC 9559 (Matroska).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_HEAD = 1 << 16  # bytes in which what comes before the sound is looked for


@dataclass(frozen=True)
class Info:
    """What the Info element of a Matroska or WebM file says (RFC 9559, 5.1.2). Live recordings have no Duration, and
    libav then gives a guess from the bit rate in its place."""

    tells_its_length: bool = False
    writer: str = ""  # MuxingApp, the library that wrote this file: what stands in its tags may be older


def info(path: Path) -> Info:
    """Reads the Info element, which stands near the beginning; what is not there is not told."""
    with path.open("rb") as file:
        data = file.read(_HEAD)
    begin, _ = _segment(data)
    tells, writer = False, ""
    for name, at, length in _elements(data, begin):
        if name == b"\x1f\x43\xb6\x75":  # Cluster: the sound itself
            break
        if name != b"\x15\x49\xa9\x66":  # Info
            continue
        for inner, place, size in _elements(data[: at + length], at):
            content = data[place : place + size]
            if inner == b"\x44\x89":  # Duration
                tells = any(content)
            if inner == b"\x4d\x80":  # MuxingApp
                writer = content.decode("utf-8", "replace")
        break
    return Info(tells, writer)


def missing(file: IO[bytes], size: int) -> int:
    """Bytes that the Segment announces beyond the end of the file; 0 where its length is unknown (RFC 8794, 6.2)."""
    begin, length = _segment(file.read(1 << 12))
    return 0 if length is None else max(0, begin + length - size)


def _segment(data: bytes) -> tuple[int, int | None]:
    """Where the content of the Segment begins, and its length; None for a length that is not known."""
    length, begin = _vint(data, 4)  # of the EBML head
    at = begin + length
    if data[at : at + 4] != b"\x18\x53\x80\x67":  # Segment
        return len(data), None
    length, begin = _vint(data, at + 4)
    unknown = (1 << 7 * (begin - at - 4)) - 1
    return begin, None if length >= unknown else length


def _elements(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """``(name, begin of the content, length)`` of each EBML element from a place on."""
    while at + 2 < len(data):
        width = 9 - data[at].bit_length() if data[at] else 8
        length, begin = _vint(data, at + width)
        yield data[at : at + width], begin, length
        at = begin + length


def has_pictures(file: IO[bytes]) -> bool | None:
    """Whether the file has a track of pictures; None where its Tracks do not lie within the first 64 KB."""
    data = file.read(_HEAD)
    for name, at, length in _elements(data, _segment(data)[0]):
        if name == b"\x16\x54\xae\x6b":  # Tracks
            return _has_picture_track(data[at : at + length]) if at + length <= len(data) else None
    return None


def _has_picture_track(tracks: bytes) -> bool:
    """Whether an entry of the Tracks element has TrackType 1 (RFC 9559, 5.1.4.1.3)."""
    return any(
        inner == b"\x83" and tracks[place : place + size] == b"\x01"
        for name, at, length in _elements(tracks, 0)
        if name == b"\xae"  # TrackEntry
        for inner, place, size in _elements(tracks[: at + length], at)
    )


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """The number of variable width at a place, and the place after it (RFC 8794, 4)."""
    if at >= len(data) or not data[at]:
        return 1 << 56, at + 8
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return value, at + width
