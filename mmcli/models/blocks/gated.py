"""Gates: every modality's features are weighted, number by number, by what the others say.

Reference: J. Arevalo et al., "Gated multimodal units for information fusion", 2017 (arXiv 1702.01992), for any number
of modalities: the gates are a softmax over the modalities that are present.
"""

from __future__ import annotations

from dataclasses import dataclass

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


class Gated(Block):
    """``(n, modalities, width)`` to ``(n, width)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.maps = Maps(config.modalities, config.width)
        self.gate = nn.Linear(config.modalities * config.width, config.modalities * config.width)
        self.width = config.width

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Sum of gate times value."""
        gates = self.gate(vectors.flatten(1)).unflatten(1, vectors.shape[1:])
        gates = parts.softmax(gates, present[..., None], dim=1)
        fused: Tensor = (gates * self.maps(vectors, present)).sum(1)
        return fused


def build(config: Config) -> Block:
    """The block."""
    return Gated(config)
