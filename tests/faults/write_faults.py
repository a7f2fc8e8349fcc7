"""Every writer of the package, with the k-th system call failing or killing the process, for every k.

    python write_faults.py WRITER...        prints one JSON line a writer; exit 1 on a finding

Each run is a child forked after the imports, in which ``os.open``, ``write``, ``fsync``, ``close``, ``replace``,
``mkdir`` and ``ftruncate`` count their calls. Oracle: afterwards the file is the old or the new one, byte for byte; a
success means the new one; a failure is an OutputError and leaves nothing else behind; after a kill, the next run
completes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "artifacts"))

import fuzz_seeds

from mmcli.artifacts.formats import alignment, dataset, features, fitted, manifest, report
from mmcli.artifacts.io import append, atomic, csvfile
from mmcli.errors import OutputError

CALLS = ("open", "write", "fsync", "close", "replace", "mkdir", "ftruncate")
MODES = ("ENOSPC", "EIO", "EIO for ever", "short write", "SIGKILL", "SIGKILL in a write")
OLD = b"the old file, which is longer than nothing and shorter than most"
SUCCESS, FAILED, NOT_REACHED, BUG = 0, 5, 10, 99
MOST_CALLS = 60
FRESH = ("features.npz", "folder/below/text.txt", "encoder.png")  # judged with no old file too


class Faults:
    """Replaces functions of ``os``; the one call numbered ``at`` does what ``mode`` says."""

    def __init__(self, at: int, mode: str) -> None:
        self.at, self.mode, self.count = at, mode, 0
        self.names: list[str] = []
        for name in CALLS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))

    @property
    def reached(self) -> bool:
        return self.count > self.at

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            number, self.count = self.count, self.count + 1
            self.names.append(name)
            if number != self.at and not (self.mode == "EIO for ever" and number > self.at):
                return real(*arguments, **options)
            return self._strike(name, real, arguments, options)

        return call

    def _strike(self, name: str, real: Callable[..., Any], arguments: Any, options: Any) -> Any:
        if self.mode.startswith("SIGKILL"):
            if self.mode.endswith("write") and name == "write":
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "short write":
            if name == "write" and len(arguments[1]) > 1:
                return real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            return real(*arguments, **options)
        if name == "close":
            real(*arguments)  # the descriptor is gone whatever close says
        code = errno.ENOSPC if self.mode == "ENOSPC" else errno.EIO
        raise OSError(code, os.strerror(code))


def _bulk(path: Path) -> None:
    with atomic.writer(path) as stream:
        for block in range(5):
            stream.write(bytes([block]) * 300_000)


def _encoder(path: Path) -> None:
    with atomic.path(path) as temporary:
        temporary.write_bytes(b"made by an encoder that opens files itself")


def _unflushed(path: Path) -> None:
    """As the workers of a batch write."""
    atomic.without_flushing()
    try:
        atomic.write_text(path, "text\n")
    finally:
        atomic._flushing = True


def _naive(path: Path) -> None:
    """The positive control: what the harness must find torn."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, b"new " * 10)
        os.write(descriptor, b"file " * 10)
        os.close(descriptor)
    except OSError as problem:
        raise OutputError("cannot be written", source=path) from problem


def writers() -> dict[str, Callable[[Path], object]]:
    """Each writer by the name of the file that it writes."""
    found = (
        fuzz_seeds.features_value(),
        fuzz_seeds.dataset_value(),
        fuzz_seeds.alignment_value(),
        fuzz_seeds.rows_value(),
    )
    feature, data, line, rows = found
    return {
        "features.npz": lambda path: features.save(path, feature),
        "dataset.npz": lambda path: dataset.save(path, data),
        "alignment.json": lambda path: alignment.save(path, line),
        "report.json": lambda path: report.save(path, fuzz_seeds.report_value()),
        "fitted.json": lambda path: fitted.save(path, fuzz_seeds.fitted_value()),
        "manifest.jsonl": lambda path: manifest.save(path, rows),
        "manifest.csv": lambda path: manifest.save(path, rows),
        "table.csv": lambda path: csvfile.write(path, ["a"], [[1], [2]]),
        "text.txt": lambda path: atomic.write_text(path, "text\n"),
        "folder/below/text.txt": lambda path: atomic.write_text(path, "text\n"),
        "bulk.bin": _bulk,
        "encoder.png": _encoder,
        "unflushed.txt": _unflushed,
        "naive.txt": _naive,
        "checkpoint.pt": _checkpoint,
    }


def _checkpoint(path: Path) -> None:
    from mmcli.artifacts.formats import checkpoint

    checkpoint.save(path, _checkpoint_value())


def _checkpoint_value(kept: list[Any] = []) -> Any:  # noqa: B006 - made once, before the forks
    if not kept:
        kept.append(fuzz_seeds.checkpoint_value())
    return kept[0]


def forked(action: Callable[[], object], at: int, mode: str) -> int:
    """The exit status of a child that runs the action under a fault; minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = BUG
        try:
            faults = Faults(at, mode)
            with contextlib.suppress(OutputError):
                status = FAILED
                action()
                status = SUCCESS if faults.reached else NOT_REACHED
        except BaseException as problem:  # noqa: BLE001 - whatever it is, the child has to say so and end
            sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
            status = BUG
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def calls_of(action: Callable[[], object]) -> list[str]:
    """The names of the system calls that the action makes, in order."""
    reader, writer = os.pipe()

    def traced() -> None:
        faults = Faults(MOST_CALLS, "none")
        action()
        names = faults.names.copy()  # the pipe is not part of it
        os.write(writer, " ".join(names).encode())

    assert forked(traced, MOST_CALLS, "none") == NOT_REACHED
    os.close(writer)
    with os.fdopen(reader) as pipe:
        return pipe.read().split()


def faults_for(calls: list[str]) -> Iterator[tuple[str, int]]:
    """Mode and number of call; the last of each mode comes after all calls, and must change nothing."""
    for mode in MODES:
        for at, call in enumerate([*calls, "none"]):
            if call in ("write", "none") or mode not in ("short write", "SIGKILL in a write"):
                yield mode, at


def judge(name: str, write: Callable[[Path], object], folder: Path, *, replacing: bool) -> dict[str, int]:
    """All faults of one writer; raises AssertionError on a finding."""
    target = folder / name
    _prepare(folder, target, replacing=False)
    write(target)
    new = target.read_bytes()
    tally = {"runs": 0, "failed": 0, "killed": 0, "left": 0}
    _prepare(folder, target, replacing=replacing)
    calls = calls_of(lambda: write(target))
    for mode, at in faults_for(calls):
        _prepare(folder, target, replacing=replacing)
        status = forked(lambda: write(target), at, mode)
        where = f"{name}, {mode} at call {at}, {'replacing' if replacing else 'new'}: exit {status}"
        _check(target, status, OLD if replacing else None, new, where)
        left = sum(1 for file in folder.rglob("*") if file.is_file() and file != target)
        assert left == 0 or status < 0 or mode == "EIO for ever", f"{where}: left files behind"
        assert (status == NOT_REACHED) == (at == len(calls)), f"{where}: of {len(calls)} calls"
        tally["runs"] += 1
        tally["failed"] += status == FAILED
        tally["killed"] += status < 0
        tally["left"] += left
        if status < 0:
            _recover(write, target, new, where)
    return tally


def _prepare(folder: Path, target: Path, *, replacing: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if replacing:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(OLD)


def _check(target: Path, status: int, old: bytes | None, new: bytes, where: str) -> None:
    found = target.read_bytes() if target.exists() else None
    assert status in (SUCCESS, NOT_REACHED, FAILED, -signal.SIGKILL), where
    assert found in (old, new), f"{where}: torn, {0 if found is None else len(found)} of {len(new)} bytes"
    if status in (SUCCESS, NOT_REACHED):
        assert found == new, f"{where}: claims success"


def _recover(write: Callable[[Path], object], target: Path, new: bytes, where: str) -> None:
    if target.parent.is_dir():
        atomic.sweep(target.parent)
    write(target)
    assert target.read_bytes() == new, f"{where}: not mended by the next run"
    assert [file.name for file in target.parent.iterdir()] == [target.name], f"{where}: not swept"


def judge_journal(folder: Path) -> dict[str, int]:
    """A journal under every fault: only whole lines, in order, and each one that append returned from."""
    path, kept = folder / "journal.jsonl", folder / "kept"
    first = [{"n": 1}, {"n": 2, "text": "é"}]
    more = [{"n": 3, "text": "x" * 300}, {"n": 4}]
    tally = {"runs": 0, "failed": 0, "killed": 0, "left": 0}

    def action() -> None:
        with append.Journal(path) as journal:
            for entry in more:
                journal.append(entry)
                kept.open("a").write(".")

    folder.mkdir(exist_ok=True)
    calls = calls_of(action)
    for mode, at in faults_for(calls):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        torn = b'{"n": 3, "te' if at % 2 else b""
        path.write_bytes(b'{"n": 1}\n{"n": 2, "text": "\xc3\xa9"}\n' + torn)
        status = forked(action, at, mode)
        where = f"journal, {mode} at call {at}: exit {status}"
        entries = list(append.read(path))
        assert status in (SUCCESS, NOT_REACHED, FAILED, -signal.SIGKILL), where
        assert entries == (first + more)[: len(entries)], where
        returned = len(kept.read_text()) if kept.exists() else 0
        assert len(entries) >= 2 + returned, f"{where}: lost a line"
        assert returned == 2 or status not in (SUCCESS, NOT_REACHED), where
        with append.Journal(path) as journal:
            for entry in (first + more)[len(entries) :]:
                journal.append(entry)
        assert list(append.read(path)) == first + more, f"{where}: not mended by the next run"
        tally["runs"] += 1
        tally["failed"] += status == FAILED
        tally["killed"] += status < 0
    return tally


def main(names: list[str]) -> int:
    """See the module."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            folder = Path(scratch) / "out"
            if name == "journal":
                tally = judge_journal(folder)
            else:
                write = writers()[name]
                tally = judge(name, write, folder, replacing=True)
                if name in FRESH:
                    fresh = judge(name, write, folder, replacing=False)
                    tally = {key: tally[key] + fresh[key] for key in tally}
            print(json.dumps({"writer": name, **tally}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
