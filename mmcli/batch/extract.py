"""Features of many inputs into one folder: plan, fit, run, report. What ``mmcli extract`` calls.

A folder of outputs is always either finished or a state from which the same command continues: outputs are complete or
absent, the journal has a line for each input that is done, and nothing needs to be cleaned up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mmcli.artifacts import append, atomic, manifest
from mmcli.artifacts.features import Features
from mmcli.batch import executor, fitting, inputs, journal, plan, run, segments, task
from mmcli.batch.inputs import Item
from mmcli.batch.shard import Shard
from mmcli.batch.streams import Stream, with_state
from mmcli.errors import BatchFailedError, MissingError, UsageError

TASK = "mmcli.batch.task:prepare"
FIRST_ALL_FAIL = 50  # a batch whose first inputs all fail has something wrong with it, not with them


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a batch runs. Only ``media`` and ``fitted`` change what is computed; ``device`` changes how it is rounded."""

    modality: str = "auto"
    media: Mapping[str, Any] = field(default_factory=dict)  # track, channel, missing
    fitted: Sequence[Path] = ()
    sound_only: bool = False  # a video whose item has no other sound gives its sound and no pictures
    jobs: int | None = None
    executor: Executor | None = None  # in place of our own workers; see mmcli.batch.executor
    limits: run.Limits = field(default_factory=run.Limits)
    shard: Shard | None = None
    force: bool = False
    retry_failed: bool = False
    verify_source: bool = False
    allow_missing: bool = False
    segments: str | None = None  # FILE or FILE#TIER: the intervals of an annotation, each an item
    max_failures: str | None = None  # a number, or a share of all inputs with %
    device: str = "cpu"  # cpu, cuda or auto: where encoders compute


@dataclass(frozen=True)
class Summary:
    """What came of a batch, in inputs (one file or cell each)."""

    out: Path
    made: int
    kept: int
    failed: int
    absent: int
    errors: list[dict[str, Any]]


class Listener(Protocol):
    """Who is told what happens."""

    def say(self, message: str) -> None:
        """Something the user should know."""

    def begin(self, inputs: int, size: int) -> None:
        """The work begins: how many inputs, of how many bytes together."""

    def advance(self, size: int, seconds: float, failed: bool) -> None:
        """One input is over: its bytes, the seconds of sound or pictures in it."""

    def row(self, line: str) -> None:
        """The next line of the manifest, in the order of the inputs."""


def planned(
    sources: Sequence[str | Path], out: Path, streams: Mapping[str, Sequence[Stream]], options: Options, say: Any = None
) -> plan.Plan:
    """The plan of a batch: nothing is written, no input is opened.

    Raises :class:`UsageError` and :class:`MissingError` for everything that can be known to go wrong.
    """
    found = inputs.gather(sources, options.modality, leave_out=out)
    if options.segments is not None:
        if len(found.items) != 1:
            raise UsageError(
                f"an annotation belongs to one recording, not to {len(found.items)}", source=options.segments
            )
        found.items = segments.cut(found.items[0], segments.read(options.segments))
    items = [i for i in found.items if options.shard is None or options.shard.holds(i.id)]
    if found.ignored and say is not None:
        say(f"{len(found.ignored)} files passed over, the first is {found.ignored[0]}")
    if not found.items:
        raise MissingError("nothing to extract from", source=", ".join(map(str, sources))[:200])
    if not options.allow_missing:
        absent = list(inputs.missing(items))
        if absent:
            item, cell = absent[0]
            more = f", and {len(absent) - 1} more files are missing" if len(absent) > 1 else ""
            raise MissingError(
                f"no such file ({cell.column} of item {item.id}){more}",
                source=cell.path,
                hint="--allow-missing records such inputs as failed and goes on",
            )
    used = {one.key: one for ones in streams.values() for one in ones}
    return plan.Plan(items, plan.tasks(items, streams, sound_only=options.sound_only), used)


def dry(
    sources: Sequence[str | Path], out: Path, streams: Mapping[str, Sequence[Stream]], options: Options
) -> plan.Plan:
    """The plan with what is known of each input; fitted states are those that lie in the output folder already."""
    found = planned(sources, out, streams, options)
    for key, one in found.streams.items():
        path = out / "fitted" / f"{one.name}.json"
        if one.fitted and path.exists():
            found.streams[key] = with_state(one, path)
    before = journal.read(out) if out.exists() else {}
    plan.compare(found, before, options.media, force=options.force, retry_failed=options.retry_failed)
    plan.check_space(found, out)
    return found


def extract(
    sources: Sequence[str | Path],
    out: Path,
    streams: Mapping[str, Sequence[Stream]],
    options: Options,
    listener: Listener,
) -> Summary:
    """Extract all streams from all inputs into the folder ``out``.

    Raises :class:`BatchFailedError` where ``max_failures`` was reached, :class:`OutputError` where nothing can be
    written; inputs that fail otherwise are counted in the summary, written to ``failures.jsonl``, and marked in the
    manifest.
    """
    found = planned(sources, out, streams, options, listener.say)
    atomic.make_folder(out)
    log = journal.path_of(out, "journal", options.shard)
    with append.Journal(log) as entries, append.Journal(journal.path_of(out, "failures", options.shard)) as failures:
        _sweep(out, found)
        may_fit = options.shard is None
        for message in fitting.states(found, options.fitted, out / "fitted", may_fit=may_fit, on=options.executor):
            listener.say(message)
        before = journal.read(out)
        plan.compare(found, before, options.media, force=options.force, retry_failed=options.retry_failed)
        plan.check_space(found, out)
        batch = _Batch(found, before, out, options, listener, entries, failures)
        try:
            batch.go()
        finally:
            _sweep(out, found)
    return batch.finish()


def extract_one(
    source: str | Path, target: str, streams: Mapping[str, Sequence[Stream]], options: Options, say: Any
) -> Features:
    """One input, one stream, one file (``-``: the caller writes it), in this process.

    Raises :class:`UsageError` where more than one stream results.
    """
    found = planned([source], Path(), streams, options)
    outputs = [(n, key) for n, t in enumerate(found.tasks) for key in t.outputs("")]
    if len(outputs) != 1 or len(found.items) != 1:
        names = [column for t in found.tasks for column, _ in t.outputs("").values()]
        raise UsageError(
            f"{len(found.items)} items and {len(outputs)} streams ({', '.join(names[:4])}) do not go into one file",
            source=target,
            hint="name a folder with -o, or choose one stream with --modality, --audio, --image, --video or --text",
        )
    ((number, key),) = outputs
    payload = plan.payload(found, number, Path(), None, force=True)
    if not key:
        raise UsageError("is no raw input: there is nothing to extract", source=source)
    one = found.streams[key]
    if one.fitted:
        one = _state_of_one(one, payload, target, options, say)
    return task.one({**payload, "optional": False}, dict(options.media), one.setup(), options.device)


def _state_of_one(one: Stream, payload: dict[str, Any], target: str, options: Options, say: Any) -> Stream:
    if options.fitted:
        return with_state(one, options.fitted[0])
    if target == "-":
        raise UsageError(f"{one.name} learns from training rows", hint="give --fitted FILE")
    path = Path(target).with_suffix(f".{one.name}.json")
    fitting.learn(one.setup(), [payload], str(path))
    say(f"{one.name} learned from this input alone: {path}; --fitted FILE takes what was learned from others")
    return with_state(one, path)


class _Batch:
    """The state of a batch while it runs."""

    def __init__(
        self,
        found: plan.Plan,
        before: Mapping[journal.Key, dict[str, Any]],
        out: Path,
        options: Options,
        listener: Listener,
        entries: append.Journal,
        failures: append.Journal,
    ) -> None:
        self.plan, self.before, self.out, self.options, self.listener = found, before, out, options, listener
        self.entries, self.failures = entries, failures
        self.results: list[dict[str, Any] | None] = [None] * len(found.tasks)
        self.of_item: list[list[int]] = [[] for _ in found.items]
        for number, one in enumerate(found.tasks):
            self.of_item[one.item].append(number)
        self.lines: list[str] = []
        self.counts = dict.fromkeys(("done", "kept", "failed", "absent"), 0)
        self.over = 0

    def go(self) -> None:
        """Run every task that is not known to have failed before."""
        waiting = [n for n, state in enumerate(self.plan.states) if state != "failed"]
        self.listener.begin(len(waiting), sum(self.plan.facts[n].get("size", 0) for n in waiting))
        for number, state in enumerate(self.plan.states):
            if state == "failed":
                one = self.plan.tasks[number]
                self._record(number, self.before[(self.plan.items[one.item].id, one.name)])
        self._rows()
        if not waiting:
            return
        setup = {
            "streams": {key: s.setup() for key, s in self.plan.streams.items() if s.state_path or not s.fitted},
            "media": dict(self.options.media),
            "device": self.options.device,
        }
        jobs = min(self.options.jobs or run.default_jobs(), len(waiting))
        work = run.Work(TASK, setup)
        tasks = ((n, self._payload(n)) for n in waiting)
        on = self.options.executor
        running = executor.run(tasks, work, on) if on else run.run(tasks, work, jobs, self.options.limits)
        with closing(running) as outcomes:
            for outcome in outcomes:
                self._heard(outcome)
                self._rows()
                self._enough(len(self.plan.tasks))

    def _payload(self, number: int) -> dict[str, Any]:
        known = None
        if self.plan.states[number] == "known" and not self.options.verify_source:
            one = self.plan.tasks[number]
            known = self.before[(self.plan.items[one.item].id, one.name)]["source"].get("sha256")
        return plan.payload(self.plan, number, self.out, known, force=self.options.force)

    def _heard(self, outcome: run.Outcome) -> None:
        number = outcome.index
        one = self.plan.tasks[number]
        entry: dict[str, Any] = {
            "id": self.plan.items[one.item].id,
            "task": one.name,
            "key": self.plan.keys[number],
            "source": dict(self.plan.facts[number]),
        }
        seconds = 0.0
        if outcome.value is not None:
            entry["status"] = "absent" if outcome.value["status"] == "absent" else "done"
            entry["source"]["sha256"] = outcome.value["source"]["sha256"]
            seconds = outcome.value["seconds"]
            self.counts[outcome.value["status"]] += 1
        else:
            entry["status"], entry["error"] = "failed", _failure(outcome)
        if entry != self.before.get((entry["id"], entry["task"])):
            self.entries.append(entry)
        self._record(number, entry)
        self.over += 1
        self.listener.advance(self.plan.facts[number].get("size", 0), seconds, outcome.error is not None)

    def _record(self, number: int, entry: dict[str, Any]) -> None:
        self.results[number] = entry
        if entry["status"] == "failed":
            self.counts["failed"] += 1
            self.failures.append(self._report(number))

    def _report(self, number: int) -> dict[str, Any]:
        """A line of failures.jsonl."""
        one = self.plan.tasks[number]
        entry = self.results[number] or {}
        return {"id": entry["id"], "column": one.name, "path": one.cell.path, **entry["error"]}

    def _rows(self) -> None:
        """Pass on the rows that are complete and whose predecessors are."""
        while len(self.lines) < len(self.plan.items):
            index = len(self.lines)
            if any(self.results[n] is None for n in self.of_item[index]):
                return
            line = manifest.dump_row(self._row(index))
            self.lines.append(line)
            self.listener.row(line)

    def _row(self, index: int) -> manifest.Row:
        item: Item = self.plan.items[index]
        cells: dict[str, str] = {}
        errors = [item.error] if item.error else []
        for number in self.of_item[index]:
            entry = self.results[number] or {}
            if entry["status"] == "done":
                cells.update(dict(self.plan.tasks[number].outputs(item.id).values()))
            elif entry["status"] == "failed":
                errors.append(f"{entry['task']}: {entry['error']['message']}")
        return manifest.Row(
            id=item.id,
            cells=cells,
            split=item.split,
            label=item.label,
            group=item.group,
            error=" / ".join(errors) or None,
            extra=item.extra,
        )

    def _enough(self, total: int) -> None:
        limit, failed = self.options.max_failures, self.counts["failed"]
        if limit is None:
            if self.over == failed == FIRST_ALL_FAIL < total:
                first = next(r for r in self.results if r is not None and r["status"] == "failed")
                raise BatchFailedError(
                    f"stopped: the first {FIRST_ALL_FAIL} inputs all failed, {first['id']} because: "
                    f"{first['error']['message']}",
                    source=self.out,
                    hint="--max-failures 100% goes on whatever happens",
                )
        elif failed > most_failures(limit, total):
            raise BatchFailedError(f"stopped after {failed} failed inputs", source=self.out, hint="see failures.jsonl")

    def finish(self) -> Summary:
        """Put manifest, journal and failures in order: the same inputs leave the same files."""
        shard = self.options.shard
        done = [r for r in self.results if r is not None]
        failed = [n for n, r in enumerate(self.results) if r is not None and r["status"] == "failed"]
        atomic.write_text(journal.path_of(self.out, "manifest", shard), "".join(self.lines))
        journal.rewrite(journal.path_of(self.out, "journal", shard), done)
        path = journal.path_of(self.out, "failures", shard)
        if failed:
            journal.rewrite(path, [self._report(n) for n in failed])
        else:
            atomic.remove(path)
        if shard is None:
            for left in journal.shard_files(self.out):
                atomic.remove(left)
        return Summary(
            self.out,
            self.counts["done"],
            self.counts["kept"],
            self.counts["failed"],
            self.counts["absent"],
            [self._report(n) for n in failed],
        )


def _failure(outcome: run.Outcome) -> dict[str, Any]:
    error = outcome.error or {}
    kept: dict[str, Any] = {k: error[k] for k in ("stage", "class", "message", "hint", "at") if k in error}
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


def _sweep(out: Path, found: plan.Plan) -> None:
    """Remove what killed writers left, in every folder that this batch writes to."""
    folders = {(out / item.id).parent for item in found.items} | {out, out / "fitted"}
    for folder in sorted(folders):
        if folder.is_dir():
            atomic.sweep(folder)
