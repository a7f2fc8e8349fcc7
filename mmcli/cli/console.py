"""What a person sees: talk on standard error, data on standard output.

Nothing here is coloured or animated unless standard error is a terminal; rich, which knows ``NO_COLOR`` and
``TERM=dumb``, is imported when a table or a bar is really drawn.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mmcli.errors import UsageError, printable

LINE_EVERY_S = 30.0


class _Settings:
    """How much this process says; set once from the command line."""

    quiet = False
    verbose = 0
    debug = False


settings = _Settings()


def warn(message: str) -> None:
    """A line on standard error that ``--quiet`` does not silence: something the user should act on."""
    print(printable(message), file=sys.stderr, flush=True)


def warn_lines(message: str) -> None:
    """Several lines on standard error, each as by :func:`warn`."""
    for line in message.splitlines():
        warn(line)


def say(message: str) -> None:
    """A line on standard error."""
    if not settings.quiet:
        warn(message)


def note(message: str) -> None:
    """A line on standard error that only ``--verbose`` shows."""
    if settings.verbose:
        say(message)


def emit(record: dict[str, Any]) -> None:
    """One JSON object as a line on standard output. NaN and infinity have no place in JSON and are refused."""
    data(json.dumps(record, ensure_ascii=False, allow_nan=False))


def data(line: str) -> None:
    """A line of data on standard output, at once, so that the next program in a pipe can start."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard error; numbers stand to the right. Columns without names make a table without a head."""
    if settings.quiet:
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        title=printable(title), box=SIMPLE_HEAD if any(columns) else None, title_justify="left", title_style="bold"
    )
    drawn.show_header = any(columns)
    for i, column in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) for row in rows) and bool(rows)
        drawn.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        drawn.add_row(*(Text(_cell(value)) for value in row))
    Console(stderr=True).print(drawn)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else printable(str(value))


class Failed:
    """Items without a line, named as they come."""

    count = 0

    def add(self, item: str, reason: str) -> None:
        """One more."""
        self.count += 1
        warn(f"{item}: left out: {reason}")


class Progress(Protocol):
    """What a long task reports to."""

    def advance(self, amount: float = 1.0, message: str = "") -> None:
        """``amount`` more units are done; ``message`` is the newest figure worth showing."""


class _Silent:
    def advance(self, amount: float = 1.0, message: str = "") -> None:
        pass


class _Lines:
    """A plain line every 30 seconds: logs stay short and readable."""

    def __init__(self, what: str, total: float | None, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0.0
        self.start = self.last = time.monotonic()

    def advance(self, amount: float = 1.0, message: str = "") -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.last < LINE_EVERY_S:
            return
        self.last = now
        rate = self.done / (now - self.start)
        line = f"{self.what}: {self.done:.6g}"
        if self.total is not None:
            line += f" of {self.total:.6g}"
        line += f" {self.unit}, {rate:.3g} {self.unit}/s"
        if self.total is not None and rate > 0:
            line += f", {max(0.0, self.total - self.done) / rate:.0f} s left"
        say(f"{line}  {message}".rstrip())


@contextlib.contextmanager
def progress(what: str, total: float | None = None, unit: str = "items") -> Iterator[Progress]:
    """Report on a long task: a bar on a terminal, else one plain line every 30 s, nothing with ``--quiet``."""
    if settings.quiet:
        yield _Silent()
        return
    if not sys.stderr.isatty():
        yield _Lines(what, total, unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="", message="")

        class OnTerminal:
            def advance(self, amount: float = 1.0, message: str = "") -> None:
                bar.advance(task, amount)
                speed = bar.tasks[0].speed
                rate = "" if speed is None else f"{speed:.3g} {unit}/s"
                bar.update(task, rate=rate, message=printable(message))

        yield OnTerminal()


# Where a command may write: never over what it reads, and no two things into one file.

STDOUT = "-"


def apart(outputs: Mapping[str, Path | None], inputs: Iterable[Path | str | None]) -> None:
    """Refuse an output that is an input, or another output. ``outputs`` by their option; None is not given.

    Raises :class:`UsageError` naming the option. ``-`` is standard output, which two cannot share either.
    """
    taken = {_place(path): f"the input {path}" for path in inputs if path is not None and str(path) != STDOUT}
    for option, path in outputs.items():
        if path is None:
            continue
        place = _place(path)
        if place == STDOUT and place in taken:
            raise UsageError(f"{option} and {taken[place].split()[1]} both write to standard output")
        if place in taken:
            raise UsageError(f"{option} would write over {taken[place]}", source=path, hint="name another file")
        taken[place] = f"what {option} writes"


def _place(path: Path | str) -> str:
    return STDOUT if str(path) == STDOUT else str(Path(path).resolve())
