"""What a batch keeps while it runs, whatever it does: journal, failures, and rows in the order of the items.

Tasks are numbered from 0; each is of one item, and an item's row is complete when all of its tasks are over. The files
are always in a state from which the same command continues: the journal has a line for every task that is over.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from mmcli.artifacts.io import append, atomic, confined, provenance
from mmcli.batch.state import settled
from mmcli.batch.workers import run
from mmcli.errors import BatchFailedError, UsageError

FIRST_ALL_FAIL = 50  # a batch whose first inputs all fail has something wrong with it, not with them
KEPT = ("stage", "class", "message", "hint", "at", "evidence")  # of an error, in failures.jsonl


@dataclass(frozen=True)
class Summary:
    """What came of a batch: how many of its inputs were done, were done before, and failed; their errors.

    ``absent`` are those of which there was nothing to make, as the sound of a silent film. ``report`` is the file that
    says which failed.
    """

    out: Path
    made: int
    kept: int
    failed: int
    errors: list[dict[str, Any]]
    absent: int = 0
    report: str = "failures.jsonl"


class Listener(Protocol):
    """Who is told what happens."""

    def say(self, message: str) -> None:
        """Something the user should know."""

    def begin(self, inputs: int, size: int, workers: int) -> None:
        """The work begins: how many inputs, of how many bytes together, done by how many workers at once."""

    def advance(self, size: int, seconds: float, failed: bool) -> None:
        """One input is over: its bytes, the seconds of sound or pictures in it."""

    def row(self, line: str) -> None:
        """The next line of the manifest, in the order of the inputs."""


class Batch(Protocol):
    """What a ledger asks of the batch it is kept for."""

    def row(self, item: int) -> str:
        """The finished row of an item, newline included."""

    def report(self, number: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The line of failures.jsonl for a failed task."""

    def owns(self, task: str) -> bool:
        """Whether a task in a journal is one of this command."""

    def outputs(self, number: int) -> list[str]:
        """The outputs of a task that is done, below the folder; none where they lie in a store."""


class Ledger:
    """The state of a batch in the folder ``out``; a context in which its journal is open and locked.

    ``of_item`` lists each item's tasks, ``tell`` is told every row when it and all before it are complete; in the end
    they are the file ``ROWS.jsonl``. ``refused`` are the lines of inputs that failed before they became tasks.
    """

    def __init__(
        self,
        out: Path,
        of_item: Sequence[Sequence[int]],
        batch: Batch,
        tell: Callable[[str], None],
        shard: Shard | None,
        rows: str = "manifest",
        refused: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.out, self.of_item, self.batch, self.tell, self.shard = out, of_item, batch, tell, shard
        self.rows, self.refused = rows, refused
        self.results: list[dict[str, Any] | None] = [None] * sum(map(len, of_item))
        self.before: dict[Key, dict[str, Any]] = {}
        self.settled = settled.Settled()
        self.learned: dict[str, Any] = {}
        self.lines: list[str] = []
        self.failed = len(refused)
        self.over = self.over_failed = 0  # in this run

    def __enter__(self) -> Self:
        atomic.make_folder(self.out)
        self._entries = append.Journal(self._path("journal"))
        try:
            self.before = read(self.out)
            if self.shard is None and not shard_files(self.out):
                self.settled = settled.read(self.out)
            refuse_others(self.before, self.batch.owns, self.out)
            self._failures = append.Journal(self._path("failures"))
            for line in self.refused:
                self._failures.append(line)
        except BaseException:
            self._entries.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entries.close()
        self._failures.close()

    def keep(self, number: int, entry: dict[str, Any]) -> None:
        """What is known from before of a task that is not done again."""
        self.results[number] = entry
        if entry["status"] == "failed":
            self.failed += 1
            self._failures.append(self.batch.report(number, entry))

    def record(self, number: int, entry: dict[str, Any]) -> None:
        """A task is over: with ``status``, and ``error`` where that is ``failed``."""
        before = self.before.get((entry["id"], entry["task"]), {})
        if entry != {name: value for name, value in before.items() if name != "outputs"}:
            self._entries.append(entry)
        self.over += 1
        self.over_failed += entry["status"] == "failed"
        self.keep(number, entry)

    def stands(self, number: int, entry: Mapping[str, Any]) -> bool:
        """Whether the outputs of a task that was done before are trusted without opening them."""
        outputs = entry.get("outputs")
        return entry["status"] == "absent" or (
            isinstance(outputs, dict)
            and outputs.keys() == set(self.batch.outputs(number))
            and self.settled.holds(self.out, outputs)
        )

    def pass_on(self) -> None:
        """Tell the rows that are complete and whose predecessors are."""
        while len(self.lines) < len(self.of_item):
            index = len(self.lines)
            if any(self.results[n] is None for n in self.of_item[index]):
                return
            self.lines.append(self.batch.row(index))
            self.tell(self.lines[-1])

    def follow(
        self, outcomes: Generator[run.Outcome, None, None], heard: Callable[[run.Outcome], None], limit: str | None
    ) -> None:
        """Hear every outcome, pass rows on, and stop beyond ``limit`` failures; what still runs is then killed."""
        if self.shard is None:
            settled.forget(self.out)  # from here on outputs change
        with closing(outcomes):
            for outcome in outcomes:
                heard(outcome)
                self.pass_on()
                self.stop_where_too_many_fail(limit)

    def stop_where_too_many_fail(self, limit: str | None) -> None:
        """Raises :class:`BatchFailedError` beyond ``limit``, see :func:`most_failures`; None: where the first 50 do."""
        total = len(self.results)
        if limit is None:
            if self.over == self.over_failed == FIRST_ALL_FAIL < total:
                first = next(r for r in self.results if r is not None and r["status"] == "failed")
                raise BatchFailedError(
                    f"stopped: the first {FIRST_ALL_FAIL} inputs all failed, {first['id']} because: "
                    f"{first['error']['message']}",
                    source=self.out,
                    hint="--max-failures 100% goes on whatever happens",
                )
        elif (failed := len(self.refused) + self.over_failed) > most_failures(limit, total):  # not those of runs before
            raise BatchFailedError(
                f"stopped after {failed} failed inputs", source=self.out, hint=f"see {self.report_name}"
            )

    def finish(self) -> list[dict[str, Any]]:
        """Put manifest, journal and failures in order: the same inputs leave the same files. Returns the failures."""
        with confined.within(self.out):
            return self._finish()

    def _finish(self) -> list[dict[str, Any]]:
        done = [r for r in self.results if r is not None]
        failed = [
            *self.refused,
            *(self.batch.report(n, r) for n, r in enumerate(self.results) if r is not None and r["status"] == "failed"),
        ]
        for number, entry in enumerate(self.results):
            if entry is not None and entry["status"] == "done":
                entry["outputs"] = settled.sizes(self.out, self.batch.outputs(number))
        atomic.write_text(self._path(self.rows), "".join(self.lines))
        rewrite(self._path("journal"), done)
        if failed:
            rewrite(self._path("failures"), failed)
        else:
            atomic.remove(self._path("failures"))
        if self.shard is None:
            for left in shard_files(self.out):
                atomic.remove(left)
            settled.keep(self.out, self.learned)
        return failed

    @property
    def report_name(self) -> str:
        """The file that says which inputs failed."""
        return self._path("failures").name

    def _path(self, name: str) -> Path:
        return path_of(self.out, name, self.shard)


def refuse_others(before: Mapping[Key, Any], owns: Callable[[str], bool], out: Path) -> None:
    """Raises :class:`UsageError` where a folder's journal is of another command, whose rows would be lost."""
    if not all(owns(task) for _, task in before):
        raise UsageError("holds the outputs of another command", source=out, hint="name a new folder with -o")


def failure(outcome: run.Outcome, stage: str) -> dict[str, Any]:
    """The error of a task as the journal keeps it; ``stage`` where the error names none."""
    error = outcome.error or {}
    kept: dict[str, Any] = {"stage": stage} | {k: error[k] for k in KEPT if error.get(k)}
    # One line, and no control characters: it goes into the manifest and onto terminals.
    kept["message"] = " ".join("".join(c if c.isprintable() else " " for c in kept["message"]).split())[:500]
    return {**kept, "attempts": outcome.attempts}


def most_failures(text: str, total: int) -> float:
    """How many failures ``N`` or ``P%`` allows. Raises :class:`UsageError`.

    >>> most_failures("10", 500), most_failures("10%", 500)
    (10.0, 50.0)
    """
    number = text.removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise UsageError(f"--max-failures {text!r} is neither a number nor a share in %")
    return value * total / 100 if text.endswith("%") else value


def sweep(folders: Sequence[Path]) -> None:
    """Remove what killed writers left in folders that a batch writes to."""
    for folder in sorted(set(folders)):
        if folder.is_dir():
            atomic.sweep(folder)


# What a folder of outputs remembers: for each input what it looked like, what was made of it, or why it failed.
#
# ``journal.jsonl`` grows by a line as inputs are done and is put in order when a run ends; a shard has its own,
# ``journal.I-of-N.jsonl``, and every run reads all of them. A later line about an input replaces an earlier one.

Key = tuple[str, str]
ROWS = ("manifest", "predictions")  # what a batch leaves a line an input in, beside its journal and failures


def path_of(out: Path, name: str, shard: Shard | None) -> Path:
    """The file of a run: ``NAME.jsonl``, or ``NAME.I-of-N.jsonl`` for a shard."""
    return out / (f"{name}.jsonl" if shard is None else f"{name}.{shard.index}-of-{shard.count}.jsonl")


def shard_files(out: Path) -> list[Path]:
    """What shards left in a folder, to be merged by a run without ``--shard``."""
    return sorted(p for name in ("journal", *ROWS, "failures") for p in out.glob(f"{name}.*-of-*.jsonl") if p.is_file())


def read(out: Path) -> dict[Key, dict[str, Any]]:
    """The newest entry for every (id, task), from all journals of a folder."""
    newest: dict[Key, dict[str, Any]] = {}
    for path in [*sorted(out.glob("journal.*-of-*.jsonl")), out / "journal.jsonl"]:
        if path.exists():
            for entry in append.read(path, holes=True):
                newest[(entry["id"], entry["task"])] = entry
    return newest


def rewrite(path: Path, entries: list[dict[str, Any]]) -> None:
    """Put a journal in order: the same inputs give the same file, whatever happened on the way."""
    atomic.write_text(path, "".join(provenance.canonical_json(entry) + "\n" for entry in entries))


# One batch over many machines: each takes the items whose id falls to it by a stable digest. Adding items never moves
# others to another shard.


@dataclass(frozen=True)
class Shard:
    """Shard ``index`` (from 1) of ``count``."""

    index: int
    count: int

    def holds(self, identifier: str) -> bool:
        """Whether an item belongs to this shard.

        >>> sum(Shard(i, 3).holds("a") for i in (1, 2, 3))
        1
        """
        digest = hashlib.sha256(identifier.encode("utf-8")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1


def shard_of(text: str, environment: Mapping[str, str] | None = None) -> Shard:
    """``i/n``, or ``auto`` for the place of this job in a Slurm array.

    >>> shard_of("2/8")
    Shard(index=2, count=8)
    >>> shard_of("auto", {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "0"})
    Shard(index=5, count=8)
    """
    if text == "auto":
        slurm = os.environ if environment is None else environment
        try:
            number, count = int(slurm["SLURM_ARRAY_TASK_ID"]), int(slurm["SLURM_ARRAY_TASK_COUNT"])
            index = number - int(slurm.get("SLURM_ARRAY_TASK_MIN", "0")) + 1
        except (KeyError, ValueError):
            raise UsageError("--shard auto: this is no job of a Slurm array", hint="say --shard I/N") from None
        if int(slurm.get("SLURM_ARRAY_TASK_STEP", "1")) != 1:
            raise UsageError("--shard auto needs an array whose numbers have no gaps")
    else:
        left, slash, right = text.partition("/")
        if not (slash and left.isdigit() and right.isdigit()):
            raise UsageError(f"--shard {text!r} is not I/N", hint="for example --shard 1/4, or auto under Slurm")
        index, count = int(left), int(right)
    if not 1 <= index <= count:
        raise UsageError(f"--shard {index}/{count}: shards are numbered 1 to {count}")
    return Shard(index, count)
