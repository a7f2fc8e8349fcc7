"""A small convolutional network for pictures of 8 to 64 pixels, for hundreds to thousands of training items."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models import parts
from mmcli.models.parts import Dropout, Encoder, GridPool, StreamShape

KINDS = ("image",)
GRID = 5  # pooling goes on until no side of the map is longer than this
COARSE = 32  # pixels; larger pictures start with a stride


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
    """3 x 3 convolutions, halved by maxima down to a grid of at most 5 x 5 cells, each place with its own weights.

    Pictures above 32 pixels are first halved by a 5 x 5 convolution of stride 2 with half the filters.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        sides, depth = (config.height, config.columns), config.channels
        convolutions: list[nn.Module] = []
        norms: list[nn.Module] = []
        self.pools: list[bool] = []
        while not convolutions or max(sides) > GRID:
            coarse = not convolutions and max(sides) > COARSE
            out = config.filters // 2 if coarse else config.filters * (2 if len(convolutions) > 1 else 1)
            side = 5 if coarse else 3
            convolutions.append(nn.Conv2d(depth, out, side, 2 if coarse else 1, padding=side // 2, bias=False))
            norms.append(nn.GroupNorm(1, out))
            self.pools.append(max(sides) > (2 * GRID if coarse else GRID))
            for halve in (coarse, self.pools[-1]):
                sides = (-(-sides[0] // 2), -(-sides[1] // 2)) if halve else sides
            depth = out
        self.convolutions, self.norms = nn.ModuleList(convolutions), nn.ModuleList(norms)
        self.drop = Dropout(config.dropout / 2, shared=2)
        self.project = nn.Conv2d(depth, config.width, 1)
        self.pool = GridPool(sides[0] * sides[1], config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The grid as a sequence, row by row."""
        x = values[:, 0].permute(0, 3, 1, 2)
        for convolution, norm, pool in zip(self.convolutions, self.norms, self.pools, strict=True):
            x = convolution(x)
            if pool:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            x = self.drop(torch.relu(norm(x)))
        cells = torch.relu(self.project(x)).flatten(2).transpose(1, 2)
        seen = mask[:, :1].expand(-1, cells.shape[1])
        return parts.zeroed(cells, seen), seen


def build(config: Config) -> Encoder:
    """The network."""
    return ImageNet(config)
