"""One-dimensional residual convolutions over a sequence of feature vectors (MFCC, motion, sensors)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models import parts
from mmcli.models.parts import AttentionPool, Dropout, Encoder, InputLayer, StreamShape

KINDS = ("sequence", "spectrogram", "tokens")


@dataclass(frozen=True)
class Config:
    """``halvings`` stages, each of a residual convolution over five steps that follows a halving of the rate.

    ``strided`` lets the first convolution halve the rate too.
    """

    inputs: int
    vocabulary: int = 0
    width: int = 64
    halvings: int = 0
    strided: bool = False
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """Halves the rate until about twelve steps are left, at most five times."""
    halvings = 0
    while halvings < 5 and stream.steps >> (halvings + 1) >= 10:
        halvings += 1
    strided = halvings > 1 and not stream.vocabulary_size
    return Config(stream.width, stream.vocabulary_size, halvings=halvings - strided, strided=strided)


class Conv1dNet(Encoder):
    """``(n, steps, inputs)`` to ``(n, steps', width)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        self.input = InputLayer(config.inputs, config.vocabulary, config.width)
        stages = config.halvings + 1
        self.stride = 2 if config.strided else 1
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 5, 1 if stage else self.stride, padding=2) for stage in range(stages)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(stages))
        self.drop = Dropout(config.dropout)
        self.pool = AttentionPool(config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Values stay at zero beyond the end of each item; x >= 0, so that maxima over the end change nothing."""
        x = torch.relu(self.input(values, mask))
        for stage, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            if stage:
                x = functional.max_pool1d(x.transpose(1, 2), 2, ceil_mode=True).transpose(1, 2)
            if stage or self.stride > 1:
                mask = mask[:, ::2]
            y = self.drop(norm(convolution(x.transpose(1, 2)).transpose(1, 2)))
            x = parts.zeroed(torch.relu(y if stage == 0 else x + y), mask)
        return x, mask


def build(config: Config) -> Encoder:
    """The network."""
    return Conv1dNet(config)
