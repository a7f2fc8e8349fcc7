"""What extractors learn from the training rows, before the rows are extracted: vocabularies, weights, scales.

The limits of one input hold here too. All rows are read in one worker; where that is lost, over its time, or out of
memory, each row is tried alone, and those that fail teach nothing. They fail again, with their reason, when they are
extracted.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmcli import extractors
from mmcli.artifacts.formats import fitted
from mmcli.artifacts.io import provenance
from mmcli.batch.plan import each, task
from mmcli.batch.plan import plan as plans
from mmcli.batch.plan.plan import Stream, with_state
from mmcli.batch.workers import executor, run
from mmcli.errors import InputError, MismatchError, MmcliError, UsageError
from mmcli.media import Clip, MediaOptions


def prepare(setup: dict[str, Any]) -> each.Do:
    """In a worker: learn a stream's state from all the cells of one payload."""

    def do(work: dict[str, Any]) -> dict[str, Any]:
        return {"sha256": learn(setup["stream"], work["cells"], setup["target"], setup["time_s"])}

    return do


def prepare_alone(setup: dict[str, Any]) -> each.Do:
    """In a worker: learn from one cell and forget it, so that what it costs is known."""
    module, config = _loaded(setup["stream"])

    def do(cell: dict[str, Any]) -> dict[str, Any]:
        with suppress(InputError):  # too little to learn from alone
            module.fit(_clips([cell], None), config)
        return {}

    return do


def learn(stream: Mapping[str, Any], cells: Sequence[dict[str, Any]], target: str, time_s: float | None = None) -> str:
    """Fit an extractor over cells and write the state; returns the file's SHA-256.

    A cell that cannot be read teaches nothing; it fails when its row is extracted. One that takes longer than
    ``time_s`` seconds ends this process.
    """
    module, config = _loaded(stream)
    state = module.fit(_clips(cells, time_s), config)
    return fitted.save(
        target,
        {
            "extractor": stream["name"],
            "modality": stream["modality"],
            "config": provenance.config_dict(config),
            "state": state,
        },
    )


def _loaded(stream: Mapping[str, Any]) -> tuple[Any, Any]:
    module = extractors.registry(stream["modality"]).load(stream["name"])
    return module, extractors.configured(module, stream["config"])


def _clips(cells: Sequence[dict[str, Any]], time_s: float | None) -> Iterator[Clip]:
    for cell in cells:
        with ExitStack() as copies, _deadline(time_s):
            try:
                cell = task.near(cell, copies)
                clip = task.open_cell(cell, MediaOptions(start=cell["start"], end=cell["end"], row=cell["row"]))
            except MmcliError:
                continue
            if clip is not None:
                yield clip


@contextmanager
def _deadline(time_s: float | None) -> Iterator[None]:
    """The system ends this process where the block takes longer: code that never returns to Python is ended too."""
    if time_s is None:
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, time_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@dataclass
class Learner:
    """Gives the streams of a plan their states. ``before`` says what was learned from which rows when the batch last
    ended, ``now`` is told the same of this time."""

    plan: plans.Plan
    folder: Path
    limits: run.Limits
    on: Executor | None
    now: dict[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def fit(self, files: Sequence[Path], *, may_fit: bool, dry: bool = False) -> list[str]:
        """States from ``files``, or fitted into the folder; returns what to tell the user.

        Only streams that some task uses are fitted; with ``may_fit`` False what lies in the folder serves.
        ``dry``: nothing is learned, and what would be refused is.
        """
        given = {_subject(path): path for path in files}
        used = {key for t in self.plan.tasks for key in t.streams}
        for key, one in self.plan.streams.items():
            if not one.fitted or key not in used:
                continue
            if key in given:
                self.plan.streams[key] = with_state(one, given.pop(key))
            elif may_fit and dry:
                self._training(one)
            elif may_fit:
                self.plan.streams[key] = self._fitted(one)
            elif (before := self.folder / f"{one.name}.json").is_file():
                self.plan.streams[key] = with_state(one, before)
            else:
                raise UsageError(
                    f"{one.name} learns from all training rows, which a shard does not see",
                    hint="first the same command with --fit-only in place of --shard",
                )
        # A shard may hold none of the rows that an extractor in use is for.
        given = {key: path for key, path in given.items() if may_fit or key not in self.plan.streams}
        if given:
            name, path = next(iter(given.items()))
            raise MismatchError(f"was fitted for {name}, which is not in use here", source=path)
        return self.said

    def _training(self, one: Stream) -> list[int]:
        """The numbers of the tasks that an extractor learns from."""
        rows = [n for n, t in enumerate(self.plan.tasks) if one.key in t.streams]
        if not any(item.split for item in self.plan.items):
            self.said.append(
                f"{one.name}: there is no split, so it learns from all {len(rows)} rows, those of a later test too"
            )
            return rows
        chosen = [n for n in rows if self.plan.items[self.plan.tasks[n].item].split == "train"]
        if not chosen:
            raise UsageError(f"{one.name} learns from the rows of the split 'train', and there are none of them")
        return chosen

    def _fitted(self, one: Stream) -> Stream:
        target = self.folder / f"{one.name}.json"
        chosen = self._training(one)
        cells = [executor.absolute(plans.payload(self.plan, n, self.folder, None, force=True)) for n in chosen]
        facts = [plans.facts_of(self.plan.tasks[n].cell) for n in chosen]
        read = [{name: value for name, value in cell.items() if name != "outputs"} for cell in cells]
        source = provenance.sha256_bytes(provenance.canonical_json([one.setup(), read, facts]).encode("ascii"))
        if target.is_file() and self.before.get(one.key) == [source, provenance.sha256_file(target)]:
            state = with_state(one, target)
        else:
            self._learn(one, cells, target)
            state = with_state(one, target)
        self.now[one.key] = [source, state.state_sha256]
        return state

    def _learn(self, one: Stream, cells: list[dict[str, Any]], target: Path) -> None:
        time_s = None if self.on else self.limits.time_s
        setup = {"stream": one.setup(), "target": str(target.absolute()), "time_s": time_s}
        setup["within"] = str(self.folder.parent.absolute())
        work = run.Work("mmcli.batch.jobs.learning:prepare", setup)
        if self.on is not None:  # the limits are those of the cluster
            (outcome,) = executor.run([(0, {"cells": cells})], work, self.on)
        else:
            outcome = _at_once(cells, work, self.limits)
            if outcome.error is not None and not _is_ours(outcome.error):
                outcome = self._without_those_beyond(one, cells, work, outcome)
        if outcome.error is not None:
            raise run.rebuilt(outcome.error)

    def _without_those_beyond(
        self, one: Stream, cells: list[dict[str, Any]], work: run.Work, outcome: run.Outcome
    ) -> run.Outcome:
        """Try each row alone, then learn from those that stay within the limits; ``outcome`` where all do."""
        alone = replace(work, call="mmcli.batch.jobs.learning:prepare_alone")
        tried = run.run(enumerate(cells), alone, run.default_jobs(), self.limits)
        bad = {single.index for single in tried if single.error is not None}
        if not bad:
            return outcome
        self.said.append(f"{one.name}: {len(bad)} of {len(cells)} rows are beyond the limits and teach it nothing")
        return _at_once([cell for n, cell in enumerate(cells) if n not in bad], work, self.limits)


def _subject(path: Path) -> str:
    content = fitted.load(path)
    modality = content.get("modality")
    return f"{modality}.{content['extractor']}" if modality else ".".join(extractors.modality_of(content["extractor"]))


def _at_once(cells: list[dict[str, Any]], work: run.Work, limits: run.Limits) -> run.Outcome:
    (outcome,) = run.run([(0, {"cells": cells})], work, 1, replace(limits, time_s=None, again=False))
    return outcome


def _is_ours(error: Mapping[str, Any]) -> bool:
    """Whether an error says what is wrong with the training rows as a whole."""
    import mmcli.errors

    kind = getattr(mmcli.errors, error["class"], None)
    return isinstance(kind, type) and issubclass(kind, MmcliError)
