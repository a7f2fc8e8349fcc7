"""One-dimensional residual convolutions over a sequence of feature vectors (MFCC, motion, sensors)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models import masks
from mmcli.models.dropout import Dropout
from mmcli.models.encoders.base import Encoder
from mmcli.models.inputs import InputLayer
from mmcli.models.pooling import AttentionPool
from mmcli.models.streams import StreamShape

KINDS = ("sequence", "spectrogram", "tokens", "vector")


@dataclass(frozen=True)
class Config:
    """``halvings`` stages of a residual convolution over five steps, each halving the rate, after one that does not."""

    inputs: int
    vocabulary: int = 0
    width: int = 64
    halvings: int = 0
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """Halves the rate until about twelve steps are left, at most four times."""
    halvings = 0
    while halvings < 4 and stream.steps >> (halvings + 1) >= 12:
        halvings += 1
    return Config(stream.width, stream.vocabulary_size, width=48 if items < 1000 else 64, halvings=halvings)


class Conv1dNet(Encoder):
    """``(n, steps, inputs)`` to ``(n, steps / 2**halvings, width)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        self.input = InputLayer(config.inputs, config.vocabulary, config.width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 5, padding=2) for _ in range(config.halvings + 1)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(config.halvings + 1))
        self.drop = Dropout(config.dropout)
        self.pool = AttentionPool(config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Values stay at zero beyond the end of each item."""
        x = self.drop(torch.relu(self.input(values, mask)))
        for stage, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            if stage:
                x = functional.max_pool1d(x.transpose(1, 2), 2, ceil_mode=True).transpose(1, 2)  # x >= 0
                mask = mask[:, ::2]
            y = convolution(x.transpose(1, 2)).transpose(1, 2)
            x = masks.zeroed(torch.relu(x + self.drop(norm(y))), mask)
        return x, mask


def build(config: Config) -> Encoder:
    """The network."""
    return Conv1dNet(config)
