"""Inputs: regular files, never more bytes than allowed, each failure named; and where a value came from."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mmcli._version import __version__
from mmcli.errors import InputError, MissingError, printable

version = __version__
STDIN = "-"
PIECE = 1 << 24  # bytes read at once


def named(path: Path | str) -> str:
    """How messages call an input: the path as given, ``standard input`` for ``-``."""
    return "standard input" if str(path) == STDIN else str(path)


@contextmanager
def opened(path: Path | str) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file opened for reading, and its size in bytes.

    A pipe or device would block or never end, so it is refused before anything is read.

    Raises :class:`MissingError` where nothing is there, :class:`InputError` where something is that cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        raise _refusal(path, problem) from problem
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise InputError(f"is {kind}; a file is needed", source=path)
    with os.fdopen(descriptor, "rb") as stream:
        yield stream, status.st_size


def read_bytes(path: Path | str, limit: int) -> bytes:
    """The whole content of a file, or of standard input for ``-``; more than ``limit`` bytes are refused."""
    if str(path) == STDIN:
        return _bounded(sys.stdin.buffer, limit, path)
    with opened(path) as (stream, size):
        if size > limit:
            raise InputError(f"holds {size:,} bytes; at most {limit:,} are read here", source=path)
        return _bounded(stream, limit, path)


def _bounded(stream: BinaryIO, limit: int, path: Path | str) -> bytes:
    # Piece by piece: a pipe asked for everything at once would set aside as much memory as the limit.
    pieces: list[bytes] = []
    held = 0
    try:
        while piece := stream.read(PIECE):
            pieces.append(piece)
            held += len(piece)
            if held > limit:
                raise InputError(f"holds more than the {limit:,} bytes that are read here", source=named(path))
    except OSError as problem:
        raise InputError(f"cannot be read ({problem.strerror})", source=named(path)) from problem
    return b"".join(pieces)


def _refusal(path: Path | str, problem: OSError | ValueError) -> InputError | MissingError:
    if isinstance(problem, ValueError):  # a NUL in the path
        return InputError("is not a path", source=path)
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        return MissingError("no such file", source=path)
    return InputError(f"cannot be opened ({problem.strerror})", source=path)


# Where a value came from, in a form that is the same on every machine: hashes, names and versions. Never a time, a
# host or a folder: two runs with the same input must write the same bytes.


def canonical_json(value: object) -> str:
    """The one ASCII spelling of a JSON value: keys sorted, no spaces, shortest floats.

    numpy scalars and arrays are written as the numbers they hold. Raises ValueError for NaN and infinity, TypeError for
    anything JSON has no word for.

    >>> canonical_json({"b": 1.0, "a": [True, None]})
    '{"a":[true,null],"b":1.0}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=plain)


def plain(value: object) -> Any:
    """What ``json.dumps`` calls for values that are not JSON: numpy numbers and arrays become plain ones."""
    tolist = getattr(value, "tolist", None)
    if tolist is None:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return tolist()


def sha256_bytes(data: bytes) -> str:
    """SHA-256 in hexadecimal.

    >>> sha256_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a regular file's content, read in blocks.

    Raises :class:`mmcli.errors.MissingError` or :class:`mmcli.errors.InputError` where it cannot be read.
    """
    with opened(path) as (stream, size):
        return sha256_stream(stream, size)


def config_dict(config: Any) -> dict[str, Any]:
    """The fields of a configuration dataclass as plain JSON (tuples become lists).

    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     bands: int = 40
    ...     range_hz: tuple[float, float] = (0.0, 8000.0)
    >>> config_dict(Config())
    {'bands': 40, 'range_hz': [0.0, 8000.0]}
    """
    result: dict[str, Any] = json.loads(canonical_json(dataclasses.asdict(config)))
    return result


def config_sha256(config: dict[str, Any]) -> str:
    """SHA-256 of the canonical form of a configuration.

    >>> config_sha256({"a": 1, "b": 2}) == config_sha256({"b": 2, "a": 1})
    True
    """
    return sha256_bytes(canonical_json(config).encode("ascii"))


def source_of(path: Path | str) -> dict[str, Any]:
    """``{name, size, sha256}`` of a file: its last path component, never its folder; size in bytes."""
    with opened(path) as (stream, size):
        digest = sha256_stream(stream, size)
    return {"name": printable(os.fsdecode(Path(path).name)), "size": size, "sha256": digest}


def sha256_stream(stream: BinaryIO, size: int) -> str:
    """SHA-256 of what is left of an open file of ``size`` bytes, read in blocks."""
    digest = hashlib.sha256()
    step = min(size + 1, 1 << 20)  # a small file does not pay for a large buffer
    while block := stream.read(step):
        digest.update(block)
    return digest.hexdigest()
