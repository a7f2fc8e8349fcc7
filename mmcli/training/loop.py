"""Training, readable from top to bottom: one network, one data set, one seed, the weights that validate best.

Every epoch's randomness is a function of the seed and the epoch alone, so that a run killed at any moment and
continued from its last saved epoch ends in the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.artifacts.dataset import Dataset
from mmcli.errors import InputError, UsageError
from mmcli.models import factory
from mmcli.models.dropout import coins
from mmcli.models.dropout import rows as shard
from mmcli.models.network import Batch, Network, Outputs
from mmcli.training import imbalance, plan, seeding
from mmcli.training.average import Average
from mmcli.training.config import TrainConfig
from mmcli.training.data import Data, hide, order
from mmcli.training.device import pick
from mmcli.training.target import Target, losses, read, score
from mmcli.training.world import World

Row = dict[str, Any]
EVALUATED_AT_ONCE = 256  # items a forward pass without gradients


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


Saved = Callable[["State", nn.Module, torch.optim.Optimizer, Average], None]


def fit(
    dataset: Dataset,
    config: TrainConfig,
    *,
    train: NDArray[np.int64] | None = None,
    val: NDArray[np.int64] | None = None,
    model: dict[str, Any] | None = None,
    target: Target | None = None,
    world: World | None = None,
    restore: Callable[[State, nn.Module, torch.optim.Optimizer, Average], None] | None = None,
    after_epoch: Saved | None = None,
) -> Run:
    """Train on the rows ``train`` (default: the training split), stop by the rows ``val``, keep the best weights.

    ``model`` is the network's configuration where it is not to be planned from the data, ``target`` the
    labels where they are read already. ``restore`` fills the state
    of an earlier run; ``after_epoch`` sees the state after every epoch (progress, history, saving).
    """
    world = world or World()
    device = pick(config.device)
    train = dataset.rows("train") if train is None else train
    val = dataset.rows("val") if val is None else val
    if not len(train):
        raise InputError("the data set has no item in its training split")
    target = target or read(dataset, config.task, train, device)
    train, val = train[target.known[train]], val[target.known[val]]
    streams = plan.shapes(dataset, config.modalities)
    model = model or plan.network(streams, target.outputs, len(train), config)
    data = Data(dataset, streams, device)

    with seeding.deterministic(config.threads, device):
        seeding.seed_torch(config.seed, 0, seeding.WEIGHTS)
        net = factory.build(model).to(device)
        assert isinstance(net, Network)
        _set_output_bias(net, target, train)
        weights = imbalance.item_weights(target, train, config.class_weights)
        modulated = config.modulation > 0 and len(streams) > 1
        if modulated and (target.task != "classify" or not len(net.alone)):
            raise UsageError("gradient modulation needs classes and a loss of each modality (train.auxiliary above 0)")
        parameters = [p for p in net.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(_groups(net, config.decay, modulated), lr=config.rate, fused=True)
        average = Average(net, config.average)
        size = plan.batch(len(train), config)
        epochs = plan.epochs(len(train), config)
        steps = epochs * max(1, round(len(train) / size))
        state = State()
        if restore is not None:
            restore(state, net, optimizer, average)

        while state.epoch < epochs and not _stalled(state, config):
            epoch = state.epoch
            seeding.seed_torch(config.seed, epoch, seeding.NOISE)
            rng = seeding.generator(config.seed, epoch, seeding.ORDER)
            total, seen = 0.0, 0
            net.train()
            drawn = train if config.sampling == "all" else imbalance.balanced(target, train, rng)
            for rows in order(data, drawn, size, rng):
                for group in optimizer.param_groups:
                    group["lr"] = config.rate * schedule(state.step, steps, config.warmup)
                start, stop = world.share(len(rows))
                batch = data.batch(rows[start:stop], data.sizes(rows))
                half = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
                with shard(start, stop, len(rows)), half:
                    if config.modality_dropout and len(streams) > 1:
                        batch = hide(batch, _kept(batch, config.modality_dropout))
                    outputs = net.detailed(batch)
                    own = torch.from_numpy(rows[start:stop]).to(device)
                    values = target.values[own]
                    loss = _loss(outputs, target.task, values, config)
                    loss = (loss if weights is None else loss * weights[own]).sum() / len(rows)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                loss = world.sum_gradients(parameters, loss.detach())
                if modulated:
                    assert outputs.alone is not None
                    led = world.sum(imbalance.confidence(outputs.alone, outputs.present, values))
                    imbalance.modulate(net.encoders, optimizer.param_groups, imbalance.factors(led, config.modulation))
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
                    row |= {f"val_{name}": value for name, value in validate(net, data, target, val).items()}
                loss_now = row.get("val_loss", -state.epoch)  # without a validation split the last weights are the best
                if loss_now < state.best_loss:
                    state.best_loss, state.best_epoch = loss_now, state.epoch
                    state.best = {k: v.detach().clone() for k, v in net.state_dict().items()}
            state.history.append(row)
            if after_epoch is not None:
                after_epoch(state, net, optimizer, average)

    best = {name: value.cpu() for name, value in state.best.items()}
    return Run(model, best, target, state.history, state.best_epoch, sum(p.numel() for p in parameters))


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate: a linear rise over the first part of the steps, then half a cosine down to zero.

    >>> [round(schedule(s, 10, 0.2), 2) for s in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rise = warmup * steps
    if step < rise:
        return min(1.0, (step + 1) / rise)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - rise) / max(steps - rise, 1e-9))))


def logits_of(net: nn.Module, data: Data, rows: NDArray[np.int64]) -> Tensor:
    """Logits ``(len(rows), outputs)`` without gradients, items of like length together."""
    net.eval()
    by_length = np.argsort(data.lengths[rows].max(1), kind="stable")
    parts = []
    with torch.no_grad():
        for chunk in np.array_split(by_length, max(1, -(-len(rows) // EVALUATED_AT_ONCE))):
            parts.append(net(data.batch(rows[chunk])).float())
    back = torch.from_numpy(np.argsort(by_length, kind="stable")).to(data.device)
    return torch.cat(parts)[back]


def validate(net: nn.Module, data: Data, target: Target, rows: NDArray[np.int64]) -> dict[str, float]:
    """Mean loss without smoothing, and accuracy or mean absolute error."""
    logits = logits_of(net, data, rows)
    values = target.values[torch.from_numpy(rows).to(data.device)]
    loss = losses(target.task, logits, values, 0.0).double().mean()
    return {"loss": float(loss), **score(target.task, logits, values)}


def _loss(outputs: Outputs, task: str, values: Tensor, config: TrainConfig) -> Tensor:
    """Of each item, ``(n,)``: the fused loss plus the weighted mean of the present modalities' own losses."""
    loss = losses(task, outputs.logits.float(), values, config.smoothing)
    if outputs.alone is not None and config.auxiliary:
        each = [losses(task, own.float(), values, config.smoothing) for own in outputs.alone.unbind(1)]
        present = outputs.present.float()
        own = (torch.stack(each, dim=1) * present).sum(1) / present.sum(1).clamp(min=1)
        loss = loss + config.auxiliary * own
    return loss


def _kept(batch: Batch, p: float) -> Tensor:
    """Which modalities stay visible: each present one is hidden with probability ``p``, never all of an item's."""
    present = torch.stack([given.present for given in batch.values()], dim=1)
    keep = coins(tuple(present.shape), 1.0 - p, present.device) > 0
    return keep | ~(keep & present).any(1, keepdim=True)


def _stalled(state: State, config: TrainConfig) -> bool:
    return bool(config.patience) and state.epoch - state.best_epoch >= config.patience


def _groups(net: Network, decay: float, apart: bool) -> list[dict[str, Any]]:
    """Weight decay on matrices and kernels only, not on biases, norms and single vectors.

    ``apart``: the parameters of each encoder in groups of their own, which carry its position as ``"encoder"``.
    """
    parts: list[tuple[dict[str, Any], list[nn.Parameter]]] = [({}, list(net.parameters()))]
    if apart:
        own = [({"encoder": m}, list(encoder.parameters())) for m, encoder in enumerate(net.encoders)]
        taken = {id(p) for _, members in own for p in members}
        parts = [({}, [p for p in net.parameters() if id(p) not in taken]), *own]
    groups = []
    for label, members in parts:
        groups.append({"params": [p for p in members if p.dim() > 1], "weight_decay": decay, **label})
        groups.append({"params": [p for p in members if p.dim() <= 1], "weight_decay": 0.0, **label})
    return [group for group in groups if group["params"]]


def _set_output_bias(net: Network, target: Target, train: Sequence[int] | NDArray[np.int64]) -> None:
    """Start from the class frequencies: the first steps need not learn them."""
    if target.task != "classify":
        return
    count = np.bincount(target.values.cpu().numpy()[train], minlength=target.outputs) + 1.0
    bias = torch.from_numpy(np.log(count / count.sum())).float()
    with torch.no_grad():
        for head in [net.head, *net.alone]:
            if head is not None:
                head.direct.bias.copy_(bias)
