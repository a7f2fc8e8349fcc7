"""Bottleneck tokens: modalities attend to themselves and exchange through a few shared tokens only.

Reference: A. Nagrani et al., "Attention bottlenecks for multimodal fusion", NeurIPS 2021, eq. 8 and 9: in every layer
each modality updates its own copy of the tokens, and the copies are averaged, here over the modalities that are
present.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.errors import ArtifactError
from mmcli.models import parts as masking
from mmcli.models.multihead import SelfLayer, positions
from mmcli.models.parts import Block


@dataclass(frozen=True)
class Config:
    """``tokens`` shared tokens, ``layers`` of exchange; ``heads`` must divide ``width``."""

    modalities: int
    width: int
    tokens: int = 4
    heads: int = 4
    layers: int = 1
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads or self.layers > 64:
            raise ArtifactError(f"bottleneck of {self.layers} layers and {self.heads} heads over width {self.width}")


def sized(modalities: int, width: int, items: int) -> Config:
    """Two layers where there are thousands of items."""
    return Config(modalities, width, heads=4 if width % 4 == 0 else 1, layers=1 if items < 2000 else 2)


class Bottleneck(Block):
    """Sequences to sequences; then their pooled vectors side by side."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.modalities * config.width
        self.tokens = nn.Parameter(torch.randn(config.tokens, config.width) * 0.02)
        self.layers = nn.ModuleList(
            nn.ModuleList(SelfLayer(config.width, config.heads, config.dropout) for _ in range(config.modalities))
            for _ in range(config.layers)
        )
        self.last = nn.ModuleList(
            SelfLayer(config.width, config.heads, config.dropout) for _ in range(config.modalities)
        )
        self.absent = nn.Parameter(torch.zeros(config.modalities, config.width))

    def mix(self, sequences: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Tokens stand before each sequence; the last layer lets every modality read what was exchanged."""
        n, count = len(sequences[0]), len(self.tokens)
        tokens = self.tokens.expand(n, -1, -1)
        place = [positions(s.shape[1], s.shape[2], s.device) for s in sequences]
        sequences = [s + p for s, p in zip(sequences, place, strict=True)]
        here = torch.stack([m.any(1) for m in masks], dim=1)
        share = here / here.sum(1, keepdim=True).clamp(min=1)
        ahead = [torch.cat([m.new_ones(n, count), m], dim=1) for m in masks]
        for layer in [*self.layers, self.last]:
            together = torch.zeros_like(tokens)
            for i, own in enumerate(layer):
                x = own(torch.cat([tokens, sequences[i]], dim=1), ahead[i])
                sequences[i] = masking.zeroed(x[:, count:], masks[i])
                together = together + x[:, :count] * share[:, i, None, None]
            tokens = together
        return sequences

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Side by side, in the order of the modalities."""
        return torch.where(present[..., None], vectors, self.absent).flatten(1)


def build(config: Config) -> Block:
    """The block."""
    return Bottleneck(config)
