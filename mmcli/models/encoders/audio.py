"""A convolutional network over spectrograms (log-mel and the like): time by bands, then attention over time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models import parts
from mmcli.models.parts import AttentionPool, Dropout, Encoder, StreamShape

KINDS = ("spectrogram", "sequence")
BANDS = 6  # pooling over bands goes on until at most this many are left


@dataclass(frozen=True)
class Config:
    """Bands of the spectrogram; ``halvings`` is the number of stages that also halve the frame rate."""

    bands: int
    width: int = 64
    filters: int = 8
    halvings: int = 0
    dropout: float = 0.3


def sized(stream: StreamShape, items: int) -> Config:
    """Halves the frame rate until about 25 steps are left, at most three times."""
    halvings = 0
    while halvings < 3 and stream.steps >> (halvings + 1) >= 12:
        halvings += 1
    return Config(stream.width, filters=8 if items < 5000 else 16, halvings=halvings)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of ``(n, c, t, b)`` at every place, so that padding has no say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        y: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return y


class AudioNet(Encoder):
    """``(n, frames, bands)`` to ``(n, steps, width)``: a strided 5 x 5 convolution, then stages of 3 x 3 and maxima."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        bands, depth = config.bands, 1
        convolutions: list[nn.Module] = []
        norms: list[nn.Module] = []
        pools: list[tuple[int, int]] = []
        while not convolutions or bands > BANDS or len(convolutions) < config.halvings:
            stage, out = len(convolutions), config.filters * min(len(convolutions) + 1, 3)
            factor = (2 if stage < config.halvings else 1, 2 if bands > BANDS else 1)
            first = stage == 0
            convolutions.append(
                nn.Conv2d(depth, out, 5 if first else 3, factor if first else 1, padding=2 if first else 1, bias=False)
            )
            norms.append(ChannelNorm(out))
            pools.append((1, 1) if first else factor)
            bands, depth = -(-bands // factor[1]), out
        self.halvings = config.halvings
        self.convolutions, self.norms, self.pools = nn.ModuleList(convolutions), nn.ModuleList(norms), pools
        self.drop = Dropout(config.dropout / 2, shared=2)
        self.join = nn.Linear(depth * bands, config.width)
        self.pool = AttentionPool(config.width, config.dropout)

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Padding is set to zero after every stage: past the end an item sees what a shorter batch would give it."""
        x = values.flatten(2)[:, None]
        for stage, (convolution, norm, pool) in enumerate(zip(self.convolutions, self.norms, self.pools, strict=True)):
            y = norm(convolution(x))
            halve = stage < self.halvings
            if halve and stage == 0:
                mask = mask[:, ::2]  # as the stride
            x = torch.relu(y) * mask[:, None, :, None]
            if pool != (1, 1):
                x = functional.max_pool2d(x, pool, ceil_mode=True)  # zeros beyond the end change nothing: x >= 0
            if halve and stage > 0:
                mask = mask[:, ::2]  # a step stands for two frames; the first of them is real where any is
            x = self.drop(x)
        steps = torch.relu(self.join(x.transpose(1, 2).flatten(2)))
        return parts.zeroed(steps, mask), mask


def build(config: Config) -> Encoder:
    """The network."""
    return AudioNet(config)
