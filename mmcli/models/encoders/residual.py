"""A small residual network for pictures above 64 pixels: places may move, so cells are pooled by attention.

Reference: K. He et al., "Deep residual learning for image recognition", CVPR 2016, with group normalisation (Y. Wu and
K. He, ECCV 2018), which does not mix items.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models import parts
from mmcli.models.parts import AttentionPool, Dropout, Encoder, StreamShape

KINDS = ("image",)
CELLS = 8  # stages go on until no side of the map is longer than this
GROUPS = 4


@dataclass(frozen=True)
class Config:
    """Size of the picture in pixels; ``filters`` of the first stage, times ``GROUPS``, doubled twice at most."""

    height: int
    columns: int
    channels: int
    width: int = 64
    filters: int = 4
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """More filters where there are thousands of items to fit them."""
    height, columns, channels = stream.shape
    return Config(height, columns, channels, filters=4 if items < 2000 else 8)


class _Stage(nn.Module):
    """Two 3 x 3 convolutions, the first of stride 2, beside a 1 x 1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, 2, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, 2, bias=False)
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, outputs) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Half the size."""
        y = torch.relu(self.norms[0](self.first(x)))
        return torch.relu(self.shortcut(x) + self.norms[1](self.second(y)))


class Residual(Encoder):
    """``(n, 1, h, w, c)`` to ``(n, cells, width)``: a 5 x 5 convolution and maxima, then stages that halve the map."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        depth = config.filters * GROUPS
        self.stem = nn.Conv2d(config.channels, depth, 5, 2, padding=2)
        side = -(-max(config.height, config.columns) // 4)
        stages: list[nn.Module] = []
        while side > CELLS and len(stages) < 6:
            out = config.filters * GROUPS * min(2 ** (len(stages) + 1), 4)
            stages.append(_Stage(depth, out))
            side, depth = -(-side // 2), out
        self.stages = nn.ModuleList(stages)
        self.drop = Dropout(config.dropout / 2, shared=2)
        self.project = nn.Conv2d(depth, config.width, 1)
        self.pool = AttentionPool(config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The cells row by row."""
        x = torch.relu(self.stem(values[:, 0].permute(0, 3, 1, 2)))
        x = functional.max_pool2d(x, 2, ceil_mode=True)
        for stage in self.stages:
            x = self.drop(stage(x))
        cells = torch.relu(self.project(x)).flatten(2).transpose(1, 2)
        seen = mask[:, :1].expand(-1, cells.shape[1])
        return parts.zeroed(cells, seen), seen


def build(config: Config) -> Encoder:
    """The network."""
    return Residual(config)
