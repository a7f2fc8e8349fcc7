"""Weighted mean: one learned scalar for each modality, the same for every item."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.models import parts
from mmcli.models.parts import Block, Maps


@dataclass(frozen=True)
class Config:
    """Number of modalities and width of each vector."""

    modalities: int
    width: int


def sized(modalities: int, width: int, items: int) -> Config:
    """Nothing to choose."""
    return Config(modalities, width)


class Weighted(Block):
    """``(n, modalities, width)`` to ``(n, width)``; weights are a softmax over the modalities that are present."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.maps = Maps(config.modalities, config.width)
        self.scores = nn.Parameter(torch.zeros(config.modalities))
        self.width = config.width

    def weights(self, present: Tensor) -> Tensor:
        """The weights ``(n, modalities)``; they sum to one where anything is present."""
        return parts.softmax(self.scores.expand(present.shape), present)

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Weighted mean over present modalities."""
        return torch.einsum("nm,nmw->nw", self.weights(present), self.maps(vectors, present))


def build(config: Config) -> Block:
    """The block."""
    return Weighted(config)
