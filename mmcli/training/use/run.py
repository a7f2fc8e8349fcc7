"""One training run with its files: MODEL.pt, MODEL.history.ndjson, and MODEL.resume.pt while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import atomic, provenance
from mmcli.artifacts.io.append import Journal
from mmcli.errors import UsageError
from mmcli.fusion import given_folds, targets
from mmcli.models.nets import factory
from mmcli.training import folds, plan
from mmcli.training.config import AUTO, TrainConfig
from mmcli.training.data import read, score, shape_of, shapes
from mmcli.training.ensemble.auto import fit_auto
from mmcli.training.ensemble.finished import Finished
from mmcli.training.fit import loop, predictor
from mmcli.training.fit.initial import Initial
from mmcli.training.fit.loop import Average, Row, Run, State, fit, objective_of
from mmcli.training.world import World, joined, pick

SAVE_EVERY_S = 2.0  # a kill costs at most this much work; the result does not depend on it


def beside(output: Path, suffix: str) -> Path:
    """The path of a companion of ``MODEL.pt``."""
    return output.with_name((output.stem if output.suffix == ".pt" else output.name) + suffix)


def train(
    dataset: Dataset,
    config: TrainConfig,
    output: Path,
    *,
    inputs: Sequence[dict[str, Any]] = (),
    again: bool = False,
    report: Callable[[Row], None] | None = None,
    initial: Initial | None = None,
    save_every_s: float = SAVE_EVERY_S,
) -> Checkpoint:
    """Train and write ``output``; ``again`` continues from MODEL.resume.pt where it is there.

    Raises :class:`MismatchError` where a group has items in the training split and in another. ``inputs`` names the
    files the data, and ``initial``, came from ({name, size, sha256}); ``report`` sees every epoch's figures.
    """
    if config.target:
        dataset = targets.chosen(dataset, config.target)
    if initial is not None:
        dataset, config = initial.rescaled(dataset, config.modalities), initial.sized(config)
    saved, journal_path = beside(output, ".resume.pt"), beside(output, ".history.ndjson")
    for other in ("val", "test"):
        folds.refuse_leak(dataset.group, dataset.rows("train"), dataset.rows(other))
    facts = {"config": _plain(config), "inputs": list(inputs)}
    unfinished = loop.load(saved, facts) if again and saved.exists() else None
    with joined(pick(config.device)) as world, _journal(journal_path, world) as journal:
        for row in unfinished.config["training"].get("history", ()) if unfinished else ():
            journal(row)
        last = time.monotonic()

        def say(row: Row) -> None:
            journal(row)
            if report is not None and world.rank == 0:
                report(row)

        def restore(state: State, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> None:
            if unfinished is not None:
                loop.restore(unfinished, state, net, optimizer, average)

        def after_epoch(state: State, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> None:
            nonlocal last
            say(state.history[-1])
            if world.rank == 0 and time.monotonic() - last >= save_every_s:
                loop.save(saved, facts, state, net, optimizer, average)
                last = time.monotonic()

        table, promise = None, None
        if config.fusion == AUTO:
            kept = Finished(saved if world.rank == 0 else None, facts, unfinished, save_every_s)
            run, table, promise = fit_auto(dataset, config, say, initial=initial, finished=kept)
        else:
            run = fit(dataset, config, world=world, initial=initial, restore=restore, after_epoch=after_epoch)
        result = Checkpoint(run.tensors, describe(dataset, config, run, inputs))
        if table is not None:
            result.config["candidates"] = table
            result.config["training"]["promise"] = promise
        if initial is not None:
            result.config["training"]["init"] = initial.facts(list(result.config["modalities"]))
        if world.rank == 0:
            checkpoint.save(output, result)
            atomic.remove(saved)
    return result


@contextmanager
def _journal(path: Path, world: World) -> Iterator[Callable[[Row], None]]:
    """Where rows of the history go: a fresh file, written by the first process alone."""
    if world.rank:
        yield lambda row: None
        return
    atomic.write_text(path, "")
    with Journal(path) as journal:
        yield lambda row: journal.append(_sorted(row))


def _sorted(row: Row) -> Row:
    """A row reads the same whether it comes from this process or from a saved state."""
    return {key: row[key] for key in sorted(row)}


def describe(dataset: Dataset, config: TrainConfig, run: Run, inputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The JSON object of a checkpoint."""
    modalities = {}
    for shape in shapes(dataset, config.modalities):
        meta = {k: v for k, v in dataset.streams[shape.name].meta.items() if k not in ("schema", "mmcli", "inputs")}
        modalities[shape.name] = meta | {
            "kind": shape_of(shape.name, dataset.streams[shape.name]).kind,
            "shape": list(shape.shape),
        }
    return {
        "task": run.target.task,
        "model": run.model,
        "classes": run.target.classes,
        "modalities": modalities,
        "inputs": list(inputs),
        "training": {
            "config": _plain(config),
            "items": {split: len(dataset.rows(split)) for split in ("train", "val")},
            "target": run.target.facts(),
            "parameters": run.parameters,
            "best_epoch": run.best_epoch,
            "history": run.history,
        },
    }


def planned(dataset: Dataset, config: TrainConfig, initial: Initial | None = None) -> dict[str, Any]:
    """What :func:`train` would build: the network's configuration, its size, and the steps. Nothing is trained."""
    if initial is not None:
        dataset, config = initial.rescaled(dataset, config.modalities), initial.sized(config)
    train = dataset.rows("train")
    streams = shapes(dataset, config.modalities)
    objective = objective_of(dataset, streams, config, train)
    train = objective.usable(train)
    model = objective.network(streams, len(train))
    if initial is not None:
        model = initial.planned(model, streams, config)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in factory.build(model).parameters())
    size = objective.batch(len(train))
    steps = max(1, round(len(train) / size))
    if config.context:
        steps = loop.in_order(folds.real(dataset), streams, train, World()).steps(train, size)
    return {
        "model": model,
        "parameters": parameters,
        "batch": size,
        "epochs": plan.epochs(len(train), config),
        "steps": plan.epochs(len(train), config) * steps,
        "items": {split: len(dataset.rows(split)) for split in ("train", "val")},
    }


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON; the device is left out, it decides where and not what."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items() if k != "device"}


# Several runs of one configuration: K folds of cross-validation, N seeds, or both, into one folder.
#
# The folder holds ``fold-K-seed-S.pt`` with its history for every run, ``history.ndjson`` with one line a run, and
# ``run.json`` with mean and standard deviation of the scores. Without cross-validation the data set's own splits are
# fold 0. A fold fits the scales of the streams anew on its own training rows and sees nothing that was made.


SCHEMA = "mmcli/train-runs@1"


def splits(dataset: Dataset, config: TrainConfig, cv: int | str) -> list[NDArray[np.str_]]:
    """A split column for each fold: one part to test on, the next to stop by, the others to train on.

    ``cv``: the number of folds, or whose they are (:func:`mmcli.fusion.given_folds.parts`). All labelled items take
    part, whatever their split in the data set, but none that was made; in folds of our own classes are spread evenly
    and a group stays together.
    """
    everyone = np.arange(dataset.items, dtype=np.int64)
    target = read(dataset, config.task, everyone, torch.device("cpu"))
    there = np.any([stream.present for stream in dataset.streams.values()], axis=0)
    rows = everyone[target.known & there]
    if isinstance(cv, str):
        parts = [np.intersect1d(part, rows) for part in given_folds.parts(dataset, cv)[1]]
        if empty := [number for number, part in enumerate(parts) if not len(part)]:
            raise UsageError(f"fold {empty[0]} has no labelled item")
        rows = np.sort(np.concatenate(parts))
    else:
        kinds = target.values.numpy()[rows] if target.task == "classify" else None
        parts = folds.make(rows, kinds, dataset.group[rows], cv, config.seed)
    count = len(parts)
    columns = []
    for k in range(count):
        column = np.full(dataset.items, "", dtype="U5")
        column[rows] = "train"
        column[parts[(k + 1) % count]] = "val"
        column[parts[k]] = "test"
        columns.append(column)
    return columns


def train_series(
    dataset: Dataset,
    configs: Sequence[TrainConfig],
    folder: Path,
    *,
    cv: int | str = 0,
    inputs: Sequence[dict[str, Any]] = (),
    initial: Initial | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train every configuration (they differ in the seed) on every fold; returns the content of ``run.json``.

    ``cv`` is the number of folds or whose they are (:func:`splits`); ``initial`` holds encoders that every run starts
    from.
    """
    if isinstance(cv, int) and 0 != cv < 3:
        raise UsageError(f"cross-validation needs at least 3 folds (train, val, test), not {cv}")
    whole = folds.real(dataset) if cv else dataset
    columns = splits(whole, configs[0], cv) if cv else [dataset.split]
    rows: list[dict[str, Any]] = []
    atomic.write_text(folder / "history.ndjson", "")
    with Journal(folder / "history.ndjson") as journal:
        for fold, column in enumerate(columns):
            data = folds.split(whole, column) if cv else whole
            for config in configs:
                path = folder / f"fold-{fold}-seed-{config.seed}.pt"
                train(data, config, path, inputs=inputs, initial=initial)
                row = {"file": path.name, "fold": fold, "seed": config.seed, **_tested(data, config, path)}
                journal.append(row)
                rows.append(row)
                if report is not None:
                    report(row)
    names = [name for name in rows[0] if name.startswith("test_")]
    values = {name: np.array([row[name] for row in rows], np.float64) for name in names}
    summary = {
        "schema": SCHEMA,
        "runs": rows,
        "folds": len(columns),
        "seeds": [config.seed for config in configs],
        "inputs": list(inputs),
        "scores": {
            name: {"mean": float(v.mean()), "sd": float(v.std(ddof=1)) if len(v) > 1 else None, "n": len(v)}
            for name, v in values.items()
        },
    }
    atomic.write_text(folder / "run.json", provenance.canonical_json(summary) + "\n")
    return summary


def _tested(data: Dataset, config: TrainConfig, path: Path) -> dict[str, float]:
    """Scores on the test part of a fold."""
    target = read(data, config.task, data.rows("train"), torch.device("cpu"))
    rows = data.rows("test")
    rows = rows[target.known[rows]]
    if not len(rows):
        return {}
    logits = torch.from_numpy(predictor.load(path).predict(data, rows).logits)
    figures = score(target.task, logits, target.values[torch.from_numpy(rows)])
    return {f"test_{name}": value * (target.scale if name == "mae" else 1.0) for name, value in figures.items()}
