"""Mean of the vectors that are present, after one linear map for each modality."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

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


class Mean(Block):
    """``(n, modalities, width)`` to ``(n, width)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.maps = Maps(config.modalities, config.width)
        self.width = config.width

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Mean over present modalities."""
        return parts.mean(self.maps(vectors, present), present)


def build(config: Config) -> Block:
    """The block."""
    return Mean(config)
