"""What a person sees: talk on standard error, data on standard output.

Nothing here is coloured or animated unless standard error is a terminal; rich, which knows ``NO_COLOR`` and
``TERM=dumb``, is imported when a table or a bar is really drawn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmcli.errors import UsageError, printable


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


def emit_all(records: Iterable[dict[str, Any]], output: Path | str | None, noun: str) -> None:
    """Objects as lines: on standard output as they come, or whole into a file, whose lines are then counted aloud."""
    if output is None or str(output) == "-":
        for record in records:
            emit(record)
        return
    from mmcli.artifacts.io import atomic, jsonfile

    lines = [jsonfile.one_line(record) for record in records]
    atomic.write_text(output, "".join(lines))
    say(f"{output}: {len(lines)} {noun}")


def data(line: str) -> None:
    """A line of data on standard output, at once, so that the next program in a pipe can start."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def on_terminal() -> bool:
    """Whether a person watches standard error."""
    return sys.stderr.isatty()


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
