"""One thing done to each of many inputs: what ``align --pairs``, ``warp`` and ``predict`` are over lists and folders.

An input that cannot be used, or takes its worker with it, is recorded with the reason and never stops the others. The
same command continues after anything, and does again what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mmcli.artifacts.io import provenance, remote
from mmcli.batch.plan import inputs, plan
from mmcli.batch.state import ledger
from mmcli.batch.state.ledger import Ledger, Listener, Shard, Summary
from mmcli.batch.workers import executor, run
from mmcli.errors import MmcliError, printable

Do = Callable[[dict[str, Any]], dict[str, Any]]  # what a worker does with one payload


@dataclass(frozen=True)
class Source:
    """Something that is read: a file with its size and time, or what stands in a row, with its digest."""

    path: str | None
    facts: Mapping[str, Any]

    @classmethod
    def at(cls, path: Path | str) -> Source:
        """A file as it is now."""
        return cls(str(path), plan.file_facts(inputs.status_of(str(path))))

    @property
    def size(self) -> int:
        """Bytes, 0 where there are none."""
        return max(0, int(self.facts.get("size", 0)))

    def differs(self, known: Mapping[str, Any], *, verify: bool = False) -> bool:
        """Whether it is another than it was: by size and time, or by content where only its time is another.

        ``verify``: by content in every case.
        """
        if not verify and all(known.get(name) == value for name, value in self.facts.items()):
            return False
        if self.path is None or remote.is_url(self.path):
            return any(known.get(name) != value for name, value in self.facts.items())
        if self.facts["size"] != known.get("size"):
            return True
        return provenance.sha256_file(self.path) != known.get("sha256")


@dataclass(frozen=True)
class One:
    """What is done to one input, or pair of inputs.

    ``sources`` by the part they play. ``key`` is a hash of everything else that the result depends on. ``target`` is
    the output below the folder, None where all that is made is a line. ``payload`` is what the worker is told. One with
    a ``refusal`` is not done: it has failed for that reason.
    """

    id: str
    sources: Mapping[str, Source]
    key: str
    target: str | None
    payload: Mapping[str, Any]
    refusal: MmcliError | None = None

    @property
    def size(self) -> int:
        """Bytes of all that is read."""
        return sum(source.size for source in self.sources.values())


class Kind(Protocol):
    """What a command does to each: ``call`` as :class:`mmcli.batch.workers.run.Work`, ``setup`` for it.

    The worker answers ``{"sha256": {part: hash}, "output": hash or None, "found": {...}, "seconds": s}``.
    """

    task: str  # in the journal
    rows: str  # the file with a line an input
    call: str
    setup: dict[str, Any]

    def row(self, index: int, entry: Mapping[str, Any]) -> str:
        """The line of an input, newline included, from what the journal holds of it; may be empty."""

    def report(self, index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The line of failures.jsonl."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a batch runs; nothing here changes what is computed."""

    jobs: int | None = None
    limits: run.Limits = field(default_factory=run.Limits)
    retry_failed: bool = False
    verify_source: bool = False  # inputs are told by their content, not by size and time
    max_failures: str | None = "100%"
    shard: Shard | None = None  # whose files these are: the inputs have been chosen by it
    executor: Executor | None = None  # in place of our own workers; payloads name files in full


def key_of(settings: Mapping[str, Any]) -> str:
    """The ``key`` of settings: they and the version of mmcli, hashed."""
    return provenance.config_sha256({**settings, "version": provenance.version})[:16]


Trusted = Callable[[int, Mapping[str, Any]], bool]  # whether what was made of an input stands as it was written


def states(
    ones: Sequence[One],
    out: Path,
    options: Options,
    before: Mapping[Any, Any],
    task: str,
    trusted: Trusted | None = None,
) -> list[str]:
    """Of each ``new``, ``known`` (what was made is there), ``stale``, ``failed`` or ``refused``."""
    return [
        "refused" if one.refusal is not None else _state(n, one, out, options, before.get((one.id, task)), trusted)
        for n, one in enumerate(ones)
    ]


def _state(
    number: int, one: One, out: Path, options: Options, entry: Mapping[str, Any] | None, trusted: Trusted | None
) -> str:
    if entry is None:
        return "new"
    known = entry["source"]
    if entry["key"] != one.key or known.keys() != one.sources.keys():
        return "stale"
    if any(source.differs(known[part], verify=options.verify_source) for part, source in one.sources.items()):
        return "stale"
    if entry["status"] == "failed":
        return "new" if options.retry_failed else "failed"
    if one.target is None or (trusted is not None and not options.verify_source and trusted(number, entry)):
        return "known"
    target = out / one.target
    return "known" if target.is_file() and provenance.sha256_file(target) == entry["output"] else "stale"


def do(ones: Sequence[One], out: Path, kind: Kind, options: Options, listener: Listener) -> Summary:
    """Do all of them into ``out``: the outputs, a line each in ``ROWS.jsonl``, failures.jsonl, journal.jsonl.

    Raises OutputError where nothing can be written, BatchFailedError beyond ``max_failures``, UsageError where the
    folder holds the outputs of another command.
    """
    batch = _Batch(ones, out, kind, options)
    folders = [out, *((out / one.target).parent for one in ones if one.target is not None)]
    with Ledger(out, [[n] for n in range(len(ones))], batch, listener.row, options.shard, kind.rows) as kept:
        batch.ledger = kept
        ledger.sweep(folders)
        try:
            batch.go(listener)
        finally:
            ledger.sweep(folders)
    errors = kept.finish()
    return Summary(out, batch.made, len(ones) - batch.made - len(errors), len(errors), errors, report=kept.report_name)


class _Batch:
    ledger: Ledger

    def __init__(self, ones: Sequence[One], out: Path, kind: Kind, options: Options) -> None:
        self.ones, self.out, self.kind, self.options = ones, out, kind, options
        self.made = 0

    def go(self, listener: Listener) -> None:
        """Do what is new or changed."""
        before = self.ledger.before
        now = states(self.ones, self.out, self.options, before, self.kind.task, self.ledger.stands)
        waiting = [n for n, state in enumerate(now) if state in ("new", "stale")]
        for n, state in enumerate(now):
            if state in ("known", "failed"):
                self.ledger.keep(n, before[(self.ones[n].id, self.kind.task)])
            elif state == "refused":
                self.ledger.keep(n, self._refused(self.ones[n]))
        jobs = min(self.options.jobs or run.default_jobs(), len(waiting))
        listener.begin(len(waiting), sum(self.ones[n].size for n in waiting), jobs)
        self.ledger.pass_on()
        if not waiting:
            return

        def heard(outcome: run.Outcome) -> None:
            self._record(outcome)
            seconds = (outcome.value or {}).get("seconds", 0.0)
            listener.advance(self.ones[outcome.index].size, seconds, outcome.error is not None)

        work = run.Work(self.kind.call, {**self.kind.setup, "within": str(self.out.absolute())})
        tasks = ((n, dict(self.ones[n].payload)) for n in waiting)
        on = self.options.executor
        away = ((n, executor.located(payload)) for n, payload in tasks)
        running = executor.run(away, work, on) if on else run.run(tasks, work, jobs, self.options.limits)
        self.ledger.follow(running, heard, self.options.max_failures)

    def _refused(self, one: One) -> dict[str, Any]:
        """As the journal keeps what was never begun."""
        why = one.refusal
        assert why is not None
        error = {"stage": "plan", "class": type(why).__name__, "message": printable(why.what), "attempts": 0}
        if why.hint:
            error["hint"] = why.hint
        return {"id": one.id, "task": self.kind.task, "key": "", "source": {}, "status": "failed", "error": error}

    def _record(self, outcome: run.Outcome) -> None:
        one = self.ones[outcome.index]
        facts: dict[str, dict[str, Any]] = {part: dict(source.facts) for part, source in one.sources.items()}
        entry: dict[str, Any] = {"id": one.id, "task": self.kind.task, "key": one.key, "source": facts}
        if outcome.value is None:
            entry["status"], entry["error"] = "failed", ledger.failure(outcome, self.kind.task)
            source = Path((outcome.error or {}).get("source") or "").name  # which of the files it is
            if source and source not in entry["error"]["message"]:
                entry["error"]["message"] = f"{source}: {entry['error']['message']}"
        else:
            self.made += 1
            entry["status"] = "done"
            for part, digest in outcome.value["sha256"].items():
                facts[part]["sha256"] = digest
            entry |= {"output": outcome.value["output"], "found": outcome.value["found"]}
        self.ledger.record(outcome.index, entry)

    def row(self, item: int) -> str:
        """The line of an input."""
        return self.kind.row(item, self.ledger.results[item] or {})

    def report(self, number: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The line of a failed one."""
        return self.kind.report(number, entry)

    def owns(self, task: str) -> bool:
        """Whether a line of a journal is of this command."""
        return task == self.kind.task

    def outputs(self, number: int) -> list[str]:
        """The file that was made of an input, where that is more than a line."""
        target = self.ones[number].target
        return [] if target is None else [target]
