"""How a batch is shown: progress on standard error, manifest rows on standard output where that is no terminal."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from mmcli.cli import console


class Listening:
    """What ``mmcli.batch`` tells, on its way to people and pipes."""

    def __init__(
        self, *, rows: bool, root: Path | str, as_json: bool = False, what: str = "extract", header: bool = True
    ) -> None:
        self.what = what
        self.stdout = sys.stdout  # what others make of it later is not for the rows
        self.rows = rows and not self.stdout.isatty()
        self.root, self.header = root, header
        self.stack = ExitStack()
        self.progress: console.Progress | None = None
        self.as_json = as_json
        self.failed = self.done = self.inputs = 0
        self.size = self.total = 0
        self.seconds = 0.0
        self.start = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    def say(self, message: str) -> None:
        """Something the user should know."""
        console.warn(message)

    def begin(self, inputs: int, size: int) -> None:
        """Draw the bar, or prepare the lines."""
        if self.rows and self.header:
            from mmcli.artifacts.formats import manifest

            self.stdout.write(manifest.header_line(self.root))
            self.stdout.flush()
        self.inputs, self.total, self.start = inputs, size, time.monotonic()
        if self.as_json:
            self._event("begin")
        else:
            self.progress = self.stack.enter_context(console.progress(self.what, size / 1e6, "MB"))

    def advance(self, size: int, seconds: float, failed: bool) -> None:
        """One input is over."""
        self.failed += failed
        self.done += 1
        self.size += size
        self.seconds += seconds
        if self.as_json:
            self._event("input")
        if self.progress is not None:
            media = f"{self.seconds / 60:.1f} min of media" if self.seconds >= 60 else ""
            bad = f"{self.failed} failed" if self.failed else ""
            self.progress.advance(size / 1e6, ", ".join(filter(None, (media, bad))))

    def _event(self, kind: str) -> None:
        """A line of JSON on standard error, for supervisors; the time left is reckoned by bytes."""
        took = time.monotonic() - self.start
        left = None if not self.size else took * max(0, self.total - self.size) / self.size
        event = {
            "schema": "mmcli/progress@1",
            "event": kind,
            "done": self.done,
            "failed": self.failed,
            "inputs": self.inputs,
            "bytes": self.size,
            "bytes_total": self.total,
            "media_s": round(self.seconds, 3),
            "left_s": None if left is None else round(left, 1),
        }
        print(json.dumps(event), file=sys.stderr, flush=True)

    def row(self, line: str) -> None:
        """A row for the next program in the pipe, at once."""
        if self.rows:
            self.stdout.write(line)
            self.stdout.flush()
