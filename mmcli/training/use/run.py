"""One training run with its files: MODEL.pt, MODEL.history.ndjson, and MODEL.resume.pt while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import atomic
from mmcli.artifacts.io.append import Journal
from mmcli.models.nets import factory
from mmcli.training import folds, plan
from mmcli.training.average import Average
from mmcli.training.config import AUTO, TrainConfig
from mmcli.training.data import shape_of
from mmcli.training.device import pick
from mmcli.training.ensemble.auto import fit_auto
from mmcli.training.ensemble.finished import Finished
from mmcli.training.fit import resume
from mmcli.training.fit.initial import Initial
from mmcli.training.fit.loop import Row, Run, State, fit, objective_of
from mmcli.training.world import World, joined

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
    if initial is not None:
        dataset, config = initial.rescaled(dataset, config.modalities), initial.sized(config)
    saved, journal_path = beside(output, ".resume.pt"), beside(output, ".history.ndjson")
    for other in ("val", "test"):
        folds.refuse_leak(dataset.group, dataset.rows("train"), dataset.rows(other))
    facts = {"config": _plain(config), "inputs": list(inputs)}
    found = resume.load(saved, facts) if again and saved.exists() else None
    with joined(pick(config.device)) as world, _journal(journal_path, world) as journal:
        for row in found.config["training"].get("history", ()) if found else ():
            journal(row)
        last = time.monotonic()

        def say(row: Row) -> None:
            journal(row)
            if report is not None and world.rank == 0:
                report(row)

        def restore(state: State, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> None:
            if found is not None:
                resume.restore(found, state, net, optimizer, average)

        def after_epoch(state: State, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average) -> None:
            nonlocal last
            say(state.history[-1])
            if world.rank == 0 and time.monotonic() - last >= save_every_s:
                resume.save(saved, facts, state, net, optimizer, average)
                last = time.monotonic()

        table = None
        if config.fusion == AUTO:
            kept = Finished(saved if world.rank == 0 else None, facts, found, save_every_s)
            run, table = fit_auto(dataset, config, say, initial=initial, finished=kept)
        else:
            run = fit(dataset, config, world=world, initial=initial, restore=restore, after_epoch=after_epoch)
        result = Checkpoint(run.tensors, describe(dataset, config, run, inputs))
        if table is not None:
            result.config["candidates"] = table
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
    for shape in plan.shapes(dataset, config.modalities):
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
    streams = plan.shapes(dataset, config.modalities)
    objective = objective_of(dataset, streams, config, train)
    train = objective.usable(train)
    model = objective.network(streams, len(train))
    if initial is not None:
        model = initial.planned(model, streams, config)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in factory.build(model).parameters())
    size = objective.batch(len(train))
    return {
        "model": model,
        "parameters": parameters,
        "batch": size,
        "epochs": plan.epochs(len(train), config),
        "steps": plan.epochs(len(train), config) * max(1, round(len(train) / size)),
        "items": {split: len(dataset.rows(split)) for split in ("train", "val")},
    }


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON; the device is left out, it decides where and not what."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items() if k != "device"}
