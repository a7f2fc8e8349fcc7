"""A zip archive of stored members in one pass, byte for byte what ``zipfile`` writes with ``force_zip64``.

``zipfile`` seeks back to every header once it knows the CRC, some fifty system calls for an archive of three members,
and its local headers differ between releases of Python. Here everything is known before the first byte is written.

Reference: PKWARE, .ZIP File Format Specification (APPNOTE) 6.3.10: 4.3.7 local header, 4.3.12 central directory, 4.3.16
end record, 4.5.3 the extra field with sizes of 64 bits.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

LIMIT = (1 << 31) - 1  # bytes of an archive from which on the central directory needs 64 bits too

_HEADER = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H2Q")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION = 45  # 4.5: sizes of 64 bits
_UNIX = 3
_UTF_8 = 0x800
_FIRST_DAY = 0x21  # 1980-01-01, the first date there is: no archive says when it was made
_UNKNOWN = 0xFFFFFFFF  # the size stands in the extra field
_OWNER_READS_AND_WRITES = 0o600 << 16

Bytes = bytes | memoryview


def parts(members: Sequence[tuple[str, Sequence[Bytes]]]) -> Iterator[Bytes]:
    """The archive piece by piece, from members as (name, pieces of the content); nothing is copied.

    Together they have to stay below ``LIMIT`` bytes.

    >>> import io, zipfile
    >>> data = b"".join(parts([("a.txt", [b"one ", b"two"])]))
    >>> zipfile.ZipFile(io.BytesIO(data)).read("a.txt")
    b'one two'
    """
    directory: list[bytes] = []
    at = 0
    for text, pieces in members:
        name = text.encode("utf-8")
        flags = 0 if text.isascii() else _UTF_8
        crc = size = 0
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
            size += len(piece)
        local = _HEADER.pack(
            b"PK\3\4", _VERSION, flags, 0, 0, _FIRST_DAY, crc, _UNKNOWN, _UNKNOWN, len(name), _EXTRA.size
        )
        yield local + name + _EXTRA.pack(1, _EXTRA.size - 4, size, size)
        yield from pieces
        entry = (b"PK\1\2", _VERSION, _UNIX, _VERSION, 0, flags, 0, 0, _FIRST_DAY, crc, size, size, len(name))
        directory.append(_CENTRAL.pack(*entry, 0, 0, 0, 0, _OWNER_READS_AND_WRITES, at) + name)
        at += _HEADER.size + len(name) + _EXTRA.size + size
    whole = b"".join(directory)
    yield whole + _END.pack(b"PK\5\6", 0, 0, len(directory), len(directory), len(whole), at, 0)
