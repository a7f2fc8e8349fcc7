"""A batch, and the power cut after every step of it: what a disk may hold then, and what the same command makes of it.

    python power_loss.py EVERY FOLDER       every EVERY-th cut; prints one JSON line; exit 1 on a finding

While a batch runs, its calls of the system are recorded: files made, written, renamed, removed, flushed. A power cut
keeps what was flushed, and of the rest what it likes. Four disks stand for that: names are kept in order, and data that
was not flushed are zeros, missing, or torn in the middle; or nothing is kept that was not flushed. Oracle: the same
command, after the machine has started again, leaves the tree of a batch that nobody disturbed, byte for byte.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import features
from mmcli.artifacts.io import atomic
from mmcli.batch.jobs import extract
from mmcli.batch.plan import plan
from mmcli.batch.state import ledger, settled
from mmcli.errors import MmcliError

DISKS = ("zeros", "missing", "torn", "hole", "lost")


@dataclass
class Inode:
    """A file: what was written, and how much of it is on the disk for sure."""

    data: bytearray = field(default_factory=bytearray)
    flushed: bytes = b""


class Recorder:
    """The calls of the system below a folder, in order; each as a change of names or of an inode."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.steps: list[tuple[Any, ...]] = []
        self.open: dict[int, tuple[int, str]] = {}  # descriptor: number of the inode, path
        self.names: dict[str, int] = {}
        self.count = 0
        self.real: dict[str, Callable[..., Any]] = {}

    def __enter__(self) -> Recorder:
        for name in ("open", "write", "ftruncate", "replace", "unlink", "fsync", "close", "mkdir"):
            self.real[name] = getattr(os, name)
            setattr(os, name, getattr(self, f"_{name}"))
        return self

    def __exit__(self, *_: object) -> None:
        for name, function in self.real.items():
            setattr(os, name, function)

    def _ours(self, path: Any) -> str | None:
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
        return text if text.startswith(self.folder) else None

    def _open(self, path: Any, flags: int, *rest: Any, **more: Any) -> int:
        descriptor: int = self.real["open"](path, flags, *rest, **more)
        text = self._ours(path)
        if text is not None:
            if text not in self.names and flags & os.O_CREAT:
                self.count += 1
                self.names[text] = self.count
                self.steps.append(("name", text, self.count))
            self.open[descriptor] = (self.names.get(text, 0), text)
        return descriptor

    def _write(self, descriptor: int, data: Any) -> int:
        length: int = self.real["write"](descriptor, data)
        if descriptor in self.open:
            self.steps.append(("append", self.open[descriptor][0], bytes(data)[:length]))
        return length

    def _ftruncate(self, descriptor: int, size: int) -> None:
        self.real["ftruncate"](descriptor, size)
        if descriptor in self.open:
            self.steps.append(("truncate", self.open[descriptor][0], size))

    def _replace(self, source: Any, target: Any) -> None:
        self.real["replace"](source, target)
        old, new = self._ours(source), self._ours(target)
        if old is not None and new is not None:
            self.names[new] = self.names.pop(old)
            self.steps.append(("rename", old, new))

    def _unlink(self, path: Any, **more: Any) -> None:
        self.real["unlink"](path, **more)
        if (text := self._ours(path)) is not None:
            self.names.pop(text, None)
            self.steps.append(("remove", text))

    def _fsync(self, descriptor: int) -> None:
        self.real["fsync"](descriptor)
        if descriptor in self.open:
            number, text = self.open[descriptor]
            self.steps.append(("flush", number) if number else ("flush names", text))

    def _close(self, descriptor: int) -> None:
        self.open.pop(descriptor, None)
        self.real["close"](descriptor)

    def _mkdir(self, path: Any, *rest: Any, **more: Any) -> None:
        self.real["mkdir"](path, *rest, **more)
        if (text := self._ours(path)) is not None:
            self.steps.append(("folder", text))


def disk(steps: list[tuple[Any, ...]], kind: str) -> tuple[list[str], dict[str, bytes]]:
    """What a disk holds after the power went: its folders, and its files by their names."""
    inodes: dict[int, Inode] = {}
    names: dict[str, int] = {}
    sure: dict[str, int] = {}
    folders: list[str] = []
    for what, *rest in steps:
        if what == "name":
            names[rest[0]], inodes[rest[1]] = rest[1], Inode()
        elif what == "append":
            inodes[rest[0]].data += rest[1]
        elif what == "truncate":
            del inodes[rest[0]].data[rest[1] :]
        elif what == "rename":
            names[rest[1]] = names.pop(rest[0])
        elif what == "remove":
            names.pop(rest[0], None)
        elif what == "flush":
            inodes[rest[0]].flushed = bytes(inodes[rest[0]].data)
        elif what == "flush names":
            sure = {n: i for n, i in sure.items() if os.path.dirname(n) != rest[0]}  # noqa: PTH120
            sure |= {n: i for n, i in names.items() if os.path.dirname(n) == rest[0]}  # noqa: PTH120
        else:
            folders.append(rest[0])
    kept = sure if kind == "lost" else names
    return folders, {name: _data(inodes[number], kind) for name, number in kept.items()}


def _data(inode: Inode, kind: str) -> bytes:
    data, flushed = bytes(inode.data), inode.flushed
    if data.startswith(flushed) and len(data) > len(flushed):
        rest = data[len(flushed) :]
        half = len(rest) // 2
        return (
            flushed
            + {
                "zeros": bytes(len(rest)),
                "missing": b"",
                "torn": rest[:half] + bytes(len(rest) - half),
                "hole": bytes(half) + rest[half:],
                "lost": b"",
            }[kind]
        )
    return data


def run(source: Path, out: Path) -> int:
    """The batch, in this process; the number of inputs that failed."""
    streams = {"text": [plan.stream("text", "hash")]}

    class Quiet:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

    with ThreadPoolExecutor(1) as pool:
        options = extract.Options(modality="text", executor=pool)
        return extract.extract([source], out, streams, options, Quiet()).failed  # type: ignore[arg-type]


def tree(out: Path) -> dict[str, bytes]:
    """Every file of a folder but the mark, which names the start of the machine."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and path.name != settled.NAME)
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def main(every: int, folder: Path) -> dict[str, Any]:
    """See the module."""
    atomic.without_flushing()  # as a worker writes
    source, out = folder / "in", folder / "out"
    source.mkdir()
    for k in range(4):
        (source / f"t{k}.txt").write_text(f"text {k} with some words\n")
    (source / "bad.txt").write_bytes(b"\xff\xfe\xff")
    with Recorder(out) as recorder:
        failed = run(source, out)
    assert failed == 1
    wanted = tree(out)
    counts = {"steps": len(recorder.steps), "cuts": 0, "unreadable": 0}
    for cut in range(0, len(recorder.steps) + 1, every):
        for kind in DISKS if every == 1 else [DISKS[cut // every % len(DISKS)]]:
            shutil.rmtree(out, ignore_errors=True)
            folders, files = disk(recorder.steps[:cut], kind)
            for name in folders:
                Path(name).mkdir(parents=True, exist_ok=True)
            for name, data in files.items():
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_bytes(data)
            counts["cuts"] += 1
            counts["unreadable"] += unreadable(out)
            settled._start = lambda cut=cut, kind=kind: f"start {cut} {kind}"  # type: ignore[assignment]
            assert run(source, out) == 1, (cut, kind)
            assert tree(out) == wanted, (cut, kind)
            assert unreadable(out) == 0, (cut, kind)
    return counts


def unreadable(out: Path) -> int:
    """How many outputs that the journal calls done do not open."""
    if not out.exists():
        return 0
    bad = 0
    for (identifier, task), entry in ledger.read(out).items():
        if entry["status"] == "done":
            try:
                features.load(out / f"{identifier}.{task}.hash.npz")
            except MmcliError:
                bad += 1
    return bad


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
