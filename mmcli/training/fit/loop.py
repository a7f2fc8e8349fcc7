"""Training, readable from top to bottom: one network, one data set, one seed, the weights that validate best.

Every epoch's randomness is a function of the seed and the epoch alone, so that a run killed at any moment and
continued from its last saved epoch ends in the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.artifacts.formats import checkpoint
from mmcli.artifacts.formats.checkpoint import Checkpoint
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import ArtifactError, InputError, MismatchError, UsageError
from mmcli.fusion import turns
from mmcli.models.nets import factory
from mmcli.models.parts import StreamShape
from mmcli.models.parts import rows as shard
from mmcli.training import folds, plan
from mmcli.training.config import CONTRASTIVE, TrainConfig
from mmcli.training.data import Data, Target, order, read, shapes, steps
from mmcli.training.fit.contrastive import Contrast
from mmcli.training.fit.initial import Initial
from mmcli.training.fit.objective import Objective, Supervised
from mmcli.training.world import NOISE, ORDER, PARTNERS, WEIGHTS, World, deterministic, generator, pick, seed_torch

Row = dict[str, Any]


@dataclass
class State:
    """Everything a run needs to go on after ``epoch`` epochs."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)


@dataclass
class Run:
    """A finished run: the network's configuration and best weights, and how it got there."""

    model: dict[str, Any]
    tensors: dict[str, Tensor]
    target: Target
    history: list[Row]
    best_epoch: int
    parameters: int


Saved = Callable[["State", nn.Module, torch.optim.Optimizer, "Average"], None]


def fit(
    dataset: Dataset,
    config: TrainConfig,
    *,
    train: NDArray[np.int64] | None = None,
    val: NDArray[np.int64] | None = None,
    model: dict[str, Any] | None = None,
    target: Target | None = None,
    world: World | None = None,
    initial: Initial | None = None,
    restore: Callable[[State, nn.Module, torch.optim.Optimizer, Average], None] | None = None,
    after_epoch: Saved | None = None,
) -> Run:
    """Train on the rows ``train`` (default: the training split), stop by the rows ``val``, keep the best weights.

    ``model`` is the network's configuration where it is not to be planned from the data, ``target`` the labels where
    they are read already, ``initial`` encoders to start from (``dataset`` and ``config`` are those that it gave).
    ``restore`` fills the state of an earlier run; ``after_epoch`` sees the state after every epoch.
    """
    world = world or World()
    device = pick(config.device)
    if config.objective == CONTRASTIVE or config.context:
        dataset = folds.real(dataset)  # a borrowed partner is none, and what was made is no turn
    train = dataset.rows("train") if train is None else train
    val = dataset.rows("val") if val is None else val
    if not len(train):
        raise InputError("the data set has no item in its training split")
    streams = shapes(dataset, config.modalities)
    objective = objective_of(dataset, streams, config, train, target)
    train, val = objective.usable(train), objective.usable(val)
    if not len(train):
        raise InputError("no training item has two modalities")
    model = model or objective.network(streams, len(train))
    if initial is not None:
        model = initial.planned(model, streams, config)
    data = Data(dataset, streams, device)
    if config.context:
        data.sequences = in_order(dataset, streams, train, world)

    with deterministic(config.threads, device):
        seed_torch(config.seed, 0, WEIGHTS)
        net = factory.build(model)
        if initial is not None:
            initial.put_into(net)
        net = net.to(device)
        objective.start(net, data, train, world)
        parameters = [p for p in net.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            _groups(net, config.decay, apart=config.modulation > 0), lr=config.rate, fused=True
        )
        average = Average(net, config.average)
        size = objective.batch(len(train))
        epochs = plan.epochs(len(train), config)
        all_steps = epochs * steps(data, train, size)
        state = State()
        if restore is not None:
            restore(state, net, optimizer, average)

        while state.epoch < epochs and not _stalled(state, config):
            epoch = state.epoch
            seed_torch(config.seed, epoch, NOISE)
            rng = generator(config.seed, epoch, ORDER)
            data.redraw(train, generator(config.seed, epoch, PARTNERS))
            total, seen = 0.0, 0
            net.train()
            for rows in order(data, objective.drawn(rng), size, rng):
                for group in optimizer.param_groups:
                    group["lr"] = config.rate * schedule(state.step, all_steps, config.warmup)
                start, stop = world.share(len(rows))
                batch = data.batch(rows[start:stop], data.sizes(rows))
                half = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
                spread = (start, stop, len(rows)) if data.sequences is None else (0, 0, 0)
                with shard(*spread), half:
                    loss = objective.loss(batch, rows, (start, stop))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                loss = world.sum_gradients(parameters, loss.detach())
                objective.gradients(optimizer)
                if config.clip:
                    nn.utils.clip_grad_norm_(parameters, config.clip)
                optimizer.step()
                average.update()
                state.step += 1
                total, seen = total + float(loss) * len(rows), seen + len(rows)

            if not math.isfinite(total):
                hint = "normalise the features (fuse), or lower the rate"
                raise InputError("the training loss is not finite", hint=hint)
            state.epoch += 1
            row: Row = {"epoch": state.epoch, "rate": optimizer.param_groups[0]["lr"], "train_loss": total / seen}
            with average.applied():
                if len(val):
                    row |= {f"val_{name}": value for name, value in objective.validate(val).items()}
                loss_now = row.get("val_loss", -state.epoch)  # without a validation split the last weights are the best
                if loss_now < state.best_loss:
                    state.best_loss, state.best_epoch = loss_now, state.epoch
                    state.best = {k: v.detach().clone() for k, v in net.state_dict().items()}
            state.history.append(row)
            if after_epoch is not None:
                after_epoch(state, net, optimizer, average)

    best = {name: value.cpu() for name, value in state.best.items()}
    return Run(model, best, objective.target, state.history, state.best_epoch, sum(p.numel() for p in parameters))


def objective_of(
    dataset: Dataset,
    streams: Sequence[StreamShape],
    config: TrainConfig,
    train: NDArray[np.int64],
    target: Target | None = None,
) -> Objective:
    """What the configuration says is to be learned; ``target`` are the labels where they are read already."""
    if config.objective == CONTRASTIVE:
        return Contrast(dataset, streams, config)
    return Supervised(config, target or read(dataset, config.task, train, pick(config.device)))


def in_order(
    dataset: Dataset, streams: Sequence[StreamShape], train: NDArray[np.int64], world: World
) -> turns.Sequences:
    """The groups of a data set as sequences to train on.

    Raises :class:`InputError` where there are none or they have no order, :class:`UsageError` for several processes.
    """
    if world.size > 1:
        raise UsageError("--context trains in one process: a group cannot be spread over several")
    turns.refuse_without(dataset, train)
    return turns.sequences(dataset, [dataset.streams[stream.name] for stream in streams])


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate: a linear rise over the first part of the steps, then half a cosine down to zero.

    >>> [round(schedule(s, 10, 0.2), 2) for s in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rise = warmup * steps
    if step < rise:
        return min(1.0, (step + 1) / rise)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - rise) / max(steps - rise, 1e-9))))


def _stalled(state: State, config: TrainConfig) -> bool:
    return bool(config.patience) and state.epoch - state.best_epoch >= config.patience


def _groups(net: nn.Module, decay: float, apart: bool) -> list[dict[str, Any]]:
    """Weight decay on matrices and kernels only, not on biases, norms and single vectors.

    ``apart``: the parameters of each encoder in groups of their own, which carry its position as ``"encoder"``.
    """
    parts: list[tuple[dict[str, Any], list[nn.Parameter]]] = [({}, list(net.parameters()))]
    if apart:
        own = [
            ({"encoder": m}, list(encoder.parameters())) for m, encoder in enumerate(cast(nn.ModuleList, net.encoders))
        ]
        taken = {id(p) for _, members in own for p in members}
        parts = [({}, [p for p in net.parameters() if id(p) not in taken]), *own]
    groups = []
    for label, members in parts:
        groups.append({"params": [p for p in members if p.dim() > 1], "weight_decay": decay, **label})
        groups.append({"params": [p for p in members if p.dim() <= 1], "weight_decay": 0.0, **label})
    return [group for group in groups if group["params"]]


# Exponential average of the weights over training steps; it generalises better than the last step on small data.
#
# Reference: B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim.
# 30, 1992. Not torch's AveragedModel: seeded with the start it gives the same bits, but it holds a second network,
# sorts the tensors anew in every step, and its weights would still have to be swapped in where the run validates.


class Average:
    """The running average of a network's parameters; ``decay`` 0 follows the network itself."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.parameters = list(net.parameters())
        self.decay = decay
        self.updates = 0
        self.values: list[Tensor] = [p.detach().clone() for p in self.parameters]

    def update(self) -> None:
        """Take in the weights of one step; the first steps count more, so that the start is forgotten."""
        self.updates += 1
        decay = min(self.decay, self.updates / (10.0 + self.updates))
        current = [p.detach() for p in self.parameters]
        torch._foreach_lerp_(self.values, current, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within: the network holds the averaged weights."""
        with torch.no_grad():
            own = [p.detach().clone() for p in self.parameters]
            torch._foreach_copy_(list(self.parameters), self.values)
            try:
                yield
            finally:
                torch._foreach_copy_(list(self.parameters), own)


# The state of an unfinished run as a checkpoint file, from which it goes on to the same bytes as without a break.


_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save(
    path: Path,
    facts: dict[str, Any],
    state: State,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average,
) -> None:
    """Write everything that a later process needs; ``facts`` names the run (its configuration and inputs)."""
    tensors: dict[str, Tensor] = {f"net/{name}": value for name, value in net.state_dict().items()}
    tensors |= {f"best/{name}": value for name, value in state.best.items()}
    tensors |= {f"average/{i}": value for i, value in enumerate(average.values)}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": moments[name] for name in _MOMENTS}
    progress = {
        "epoch": state.epoch,
        "step": state.step,
        "best_epoch": state.best_epoch,
        "best_loss": None if math.isinf(state.best_loss) else state.best_loss,
        "history": state.history,
        "updates": average.updates,
    }
    config = {"task": "resume", "model": {}, "classes": None, "modalities": {}, "training": {"run": facts} | progress}
    checkpoint.save(path, Checkpoint(tensors, config))


def load(path: Path, facts: dict[str, Any]) -> Checkpoint:
    """The saved state. Raises :class:`MismatchError` where it belongs to another run than ``facts`` names."""
    saved = checkpoint.load(path)
    stored = saved.config["training"].get("run")
    if saved.config["task"] != "resume" or not isinstance(stored, dict):
        raise ArtifactError("is not the state of an unfinished run", source=path)
    for key in facts:
        if stored.get(key) != facts[key]:
            raise MismatchError(
                f"belongs to a run with another {key}",
                source=path,
                hint="repeat that run's options, or leave out --resume",
            )
    return saved


def restore(
    saved: Checkpoint, state: State, net: nn.Module, optimizer: torch.optim.Optimizer, average: Average
) -> None:
    """Put a saved state into a fresh run. Raises :class:`ArtifactError` where its tensors do not fit."""
    progress = saved.config["training"]
    device = next(net.parameters()).device
    parts: dict[str, dict[str, Tensor]] = {"net": {}, "best": {}, "average": {}, "optimizer": {}}
    for name, value in saved.tensors.items():
        family, _, rest = name.partition("/")
        parts.setdefault(family, {})[rest] = value.to(device)
    try:
        net.load_state_dict(parts["net"])
        for i, mean in enumerate(average.values):
            mean.copy_(parts["average"][str(i)])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimizer"].items():
            index, _, moment = name.partition("/")
            moments.setdefault(int(index), {})[moment] = value.cpu() if moment == "step" else value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        best_loss = progress["best_loss"]
        state.epoch, state.step, state.best_epoch = (int(progress[k]) for k in ("epoch", "step", "best_epoch"))
        state.best_loss = math.inf if best_loss is None else float(best_loss)
        state.history = list(progress["history"])
        average.updates = int(progress["updates"])
    except (KeyError, TypeError, ValueError, RuntimeError) as problem:
        raise ArtifactError(f"does not fit this run ({str(problem).splitlines()[0][:200]})") from problem
    state.best = parts["best"]
