"""Journals: files that grow by one line at a time and survive being killed in the middle of one.

A line counts when its newline is there. What a killed writer left after the last newline is ignored by readers and
cut off by the next writer.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mmcli.artifacts.io import jsonfile, provenance
from mmcli.artifacts.io.atomic import make_folder
from mmcli.errors import ArtifactError, OutputError

MAX_LINE = 16 << 20
# A planted link is not followed: its file would be cut after its last whole line, and written to.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Journal:
    """An append-only file of JSON objects, one a line, one system call a line.

    Opening makes the folder and the file, takes the file's lock (two runs on one journal is an :class:`OutputError`)
    and cuts off a torn last line. Safe to share between threads.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "journal.jsonl"
    >>> with Journal(path) as journal:
    ...     journal.append({"id": "a", "done": True})
    >>> list(read(path))
    [{'id': 'a', 'done': True}]
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        make_folder(self.path.parent)
        self._lock = threading.Lock()
        try:
            self._descriptor = os.open(self.path, _FLAGS, 0o666)
        except OSError as problem:
            if problem.errno == errno.ELOOP:
                raise OutputError("is a symbolic link, which is not followed", source=self.path) from problem
            raise self._failure(problem) from problem
        self._size = 0
        self._torn = True  # something may stand after the last whole line
        try:
            self._claim()
            self._size = _end_of_last_line(self._descriptor)
            self._cut()
        except BaseException as problem:
            with suppress(OSError):
                os.close(self._descriptor)
            if isinstance(problem, OSError):
                raise self._failure(problem) from problem
            raise

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line; on failure the file is as it was before and :class:`OutputError` is raised."""
        line = jsonfile.one_line(entry).encode("utf-8")
        with self._lock:
            try:
                self._cut()
                self._torn = True
                rest = memoryview(line)
                while rest:  # once, but for a disk that is nearly full: the next write says why
                    rest = rest[os.write(self._descriptor, rest) :]
                self._size += len(line)
                self._torn = False
            except BaseException as problem:
                with suppress(OSError):
                    self._cut()
                if isinstance(problem, OSError):
                    raise self._failure(problem) from problem
                raise

    def _cut(self) -> None:
        if self._torn:
            os.ftruncate(self._descriptor, self._size)
            self._torn = False

    def close(self) -> None:
        """Flush to the disk and release the file."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            except OSError as problem:
                raise self._failure(problem) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _claim(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise OutputError("is being written by another run", source=self.path) from problem
        except OSError:
            return  # a file system without locks

    def _failure(self, problem: OSError) -> OutputError:
        return OutputError(f"cannot be written ({problem.strerror})", source=self.path)


def read(path: Path | str, *, holes: bool = False) -> Iterator[dict[str, Any]]:
    """The complete lines of a journal, in order; a torn last line is ignored.

    ``holes``: so are lines with NULs, which no writer of JSON makes: a power cut leaves them where data had not reached
    the disk. For journals whose every line may be lost.

    Raises :class:`mmcli.errors.ArtifactError` for a complete line that is no JSON object.
    """
    with provenance.opened(path) as (stream, _):
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise ArtifactError(f"line {number} is longer than {MAX_LINE:,} bytes", source=path)
            if not line.endswith(b"\n"):
                return
            if holes and b"\0" in line:
                continue
            yield jsonfile.parse(line, f"{path}: line {number}")


def _end_of_last_line(descriptor: int) -> int:
    """The offset after the last newline, searched backwards in blocks."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        block = os.pread(descriptor, end - start, start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
