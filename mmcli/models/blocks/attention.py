"""Self-attention over one token for each modality that is present, read out by a learned query.

Reference: A. Vaswani et al., "Attention is all you need", NeurIPS 2017; the query token as in BERT.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.errors import ArtifactError
from mmcli.models.multihead import SelfLayer
from mmcli.models.parts import Block, Maps


@dataclass(frozen=True)
class Config:
    """``heads`` must divide ``width``."""

    modalities: int
    width: int
    heads: int = 4
    layers: int = 1
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads or self.layers > 64:
            raise ArtifactError(f"attention of {self.layers} layers and {self.heads} heads over width {self.width}")


def sized(modalities: int, width: int, items: int) -> Config:
    """One layer; two where there are thousands of items."""
    return Config(modalities, width, heads=4 if width % 4 == 0 else 1, layers=1 if items < 4000 else 2)


class AttentionFusion(Block):
    """``(n, modalities, width)`` to ``(n, width)``: tokens plus a modality embedding, attention, the query's token."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.maps = Maps(config.modalities, config.width)
        self.modality = nn.Parameter(torch.randn(config.modalities, config.width) * 0.02)
        self.query = nn.Parameter(torch.randn(config.width) * 0.02)
        self.layers = nn.ModuleList(SelfLayer(config.width, config.heads, config.dropout) for _ in range(config.layers))
        self.width = config.width

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """The query attends over itself and what is present."""
        n = vectors.shape[0]
        tokens = self.maps(vectors, present) + self.modality
        x = torch.cat([self.query.expand(n, 1, -1), tokens], dim=1)
        mask = torch.cat([present.new_ones(n, 1), present], dim=1)
        for layer in self.layers:
            x = layer(x, mask)
        return x[:, 0]


def build(config: Config) -> Block:
    """The block."""
    return AttentionFusion(config)
