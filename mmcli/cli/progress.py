"""How far a long task is: a bar on a terminal, else a plain line every 30 seconds, so that logs stay short.

One line says what is done of how much, how fast, what time is left and the newest figures, full where the terminal is
wide and short where it is not; the bar takes the room that is left over.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mmcli.cli import console
from mmcli.errors import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

LINE_EVERY_S = 30.0
LEAST_BAR = 6  # columns; a shorter one shows nothing


class Progress(Protocol):
    """What a long task reports to."""

    def advance(self, amount: float = 1.0, message: str = "", *, left_s: float | None = None) -> None:
        """``amount`` more units are done; ``message`` is the newest figure worth showing, ``left_s`` the time left
        where the caller knows it better than the number of units does."""


def duration(seconds: float) -> str:
    """Seconds as a person reads a clock.

    >>> duration(83), duration(5025.2), duration(3.2)
    ('1:23', '1:23:45', '0:03')
    """
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def volume(done: float, total: float) -> str:
    """Bytes done of all bytes, in the unit that suits all.

    >>> volume(1_250_000_000, 3_400_000_000), volume(0, 12_000)
    ('1.2/3.4 GB', '0.0/12.0 kB')
    """
    unit, size = next(((u, s) for u, s in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)) if total >= s), ("kB", 1e3))
    return f"{done / size:.1f}/{total / size:.1f} {unit}"


def fitted(parts: Sequence[tuple[str, str]], width: int) -> str:
    """The parts of a line, (full, short) each: full where that fits into ``width`` columns, else short, cut at the end.

    >>> fitted([("12 of 40 files", "12/40 files"), ("3.4 files/s", "3.4/s")], 40)
    '12 of 40 files  3.4 files/s'
    >>> fitted([("12 of 40 files", "12/40 files"), ("3.4 files/s", "3.4/s")], 20)
    '12/40 files 3.4/s'
    """
    full = "  ".join(part for part, _ in parts if part)
    if len(full) <= width:
        return full
    short = " ".join(part for _, part in parts if part)
    return short if len(short) <= width else short[: max(0, width - 1)] + "…"


class State:
    """Where a task stands, and the line that says so."""

    def __init__(self, what: str, total: float | None, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done, self.message = 0.0, ""
        self.left_s: float | None = None
        self.start = self.told = time.monotonic()

    def advance(self, amount: float, message: str, left_s: float | None) -> None:
        """Take note of what was done."""
        self.done += amount
        self.message = printable(message)
        self.told = time.monotonic()
        self.left_s = left_s

    def parts(self, now: float) -> list[tuple[str, str]]:
        """The parts of the line at a time of the monotonic clock, full and short."""
        took = now - self.start
        speed = self.done / (self.told - self.start) if self.done and self.told > self.start else 0.0
        count = f"{self.done:,.6g}" if self.done % 1 else f"{int(self.done):,}"
        of = "" if self.total is None else f"{int(self.total):,}"
        rate = f"{speed:.3g}" if speed < 1000 else f"{speed:,.0f}"
        left = self.left_s
        if left is None and speed and self.total is not None:
            left = max(0.0, self.total - self.done) / speed
        if left is not None:
            left = max(0.0, left - (now - self.told))
        remains = f"{duration(took)} so far" if left is None else f"{duration(left)} left"
        short = duration(took) if left is None else f"{duration(left)} left"
        if not self.unit:  # one thing whose parts nobody counts: how long it has taken
            return [(remains, short), (self.message, self.message)]
        return [
            (f"{count} of {of} {self.unit}" if of else f"{count} {self.unit}", f"{count}/{of} {self.unit}".strip("/")),
            (f"{rate} {self.unit}/s" if speed else "", f"{rate}/s" if speed else ""),
            (remains, short),
            (self.message, self.message),
        ]


class _Silent:
    def advance(self, amount: float = 1.0, message: str = "", *, left_s: float | None = None) -> None:
        pass


class _Lines:
    """A plain line every 30 seconds."""

    def __init__(self, state: State) -> None:
        self.state, self.last = state, state.start

    def advance(self, amount: float = 1.0, message: str = "", *, left_s: float | None = None) -> None:
        self.state.advance(amount, message, left_s)
        if self.state.told - self.last >= LINE_EVERY_S:
            self.last = self.state.told
            console.say(f"{self.state.what}: {fitted(self.state.parts(self.last), 1000)}")


@contextlib.contextmanager
def bar(what: str, total: float | None = None, unit: str = "items") -> Iterator[Progress]:
    """Report on a long task: a bar on a terminal, else one plain line every 30 s, nothing with ``--quiet``.

    ``unit`` "": one thing that is not counted; on a terminal the bar says how long it has taken.
    """
    state = State(what, total, unit)
    if console.settings.quiet:
        yield _Silent()
    elif not console.on_terminal():
        yield _Lines(state)
    else:
        with _on_terminal(state) as shown:
            yield shown


@contextlib.contextmanager
def _on_terminal(state: State) -> Iterator[Progress]:
    from rich.console import Console
    from rich.live import Live

    class OnTerminal:
        def advance(self, amount: float = 1.0, message: str = "", *, left_s: float | None = None) -> None:
            state.advance(amount, message, left_s)

        def __rich_console__(self, terminal: Console, options: Any) -> Iterator[RenderableType]:
            yield _drawn(state, options.max_width)

    shown = OnTerminal()
    with Live(shown, console=Console(stderr=True), transient=True, refresh_per_second=4):
        yield shown


def _drawn(state: State, width: int) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    room = width - len(state.what) - 1
    line = fitted(state.parts(time.monotonic()), room)
    wide = min(40, room - len(line) - 1)
    row: list[RenderableType] = [Text(state.what)]
    if wide >= LEAST_BAR:
        row.append(ProgressBar(total=state.total, completed=state.done, width=wide, pulse=state.total is None))
    row.append(Text(line))
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    for _ in row:
        grid.add_column(no_wrap=True)
    grid.add_row(*row)
    return grid
