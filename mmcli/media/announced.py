"""What the first bytes of a sound file, and the heads of its parts, announce: how long it should be, and what it is
made of. Read before any decoder: libsndfile reads files that were cut to their end without a word, and takes the
length of some others from a guess.

References: RIFF WAVE (Microsoft, 1991), EBU Tech 3306 (RF64), Sony Wave64, Apple AIFF-C and CAF, Sun au, RFC 9639
(FLAC), RFC 3533 (Ogg), LAME tag of mp3 files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

from mmcli.errors import MediaError
from mmcli.media import matroska, mp4

_MAX_CHUNKS = 100_000
_MAX_PAGES = 5_000_000
_MAX_PACKET_SAMPLES = 8192  # of Vorbis, the largest block
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
# Some writers count the header in: 64 bytes too many are not a cut.
_SLACK = 64


def refuse_truncated(path: Path, kind: str) -> None:
    """Raises :class:`MediaError` for a file that ends inside what it announces: wav (RIFF, RF64, BW64), w64, aiff, caf,
    au, avi, ogg, mp3, mkv, webm. Other kinds pass: their decoders tell."""
    size = path.stat().st_size
    missing_of = {
        "wav": _missing_of_wav,
        "w64": _missing_of_w64,
        "aiff": _missing_of_aiff,
        "caf": _missing_of_caf,
        "au": _missing_of_au,
        "avi": _missing_of_avi,
        "ogg": _missing_of_ogg,
        "mp3": _missing_of_mp3,
        "mkv": matroska.missing,
    }.get(kind)
    if missing_of is None:
        return
    try:
        with path.open("rb") as file:
            missing = missing_of(file, size)
    except (OSError, struct.error, OverflowError) as error:
        raise MediaError(f"is damaged: {error}", source=path) from error
    if missing > 0:
        raise MediaError(f"is truncated: {missing:,} bytes of what it announces are missing", source=path)


def _beyond(end: int, size: int) -> int:
    """Bytes that are missing of what should reach to ``end``; 0 within the slack."""
    return end - size if end > size + _SLACK else 0


def _chunks(
    file: IO[bytes], size: int, at: int, order: Literal["little", "big"], width: int = 4, padded: bool = True
) -> Iterator[tuple[bytes, int, int]]:
    """``(name, length, begin of the body)`` of every chunk whose head lies inside the file: a name of four bytes, a
    length of ``width`` bytes (of eight, signed), a body that is padded to an even length or not. The file stands at
    the body; whoever meets a length that leads nowhere leaves the loop."""
    for _ in range(_MAX_CHUNKS):
        begin = at + 4 + width
        if begin > size:
            return
        file.seek(at)
        head = file.read(4 + width)
        length = int.from_bytes(head[4:], order, signed=width == 8)
        yield head[:4], length, begin
        at = begin + length + (length & 1 if padded else 0)


def _missing_of_wav(file: IO[bytes], size: int) -> int:
    """Bytes that the data chunk announces beyond the end of the file; 0 for lengths that say 'unknown'."""
    form = file.read(12)
    long: int | None = None  # the length of data in a file of more than 4 GiB
    for name, length, begin in _chunks(file, size, 12, "little"):
        if name == b"ds64" and form[:4] != b"RIFF":
            long = int.from_bytes(file.read(16)[8:], "little")
        if name == b"data":
            if form[:4] != b"RIFF" and length == 0xFFFFFFFF:
                length = 0 if long is None else long
            elif length >= 0x7FFF0000:  # written to a pipe
                return 0
            return _beyond(begin + length, size)
    return 0


def _missing_of_w64(file: IO[bytes], size: int) -> int:
    at = 40
    for _ in range(_MAX_CHUNKS):
        if at + 24 > size:
            break
        file.seek(at)
        head = file.read(24)
        length = int.from_bytes(head[16:], "little")  # of the chunk, its head included
        if head[:16] == _W64_DATA:
            return _beyond(at + length, size) if length < 1 << 62 else 0
        at += max(24, (length + 7) // 8 * 8)
    return 0


def _missing_of_aiff(file: IO[bytes], size: int) -> int:
    for name, length, begin in _chunks(file, size, 12, "big"):
        if name == b"SSND":
            unknown = length == 0 or length >= 0x7FFF0000
            return 0 if unknown else _beyond(begin + length, size)
    return 0


def _missing_of_caf(file: IO[bytes], size: int) -> int:
    for name, length, begin in _chunks(file, size, 8, "big", width=8, padded=False):
        if length < 0:  # -1: data to the end of the file
            return 0
        if name == b"data":
            return _beyond(begin + length, size)
    return 0


def _missing_of_au(file: IO[bytes], size: int) -> int:
    head = file.read(12)
    begin, length = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    return 0 if length == 0xFFFFFFFF else _beyond(begin + length, size)


def _missing_of_avi(file: IO[bytes], size: int) -> int:
    """A large avi is several RIFF lists; the last one reaches to the end of the file."""
    at = 0
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF":
            return 0
        length = int.from_bytes(head[4:8], "little")
        if length == 0 or length >= 0x7FFF0000:  # never finished, or written to a pipe
            return 0
        if (missing := _beyond(at + 8 + length, size)) > 0:
            return missing
        at += 8 + length + (length & 1)
    return 0


def _missing_of_ogg(file: IO[bytes], size: int) -> int:
    """Bytes that the last page announces beyond the end of the file (RFC 3533, 6)."""
    window = min(size, 2 * 65_307)  # the largest page
    file.seek(size - window)
    tail = file.read(window)
    at = tail.rfind(b"OggS")
    if at < 0:
        return 0
    if at + 27 > len(tail):
        return at + 27 - len(tail)
    table = tail[at + 27 : at + 27 + tail[at + 26]]
    return max(0, at + 27 + tail[at + 26] + sum(table) - len(tail))


def is_one_ogg(path: Path) -> bool:
    """Whether an ogg file is one unbroken logical stream that counts from 0, or several side by side: no second
    beginning after the sound began (chaining), no page lost, no bytes between pages, no start in the middle of a
    broadcast. The heads of the pages are read, not the sound."""
    began = False
    numbers: dict[int, int] = {}
    try:
        with path.open("rb") as file:
            for head in _pages(file):
                serial, number = head[14:18], int.from_bytes(head[18:22], "little")
                if head[:4] != b"OggS":
                    return False
                if head[5] & 2:  # begins a stream
                    if began:
                        return False
                    numbers[int.from_bytes(serial, "little")] = number
                    continue
                key = int.from_bytes(serial, "little")
                if key not in numbers or number != numbers[key] + 1:
                    return False
                numbers[key] = number
                granule = int.from_bytes(head[6:14], "little", signed=True)
                if not began and granule > 0:
                    ends = sum(1 for lace in head[27 : 27 + head[26]] if lace < 255)
                    if granule > (ends + 1) * _MAX_PACKET_SAMPLES:
                        return False
                    began = True
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error
    return began


def _pages(file: IO[bytes]) -> Iterator[bytes]:
    """The head of every page; what lies where a page should begin, once, at the end."""
    at = 0
    for _ in range(_MAX_PAGES):
        file.seek(at)
        head = file.read(27 + 255)
        if not head:
            return
        yield head
        if len(head) < 27 or head[:4] != b"OggS":
            return
        at += 27 + head[26] + sum(head[27 : 27 + head[26]])


def _missing_of_mp3(file: IO[bytes], size: int) -> int:
    begin, told = _xing(file, size)
    return max(0, begin + told - size) if told else 0


def is_whole_mp3(path: Path) -> bool:
    """Whether an mp3 file announces its frames (a Xing or Info tag) and holds exactly the bytes it announces: then the
    length in the tag is the length of the sound. Without a tag the length is a guess from the first bit rate; two files
    joined have the tag of the first."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            begin, told = _xing(file, size)
            file.seek(max(0, size - 128))
            end = size - 128 if file.read(3) == b"TAG" else size
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error
    return told > 0 and abs(begin + told - end) <= _SLACK


def _xing(file: IO[bytes], size: int) -> tuple[int, int]:
    """Where the first frame of an mp3 file lies, and how many bytes of frames its tag announces (0: it does not)."""
    at = 0
    for _ in range(16):  # several ID3 tags may stand before the sound
        file.seek(at)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        at += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        at += 10 if head[5] & 0x10 else 0
    file.seek(min(at, size))
    window = file.read(4096)
    start = next((k for k in range(len(window) - 3) if window[k] == 0xFF and window[k + 1] & 0xE6 == 0xE2), -1)
    if start < 0 or start + 4 > len(window):
        return at, 0
    mpeg1, mono = window[start + 1] & 0x08 != 0, window[start + 3] >> 6 == 3
    tag = start + 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))
    if window[tag : tag + 4] not in (b"Xing", b"Info") or len(window) < tag + 16:
        return at + start, 0
    flags = window[tag + 7]
    if not flags & 1 or not flags & 2:  # without the number of frames and of bytes
        return at + start, 0
    return at + start, int.from_bytes(window[tag + 12 : tag + 16], "big")


def is_plain_flac(path: Path) -> bool:
    """Whether a FLAC file says how long it is and begins at its first sample. The total may be 0 (unknown, RFC 9639,
    8.2), and a stream that was cut out of another keeps the frame numbers and the total of the whole."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"fLaC":
                return False
            total = 0
            for _ in range(1000):
                head = file.read(4)
                if len(head) < 4:
                    return False
                length = int.from_bytes(head[1:], "big")
                if head[0] & 0x7F == 0:
                    total = int.from_bytes(file.read(length)[10:18], "big") & 0xFFFFFFFFF
                else:
                    file.seek(length, 1)
                if head[0] & 0x80:
                    break
            frame = file.read(5)
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error
    # Sync, then four bytes of which the last is the first of the number of the frame or sample: 0 for the first.
    return total > 0 and len(frame) == 5 and frame[0] == 0xFF and frame[1] & 0xFC == 0xF8 and frame[4] == 0


def has_pictures(path: Path, kind: str) -> bool | None:
    """Whether an mp4 or mkv file has a track of pictures, from its index alone; None where that cannot be told so."""
    try:
        with path.open("rb") as file:
            if kind in ("mp4", "m4a"):
                return mp4.has_pictures(file, path.stat().st_size)
            return matroska.has_pictures(file) if kind == "mkv" else None
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}", source=path) from error
