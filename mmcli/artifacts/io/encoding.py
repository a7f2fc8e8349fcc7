"""Tables of other programs as UTF-8: with its mark or without, or UTF-16 with its mark, as spreadsheets write them."""

from __future__ import annotations

import codecs
import io
from typing import Any, BinaryIO

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SEPARATORS = ",;\t"


def as_utf8(stream: BinaryIO) -> BinaryIO:
    """The same text as UTF-8 without a mark, as it arrives; the stream need not seek.

    Reading raises UnicodeError where UTF-16 breaks off or is none after its mark. UTF-8 is passed on unchecked.

    >>> as_utf8(io.BytesIO("id,audio".encode("utf-16"))).read()
    b'id,audio'
    """
    start = stream.read(2)
    if start in UTF16:
        # The mark is read: what follows says no more which byte comes first.
        order = "utf-16-le" if start == codecs.BOM_UTF16_LE else "utf-16-be"
        return io.BufferedReader(_Source(b"", stream, codecs.getincrementaldecoder(order)()))
    if start == codecs.BOM_UTF8[:2]:
        start += stream.read(1)
    return io.BufferedReader(_Source(start.removeprefix(codecs.BOM_UTF8), stream, None))


def first_line(start: bytes) -> str:
    """The first line in the first bytes of a file, without its end; what is no text becomes U+FFFD.

    >>> first_line("id;audio".encode("utf-16"))
    'id;audio'
    """
    name = "utf-16" if start[:2] in UTF16 else "utf-8-sig"
    return start.decode(name, "replace").partition("\n")[0].rstrip("\r")


def separator(line: str) -> str:
    """What parts the columns of a head line: comma, semicolon or tab, whichever stands there most often."""
    return max(SEPARATORS, key=line.count)


class _Source(io.RawIOBase):
    """Bytes that were looked at, then the rest of a stream, decoded where need be."""

    def __init__(self, start: bytes, rest: BinaryIO, decoder: codecs.IncrementalDecoder | None) -> None:
        self._held, self._rest, self._decoder = start, rest, decoder
        self._read = getattr(rest, "read1", rest.read)  # of a pipe what is there, not what would fill the buffer

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            block = self._read(len(buffer))
            if self._decoder is None:
                self._held = block
            else:
                self._held = self._decoder.decode(block, final=not block).encode("utf-8", "surrogatepass")
            if not block:
                break
        taken = self._held[: len(buffer)]
        self._held = self._held[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
