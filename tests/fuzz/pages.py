"""Ogg pages whose checksums fit: without them a decoder drops what was changed, and nothing behind it is tried."""

from __future__ import annotations


def _row(value: int) -> int:
    for _ in range(8):
        value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


_ROWS = [_row(byte << 24) for byte in range(256)]


def checksum(page: bytes) -> int:
    """The checksum of a page, that of its own field taken as 0 (RFC 3533, 6).

    >>> hex(checksum(b"123456789"))
    '0x89a1897f'
    """
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _ROWS[(value >> 24) ^ byte]
    return value


def sealed(data: bytes) -> bytes:
    """The same bytes, the checksum of each page made to fit what the page says that it holds."""
    made = bytearray(data)
    at = data.find(b"OggS")
    while at >= 0 and at + 27 <= len(data):
        table = data[at + 27 : at + 27 + data[at + 26]]
        end = at + 27 + len(table) + sum(table)
        made[at + 22 : at + 26] = bytes(4)
        made[at + 22 : at + 26] = checksum(bytes(made[at:end])).to_bytes(4, "little")
        at = data.find(b"OggS", max(at + 4, end if end <= len(data) else at + 4))
    return bytes(made)
