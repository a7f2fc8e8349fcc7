"""Concatenation; a learned vector stands in the place of an absent modality."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.models.parts import Block


@dataclass(frozen=True)
class Config:
    """Number of modalities and width of each vector."""

    modalities: int
    width: int


def sized(modalities: int, width: int, items: int) -> Config:
    """Nothing to choose."""
    return Config(modalities, width)


class Concat(Block):
    """``(n, modalities, width)`` to ``(n, modalities * width)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.absent = nn.Parameter(torch.zeros(config.modalities, config.width))
        self.width = config.modalities * config.width

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Side by side, in the order of the modalities."""
        return torch.where(present[..., None], vectors, self.absent).flatten(1)


def build(config: Config) -> Block:
    """The block."""
    return Concat(config)
