"""Features of many inputs into one folder: plan, fit, run, report. What ``mmcli extract`` calls.

A folder of outputs is always either finished or a state from which the same command continues: outputs are complete or
absent, the journal has a line for each input that is done, and nothing needs to be cleaned up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import manifest
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import atomic
from mmcli.batch.jobs import learning
from mmcli.batch.plan import each, inputs, items, task, windows
from mmcli.batch.plan import plan as plans
from mmcli.batch.plan.items import Item
from mmcli.batch.plan.plan import Stream, with_state
from mmcli.batch.state import ledger
from mmcli.batch.state.ledger import Ledger, Listener, Summary
from mmcli.batch.workers import executor, run
from mmcli.errors import MissingError, UsageError, printable
from mmcli.media import intervals

TASK = "mmcli.batch.plan.task:prepare"


@dataclass(frozen=True, kw_only=True)
class Options(each.Options):
    """How a batch runs. Only ``media`` and ``fitted`` change what is computed; ``device`` changes how it is rounded."""

    modality: str = "auto"
    media: Mapping[str, Any] = field(default_factory=dict)  # track, channel, missing
    fitted: Sequence[Path] = ()
    sound_only: bool = False  # a video whose item has no other sound gives its sound and no pictures
    executor: Executor | None = None  # in place of our own workers; see mmcli.batch.workers.executor
    force: bool = False
    allow_missing: bool = False
    segments: str | None = None  # FILE or FILE#TIER: the intervals of an annotation, each an item
    windows: windows.Windows | None = None  # items are windows instead, with the labels that hold at their middles
    max_failures: str | None = None  # a number, or a share of all inputs with %
    place: str | None = None  # the URL where outputs go instead of the folder, which then holds the books alone
    device: str = "cpu"  # cpu, cuda or auto: where encoders compute


def planned(
    sources: Sequence[str | Path], out: Path, streams: Mapping[str, Sequence[Stream]], options: Options, say: Any = None
) -> plans.Plan:
    """The plan of a batch: nothing is written, no input is opened.

    Raises :class:`UsageError` and :class:`MissingError` for everything that can be known to go wrong.
    """
    gathered = inputs.gather(sources, options.modality, leave_out=out)
    if options.segments is not None:
        gathered.items = _pieces(gathered.items, options.segments, options.windows)
    own = [i for i in gathered.items if options.shard is None or options.shard.holds(i.id)]
    if gathered.ignored and say is not None:
        say(f"{len(gathered.ignored)} files passed over, the first is {gathered.ignored[0]}")
    if not gathered.items:
        raise MissingError("nothing to extract from", source=", ".join(map(str, sources))[:200])
    if not options.allow_missing:
        _refuse_where_nothing_is_there(gathered.items, say)
    used = {one.key: one for ones in streams.values() for one in ones}
    return plans.Plan(own, plans.tasks(own, streams, sound_only=options.sound_only), used)


def _pieces(recordings: list[Item], segments: str, cut_into: windows.Windows | None) -> list[Item]:
    """Recordings as the intervals of their annotation, or as windows with its labels.

    Raises :class:`UsageError` for recordings that the annotation does not name.
    """
    of = intervals.read_recordings(segments)
    if len(recordings) == 1 and len(of) == 1 and "" in of:
        named = {recordings[0].id: of[""]}
    else:
        named = {item.id: rows for item in recordings for rows in [_annotation(item, of)] if rows is not None}
    unnamed = [item.id for item in recordings if item.id not in named]
    if unnamed:
        hint = "a table with a column filename (or id) annotates many recordings"
        what = f"an annotation of {len(of)} recordings does not name {unnamed[0]!r}"
        if list(of) == [""]:
            what = f"an annotation belongs to one recording, not to {len(recordings)}"
        raise UsageError(what, source=segments, hint=hint)
    if cut_into is None:
        return [piece for item in recordings for piece in inputs.cut(item, named[item.id])]
    return [piece for item in recordings for piece in windows.cut(item, cut_into, named[item.id])]


def _annotation(item: Item, of: Mapping[str, list[intervals.Interval]]) -> list[intervals.Interval] | None:
    """What a table says of an item: under its id, or the name of one of its files, with or without its suffix."""
    names = [item.id]
    for cell in item.cells:
        if cell.path is not None:
            names += [Path(cell.path).name, Path(cell.path).stem, cell.path]
    return next((of[name] for name in names if name in of), None)


def _refuse_where_nothing_is_there(items: Sequence[Item], say: Any) -> None:
    """A file that is not there costs itself; where all are missing, the plan was made for another place."""
    absent = list(inputs.missing(items))
    if not absent:
        return
    item, cell = absent[0]
    more = f", and {len(absent) - 1} more files are missing" if len(absent) > 1 else ""
    what = f"no such file ({cell.column} of item {printable(item.id)}){more}"
    if len(absent) == sum(cell.path is not None for item in items for cell in item.cells):
        raise MissingError(
            what,
            source=cell.path,
            hint="is the manifest where its files are? --allow-missing counts them as failed and goes on",
        )
    if say is not None:
        say(printable(f"{cell.path}: {what}; counted as failed"))


def dry(
    sources: Sequence[str | Path], out: Path, streams: Mapping[str, Sequence[Stream]], options: Options
) -> plans.Plan:
    """The plan with what is known of each input; fitted states are those that lie in the output folder already.

    Raises what the run would, as far as that is known without opening an input.
    """
    plan = planned(sources, out, streams, options)
    learning.Learner(plan, out / "fitted", options.limits, None, {}).fit(
        options.fitted, may_fit=options.shard is None, dry=True
    )
    for key, one in plan.streams.items():
        path = out / "fitted" / f"{one.name}.json"
        if one.fitted and one.state_path is None and path.exists():
            plan.streams[key] = with_state(one, path)
    before = ledger.read(out) if out.exists() else {}
    ledger.refuse_others(before, plans.is_task, out)
    plans.compare(plan, before, options.media, force=options.force, retry_failed=options.retry_failed)
    if options.place is None:
        plans.check_writable(out)
        plans.check_space(plan, out)
    return plan


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
    plan = planned(sources, out, streams, options, listener.say)
    batch = _Batch(plan, out, options, listener)
    folders = [out / part for part in {item.id.rpartition("/")[0] for item in plan.items} | {"", "fitted"}]
    refused = [items.report(item) for item in plan.items if item.refusal is not None]
    with Ledger(out, batch.of_item, batch, listener.row, options.shard, refused=refused) as kept:
        batch.ledger = kept
        ledger.sweep(folders)
        may_fit = options.shard is None
        learner = learning.Learner(plan, out / "fitted", options.limits, options.executor, kept.learned)
        if not (options.force or options.verify_source):
            learner.before = kept.settled.learned
        for message in learner.fit(options.fitted, may_fit=may_fit):
            listener.say(message)
        plans.compare(plan, kept.before, options.media, force=options.force, retry_failed=options.retry_failed)
        if options.place is None:
            plans.check_space(plan, out)
        try:
            batch.go()
        finally:
            ledger.sweep(folders)
    counts, errors = batch.counts, kept.finish()
    return Summary(out, counts["done"], counts["kept"], kept.failed, errors, counts["absent"], kept.report_name)


def fit(
    sources: Sequence[str | Path],
    out: Path,
    streams: Mapping[str, Sequence[Stream]],
    options: Options,
    say: Callable[[str], None],
) -> list[Path]:
    """Learn what extractors learn from all rows, into ``out/fitted``, and extract nothing; returns the files.

    Shards into the same folder take it from there. Raises :class:`UsageError` where no extractor in use learns.
    """
    plan = planned(sources, out, streams, options, say)
    used = {key for one in plan.tasks for key in one.streams}
    learners = [one for key, one in plan.streams.items() if one.fitted and key in used]
    if not learners:
        raise UsageError("--fit-only: no extractor in use learns anything", hint="run the shards at once")
    folder = atomic.make_folder(out / "fitted")
    for message in learning.Learner(plan, folder, options.limits, options.executor, {}).fit((), may_fit=True):
        say(message)
    return [folder / f"{one.name}.json" for one in learners]


def extract_one(
    source: str | Path, target: str, streams: Mapping[str, Sequence[Stream]], options: Options, say: Any
) -> Features:
    """One input, one stream, one file (``-``: the caller writes it), in this process.

    Raises :class:`UsageError` where more than one stream results.
    """
    plan = planned([source], Path(), streams, options)
    outputs = [(n, key) for n, t in enumerate(plan.tasks) for key in t.outputs("")]
    if len(outputs) != 1 or len(plan.items) != 1:
        names = [column for t in plan.tasks for column, _ in t.outputs("").values()]
        raise UsageError(
            f"{len(plan.items)} items and {len(outputs)} streams ({', '.join(names[:4])}) do not go into one file",
            source=target,
            hint="name a folder with -o, or choose one stream with --modality, --audio, --image, --video or --text",
        )
    ((number, key),) = outputs
    payload = plans.payload(plan, number, Path(), None, force=True)
    if not key:
        raise UsageError("is no raw input: there is nothing to extract", source=source)
    one = plan.streams[key]
    if one.fitted:
        one = _state_of_one(one, payload, target, options, say)
    return task.one({**payload, "optional": False}, dict(options.media), one.setup(), options.device)


def _state_of_one(one: Stream, payload: dict[str, Any], target: str, options: Options, say: Any) -> Stream:
    if options.fitted:
        return with_state(one, options.fitted[0])
    if target == "-":
        raise UsageError(f"{one.name} learns from training rows", hint="give --fitted FILE")
    path = Path(target).with_suffix(f".{one.name}.json")
    learning.learn(one.setup(), [payload], str(path))
    say(f"{one.name} learned from this input alone: {path}; --fitted FILE takes what was learned from others")
    return with_state(one, path)


class _Batch:
    """What a batch does while it runs."""

    ledger: Ledger

    def __init__(self, plan: plans.Plan, out: Path, options: Options, listener: Listener) -> None:
        self.plan, self.out, self.options, self.listener = plan, out, options, listener
        self.of_item: list[list[int]] = [[] for _ in plan.items]
        for number, one in enumerate(plan.tasks):
            self.of_item[one.item].append(number)
        self.counts = dict.fromkeys(("done", "kept", "absent"), 0)

    def go(self) -> None:
        """Run every task that is not known to have failed before."""
        waiting = []
        for number, state in enumerate(self.plan.states):
            trusted = state == "known" and not self.options.verify_source
            if state == "failed" or (trusted and self._stands(number)):
                self.ledger.keep(number, self._before(number))
            else:
                waiting.append(number)
        jobs = min(self.options.jobs or run.default_jobs(), len(waiting))
        self.listener.begin(len(waiting), sum(self.plan.facts[n].get("size", 0) for n in waiting), jobs)
        self.ledger.pass_on()
        if not waiting:
            return
        setup = {
            "streams": {key: s.setup() for key, s in self.plan.streams.items() if s.state_path or not s.fitted},
            "media": dict(self.options.media),
            "device": self.options.device,
            "within": str(self.out.absolute()) if self.options.place is None else None,
        }
        work = run.Work(TASK, setup)
        tasks = ((n, self._payload(n)) for n in waiting)
        on = self.options.executor
        running = executor.run(tasks, work, on) if on else run.run(tasks, work, jobs, self.options.limits)
        self.ledger.follow(running, self._heard, self.options.max_failures)

    def _before(self, number: int) -> dict[str, Any]:
        """What the journal holds of a task."""
        one = self.plan.tasks[number]
        return self.ledger.before[(self.plan.items[one.item].id, one.name)]

    def _stands(self, number: int) -> bool:
        """Whether what was made of an input before is trusted as it stands; it then counts as kept."""
        entry = self._before(number)
        stands = self.ledger.stands(number, entry)
        self.counts["absent" if entry["status"] == "absent" else "kept"] += stands
        return stands

    def _payload(self, number: int) -> dict[str, Any]:
        known = None
        if self.plan.states[number] == "known" and not self.options.verify_source:
            known = self._before(number)["source"].get("sha256")
        payload = plans.payload(self.plan, number, self.options.place or self.out, known, force=self.options.force)
        return executor.absolute(payload)

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
            entry["status"], entry["error"] = "failed", ledger.failure(outcome, "extract")
        self.ledger.record(number, entry)
        self.listener.advance(self.plan.facts[number].get("size", 0), seconds, outcome.error is not None)

    def report(self, number: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A line of failures.jsonl."""
        one = self.plan.tasks[number]
        return {"id": entry["id"], "column": one.name, "path": one.cell.path, **entry["error"]}

    def owns(self, task: str) -> bool:
        """Whether a line of a journal is of this command."""
        return plans.is_task(task)

    def outputs(self, number: int) -> list[str]:
        """Where the features of an input lie."""
        one = self.plan.tasks[number]
        if self.options.place is not None:
            return []
        return [path for _, path in one.outputs(self.plan.items[one.item].id).values()]

    def row(self, index: int) -> str:
        """The line of an item in the manifest."""
        item: Item = self.plan.items[index]
        cells: dict[str, str] = {}
        errors = [item.error] if item.error else []
        for number in self.of_item[index]:
            entry = self.ledger.results[number] or {}
            if entry["status"] == "done":
                cells.update(dict(self.plan.tasks[number].outputs(item.id).values()))
            elif entry["status"] == "failed":
                errors.append(f"{entry['task']}: {entry['error']['message']}")
        return manifest.dump_row(
            manifest.Row(
                id=item.id,
                cells=cells,
                split=item.split,
                label=item.label,
                group=item.group,
                error=" / ".join(errors) or None,
                extra=item.extra,
            )
        )
