"""Features of many inputs into one folder: plan, fit, run, report. What ``mmcli extract`` calls.

A folder of outputs is always either finished or a state from which the same command continues: outputs are complete or
absent, the journal has a line for each input that is done, and nothing needs to be cleaned up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmcli import extractors
from mmcli.artifacts.formats import fitted, manifest
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import provenance
from mmcli.batch.plan import each, inputs, task
from mmcli.batch.plan import plan as plans
from mmcli.batch.plan.inputs import Item
from mmcli.batch.plan.plan import Stream, with_state
from mmcli.batch.state import ledger
from mmcli.batch.state.ledger import Ledger, Listener, Summary
from mmcli.batch.workers import executor, run
from mmcli.errors import MismatchError, MissingError, MmcliError, UsageError
from mmcli.media import Clip, MediaOptions, intervals

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
    verify_source: bool = False
    allow_missing: bool = False
    segments: str | None = None  # FILE or FILE#TIER: the intervals of an annotation, each an item
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
        if len(gathered.items) != 1:
            raise UsageError(
                f"an annotation belongs to one recording, not to {len(gathered.items)}", source=options.segments
            )
        gathered.items = inputs.cut(gathered.items[0], intervals.read(options.segments))
    items = [i for i in gathered.items if options.shard is None or options.shard.holds(i.id)]
    if gathered.ignored and say is not None:
        say(f"{len(gathered.ignored)} files passed over, the first is {gathered.ignored[0]}")
    if not gathered.items:
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
    return plans.Plan(items, plans.tasks(items, streams, sound_only=options.sound_only), used)


def dry(
    sources: Sequence[str | Path], out: Path, streams: Mapping[str, Sequence[Stream]], options: Options
) -> plans.Plan:
    """The plan with what is known of each input; fitted states are those that lie in the output folder already."""
    plan = planned(sources, out, streams, options)
    for key, one in plan.streams.items():
        path = out / "fitted" / f"{one.name}.json"
        if one.fitted and path.exists():
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
    with Ledger(out, batch.of_item, batch, listener.row, options.shard) as kept:
        batch.ledger = kept
        ledger.sweep(folders)
        may_fit = options.shard is None
        for message in fit_streams(plan, options.fitted, out / "fitted", may_fit=may_fit, on=options.executor):
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
    learn(one.setup(), [payload], str(path))
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
        waiting = [n for n, state in enumerate(self.plan.states) if state != "failed"]
        jobs = min(self.options.jobs or run.default_jobs(), len(waiting))
        self.listener.begin(len(waiting), sum(self.plan.facts[n].get("size", 0) for n in waiting), jobs)
        for number, state in enumerate(self.plan.states):
            if state == "failed":
                self.ledger.keep(number, self._before(number))
        self.ledger.pass_on()
        if not waiting:
            return
        setup = {
            "streams": {key: s.setup() for key, s in self.plan.streams.items() if s.state_path or not s.fitted},
            "media": dict(self.options.media),
            "device": self.options.device,
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


# What extractors learn from the training rows, before the rows are extracted: vocabularies, weights, scales.


def prepare(setup: dict[str, Any]) -> each.Do:
    """In a worker: learn a stream's state from all the cells of one payload."""

    def do(work: dict[str, Any]) -> dict[str, Any]:
        return {"sha256": learn(setup["stream"], work["cells"], setup["target"])}

    return do


def learn(stream: Mapping[str, Any], cells: Sequence[dict[str, Any]], target: str) -> str:
    """Fit an extractor over cells and write the state; returns the file's SHA-256.

    A cell that cannot be read teaches nothing; it fails when its row is extracted.
    """
    module = extractors.registry(stream["modality"]).load(stream["name"])
    config = extractors.configured(module, stream["config"])
    state = module.fit(_clips(cells), config)
    return fitted.save(
        target,
        {
            "extractor": stream["name"],
            "modality": stream["modality"],
            "config": provenance.config_dict(config),
            "state": state,
        },
    )


def _clips(cells: Sequence[dict[str, Any]]) -> Iterator[Clip]:
    for cell in cells:
        with ExitStack() as copies:
            try:
                cell = task.near(cell, copies)
                clip = task.open_cell(cell, MediaOptions(start=cell["start"], end=cell["end"], row=cell["row"]))
            except MmcliError:
                continue
            if clip is not None:
                yield clip


def fit_streams(
    plan: plans.Plan, files: Sequence[Path], folder: Path, *, may_fit: bool, on: Executor | None = None
) -> list[str]:
    """Give the plan's streams their states, from ``files`` or fitted into ``folder``; returns what to tell the user.

    Only streams that some task uses are fitted.
    """
    given = {_subject(path): path for path in files}
    used = {key for t in plan.tasks for key in t.streams}
    said: list[str] = []
    for key, one in plan.streams.items():
        if not one.fitted or key not in used:
            continue
        if key in given:
            plan.streams[key] = with_state(one, given.pop(key))
        elif may_fit:
            plan.streams[key] = _fitted(plan, one, folder / f"{one.name}.json", said, on)
        else:
            raise UsageError(
                f"{one.name} learns from all training rows, which a shard does not see",
                hint="fit once without --shard, then give every shard --fitted OUT/fitted/NAME.json",
            )
    # A shard may hold none of the rows that an extractor in use is for.
    given = {key: path for key, path in given.items() if may_fit or key not in plan.streams}
    if given:
        name, path = next(iter(given.items()))
        raise MismatchError(f"was fitted for {name}, which is not in use here", source=path)
    return said


def _subject(path: Path) -> str:
    content = fitted.load(path)
    modality = content.get("modality")
    return f"{modality}.{content['extractor']}" if modality else ".".join(extractors.modality_of(content["extractor"]))


def _fitted(plan: plans.Plan, one: Stream, target: Path, said: list[str], on: Executor | None) -> Stream:
    rows = [n for n, t in enumerate(plan.tasks) if one.key in t.streams]
    if any(item.split for item in plan.items):
        training = [n for n in rows if plan.items[plan.tasks[n].item].split == "train"]
        if not training:
            raise UsageError(f"{one.name} learns from the rows of the split 'train', and there are none of them")
    else:
        training = rows
        said.append(f"{one.name}: there is no split, so it learns from all {len(rows)} rows, those of a later test too")
    cells = [plans.payload(plan, n, target.parent, None, force=True) for n in training]
    if on is not None:
        cells = [executor.absolute(cell) for cell in cells]
    work = run.Work("mmcli.batch.jobs.extract:prepare", {"stream": one.setup(), "target": str(target.absolute())})
    tasks = [(0, {"cells": cells})]
    for outcome in executor.run(tasks, work, on) if on else run.run(tasks, work, 1, run.Limits(time_s=None)):
        if outcome.error is not None:
            raise run.rebuilt(outcome.error)
    return with_state(one, target)
