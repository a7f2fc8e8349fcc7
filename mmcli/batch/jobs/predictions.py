"""Predictions of a model for many raw files or rows, each on its own: what ``mmcli predict`` calls for a folder.

``predictions.jsonl`` has a line for every item that could be read, in the order of the inputs, the same whatever the
number of workers; the others are in ``failures.jsonl``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import jsonfile, provenance, remote
from mmcli.batch.plan import each, inputs, plan, raw
from mmcli.batch.state.ledger import Listener, Summary
from mmcli.errors import InputError, UsageError, printable

CALL = "mmcli.batch.jobs.predictions:prepare"
AT_ONCE = 64  # items explained at once


def predict(
    sources: Sequence[str],
    model: Path,
    out: Path,
    options: each.Options,
    listener: Listener,
    *,
    device: str = "auto",
    threshold: float | None = None,
    explain: bool = False,
    time_unit: str | None = None,
) -> Summary:
    """Predict for every item of the sources, files, folders and manifests as ``mmcli extract`` takes them."""
    from mmcli.training.fit import predictor

    chosen = predictor.load(model, device)
    refuse_threshold(chosen, threshold)
    if chosen.context is not None:
        raise UsageError(
            "reads an item among the others of its group, and into a folder each is predicted on its own",
            source=model,
            hint="-o predictions.jsonl",
        )
    how: dict[str, Any] = {"threshold": threshold, "explain": explain}
    if time_unit is not None:
        how["time_unit"] = time_unit
    setup = {"model": str(model.absolute()), "device": device, **how}
    key = {"model": provenance.sha256_file(model), **how}  # a device only rounds otherwise, as for extractors
    items = [
        i for i in inputs.gather(sources, leave_out=out).items if options.shard is None or options.shard.holds(i.id)
    ]
    made = raw.planned(items, raw.Model(chosen.modalities, chosen.name))
    ones = list(_ones(made, key))
    return each.do(ones, out, _Kind(ones, setup), options, listener)


def _ones(made: plan.Plan, key: Mapping[str, Any]) -> Iterator[each.One]:
    for item, cells in zip(made.items, raw.cells(made), strict=True):
        read = {cell.column: cell for cell in item.cells}
        sources = {name: each.Source(cell.path, plan.facts_of(cell)) for name, cell in read.items()}
        own = {**key, "start": item.start, "end": item.end, "rows": [cell.row for cell in item.cells]}
        files = {name: source.path for name, source in sources.items() if source.path is not None}
        payload = {"id": item.id, "cells": cells, "error": item.error, "files": files}
        yield each.One(item.id, sources, each.key_of(own), None, payload, item.refusal)


class _Kind:
    task = "predict"
    rows = "predictions"
    call = CALL

    def __init__(self, ones: Sequence[each.One], setup: dict[str, Any]) -> None:
        self.ones, self.setup = ones, setup

    def row(self, index: int, entry: Mapping[str, Any]) -> str:
        line: str = entry["found"]["line"] if entry["status"] == "done" else ""
        return line

    def report(self, index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        one = self.ones[index]
        paths = [source.path for source in one.sources.values() if source.path is not None]
        if one.refusal is not None:
            paths = [printable(str(one.refusal.source))]
        return {"id": entry["id"], "path": paths[0] if paths else None, **entry["error"]}


def prepare(setup: dict[str, Any]) -> each.Do:
    """What a worker does with an item: the model is loaded once."""
    from mmcli.training.fit import predictor

    chosen = predictor.load(setup["model"], setup["device"])
    model = raw.Model(chosen.modalities, chosen.name, setup.get("time_unit"))

    def do(payload: dict[str, Any]) -> dict[str, Any]:
        if payload["error"] is not None:
            raise InputError(payload["error"])
        data = model.dataset([payload["id"]], {payload["id"]: model.read(payload["cells"])})
        (line,) = lines(chosen, data, np.zeros(1, np.int64), threshold=setup["threshold"], explain=setup["explain"])
        # As text: a journal is put in order with sorted keys, and the line has to stay as it is.
        files = {name: path for name, path in payload["files"].items() if not remote.is_url(path)}
        digests = {name: provenance.sha256_file(path) for name, path in files.items()}
        return {"sha256": digests, "output": None, "found": {"line": jsonfile.one_line(line)}, "seconds": 0.0}

    return do


def refuse_threshold(chosen: Any, threshold: float | None) -> None:
    """Raises :class:`UsageError` for a threshold on numbers."""
    if threshold is not None and chosen.task == "regress":
        raise UsageError("--threshold is for classes and labels, the model predicts numbers")


def lines(
    chosen: Any, data: Dataset, rows: Any, *, threshold: float | None = None, explain: bool = False
) -> Iterator[dict[str, Any]]:
    """The answers of a :class:`mmcli.training.fit.predictor.Predictor` for some rows of a data set, plain JSON."""
    from mmcli.training.fit import predictor

    predicted = chosen.predict(data, rows)
    spoken = _explained(chosen, data, rows, predicted) if explain else None
    for i, line in enumerate(predictor.lines(predicted)):
        if threshold is not None:
            apply(threshold, line, chosen.task)
        if spoken is not None:
            line["explanation"] = spoken[i]
        yield line


def apply(threshold: float, line: dict[str, Any], task: str) -> None:
    """Labels from the threshold on; a class that does not reach it is not predicted."""
    chances = line["probabilities"]
    if task == "multilabel":
        line["prediction"] = [name for name, p in chances.items() if p >= threshold]
    elif max(chances.values()) < threshold:
        line["prediction"] = None


def _explained(chosen: Any, data: Dataset, rows: Any, predicted: Any) -> list[dict[str, Any]]:
    """What spoke for each item's prediction; the class, label or value that it is about stands in ``toward``."""
    from mmcli.evaluation.explain import gradients
    from mmcli.evaluation.model import Access

    if len(rows) == 0:
        return []
    targets = (
        np.zeros(len(rows), np.int64) if predicted.probabilities is None else predicted.probabilities.argmax(axis=1)
    )
    access = Access(chosen.net, lambda some, which: chosen.batches(some, which, AT_ONCE), chosen.meaning)
    spoken = gradients.explain(access, data, rows, np.asarray(targets, np.int64))
    for entry in spoken:
        entry["toward"] = "value" if chosen.classes is None else chosen.classes[entry["toward"]]
    return spoken
