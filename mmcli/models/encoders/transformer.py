"""A transformer over tokens, series or frame features; long sequences are first shortened by strided convolutions.

Reference: A. Vaswani et al., "Attention is all you need", NeurIPS 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.errors import ArtifactError
from mmcli.models.multihead import SelfLayer, positions
from mmcli.models.parts import AttentionPool, Dropout, Encoder, InputLayer, StreamShape, zeroed

KINDS = ("tokens", "sequence", "spectrogram")
STEPS = 64  # sequences are halved until they are no longer than this


@dataclass(frozen=True)
class Config:
    """``heads`` must divide ``width``; ``halvings`` strided convolutions come before ``layers`` of attention."""

    inputs: int
    vocabulary: int = 0
    width: int = 64
    heads: int = 4
    layers: int = 2
    halvings: int = 0
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.width % self.heads or self.layers > 64 or self.halvings > 16:
            sizes = f"{self.layers} layers, {self.heads} heads, {self.halvings} halvings over width {self.width}"
            raise ArtifactError(f"a transformer of {sizes}")


def sized(stream: StreamShape, items: int) -> Config:
    """One layer for hundreds of items, two for thousands."""
    halvings = 0
    while stream.steps >> halvings > STEPS and halvings < 8:
        halvings += 1
    return Config(stream.width, stream.vocabulary_size, layers=1 if items < 1000 else 2, halvings=halvings)


class Transformer(Encoder):
    """``(n, steps, inputs)`` to ``(n, steps / 2**halvings, width)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        self.input = InputLayer(config.inputs, config.vocabulary, config.width)
        self.halve = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 3, 2, padding=1) for _ in range(config.halvings)
        )
        self.layers = nn.ModuleList(
            SelfLayer(config.width, config.heads, config.dropout / 2) for _ in range(config.layers)
        )
        self.drop = Dropout(config.dropout / 2)
        self.norm = nn.LayerNorm(config.width)
        self.pool = AttentionPool(config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Positions are added after shortening."""
        x = self.input(values, mask)
        for convolution in self.halve:
            mask = mask[:, ::2]
            x = zeroed(torch.relu(convolution(x.transpose(1, 2))).transpose(1, 2), mask)
        x = self.drop(x + positions(x.shape[1], self.width, x.device))
        for layer in self.layers:
            x = layer(x, mask)
        return zeroed(self.norm(x), mask), mask


def build(config: Config) -> Encoder:
    """The network."""
    return Transformer(config)
