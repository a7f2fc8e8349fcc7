"""Raw video frames: a small convolutional network on every frame, then attention over time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models.parts import AttentionPool, Dropout, Encoder, StreamShape, zeroed

KINDS = ("frames",)


@dataclass(frozen=True)
class Config:
    """Size of one frame in pixels, and of the network."""

    height: int
    columns: int
    channels: int
    width: int = 64
    filters: int = 12
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """More filters where there are thousands of items."""
    height, columns, channels = stream.shape
    return Config(height, columns, channels, filters=12 if items < 1000 else 24)


class VideoNet(Encoder):
    """``(n, frames, h, w, c)`` to ``(n, frames, width)``: convolutions with stride 2 down to 4 x 4 cells, then time."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        sides, depth = (config.height, config.columns), config.channels
        layers: list[nn.Module] = []
        while max(sides) > 4 and len(layers) < 8:
            out = config.filters * min(len(layers) + 1, 4)
            layers.append(nn.Conv2d(depth, out, 3, stride=2, padding=1))
            sides, depth = (-(-sides[0] // 2), -(-sides[1] // 2)), out
        self.convolutions = nn.ModuleList(layers)
        self.join = nn.Linear(depth * sides[0] * sides[1], config.width)
        self.time = nn.Conv1d(config.width, config.width, 3, padding=1)
        self.drop = Dropout(config.dropout)
        self.pool = AttentionPool(config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Frames are folded into the batch for the convolutions."""
        items, frames = mask.shape
        x = values.flatten(0, 1).permute(0, 3, 1, 2)
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))
        x = torch.relu(self.join(self.drop(x.flatten(1)))).reshape(items, frames, -1)
        x = zeroed(x, mask)
        y = functional.relu(self.time(x.transpose(1, 2))).transpose(1, 2)
        return zeroed(x + y, mask), mask


def build(config: Config) -> Encoder:
    """The network."""
    return VideoNet(config)
