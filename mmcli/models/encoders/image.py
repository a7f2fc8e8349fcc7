"""A small convolutional network for pictures of 8 to 64 pixels, for hundreds to thousands of training items."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models import masks
from mmcli.models.dropout import Dropout
from mmcli.models.encoders.base import Encoder
from mmcli.models.pooling import GridPool
from mmcli.models.streams import StreamShape

KINDS = ("image",)
GRID = 5  # pooling goes on until no side of the map is longer than this


@dataclass(frozen=True)
class Config:
    """Size of the picture in pixels, and of the network."""

    height: int
    columns: int
    channels: int
    width: int = 48
    filters: int = 24
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """More filters where there are thousands of items to fit them."""
    height, columns, channels = stream.shape
    return Config(height, columns, channels, filters=24 if items < 1000 else 32)


class ImageNet(Encoder):
    """3 x 3 convolutions, halved by maxima down to a grid of at most 5 x 5 cells, each place with its own weights."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        sides, stages = (config.height, config.columns), 0
        while max(sides) > GRID:
            sides, stages = (-(-sides[0] // 2), -(-sides[1] // 2)), stages + 1
        convolutions, norms, depth = [], [], config.channels
        for stage in range(max(stages, 1)):
            out = config.filters * (1 if stage == 0 else 2)
            convolutions.append(nn.Conv2d(depth, out, 3, padding=1, bias=False))
            norms.append(nn.GroupNorm(1, out))
            depth = out
        self.stages = stages
        self.convolutions, self.norms = nn.ModuleList(convolutions), nn.ModuleList(norms)
        self.drop = Dropout(config.dropout / 2, shared=2)
        self.project = nn.Conv2d(depth, config.width, 1)
        self.pool = GridPool(sides[0] * sides[1], config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The grid as a sequence, row by row."""
        x = values[:, 0].permute(0, 3, 1, 2)
        for stage, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = torch.relu(norm(convolution(x)))
            if stage < self.stages:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            x = self.drop(x)
        cells = torch.relu(self.project(x)).flatten(2).transpose(1, 2)
        seen = mask[:, :1].expand(-1, cells.shape[1])
        return masks.zeroed(cells, seen), seen


def build(config: Config) -> Encoder:
    """The network."""
    return ImageNet(config)
