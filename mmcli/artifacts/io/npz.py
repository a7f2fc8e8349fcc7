"""The one reader and writer of npz files.

``numpy.load`` raises seven exception types on damaged files, reads a header of any length before it refuses it,
allocates what a header declares, takes the last of two members of one name, and follows names outside the archive. So
the archive is looked at first: known members only, each once, stored and not encrypted, together no larger than the
file; each member's header within 10,000 bytes and of the one form that writers use; its type on the list that the
format allows; shape times item size equal to the bytes that are there. Then the bytes are read into an array of
exactly that size, and the archive's CRC covers header and values. Nothing is ever unpickled or evaluated.
"""

from __future__ import annotations

import functools
import io
import math
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from mmcli.errors import ArtifactError

MAX_MEMBERS = 64
MAX_HEADER = 10_000
MAX_TEXT_ITEM = 64 << 10  # bytes in one string of a unicode array; a single string (meta) may be longer
MAX_META = 64 << 20  # bytes of the meta string, at four a character
MAX_DIMENSION = 1 << 40
_BLOCK = 1 << 20
_SOUND_FLAGS = 0x8 | 0x800  # sizes after the data, names in UTF-8; anything else is encryption or patching
_HEADER = re.compile(
    rb"\{ ?'descr': ?'([<>|=]?[a-zA-Z][0-9]{0,9})', ?'fortran_order': ?(True|False), ?"
    rb"'shape': ?\(((?:[0-9]{1,18}, ?)*(?:(?<=, )[0-9]{1,18}|(?<=,)[0-9]{1,18})?)\),? ?\} *\n?"
)
_LOCAL = struct.Struct("<26x2H")  # a local file header (APPNOTE 4.3.7) by the lengths of its name and extra field
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    EOFError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


class Spec(NamedTuple):
    """What an array of a format has to be: one of some types and how many axes; ``U`` is text of any width."""

    dtype: str
    least_axes: int
    most_axes: int


def read(
    stream: BinaryIO,
    size: int,
    name: str,
    specs_of: Callable[[Collection[str]], Mapping[str, Spec]],
    *,
    max_bytes: int,
    max_members: int = MAX_MEMBERS,
    only: Collection[str] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive of ``size`` bytes.

    ``specs_of`` is given the member keys and says what each must be, or raises. ``only`` reads some of the members.
    Raises :class:`ArtifactError` whatever is wrong.
    """
    if size > max_bytes:
        raise ArtifactError(f"holds {size:,} bytes; at most {max_bytes:,} are read", source=name)
    with guarded(name), zipfile.ZipFile(stream) as archive:
        members = _arrays_in(archive, size, name, max_members)
        specs = specs_of(members.keys())
        if specs.keys() != members.keys():
            missing = sorted(specs.keys() - members.keys())
            surplus = sorted(members.keys() - specs.keys())
            wrong = f"lacks {missing[0]!r}" if missing else f"holds {surplus[0][:100]!r}, which does not belong there"
            raise ArtifactError(wrong, source=name)
        wanted = members.keys() if only is None else only
        return {key: _array(archive, members[key], key, specs[key], name) for key in wanted}


class Place(NamedTuple):
    """Where an array's values stand in a file: from the byte ``offset`` on, ``shape`` of ``dtype``, row by row."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def places(stream: BinaryIO, name: str, specs: Mapping[str, Spec]) -> dict[str, Place]:
    """The places of the arrays ``specs`` of an archive that :func:`read` has read from the same stream.

    Raises :class:`ArtifactError` where an array is stored by columns.
    """
    where = {}
    with guarded(name), zipfile.ZipFile(stream) as archive:
        for key, spec in specs.items():
            entry = archive.getinfo(f"{key}.npy")
            stream.seek(entry.header_offset)
            local = stream.read(_LOCAL.size)
            at = entry.header_offset + _LOCAL.size + sum(_LOCAL.unpack(local)[-2:])
            stream.seek(at)
            dtype, shape, fortran, header = _header(stream.read(MAX_HEADER + 12), key, spec, name)
            if fortran and len(shape) > 1:
                raise ArtifactError(f"{key!r} is stored by columns; rows are needed", source=name)
            where[key] = Place(at + header, dtype, shape)
    return where


def array_of(data: bytes, key: str, spec: Spec, name: str) -> npt.NDArray[Any]:
    """The array that the bytes of an npy file hold, checked as a member of an archive is. Raises ArtifactError."""
    dtype, shape, fortran, header = _header(data[: MAX_HEADER + 12], key, spec, name)
    if header + math.prod(shape) * dtype.itemsize != len(data):
        raise ArtifactError(f"{key!r} of shape {shape} does not have its size", source=name)
    return np.frombuffer(data, dtype, offset=header).reshape(shape, order="F" if fortran else "C")


def write(stream: BinaryIO, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an archive as ``numpy.savez`` does: stored, one ``.npy`` a member, constant dates, no pickles.

    ``numpy.savez`` itself takes a key called ``file`` for its argument and, before numpy 2.2, pickles object arrays.
    """
    if size_of(arrays) < LIMIT:
        for part in _parts(arrays):
            stream.write(part)
        return
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, _little_endian(array), version=(1, 0), allow_pickle=False)


def dumps(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The archive as bytes."""
    if size_of(arrays) < LIMIT:
        return b"".join(_parts(arrays))
    memory = io.BytesIO()
    write(memory, arrays)
    return memory.getvalue()


def size_of(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    """A little more than the bytes of the archive."""
    return sum(array.nbytes + MAX_HEADER for array in arrays.values())


def _parts(arrays: Mapping[str, npt.NDArray[Any]]) -> Iterator[bytes | memoryview]:
    members = [(f"{key}.npy", _member(_little_endian(array))) for key, array in arrays.items()]
    return parts(members)


def _member(array: npt.NDArray[Any]) -> tuple[bytes, memoryview]:
    """The two pieces of an array in the npy format, as ``np.lib.format.write_array`` writes it."""
    if array.dtype.hasobject:
        raise ValueError("objects are not written")  # as write_array without pickles
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    flat = np.ascontiguousarray(array.T if fortran else array).reshape(-1)
    return _npy_header(array.dtype, array.shape, fortran), flat.view(np.uint8).data


@functools.lru_cache(maxsize=256)
def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool) -> bytes:
    memory = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(memory, described)
    return memory.getvalue()


def text_scalar(text: str) -> npt.NDArray[Any]:
    """A string as the array without axes that holds it."""
    return np.array(text, dtype=f"<U{max(1, len(text))}")


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Turn whatever a damaged archive makes the standard library raise into one error."""
    try:
        yield
    except DAMAGE as problem:
        raise ArtifactError(f"is damaged or no archive ({_first_line(problem)})", source=name) from problem
    except MemoryError as problem:
        raise ArtifactError("does not fit into memory", source=name) from problem


def _first_line(problem: BaseException) -> str:
    text = str(problem) or type(problem).__name__
    return text.splitlines()[0][:200]


def stored_members(archive: zipfile.ZipFile, size: int, name: str, most: int) -> dict[str, zipfile.ZipInfo]:
    """The members of an archive by name: each once, stored, not encrypted, together no larger than the file."""
    entries = archive.infolist()
    if len(entries) > most:
        raise ArtifactError(f"holds {len(entries)} members; at most {most} are read", source=name)
    members: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        shown = repr(entry.filename[:100])
        if entry.filename in members:
            raise ArtifactError(f"holds {shown} twice", source=name)
        if entry.flag_bits & ~_SOUND_FLAGS:
            raise ArtifactError(f"{shown} is encrypted or patched", source=name)
        if entry.compress_type != zipfile.ZIP_STORED:
            hint = "numpy.savez writes such files, savez_compressed does not" if shown.endswith(".npy'") else None
            raise ArtifactError(f"{shown} is compressed; members are stored here", source=name, hint=hint)
        if entry.compress_size != entry.file_size:
            raise ArtifactError(f"{shown} declares two sizes", source=name)
        members[entry.filename] = entry
    if (total := sum(entry.file_size for entry in entries)) > size:
        raise ArtifactError(f"declares {total:,} bytes in a file of {size:,}", source=name)
    return members


def _arrays_in(archive: zipfile.ZipFile, size: int, name: str, most: int) -> dict[str, zipfile.ZipInfo]:
    members = stored_members(archive, size, name, most)
    for member in members:
        if not member.endswith(".npy"):
            raise ArtifactError(f"holds {member[:100]!r}, which is no array", source=name)
    return {member[:-4]: entry for member, entry in members.items()}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, key: str, spec: Spec, name: str) -> npt.NDArray[Any]:
    with archive.open(entry) as member:
        start = member.read(min(entry.file_size, MAX_HEADER + 12))
        dtype, shape, fortran, header = _header(start, key, spec, name)
        count = math.prod(shape)
        if header + count * dtype.itemsize != entry.file_size:
            raise ArtifactError(f"{key!r} of shape {shape} does not have its size", source=name)
        array: npt.NDArray[Any] = np.empty(count, dtype)
        if count:
            _fill(array, start[header:], member)
        if member.read(1):  # reaches the end, where the CRC is compared
            raise ArtifactError(f"{key!r} goes on after its end", source=name)
    if dtype.kind == "b" and count and int(array.view(np.uint8).max()) > 1:
        raise ArtifactError(f"{key!r} holds bytes that are neither true nor false", source=name)
    if dtype.kind == "U" and count:
        _check_text(array, key, name)
    if fortran:
        return np.ascontiguousarray(array.reshape(shape[::-1]).T)
    return array.reshape(shape)


def _header(start: bytes, key: str, spec: Spec, name: str) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Type, shape, order and length of the header that these first bytes of a member hold."""
    if start[:6] != b"\x93NUMPY" or start[6:8] not in (b"\x01\x00", b"\x02\x00"):
        raise ArtifactError(f"{key!r} is no array", source=name)
    text = 10 if start[6] == 1 else 12
    length = int.from_bytes(start[8:text], "little")
    if length > MAX_HEADER:
        raise ArtifactError(f"{key!r} declares a header of {length:,} bytes", source=name)
    match = _HEADER.fullmatch(start, text, text + length)
    if match is None:
        raise ArtifactError(f"{key!r} has a header that no array writer makes", source=name)
    descr, order, axes = match[1].decode("ascii"), match[2], match[3].decode("ascii")
    if not any(descr == wanted or (wanted == "U" and descr.startswith("<U")) for wanted in spec.dtype.split()):
        raise ArtifactError(f"{key!r} is of type {descr}; {spec.dtype} is needed", source=name)
    shape = tuple(int(axis) for axis in axes.split(",") if axis.strip())
    if not spec.least_axes <= len(shape) <= spec.most_axes:
        raise ArtifactError(f"{key!r} has {len(shape)} axes", source=name)
    if any(axis > MAX_DIMENSION for axis in shape):
        raise ArtifactError(f"{key!r} of shape {shape} is too large", source=name)
    dtype = np.dtype(descr)
    if dtype.kind == "U" and not 0 < dtype.itemsize <= (MAX_TEXT_ITEM if shape else MAX_META):
        raise ArtifactError(f"{key!r} holds strings of {dtype.itemsize:,} bytes", source=name)
    return dtype, shape, order == b"True", text + length


def _fill(array: npt.NDArray[Any], block: bytes, member: IO[bytes]) -> None:
    rest = memoryview(array.view(np.uint8).data)
    while True:
        rest[: len(block)] = block
        rest = rest[len(block) :]
        if not rest:
            return
        block = member.read(min(len(rest), _BLOCK))
        if not block:
            raise EOFError("the file ends within an array")


def _check_text(array: npt.NDArray[Any], key: str, name: str) -> None:
    """Numpy keeps any 32-bit number as a character and fails later, when the string is made."""
    codes = array.view("<u4")
    top = int(codes.max())
    if top > 0x10FFFF or (top >= 0xD800 and bool(np.any((codes >= 0xD800) & (codes <= 0xDFFF)))):
        raise ArtifactError(f"{key!r} holds text that is not Unicode", source=name)


def _little_endian(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if sys.byteorder == "little" and array.dtype.byteorder in "=|<":
        return array
    return array.astype(array.dtype.newbyteorder("<"))


# A zip archive of stored members in one pass, byte for byte what ``zipfile`` writes with ``force_zip64``.
#
# ``zipfile`` seeks back to every header once it knows the CRC, some fifty system calls for an archive of three
# members, and its local headers differ between releases of Python. Here everything is known before the first byte is
# written.
#
# Reference: PKWARE, .ZIP File Format Specification (APPNOTE) 6.3.10: 4.3.7 local header, 4.3.12 central directory,
# 4.3.16 end record, 4.5.3 the extra field with sizes of 64 bits.

LIMIT = (1 << 31) - 1  # bytes of an archive from which on the central directory needs 64 bits too

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
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
        local = _LOCAL_HEADER.pack(
            b"PK\3\4", _VERSION, flags, 0, 0, _FIRST_DAY, crc, _UNKNOWN, _UNKNOWN, len(name), _EXTRA.size
        )
        yield local + name + _EXTRA.pack(1, _EXTRA.size - 4, size, size)
        yield from pieces
        entry = (b"PK\1\2", _VERSION, _UNIX, _VERSION, 0, flags, 0, 0, _FIRST_DAY, crc, size, size, len(name))
        directory.append(_CENTRAL.pack(*entry, 0, 0, 0, 0, _OWNER_READS_AND_WRITES, at) + name)
        at += _LOCAL_HEADER.size + len(name) + _EXTRA.size + size
    whole = b"".join(directory)
    yield whole + _END.pack(b"PK\5\6", 0, 0, len(directory), len(directory), len(whole), at, 0)
