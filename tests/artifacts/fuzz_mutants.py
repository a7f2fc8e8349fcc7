"""Damage: from one file to another that may be broken, by bytes, by the fields of an archive, and below its
checksums."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable

from mmcli.artifacts.io.provenance import canonical_json

_TOKENS = [
    *(b"NaN", b"-Infinity", b"1e999", b"-1", b"0", b"1.5", b"99999999999999999999", b"null", b"true", b"[]", b"{}"),
    *(
        b'""',
        b'"x"',
        b",",
        b":",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"\n",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
    ),
    *(b"../", b"/", b"id", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x93NUMPY", b"<f4", b"|O8", b"<U9", b"True"),
]
_INTEGERS = [
    0,
    1,
    2,
    7,
    8,
    63,
    64,
    127,
    128,
    255,
    256,
    10_000,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
]
_SIGNATURE = re.compile(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x06\x06|\x06\x07)")
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")

Mutation = Callable[[bytearray, random.Random], None]


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(len(data))] = rng.choice(
        (0, 1, 32, 34, 44, 45, 48, 57, 91, 123, 127, 128, 255, rng.randrange(256))
    )


def _integer(data: bytearray, rng: random.Random) -> None:
    _put_integer(data, rng.randrange(len(data)), rng)


def _zip_field(data: bytearray, rng: random.Random) -> None:
    """A number within one of the archive's records."""
    records = [match.start() for match in _SIGNATURE.finditer(data)]
    if records:
        _put_integer(data, min(rng.choice(records) + rng.randrange(4, 46), len(data) - 1), rng)


def _put_integer(data: bytearray, at: int, rng: random.Random) -> None:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(_INTEGERS) % 256**width
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "little", "big")))[: len(data) - at]


def _delete(data: bytearray, rng: random.Random) -> None:
    start, end = _span(data, rng)
    del data[start:end]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(_TOKENS) if rng.random() < 0.7 else rng.randbytes(rng.randrange(1, 40))


def _overwrite(data: bytearray, rng: random.Random) -> None:
    token = rng.choice(_TOKENS)
    at = rng.randrange(len(data))
    data[at : at + len(token)] = token[: len(data) - at]


def _repeat(data: bytearray, rng: random.Random) -> None:
    start, end = _span(data, rng)
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[start:end]


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _extend(data: bytearray, rng: random.Random) -> None:
    data += rng.choice((b"\0" * rng.randrange(1, 100), rng.randbytes(8), data[: rng.randrange(len(data))]))


def _number(data: bytearray, rng: random.Random) -> None:
    """A number written in digits becomes another word."""
    numbers = list(_NUMBER.finditer(data))
    if numbers:
        start, end = rng.choice(numbers).span()
        data[start:end] = rng.choice(_TOKENS[:20])


def _line(data: bytearray, rng: random.Random) -> None:
    """A line is doubled, dropped, or moved."""
    lines = bytes(data).splitlines(keepends=True)
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    data[:] = b"".join(lines)


def _span(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 8, 30, 100, 400)))


_BYTES: list[Mutation] = [_flip, _byte, _integer, _delete, _insert, _overwrite, _repeat, _truncate, _extend]
_ARCHIVE: list[Mutation] = [*_BYTES, _flip, _zip_field, _zip_field, _zip_field]
_TEXT: list[Mutation] = [*_BYTES, _number, _number, _line]


def mutant(seed: bytes, rng: random.Random, *, archive: bool) -> bytes:
    """One to three mutations of a file, its checksums left as they are; differs from the seed."""
    data = bytearray(seed)
    while bytes(data) == seed:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if data:
                rng.choice(_ARCHIVE if archive else _TEXT)(data, rng)
    return bytes(data)


def deep_archive(seed: bytes, rng: random.Random) -> bytes:
    """A sound archive whose members are not: one is mutated, renamed, dropped or doubled, and the checksums fit."""
    members = list(_members(seed))
    at = rng.randrange(len(members))
    name, content = members[at]
    fate = rng.random()
    if fate < 0.9:
        mutate = _member_text if name.endswith("meta.npy") and rng.random() < 0.7 else _member_bytes
        members[at] = (name, mutate(content, rng))
    elif fate < 0.93:
        members[at] = (rng.choice(("x.npy", "../" + name, name.upper(), name + "x", "a/values.npy")), content)
    elif fate < 0.96:
        del members[at]
    else:
        members.insert(rng.randrange(len(members)), rng.choice(members))
    return stored(members)


@functools.cache
def _members(seed: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(seed)) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def stored(members: list[tuple[str, bytes]]) -> bytes:
    """An archive of stored members, names as given, doubles and all."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            archive.NameToInfo.pop(name, None)  # no warning about doubles
            archive.writestr(zipfile.ZipInfo(name), content)
    return memory.getvalue()


def _member_bytes(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content or b"\0")
    rng.choice((_flip, _byte, _integer, _number, _delete, _overwrite))(data, rng)
    return bytes(data)


def _member_text(content: bytes, rng: random.Random) -> bytes:
    """The JSON text within a ``.npy`` of one string, mutated, and the header made to fit."""
    text = bytearray(content[128:].decode("utf-32-le").encode("utf-8"))
    rng.choice(_TEXT)(text, rng)
    characters = text.decode("utf-8", "replace")
    header = f"{{'descr': '<U{len(characters)}', 'fortran_order': False, 'shape': (), }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + characters.encode("utf-32-le")


def deep_json(seed: bytes, rng: random.Random) -> bytes:
    """The object mutated, without its seal or with one that fits: the checks behind the seal have to hold alone."""
    content = json.loads(seed)
    del content["content_sha256"]
    data = mutant(json.dumps(content, ensure_ascii=False).encode(), rng, archive=False)
    try:
        changed = json.loads(data)
        seal = hashlib.sha256(canonical_json(changed).encode()).hexdigest()
    except (ValueError, RecursionError):
        return data
    if not isinstance(changed, dict) or rng.random() < 0.3:
        return data
    return json.dumps(changed | {"content_sha256": seal}).encode()
