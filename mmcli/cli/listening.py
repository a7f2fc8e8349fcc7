"""How a batch is shown: progress on standard error, manifest rows on standard output where that is no terminal."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from mmcli.cli import console


class Listening:
    """What ``mmcli.batch`` tells, on its way to people and pipes."""

    def __init__(self, *, rows: bool, root: Path) -> None:
        self.rows = rows and not sys.stdout.isatty()
        self.root = root
        self.stack = ExitStack()
        self.progress: console.Progress | None = None
        self.failed = 0

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
        if self.rows:
            from mmcli.artifacts import manifest

            sys.stdout.write(manifest.header_line(self.root))
            sys.stdout.flush()
        self.progress = self.stack.enter_context(console.progress("extract", size / 1e6, "MB"))

    def advance(self, size: int, seconds: float, failed: bool) -> None:
        """One input is over."""
        self.failed += failed
        if self.progress is not None:
            self.progress.advance(size / 1e6, f"{self.failed} failed" if self.failed else "")

    def row(self, line: str) -> None:
        """A row for the next program in the pipe, at once."""
        if self.rows:
            sys.stdout.write(line)
            sys.stdout.flush()
