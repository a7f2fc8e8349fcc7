"""What extractors learn from the training rows, before the rows are extracted: vocabularies, weights, scales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmcli import extractors
from mmcli.artifacts.formats import fitted
from mmcli.artifacts.io import provenance
from mmcli.batch.plan import task
from mmcli.batch.plan.plan import Plan, Stream, payload, with_state
from mmcli.batch.workers import executor, run
from mmcli.batch.workers.worker import Do
from mmcli.errors import MismatchError, MmcliError, UsageError
from mmcli.media import Clip, MediaOptions


def prepare(setup: dict[str, Any]) -> Do:
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


def states(plan: Plan, files: Sequence[Path], folder: Path, *, may_fit: bool, on: Executor | None = None) -> list[str]:
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


def _fitted(plan: Plan, one: Stream, target: Path, said: list[str], on: Executor | None) -> Stream:
    rows = [n for n, t in enumerate(plan.tasks) if one.key in t.streams]
    if any(item.split for item in plan.items):
        training = [n for n in rows if plan.items[plan.tasks[n].item].split == "train"]
        if not training:
            raise UsageError(f"{one.name} learns from the rows of the split 'train', and there are none of them")
    else:
        training = rows
        said.append(f"{one.name}: there is no split, so it learns from all {len(rows)} rows, those of a later test too")
    cells = [payload(plan, n, target.parent, None, force=True) for n in training]
    if on is not None:
        cells = [executor.absolute(cell) for cell in cells]
    work = run.Work("mmcli.batch.plan.fitting:prepare", {"stream": one.setup(), "target": str(target.absolute())})
    tasks = [(0, {"cells": cells})]
    for outcome in executor.run(tasks, work, on) if on else run.run(tasks, work, 1, run.Limits(time_s=None)):
        if outcome.error is not None:
            raise run.rebuilt(outcome.error)
    return with_state(one, target)
