"""Bidirectional LSTM over token embeddings or a sequence of feature vectors.

Reference: A. Graves and J. Schmidhuber, "Framewise phoneme classification with bidirectional LSTM and other neural
network architectures", Neural Networks 18, 2005.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.models import parts
from mmcli.models.parts import AttentionPool, Dropout, Encoder, InputLayer, StreamShape

KINDS = ("tokens", "sequence", "spectrogram")


@dataclass(frozen=True)
class Config:
    """``vocabulary`` 0 means real-valued input of ``inputs`` numbers a frame."""

    inputs: int
    vocabulary: int = 0
    width: int = 64
    embedding: int = 32
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """A wider embedding where there are thousands of items."""
    return Config(stream.width, stream.vocabulary_size, embedding=32 if items < 1000 else 64)


class BiLstm(Encoder):
    """``(n, steps, inputs)`` to ``(n, steps, width)``: half the width reads forwards, half backwards.

    The backward half reads each item from its own last step, so padding is never read before it.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        half = max(config.width // 2, 1)
        self.width = 2 * half
        self.input = InputLayer(config.inputs, config.vocabulary, config.embedding)
        self.drop = Dropout(config.dropout)
        self.forwards = nn.LSTM(config.embedding, half, batch_first=True)
        self.backwards = nn.LSTM(config.embedding, half, batch_first=True)
        self.pool = AttentionPool(self.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Real steps stand first in every row."""
        x = self.drop(self.input(values, mask))
        ahead, _ = self.forwards(x)
        back, _ = self.backwards(parts.mirrored(x, mask))
        return parts.zeroed(torch.cat([ahead, parts.mirrored(back, mask)], dim=-1), mask), mask


def build(config: Config) -> Encoder:
    """The network."""
    return BiLstm(config)
