"""Opening inputs: regular files only, each failure named, never more bytes than allowed."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mmcli.errors import InputError, MissingError

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
