"""An output is complete or absent, and exit 0 means complete: whatever fails, whenever the process dies."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import features, manifest
from mmcli.artifacts.io import append, atomic
from mmcli.errors import OutputError, UsageError

RUN = Path(__file__).parent / "write_faults.py"
WRITERS = [
    *("features.npz", "dataset.npz", "alignment.json", "report.json", "fitted.json", "manifest.jsonl", "manifest.csv"),
    *("table.csv", "text.txt", "folder/below/text.txt", "bulk.bin", "encoder.png", "unflushed.txt"),
]


def run(writers: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), *writers]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("writers", [WRITERS, ["checkpoint.pt"], ["journal"]], ids=lambda names: names[0])
def test_the_file_is_the_old_or_the_new_one(writers: list[str], root: Path) -> None:
    """ENOSPC, EIO (once and for ever), short writes and SIGKILL at every system call of every writer."""
    done = run(writers, root)

    assert done.returncode == 0, done.stderr[-3000:]
    tallies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [tally["writer"] for tally in tallies] == writers
    assert all(tally["failed"] > 10 and tally["killed"] >= 5 for tally in tallies)


def test_the_harness_finds_a_torn_file(root: Path) -> None:
    """A writer that opens the target itself is caught."""
    done = run(["naive.txt"], root)

    assert done.returncode == 1
    assert "torn" in done.stderr


def one_item() -> features.Features:
    return features.Features(np.ones((2000, 8), np.float32), np.arange(2000.0), {})


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_on_file_size_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")

    with largest_file(10_000), pytest.raises(OutputError, match="File too large"):
        features.save(path, one_item())

    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_a_limit_on_file_size_leaves_the_journal_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with append.Journal(path) as journal:
        journal.append({"n": 1})
        with largest_file(30), pytest.raises(OutputError):
            journal.append({"text": "x" * 100})
        journal.append({"n": 2})

    assert list(append.read(path)) == [{"n": 1}, {"n": 2}]


SAVES: list[Callable[[Path], object]] = [
    lambda path: features.save(path, one_item()),
    lambda path: manifest.save(path, [manifest.Row("a")]),
    lambda path: atomic.write_text(path, "x"),
]


@pytest.mark.parametrize("save", SAVES)
def test_where_nothing_can_be_written_nothing_is_left(save: Callable[[Path], object], tmp_path: Path) -> None:
    """Below a file, over a folder, a name too long, no path at all, a full device."""
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_bytes(b"old")
    folder.mkdir()

    for target in (
        file / "x",
        file / "x" / "y",
        folder,
        tmp_path / ("n" * 256),
        Path("a\0b"),
        Path("/dev/full"),
        Path("/"),
    ):
        with pytest.raises(OutputError) as caught:
            save(target)
        assert str(caught.value).count("\n") == 0
        assert caught.value.source == str(target)

    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["file", "folder"]
    assert file.read_bytes() == b"old"


def test_devices_are_written_to_and_stay_devices(tmp_path: Path) -> None:
    before = Path("/dev/null").stat()
    features.save("/dev/null", one_item())
    assert Path("/dev/null").stat().st_ino == before.st_ino

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = os.fork()
    if child == 0:
        atomic.write_bytes(pipe, b"through a pipe")
        os._exit(0)
    assert pipe.read_bytes() == b"through a pipe"
    os.waitpid(child, 0)
    assert pipe.is_fifo()


def test_a_symbolic_link_stays_a_link_to_the_new_file(tmp_path: Path) -> None:
    """As with ``>`` in a shell; so also ``-o /dev/stdout`` redirected to a file."""
    real, link, dangling = tmp_path / "below" / "real", tmp_path / "link", tmp_path / "dangling"
    real.parent.mkdir()
    real.write_bytes(b"old")
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "below" / "later")

    atomic.write_bytes(link, b"new")
    atomic.write_bytes(dangling, b"later")

    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert (tmp_path / "below" / "later").read_bytes() == b"later"
    assert sorted(entry.name for entry in real.parent.iterdir()) == ["later", "real"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_exception_in_the_block_leaves_the_old_file(kind: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write() -> None:
        with atomic.writer(path) as stream:
            stream.write(b"half")
            raise kind

    def encode() -> None:
        with atomic.path(path) as temporary:
            temporary.write_bytes(b"half")
            raise kind

    for action in (write, encode):
        with pytest.raises(kind):
            action()

    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_an_encoder_that_wrote_nothing_is_an_error(tmp_path: Path) -> None:
    names: list[str] = []
    with pytest.raises(OutputError, match="nothing was written"), atomic.path(tmp_path / "a.png") as temporary:
        names.append(temporary.name)
    with pytest.raises(OutputError), atomic.path(tmp_path / "a.png") as temporary:
        temporary.unlink()

    assert names[0].endswith(".png")
    assert list(tmp_path.iterdir()) == []


def test_sweep_spares_the_living(tmp_path: Path) -> None:
    stale = tmp_path / f"{atomic.PREFIX}1-0.npz"
    stale.write_bytes(b"left by a kill")
    other = tmp_path / ".other"
    other.write_bytes(b"not ours")

    with atomic.writer(tmp_path / "a") as stream, atomic.path(tmp_path / "b") as temporary:
        stream.write(b"x")
        temporary.write_bytes(b"y")
        assert atomic.sweep(tmp_path) == 1

    assert sorted(file.name for file in tmp_path.iterdir()) == [".other", "a", "b"]


WRITE_STDOUT = """
import sys
from mmcli.artifacts.io import atomic
from mmcli.errors import OutputError
try:
    if sys.argv[1]:
        print(end=sys.argv[1])
    atomic.write_bytes("-", b"\\0bytes")
except OutputError as problem:
    sys.stderr.write(str(problem))
    sys.exit(5)
except BrokenPipeError:
    sys.exit(141)
"""


def test_standard_output_gets_bytes_or_a_typed_error(root: Path) -> None:
    """A full device is an OutputError; a closed pipe stays a BrokenPipeError."""

    def run_with(stdout: int, text: str = "") -> subprocess.CompletedProcess[bytes]:
        command, environment = [sys.executable, "-c", WRITE_STDOUT, text], os.environ | {"PYTHONPATH": str(root)}
        return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=environment, check=False)

    full = os.open("/dev/full", os.O_WRONLY)
    reader, closed = os.pipe()
    os.close(reader)
    done, failed, gone = run_with(subprocess.PIPE, "first "), run_with(full), run_with(closed)
    os.close(full)
    os.close(closed)

    assert done.stdout == b"first \0bytes"
    assert failed.returncode == 5
    assert failed.stderr == b"standard output: cannot be written (No space left on device)"
    assert gone.returncode == 141
    assert gone.stderr == b""


def test_a_terminal_gets_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    with pytest.raises(UsageError, match="terminal"):
        atomic.write_stdout(b"x")
