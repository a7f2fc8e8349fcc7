"""Learning without labels: the modalities of one item find one another among those of other items (InfoNCE).

Every pair of modalities is compared in both directions, as CLIP does, and the loss is the mean over the pairs; an item
takes part in the pairs of which it has both. Items that hold the very same recording or picture are no negatives of one
another.

References: A. van den Oord, Y. Li and O. Vinyals, "Representation learning with contrastive predictive coding",
arXiv:1807.03748, 2018, equation 4 (InfoNCE); A. Radford et al., ICML 2021 (CLIP: symmetric, learned temperature); Y.
Tian, D. Krishnan and P. Isola, "Contrastive multiview coding", ECCV 2020, equation 10 (more than two: all pairs).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError
from mmcli.models.nets.network import Batch, Contrastive
from mmcli.models.parts import StreamShape
from mmcli.training import folds, plan
from mmcli.training.config import CONTRASTIVE, TrainConfig
from mmcli.training.data import Data, Target
from mmcli.training.fit.objective import logits_of
from mmcli.training.world import World

JUDGED_AT_ONCE = 256  # items that one is to be found among on validation


class Contrast:
    """An :class:`mmcli.training.fit.objective.Objective` for pairs. Labels are not read."""

    def __init__(self, dataset: Dataset, streams: Sequence[StreamShape], config: TrainConfig) -> None:
        if len(streams) < 2:
            raise InputError("contrastive pre-training needs two modalities", hint="it learns from what they share")
        self.config = config
        self.target = Target(CONTRASTIVE, None, torch.zeros(dataset.items), np.ones(dataset.items, bool))
        there = [dataset.streams[s.name].present for s in streams]
        self.count = np.sum(there, axis=0)
        rows = np.flatnonzero(np.isin(dataset.split, ("train", "val"))).astype(np.int64)
        self.content = np.full((dataset.items, len(streams)), -1, np.int64)
        for i, stream in enumerate(streams):
            digests = folds.contents(dataset.streams[stream.name], rows)
            self.content[rows, i] = np.unique(digests, return_inverse=True)[1]

    def usable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows with two modalities."""
        usable: NDArray[np.int64] = rows[self.count[rows] > 1]
        return usable

    def network(self, streams: Sequence[StreamShape], items: int) -> dict[str, Any]:
        """Encoders as for a classifier, and a space as wide as their vectors."""
        network = plan.network(streams, 1, items, self.config)
        width = plan.width(items, self.config)
        return {"name": CONTRASTIVE, "modalities": network["modalities"], "space": {"width": width}}

    def batch(self, items: int) -> int:
        """As configured, else a sixteenth of the items between 32 and 256: every other item is a negative."""
        return self.config.batch or max(32, min(256, items // 16))

    def start(self, net: nn.Module, data: Data, train: NDArray[np.int64], world: World) -> None:
        """Nothing to set."""
        self.net, self.data, self.train, self.world = cast(Contrastive, net), data, train, world

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """All of them."""
        return self.train

    def loss(self, batch: Batch, rows: NDArray[np.int64], share: tuple[int, int]) -> Tensor:
        """The whole batch's loss, its value shared out among the processes; gradients reach this one's items."""
        size, first = self.world.size, self.world.rank == 0
        points = self.world.gather(self.net(batch), share, len(rows))
        scale = self.net.scale if first else self.net.scale.detach()  # of every process the same: it counts once
        loss = info_nce(points, self._present(rows), scale, self._content(rows))
        return loss - loss.detach() * (1.0 - 1.0 / size)

    def gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Left as they are."""

    def validate(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """InfoNCE, and how often the partner is the nearest of (at most) 256."""
        points = logits_of(self.net, self.data, rows)
        total, hits, seen = 0.0, 0.0, 0
        for part in np.array_split(np.arange(len(rows)), max(1, -(-len(rows) // JUDGED_AT_ONCE))):
            facts = self._present(rows[part]), self.net.scale.detach(), self._content(rows[part])
            total += float(info_nce(points[part], *facts)) * len(part)
            hits += recall(points[part], *facts) * len(part)
            seen += len(part)
        return {"loss": total / seen, "recall_at_1": hits / seen}

    def _present(self, rows: NDArray[np.int64]) -> Tensor:
        chosen = torch.from_numpy(rows).to(self.data.device)
        return torch.stack([packed.present[chosen] for packed in self.data.streams.values()], dim=1)

    def _content(self, rows: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.content[rows]).to(self.data.device)


def info_nce(points: Tensor, present: Tensor, scale: Tensor, content: Tensor) -> Tensor:
    """A scalar: the mean over pairs of modalities of the symmetric InfoNCE of the items that have both.

    ``points`` float32 ``(n, modalities, width)`` of unit length, ``present`` bool ``(n, modalities)``, ``scale`` one
    over the temperature, ``content`` int64 ``(n, modalities)``: equal numbers are equal content. Zero without a pair.

    >>> points = torch.eye(2)[:, None].repeat(1, 2, 1)
    >>> there = torch.ones(2, 2, dtype=torch.bool)
    >>> float(info_nce(points, there, torch.tensor(100.0), torch.arange(4).reshape(2, 2)))
    0.0
    """
    losses = []
    for similar in _pairs(points, present, scale, content):
        right = torch.arange(len(similar), device=points.device)
        losses.append(0.5 * (functional.cross_entropy(similar, right) + functional.cross_entropy(similar.T, right)))
    return torch.stack(losses).mean() if losses else points.sum() * 0.0


def recall(points: Tensor, present: Tensor, scale: Tensor, content: Tensor) -> float:
    """The share of items whose partner is nearest, mean over pairs of modalities and both directions."""
    shares = []
    for similar in _pairs(points, present, scale, content):
        right = torch.arange(len(similar), device=points.device)
        shares += [(s.argmax(1) == right).double().mean() for s in (similar, similar.T)]
    return float(torch.stack(shares).mean()) if shares else 0.0


def _pairs(points: Tensor, present: Tensor, scale: Tensor, content: Tensor) -> Iterator[Tensor]:
    """For each pair of modalities the scaled similarities ``(k, k)`` of the ``k`` items that have both."""
    for a, b in itertools.combinations(range(points.shape[1]), 2):
        both = (present[:, a] & present[:, b]).nonzero()[:, 0]
        if len(both) < 2:
            continue
        one, other = content[both, a], content[both, b]
        same = (one[:, None] == one) | (other[:, None] == other)
        same.fill_diagonal_(False)
        similar = scale * (points[both, a] @ points[both, b].T)
        yield similar.masked_fill(same, -torch.inf)
