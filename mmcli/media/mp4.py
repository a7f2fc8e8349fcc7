"""What the boxes of an MP4 file say before any decoder: whether its index is whole, and the kinds of its tracks.

Reference: ISO/IEC 14496-12 (the file format of MPEG-4).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

_MAX_BOXES = 10_000


def has_pictures(file: IO[bytes], size: int) -> bool | None:
    """Whether a track has the handler ``vide`` (8.4.3: moov, trak, mdia, hdlr); None where the boxes lead nowhere."""
    todo = [(0, size)]
    seen = 0
    while todo:
        for name, at, begin, end in _boxes(file, *todo.pop()):
            seen += 1
            if seen > _MAX_BOXES or end < begin:
                return None
            if name == b"hdlr":
                file.seek(at + 16)
                if file.read(4) == b"vide":
                    return True
            if name in (b"moov", b"trak", b"mdia"):
                todo.append((begin, min(end, size)))
    return False


def has_whole_index(path: Path) -> bool:
    """Whether an MP4 file has a whole moov box among its top-level boxes (ISO 14496-12, 8.2.1)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return any(name == b"moov" and end <= size for name, _, _, end in _boxes(file, 0, size))


def _boxes(file: IO[bytes], at: int, stop: int) -> Iterator[tuple[bytes, int, int, int]]:
    """``(name, begin of the box, begin of its content, end)`` of every box whose head lies inside the file; the last
    one may end far beyond it, or, where its length is none, before its content."""
    for _ in range(_MAX_BOXES):
        if at + 8 > stop:
            return
        file.seek(at)
        head = file.read(16)
        length, begin = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, begin = int.from_bytes(head[8:], "big"), at + 16
        end = at + length if length else stop
        yield head[4:8], at, begin, end
        if end < begin:
            return
        at = end
