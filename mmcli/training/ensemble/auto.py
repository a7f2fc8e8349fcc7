"""Fusion that is not worse than its best part: candidates are compared on folds of the training split, then combined.

Candidates are each stream alone (a network, and a kernel machine over statistics), and all streams together (networks
with several fusion blocks, a sum of kernels). Every candidate answers for each fold of the training split after
training on the others; a group is never on both sides, nor are items that share a picture or recording. On these
answers the candidates are calibrated and the weights of a log-linear ensemble are fitted. Late fusion of any subset,
and any single candidate, are special cases of the ensemble. It is kept if it beats the best single candidate on folds
that its weights were not fitted on; else that candidate is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import lazy
from mmcli.errors import ArtifactError, InputError
from mmcli.models.nets import factory
from mmcli.models.nets.factory import combined
from mmcli.models.nets.kernel import described_width
from mmcli.models.parts import StreamShape
from mmcli.training import folds, world
from mmcli.training.config import TrainConfig
from mmcli.training.data import Data, Target, losses, read, score, shapes
from mmcli.training.ensemble import opponents, ridge
from mmcli.training.ensemble.opponents import Candidate
from mmcli.training.fit.initial import Initial
from mmcli.training.fit.loop import Row, Run, fit
from mmcli.training.fit.objective import logits_of
from mmcli.training.world import pick

JOINT = ("concat", "attention")
ENSEMBLE = "pool"  # as tables in checkpoints call it


Report = Callable[[Row], None]


def rounds(dataset: Dataset, config: TrainConfig) -> int:
    """How many candidates :func:`fit_auto` will report."""
    streams = shapes(dataset, config.modalities)
    kernels = int(_kernels(dataset, streams, len(dataset.rows("train")), config))
    networks = int(config.candidates != "kernels")
    one = len(streams) * (networks + kernels)
    return one + (len(JOINT) * networks + kernels if len(streams) > 1 else 0)


def _kernels(dataset: Dataset, streams: Sequence[StreamShape], rows: int, config: TrainConfig) -> bool:
    """Whether kernel machines take part: their statistics of all items are held, of a folder of shards too."""
    held = 4 * dataset.items * sum(described_width(stream) for stream in streams)
    sharded = any(dataset.streams[stream.name].is_lazy for stream in streams)
    if config.candidates != "networks" and ridge.fits(streams, rows) and not (sharded and held > lazy.HELD):
        return True
    if config.candidates == "kernels":
        most = f"{ridge.MOST_ROWS:,} training items and {ridge.MOST_WIDTH:,} numbers each"
        most += f", and {lazy.HELD:,} bytes of them together" if sharded else ""
        raise InputError(f"kernel machines are for at most {most}", hint="--set train.candidates=networks")
    return False


def fit_auto(
    dataset: Dataset,
    config: TrainConfig,
    report: Report | None = None,
    *,
    initial: Initial | None = None,
    finished: Finished | None = None,
) -> tuple[Run, list[dict[str, Any]]]:
    """The ensemble as a finished run, and the table of candidates ``{title, modalities, loss, score, weight}``.

    Loss and score (accuracy, or mean absolute error) are those of the answers on the folds. The networks start from
    the encoders of ``initial``; those that ``finished`` holds are not trained again.
    """
    device = pick(config.device)
    train, val = dataset.rows("train"), dataset.rows("val")
    if not len(train):
        raise InputError("the data set has no item in its training split")
    target = read(dataset, config.task, train, device)
    whole = train[target.known[train]]
    real = folds.real(dataset)  # candidates are compared on items and streams that were not made
    train = whole[real.split[whole] == "train"]
    streams = shapes(dataset, config.modalities)
    kinds = target.values.cpu().numpy()[train] if target.task == "classify" else None
    parts = _folds(real, train, kinds, config)
    data = Data(real, streams, torch.device("cpu"))

    candidates: list[Candidate] = []
    finished = finished or Finished(None, {})

    def network(title: str, chosen: TrainConfig, rows: NDArray[np.int64], fold: int | None) -> Run:
        rows = whole if fold is None else rows
        return finished(
            f"{title} {fold}",
            target,
            lambda: fit(dataset, chosen, train=rows, val=val, target=target, initial=initial),
        )

    kernels = _kernels(dataset, streams, len(train), config)
    for made in _candidates(network, data, streams, target, train, parts, kernels, config):
        candidates.append(made)
        if report is not None:
            report({"candidate": made.title, **_figures(made.answers[train], target, train)})
    with world.deterministic(config.threads, torch.device("cpu")):
        gains, weights, table = _weigh(candidates, data, target, train, parts)
    return _stacked(candidates, gains, weights, table, target, train), table


def _folds(
    dataset: Dataset, train: NDArray[np.int64], kinds: NDArray[np.int64] | None, config: TrainConfig
) -> list[NDArray[np.int64]]:
    given = dataset.group[train]
    named = len({*given.tolist()} - {""})
    if named == 1:
        given = np.array([""] * len(train))
    count = min(config.folds, named if named > 1 else len(train))
    return folds.make(train, kinds, folds.joined_groups(dataset, train, given, count), count, config.seed)


def _candidates(
    network: Callable[[str, TrainConfig, NDArray[np.int64], int | None], Run],
    data: Data,
    streams: Sequence[StreamShape],
    target: Target,
    train: NDArray[np.int64],
    parts: Sequence[NDArray[np.int64]],
    kernels: bool,
    config: TrainConfig,
) -> Any:
    single = [(s.name, [s], "concat") for s in streams]
    joint = [(block, list(streams), block) for block in JOINT] if len(streams) > 1 else []
    if kernels:
        with world.deterministic(config.threads, torch.device("cpu")):
            yield from _machines(data, streams, target, train, parts)
    for title, used, block in [*single, *joint] if config.candidates != "kernels" else []:
        names = [s.name for s in used]
        chosen = replace(config, fusion=block, modalities=tuple(names))
        answers = torch.zeros(len(target.values), target.outputs, dtype=torch.float64)
        for number, fold in enumerate(parts):
            run = network(title, chosen, np.setdiff1d(train, fold), number)
            answers[torch.from_numpy(fold)] = _logits(run, data, fold, config).double()
        run = network(title, chosen, train, None)
        yield Candidate(title, names, run.model, run.tensors, answers, run.history)


def _machines(
    data: Data,
    streams: Sequence[StreamShape],
    target: Target,
    train: NDArray[np.int64],
    parts: Sequence[NDArray[np.int64]],
) -> Any:
    """A kernel machine for every stream, its width and penalty chosen on the folds, and one for their sum."""
    y = ridge.answers(target)
    described, best_gammas = [], []
    for stream in streams:
        one = ridge.describe(data, stream, train)
        made = _best([one], None, y, target, train, parts, f"{stream.name} (kernel)")
        described.append(one)
        best_gammas.append(made.model["modalities"][0]["gamma"])
        yield made
    if len(streams) > 1:
        yield _best(described, best_gammas, y, target, train, parts, "sum of kernels")


def _best(
    described: Sequence[ridge.Described],
    gammas: Sequence[float] | None,
    y: Tensor,
    target: Target,
    train: NDArray[np.int64],
    parts: Sequence[NDArray[np.int64]],
    title: str,
) -> Candidate:
    chosen = torch.from_numpy(train)
    values = target.values.cpu()[chosen]

    def loss(answers: Tensor) -> float:
        own = answers[chosen]
        return float(losses(target.task, own * opponents.gain(target.task, own, values), values, 0.0).mean())

    best = ridge.search(described, gammas, y, parts, loss)
    model, tensors = ridge.machine(described, best.gammas, best.penalty, y, train)
    return Candidate(title, [d.stream.name for d in described], model, tensors, best.answers, [])


def _logits(run: Run, data: Data, rows: NDArray[np.int64], config: TrainConfig) -> Tensor:
    with torch.device("meta"):
        net = factory.build(run.model)
    net.load_state_dict(run.tensors, assign=True)
    with world.deterministic(config.threads, torch.device("cpu")):
        return logits_of(net, data, rows)


def _weigh(
    candidates: Sequence[Candidate],
    data: Data,
    target: Target,
    train: NDArray[np.int64],
    parts: Sequence[NDArray[np.int64]],
) -> tuple[list[float], list[float], list[dict[str, Any]]]:
    chosen = torch.from_numpy(train)
    values = target.values.cpu()[chosen]
    logits = torch.stack([c.answers[chosen] for c in candidates], dim=1)
    there = torch.stack(
        [torch.stack([data.streams[n].present[chosen] for n in c.names], 1).any(1) for c in candidates], dim=1
    )
    gains = torch.tensor([opponents.gain(target.task, logits[:, i], values) for i in range(len(candidates))]).double()
    prior = prior_of(target, train)
    task = target.task

    honest = torch.zeros(len(train), target.outputs, dtype=torch.float64)
    place = {int(row): i for i, row in enumerate(train)}
    for fold in parts:
        inside = torch.zeros(len(train), dtype=torch.bool)
        inside[[place[int(row)] for row in fold]] = True
        w = opponents.weights(task, logits[~inside], there[~inside], gains, values[~inside], prior)
        honest[inside] = combined(task, logits[inside], there[inside] * w, gains, prior)
    single = [combined(task, logits[:, [i]], there[:, [i]].double(), gains[[i]], prior) for i in range(len(candidates))]
    alone = [float(losses(task, z, values, 0.0).mean()) for z in single]
    winner = int(np.argmin(alone))
    together = float(losses(task, honest, values, 0.0).mean())
    if together <= alone[winner]:
        weights = opponents.weights(task, logits, there, gains, values, prior)
    else:
        weights = torch.zeros(len(candidates), dtype=torch.float64)
        weights[winner] = 1.0
    table = [
        {
            "title": c.title,
            "modalities": c.names,
            "loss": alone[i],
            **score(task, single[i], values),
            "gain": float(gains[i]),
            "weight": float(weights[i]),
        }
        for i, c in enumerate(candidates)
    ]
    kept = together <= alone[winner]
    table.append({"title": ENSEMBLE, "loss": together, **score(task, honest, values), "kept": kept})
    table += opponents.table(candidates, alone, task, logits, there, gains, values, prior)
    return gains.tolist(), weights.tolist(), table


def prior_of(target: Target, train: NDArray[np.int64]) -> Tensor:
    """What is answered where nothing is present: log class shares, log-odds of each label, or the mean (zero)."""
    values = target.values.cpu()[torch.from_numpy(train)]
    if target.task == "classify":
        count = torch.bincount(values, minlength=target.outputs).double() + 1.0
        return torch.log(count / count.sum())
    if target.task == "multilabel":
        share = ((values.double().sum(0) + 1.0) / (len(values) + 2.0)).clamp(1e-6, 1 - 1e-6)
        return torch.log(share / (1.0 - share))
    return torch.zeros(1, dtype=torch.float64)


def _figures(answers: Tensor, target: Target, train: NDArray[np.int64]) -> Row:
    values = target.values.cpu()[torch.from_numpy(train)]
    factor = opponents.gain(target.task, answers, values)
    loss = float(losses(target.task, answers * factor, values, 0.0).mean())
    return {"fold_loss": loss, **{f"fold_{k}": v for k, v in score(target.task, answers, values).items()}}


def _stacked(
    candidates: Sequence[Candidate],
    gains: Sequence[float],
    weights: Sequence[float],
    table: Sequence[dict[str, Any]],
    target: Target,
    train: NDArray[np.int64],
) -> Run:
    """The members with a weight, for each stream that none of them reads its best candidate as a fallback, and without
    a say those that the ensemble is compared with."""
    names = list(dict.fromkeys(name for c in candidates for name in c.names))
    read_by_some = {name for c, weight in zip(candidates, weights, strict=True) if weight > 0 for name in c.names}
    loss = {c.title: row["loss"] for c, row in zip(candidates, table, strict=False)}
    spare = {
        min((c for c in candidates if c.names == [name]), key=lambda c: loss[c.title]).title
        for name in names
        if name not in read_by_some
    }
    compared = opponents.numbers(candidates, [loss[c.title] for c in candidates])
    members: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    history: list[Row] = []
    for i, (c, gain, weight) in enumerate(zip(candidates, gains, weights, strict=True)):
        if weight <= 0.0 and c.title not in spare and i not in compared:
            continue
        tensors |= {f"members.{len(members)}.{name}": value for name, value in c.tensors.items()}
        history += [{"candidate": c.title, **row} for row in c.history]
        part = {"title": c.title, "weight": weight, "gain": gain, "model": c.model}
        members.append(part | ({"fallback": True} if c.title in spare else {}))
    tensors["prior"] = prior_of(target, train).float()
    listed = [{"name": name} for name in names]
    model = {
        "name": "stack",
        "task": target.task,
        "outputs": target.outputs,
        "modalities": listed,
        "members": members,
    }
    count = sum(t.numel() for t in tensors.values())
    return Run(model, tensors, target, history, 0, count)


# The finished networks of an ensemble, kept while the others train, so that a killed run need not train them again.
#
# A network is a function of the data, the configuration and the rows it trains on; with those that are kept and those
# that are trained again a continued run ends in the same bytes. What is solved and not trained is solved again.

_FACTS = ("model", "history", "best_epoch", "parameters")


class Finished:
    """Runs by key. ``path`` None keeps nothing; ``saved`` is what an earlier process left there."""

    def __init__(
        self, path: Path | None, facts: dict[str, Any], saved: Checkpoint | None = None, save_every_s: float = 0.0
    ) -> None:
        self.path, self.facts, self.save_every_s = path, facts, save_every_s
        self.last = time.monotonic()
        self.runs: dict[str, dict[str, Any]] = {}
        if saved is not None:
            self._restore(saved)

    def __call__(self, key: str, target: Target, train: Callable[[], Run]) -> Run:
        """The run that is kept under ``key``, else a new one."""
        kept = self.runs.get(key)
        if kept is not None:
            return Run(target=target, **kept)
        run = train()
        self.runs[key] = {name: getattr(run, name) for name in (*_FACTS, "tensors")}
        if self.path is not None and time.monotonic() - self.last >= self.save_every_s:
            self._save(self.path)
            self.last = time.monotonic()
        return run

    def _save(self, path: Path) -> None:
        tensors = {f"{i}/{k}": v for i, run in enumerate(self.runs.values()) for k, v in run["tensors"].items()}
        parts = [{"key": key, **{name: run[name] for name in _FACTS}} for key, run in self.runs.items()]
        training = {"run": self.facts, "parts": parts}
        config = {"task": "resume", "model": {}, "classes": None, "modalities": {}, "training": training}
        checkpoint.save(path, Checkpoint(tensors, config))

    def _restore(self, saved: Checkpoint) -> None:
        tensors: dict[str, dict[str, Any]] = {}
        for name, value in saved.tensors.items():
            part, _, rest = name.partition("/")
            tensors.setdefault(part, {})[rest] = value
        try:
            for i, part in enumerate(saved.config["training"]["parts"]):
                self.runs[part["key"]] = {name: part[name] for name in _FACTS} | {"tensors": tensors[str(i)]}
        except (KeyError, TypeError) as problem:
            raise ArtifactError("is not the state of an unfinished pool", source=self.path) from problem
