"""Multi-layer perceptron over one vector: tables, statistics, embeddings, tf-idf."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.models import parts
from mmcli.models.parts import Dropout, Encoder, NoPool, StreamShape

KINDS = ("vector", "sequence", "spectrogram")


@dataclass(frozen=True)
class Config:
    """Sizes of the network; a longer stream is averaged over its frames first."""

    inputs: int
    width: int = 64
    hidden: int = 64
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """A hidden layer that grows with the number of training items."""
    return Config(inputs=stream.width, hidden=64 if items < 1000 else 128)


class Mlp(Encoder):
    """Linear path plus one hidden layer, ReLU: ``(n, steps, inputs)`` to ``(n, 1, width)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        self.drop = Dropout(config.dropout)
        self.direct = nn.Linear(config.inputs, config.width)
        self.hidden = nn.Linear(config.inputs, config.hidden)
        self.out = nn.Linear(config.hidden, config.width)
        self.pool = NoPool()

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """One step an item."""
        x = self.drop(parts.mean(values.flatten(2), mask))
        y = torch.relu(self.direct(x) + self.out(self.drop(torch.relu(self.hidden(x)))))
        return y[:, None], mask.any(1, keepdim=True)


def build(config: Config) -> Encoder:
    """The network."""
    return Mlp(config)
