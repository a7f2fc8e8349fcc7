"""What commands that take many inputs have in common: their options, where outputs go, what is said at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmcli.cli import console, progress, reasons
from mmcli.errors import BatchFailedError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mmcli.batch.plan import each
    from mmcli.batch.state.ledger import Summary
import json
import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

From = Annotated[
    str | None,
    typer.Option("--from", metavar="LIST", help="Also the inputs named in a file, one a line; - for stdin."),
]
Null = Annotated[bool, typer.Option("-0", "--null", help="Inputs in LIST are separated by NUL.")]
Timeout = Annotated[
    float | None, typer.Option(min=0.0, metavar="S", help="Seconds an input may take; 0: any. [default: 3600]")
]
Shard = Annotated[str | None, typer.Option(metavar="I/N", help="Do one of N parts; auto: by the Slurm array job.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try inputs again that failed before.")]
VerifySource = Annotated[
    bool, typer.Option("--verify-source", help="Trust content, not size and time, of inputs done before.")
]
MaxFailures = Annotated[
    str | None, typer.Option(metavar="N|P%", help="Stop beyond. [default: when the first 50 all fail]")
]

Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="local, or ray: a Ray cluster, whose limits hold and not those of the options here (extra: cluster).",
    ),
]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Of the cluster that this machine is a node of.")
]

LONGEST_S, TERM = 3600.0, 2000  # seconds an input may take, inputs until a worker is replaced


def named(inputs: Sequence[str] | None, listed: str | None, *, nul: bool) -> list[str]:
    """The inputs of the command line and those of ``--from``."""
    from mmcli.batch.plan import inputs as sources

    return [*(inputs or ()), *(sources.listed(listed, nul=nul) if listed is not None else ())]


def is_folder(output: str) -> bool:
    """Whether an output is meant as a folder: it ends with a slash, is one, is a URL, or has no suffix."""
    from mmcli.artifacts.io import remote

    if output == "-":
        return False
    return output.endswith("/") or remote.is_url(output) or Path(output).is_dir() or not Path(output).suffix


@contextlib.contextmanager
def folder(output: str) -> Iterator[tuple[Path, str | None]]:
    """The folder of a batch; for a URL a local one with its books, and the URL."""
    from mmcli.artifacts.io import remote
    from mmcli.batch.state import books

    if not remote.is_url(output):
        yield Path(output), None
        return
    with books.folder(output) as local:
        yield local, output


def options(
    jobs: int | None,
    timeout: float | None,
    shard: str | None,
    retry_failed: bool,
    max_failures: str | None,
    *,
    memory: float | None = None,
    recycle: int = TERM,
    verify_source: bool = False,
) -> each.Options:
    """How a batch runs, from the options of the command line: ``timeout`` in seconds, ``memory`` in MB."""
    from mmcli.batch.plan import each
    from mmcli.batch.state import ledger
    from mmcli.batch.workers import run

    if max_failures is not None:
        ledger.most_failures(max_failures, 1)
    return each.Options(
        jobs=jobs,
        limits=run.Limits(
            LONGEST_S if timeout is None else timeout or None,
            None if memory is None else int(memory * 1e6),
            recycle or None,
        ),
        shard=None if shard is None else ledger.shard_of(shard),
        retry_failed=retry_failed,
        verify_source=verify_source,
        max_failures=max_failures,
    )


def refuse_engine(name: str, address: str | None) -> None:
    """Raises :class:`UsageError` for an engine that there is not, or an address without one."""
    if name not in ("local", "ray"):
        raise UsageError(f"--engine {name!r}", hint="local or ray")
    if address is not None and name != "ray":
        raise UsageError("--address belongs to --engine ray")


@contextlib.contextmanager
def engine(name: str, address: str | None) -> Iterator[Executor | None]:
    """What runs the tasks; None: our own workers."""
    if name == "local":
        yield None
        return
    from mmcli.batch.workers import executor

    with executor.ray(address) as cluster:
        yield cluster


def tell(summary: Summary, schema: str, out: str, books: str | None = None, *, json: bool, **more: Any) -> None:
    """The last line, or the one object of ``--json``. Raises :class:`BatchFailedError` where inputs failed.

    ``books``: the folder with the lists, where it is not the output itself.
    """
    counts = {"done": summary.made, "skipped": summary.kept, "failed": summary.failed}
    if json:
        console.emit({"schema": schema, "out": out, **counts, **more})
    line = "  ".join(f"{name} {number:,}" for name, number in counts.items())
    if summary.failed:
        reasons.say(summary.errors)
        lists = f"{(books or out).rstrip('/')}/{summary.report}"
        raise BatchFailedError(f"{line}  -> {lists if books is None else f'{out}; {lists}'}")
    console.say(f"{line}  -> {out}")


# How a batch is shown: progress on standard error, manifest rows on standard output where that is no terminal.


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
        self.bar: progress.Progress | None = None
        self.as_json = as_json
        self.failed = self.done = self.inputs = 0
        self.size = self.total = self.workers = 0
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

    def begin(self, inputs: int, size: int, workers: int = 0) -> None:
        """Draw the bar, or prepare the lines."""
        if self.rows and self.header:
            from mmcli.artifacts.formats import manifest

            self.stdout.write(manifest.header_line(self.root))
            self.stdout.flush()
        self.inputs, self.total, self.start = inputs, size, time.monotonic()
        self.workers = workers
        if self.as_json:
            self._event("begin")
        else:
            self.bar = self.stack.enter_context(progress.bar(self.what, inputs, "files"))

    def advance(self, size: int, seconds: float, failed: bool) -> None:
        """One input is over."""
        self.failed += failed
        self.done += 1
        self.size += size
        self.seconds += seconds
        if self.as_json:
            self._event("input")
        if self.bar is not None:
            bad = f"{self.failed:,} failed" if self.failed else ""
            many = f"{self.workers} worker{'s' if self.workers != 1 else ''}" if self.workers else ""
            volume = progress.volume(self.size, self.total)
            self.bar.advance(1, "  ".join(filter(None, (volume, many, bad))), left_s=self._left_s())

    def _left_s(self) -> float | None:
        """The time left, reckoned by bytes."""
        took = time.monotonic() - self.start
        return None if not self.size else took * max(0, self.total - self.size) / self.size

    def _event(self, kind: str) -> None:
        """A line of JSON on standard error, for supervisors; the time left is reckoned by bytes."""
        left = self._left_s()
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
