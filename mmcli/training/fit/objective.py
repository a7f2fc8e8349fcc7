"""What a run learns to do. The loop asks an objective for the network, for the loss of a batch and for a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.errors import UsageError
from mmcli.fusion.turns import Sequences
from mmcli.models.nets.network import Batch, Network, Outputs
from mmcli.models.parts import StreamShape, coins
from mmcli.training import plan
from mmcli.training.config import TrainConfig
from mmcli.training.data import Data, Target, hide, losses, score
from mmcli.training.fit import imbalance
from mmcli.training.world import World


class Objective(Protocol):
    """One run's purpose; made for one data set and configuration."""

    target: Target

    def usable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ``rows`` that something can be learned from."""

    def network(self, streams: Sequence[StreamShape], items: int) -> dict[str, Any]:
        """The configuration of a network for ``items`` training items."""

    def batch(self, items: int) -> int:
        """Items a step."""

    def start(self, net: nn.Module, data: Data, train: NDArray[np.int64], world: World) -> None:
        """Take the fresh network."""

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The items of one epoch."""

    def loss(self, batch: Batch, rows: NDArray[np.int64], share: tuple[int, int]) -> Tensor:
        """The part of a global batch's mean loss that this process adds; ``batch`` holds its ``share`` of ``rows``."""

    def gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Look at the summed gradients of the step, before they are clipped."""

    def validate(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """``loss`` and a figure for people."""


# What a network answers, without gradients, and how good that is.

AT_ONCE = 256  # items a forward pass, fewer where they are large:
AT_ONCE_BYTES = 16 << 20  # of their values; activations take several times as much


def logits_of(net: nn.Module, data: Data, rows: NDArray[np.int64]) -> Tensor:
    """What ``net`` gives for ``rows``, items of like length together; a float32 row for each."""
    net.eval()
    if data.sequences is not None:
        return _by_group(net, data, rows, data.sequences)
    by_length = np.argsort(data.lengths[rows].max(1), kind="stable")
    parts = []
    with torch.no_grad():
        parts_of = max(1, -(-len(rows) // AT_ONCE), -(-data.nbytes(rows) // AT_ONCE_BYTES))
        for chunk in np.array_split(by_length, min(parts_of, max(1, len(rows)))):
            parts.append(net(data.batch(rows[chunk])).float())
    back = torch.from_numpy(np.argsort(by_length, kind="stable")).to(data.device)
    return torch.cat(parts)[back]


def _by_group(net: nn.Module, data: Data, rows: NDArray[np.int64], sequences: Sequences) -> Tensor:
    """The same of items that are read with their groups: some whole groups at a time."""
    chunks = sequences.parts(rows, AT_ONCE)
    with torch.no_grad():
        said = [net(data.batch(chunk)).float() for chunk in chunks]
    place = np.argsort(np.concatenate(chunks), kind="stable")
    back = place[np.searchsorted(np.concatenate(chunks), rows, sorter=place)]
    return torch.cat(said)[torch.from_numpy(back).to(data.device)]


def validate(net: nn.Module, data: Data, target: Target, rows: NDArray[np.int64]) -> dict[str, float]:
    """Mean loss without smoothing, and accuracy or mean absolute error."""
    logits = logits_of(net, data, rows)
    values = target.values[torch.from_numpy(rows).to(data.device)]
    loss = losses(target.task, logits, values, 0.0).double().mean()
    return {"loss": float(loss), **score(target.task, logits, values)}


# Learning to answer: the fused answer and each modality's own are compared with the labels.


class Supervised:
    """An :class:`mmcli.training.fit.objective.Objective` for labels; auxiliary heads and OGM-GE as configured."""

    def __init__(self, config: TrainConfig, target: Target) -> None:
        self.config = config
        self.target = target

    def usable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows with a label."""
        return rows[self.target.known[rows]]

    def network(self, streams: Sequence[StreamShape], items: int) -> dict[str, Any]:
        """Encoders, fusion block and head."""
        return plan.network(streams, self.target.outputs, items, self.config)

    def batch(self, items: int) -> int:
        """As configured, or by the number of items."""
        return plan.batch(items, self.config)

    def start(self, net: nn.Module, data: Data, train: NDArray[np.int64], world: World) -> None:
        """Start from the class frequencies: the first steps need not learn them.

        Raises :class:`UsageError` where gradient modulation is asked for and cannot be.
        """
        self.net, self.data, self.train, self.world = cast(Network, net), data, train, world
        self.weights = imbalance.item_weights(self.target, train, self.config.class_weights)
        self.modulated = self.config.modulation > 0 and len(data.names) > 1
        if self.modulated and (self.target.task != "classify" or not len(self.net.alone)):
            raise UsageError("gradient modulation needs classes and a loss of each modality (train.auxiliary above 0)")
        if self.target.task == "classify":
            _set_output_bias(self.net, self.target, train)

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """All training items, or as many with every class equally often."""
        balanced = self.config.sampling != "all"
        return imbalance.balanced(self.target, self.train, rng) if balanced else self.train

    def loss(self, batch: Batch, rows: NDArray[np.int64], share: tuple[int, int]) -> Tensor:
        """Mean over the batch, some modalities hidden."""
        if self.config.modality_dropout and len(self.data.names) > 1:
            batch = hide(batch, _kept(batch, self.config.modality_dropout))
        self.outputs = self.net.detailed(batch)
        own = torch.from_numpy(rows[slice(*share)]).to(self.data.device)
        self.values = self.target.values[own]
        loss = _loss(self.outputs, self.target.task, self.values, self.config)
        return (loss if self.weights is None else loss * self.weights[own]).sum() / len(rows)

    def gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Slow the encoders of leading modalities."""
        if self.modulated:
            assert self.outputs.alone is not None
            led = imbalance.confidence(self.outputs.alone, self.outputs.present, self.values)
            slowed = imbalance.factors(self.world.sum(led), self.config.modulation)
            imbalance.modulate(self.net.encoders, optimizer.param_groups, slowed)

    def validate(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """Mean loss without smoothing, and accuracy or mean absolute error."""
        return validate(self.net, self.data, self.target, rows)


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


def _set_output_bias(net: Network, target: Target, train: NDArray[np.int64]) -> None:
    count = np.bincount(target.values.cpu().numpy()[train], minlength=target.outputs) + 1.0
    bias = torch.from_numpy(np.log(count / count.sum())).float()
    with torch.no_grad():
        for head in [net.head, *net.alone]:
            if head is not None:
                head.direct.bias.copy_(bias)
