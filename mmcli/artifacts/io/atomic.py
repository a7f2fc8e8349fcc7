"""Writing files so that each is complete or absent, whatever happens in between.

A temporary file in the same folder is written, flushed to the disk, and renamed over the target; then the folder
itself is flushed. A kill at any moment leaves the old file or the new one, at worst beside a temporary file
``.mmcli-tmp-*`` that :func:`sweep` removes. A target that exists and is no regular file (``/dev/null``, a named pipe)
cannot be replaced: it gets the finished bytes in one go.

Every OSError becomes :class:`mmcli.errors.OutputError`; a closed pipe stays BrokenPipeError, which is for the command
line.

Names are text here and not paths: a batch writes files by the hundred thousand, and a Path costs as much as a write.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from mmcli.artifacts.io import confined, provenance
from mmcli.errors import OutputError, UsageError

PREFIX = ".mmcli-tmp-"
STDOUT = "-"
_BUFFER = 1 << 20
_NO_DIRECTORY_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}  # file systems that offer none
_counter = itertools.count()
_flushing = True


def without_flushing() -> None:
    """From here on this process leaves the moment of flushing to the system, for outputs by the thousand.

    A kill still leaves each file complete or absent. After a power cut the newest files may be empty or torn: only for
    writers whose next run opens and checks every output before it trusts it, as a batch does.
    """
    global _flushing  # a property of the process, set once when it starts
    _flushing = False


@contextmanager
def writer(path: Path | str) -> Iterator[BinaryIO]:
    """A binary file object whose content becomes the file when the block ends without an exception.

    Missing parent folders are made. An OSError inside the block counts as a failure of this output.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with writer(folder / "a.bin") as f:
    ...     _ = f.write(b"whole")
    >>> (folder / "a.bin").read_bytes()
    b'whole'
    """
    with _reported(path):
        target, special = _target(path)
        if special:
            memory = io.BytesIO()
            yield memory
            _write_special(target, memory.getvalue())
            return
        temporary, descriptor = _create(target)
        try:
            stream = io.BufferedWriter(_Descriptor(descriptor), _BUFFER)
            try:
                yield cast(BinaryIO, stream)
                stream.flush()
                if _flushing:
                    os.fsync(descriptor)
            except BaseException:
                with suppress(OSError, ValueError):  # the first failure is the one to report
                    stream.close()
                raise
            stream.close()
            _publish(temporary, target)
        except BaseException:
            _discard(temporary)
            raise


@contextmanager
def path(target: Path | str) -> Iterator[Path]:
    """A temporary path, with the target's suffix, for encoders that open files themselves; published when the block
    ends.

    The encoder has to leave a file there: none is an :class:`OutputError`.
    """
    with _reported(target):
        place, special = _target(target)
        if special:
            raise OutputError("is not a regular file; name a file", source=target)
        temporary, descriptor = _create(place)
        try:
            yield Path(temporary)
            # The encoder may have replaced the file, so its own descriptor is the wrong one to flush.
            written = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if os.fstat(written).st_size == 0:
                    raise OutputError("nothing was written", source=target)
                os.fsync(written)
            finally:
                os.close(written)
            _keep_mode(place, temporary)  # the encoder may have made a file of its own
            _publish(temporary, place)
        except BaseException:
            _discard(temporary)
            raise
        finally:
            os.close(descriptor)  # held until here: its lock tells sweep that the file is in use


def write_bytes(path: Path | str, data: bytes) -> str:
    """Write a whole file (``-``: standard output); returns its SHA-256."""
    if str(path) == STDOUT:
        write_stdout(data)
    else:
        with _reported(path):
            _write_whole(path, data)
    return provenance.sha256_bytes(data)


def write_text(path: Path | str, text: str) -> str:
    """Write a whole file of UTF-8 text (``-``: standard output); returns its SHA-256."""
    return write_bytes(path, text.encode("utf-8"))


def write_with(path: Path | str, write: Callable[[BinaryIO], None]) -> str:
    """Let ``write`` fill a seekable file that is then published (``-``: standard output); returns its SHA-256."""
    if str(path) == STDOUT:
        memory = io.BytesIO()
        write(memory)
        return write_bytes(path, memory.getvalue())
    with writer(path) as stream:
        write(stream)
        stream.flush()
        return _sha256_of(stream.fileno())


def write_stdout(data: bytes) -> None:
    """Write binary data to standard output; refused on a terminal.

    Raises BrokenPipeError where the reader has gone, :class:`OutputError` for every other failure.
    """
    if sys.stdout.isatty():
        raise UsageError("binary data is not written to a terminal", hint="redirect it, or name a file with -o")
    try:
        sys.stdout.flush()
        try:
            descriptor = sys.stdout.fileno()
        except (OSError, AttributeError):  # standard output is an object in memory
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        # Past the buffer: what failed to go out must not be tried again when the interpreter ends.
        _write_all(descriptor, data)
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise OutputError(f"cannot be written ({problem.strerror})", source="standard output") from problem


def make_folder(path: Path | str) -> Path:
    """Create a folder and its parents where they are missing."""
    with _reported(path):
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except FileExistsError as problem:
            raise OutputError("is no folder", source=path) from problem
    return Path(path)


def refuse_impossible(path: Path | str) -> None:
    """Raise OutputError where nothing can be written, before the work whose result it would be; nothing is made.

    The nearest folder above that exists has to take a new file. Room on the disk is not asked.
    """
    if str(path) == STDOUT:
        return
    with _reported(path):
        target, special = _target(path)
        if special:
            return
        folder = Path(target).absolute().parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise OutputError(f"cannot be written ({folder} is no folder)", source=path)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"cannot be written (no right to write into {folder})", source=path)


def remove(path: Path | str) -> None:
    """Remove a file; one that is not there is fine."""
    with _reported(path):
        Path(path).unlink(missing_ok=True)


def sweep(folder: Path | str) -> int:
    """Remove the temporary files that killed writers left in a folder; those still being written are kept.

    Returns how many were removed.
    """
    removed = 0
    with _reported(folder):
        for entry in sorted(Path(folder).glob(f"{PREFIX}*")):
            with suppress(OSError):  # gone meanwhile, its writer lives, or no locks here: leave it
                descriptor = os.open(entry, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    entry.unlink()
                    removed += 1
                finally:
                    os.close(descriptor)
    return removed


class _Descriptor(io.RawIOBase):
    """A descriptor written through ``os.write`` alone, so that the fault tests reach every write there is."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return os.write(self._descriptor, memoryview(cast(bytes, data)))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _sha256_of(descriptor: int) -> str:
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(descriptor, _BUFFER, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()


def _write_whole(path: Path | str, data: bytes) -> None:
    target, special = _target(path)
    if special:
        _write_special(target, data)
        return
    temporary, descriptor = _create(target)
    try:
        try:
            _write_all(descriptor, data)
            if _flushing:
                os.fsync(descriptor)
        except BaseException:
            with suppress(OSError):  # the first failure is the one to report
                os.close(descriptor)
            raise
        os.close(descriptor)
        _publish(temporary, target)
    except BaseException:
        _discard(temporary)
        raise


def _write_special(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _target(path: Path | str) -> tuple[str, bool]:
    """Where the bytes go, and whether that is something that cannot be replaced: a device, a pipe.

    A symbolic link is followed: what is replaced is the file, as a shell's ``>`` does, not the link to it; but see
    :func:`mmcli.artifacts.io.confined.within`.
    """
    target = str(Path(path))
    folder = confined.current()
    if folder is not None and not folder.names(target):
        folder = None
    if folder is not None and not folder.holds_folder_of(target):
        raise OutputError("leads out of the output folder through a symbolic link", source=path)
    try:
        mode = os.lstat(target).st_mode
        if stat.S_ISLNK(mode):
            if folder is not None and not folder.holds(target):
                return target, False  # the link itself is replaced
            target = os.path.realpath(target)
            mode = os.lstat(target).st_mode
    except (OSError, ValueError):  # nothing is there, or it will fail again where it is reported
        return target, False
    if stat.S_ISDIR(mode):
        raise OutputError("is a folder; name a file", source=path)
    return target, not stat.S_ISREG(mode)


def _create(target: str) -> tuple[str, int]:
    """A new file beside the target, open and locked. The folder is made where it is missing."""
    folder, name = os.path.split(target)
    if name in ("", ".", ".."):
        raise OutputError("is not a file name", source=target)
    suffix = os.path.splitext(name)[1]  # noqa: PTH122
    if len(os.fsencode(suffix)) > 16:
        suffix = ""
    made = False
    while True:
        temporary = os.path.join(folder, f"{PREFIX}{os.getpid()}-{next(_counter)}{suffix}")  # noqa: PTH118
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            continue  # left by a killed process that had our number
        except FileNotFoundError:
            if made or not folder:
                raise
            Path(folder).mkdir(parents=True, exist_ok=True)
            made = True
            continue
        _keep_mode(target, temporary)
        with suppress(OSError):  # file systems without locks: sweep then removes what it finds
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return temporary, descriptor


def _keep_mode(target: str, temporary: str) -> None:
    """Give a new file the permissions of the one that it will replace: what was private stays so."""
    with suppress(OSError, ValueError):  # nothing is replaced, or a file system without permissions
        status = os.lstat(target)
        if stat.S_ISREG(status.st_mode):
            os.chmod(temporary, stat.S_IMODE(status.st_mode) & 0o777)  # noqa: PTH101


def _publish(temporary: str, target: str) -> None:
    os.replace(temporary, target)  # noqa: PTH105
    if not _flushing:
        return
    try:
        folder = os.open(Path(target).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as problem:
        if problem.errno not in _NO_DIRECTORY_SYNC:
            raise


def _discard(temporary: str) -> None:
    with suppress(OSError):
        os.unlink(temporary)  # noqa: PTH108


@contextmanager
def _reported(path: Path | str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise OutputError(f"cannot be written ({problem.strerror or problem})", source=path) from problem
    except ValueError as problem:
        if "null byte" in str(problem):
            raise OutputError("is not a path", source=path) from problem
        raise
