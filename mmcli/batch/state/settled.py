"""Whether what a batch left may be trusted by a look at sizes and times, without opening it.

When a batch ends, ``.mmcli-settled.json`` is written after everything else. It holds a seal over the journal and this
start of the machine. While the seal fits, an output that has the size the journal names and is not newer than the mark
is what was written: nothing wrote to it since, and no power cut lost what the system still held in memory. After a
restart, on another machine, or where the journal has changed, outputs are opened and checked as before.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcli.artifacts.io import atomic, jsonfile, provenance
from mmcli.errors import MmcliError

NAME = ".mmcli-settled.json"
_MOST = 1 << 20


@dataclass(frozen=True)
class Settled:
    """The mark of a folder: ``when`` in ns; ``learned`` tells by stream from which rows its state was learned."""

    when: int = -1
    learned: dict[str, Any] = field(default_factory=dict)

    def holds(self, out: Path, outputs: Mapping[str, int] | None) -> bool:
        """Whether all outputs, sizes by their paths below ``out``, stand as they were written."""
        return outputs is not None and all(self._stands(f"{out}/{path}", size) for path, size in outputs.items())

    def _stands(self, path: str, size: int) -> bool:
        try:
            status = os.lstat(path)
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == size and status.st_mtime_ns <= self.when


def read(out: Path) -> Settled:
    """The mark of a folder of outputs; one that trusts nothing where there is none, or it does not fit."""
    path = out / NAME
    try:
        content = json.loads(provenance.read_bytes(path, _MOST))
        when = os.lstat(path).st_mtime_ns
    except (MmcliError, OSError, ValueError, RecursionError):
        return Settled()
    seal = _seal(out)
    if seal is None or not isinstance(content, dict) or content.get("seal") != seal:
        return Settled()
    learned = content.get("learned")
    return Settled(when, learned if isinstance(learned, dict) else {})


def forget(out: Path) -> None:
    """Remove the mark: something is about to change."""
    atomic.remove(out / NAME)


def keep(out: Path, learned: Mapping[str, Any]) -> None:
    """Set the mark, as the last thing that a batch does; nothing where the system does not tell one start from
    another."""
    seal = _seal(out)
    if seal is not None:
        atomic.write_text(out / NAME, jsonfile.one_line({"seal": seal, "learned": dict(learned)}))


def _seal(out: Path) -> str | None:
    start = _start()
    if start is None:
        return None
    try:
        journal = provenance.sha256_file(out / "journal.jsonl")
    except MmcliError:
        return None
    return provenance.sha256_bytes(f"{start} {journal} {provenance.version}".encode())


def _start() -> str | None:
    """What tells this start of the machine from all others (Linux); None where nothing does."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def sizes(out: Path, paths: list[str]) -> dict[str, int]:
    """The sizes of outputs by their paths below ``out``, for the journal; those that are not there are left out."""
    bytes_of: dict[str, int] = {}
    for path in paths:
        try:
            bytes_of[path] = os.lstat(f"{out}/{path}").st_size
        except OSError:
            continue
    return bytes_of
