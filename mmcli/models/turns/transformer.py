"""Self-attention over the turns of a group, which knows how far apart two turns are, and not where they stand.

Distances beyond the farthest of the table count as the farthest, so that a group may be longer than any of training.

Reference: P. Shaw et al., "Self-attention with relative position representations", NAACL 2018, with one number a
distance and head: C. Raffel et al., "Exploring the limits of transfer learning", JMLR 21, 2020, section 2.1. They start
as the slopes of O. Press et al., "Train short, test long", ICLR 2022, and learn from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.errors import ArtifactError
from mmcli.models.parts import Dropout, zeroed

FARTHEST = 16  # turns: distances from there on are one


@dataclass(frozen=True)
class Config:
    """Numbers a turn gets, which ``heads`` must divide; layers of attention."""

    width: int = 64
    causal: bool = False
    dropout: float = 0.3
    heads: int = 4
    layers: int = 1

    def __post_init__(self) -> None:
        if self.width % self.heads or self.layers > 64:
            raise ArtifactError(f"a reader of {self.layers} layers and {self.heads} heads over width {self.width}")


def sized(width: int, items: int) -> Config:
    """One layer for hundreds of items, two for thousands."""
    return Config(width, layers=1 if items < 1000 else 2)


class Layer(nn.Module):
    """Attention among turns and a feed-forward map of twice the width, pre-norm, each beside a residual path."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.heads, self.causal = config.heads, config.causal
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.maps, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        far = torch.arange(-FARTHEST, FARTHEST + 1).abs().float()
        steep = 2.0 ** -torch.arange(config.heads, dtype=torch.float32)
        self.distance = nn.Parameter(-steep[:, None] * far)  # near turns first, each head at a distance of its own
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.drop = Dropout(config.dropout / 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``(groups, turns, width)`` and bool ``(groups, turns)`` to the same shape."""
        x = x + self.drop(self._attention(self.before(x), mask))
        return x + self.drop(self.feed(self.between(x)))  # type: ignore[no-any-return]

    def _attention(self, y: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.maps(y).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        place = torch.arange(y.shape[1], device=y.device)
        apart = place[None, :] - place[:, None]
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        scores = scores + self.distance[:, apart.clamp(-FARTHEST, FARTHEST) + FARTHEST]
        seen = mask[:, None, None, :]
        if self.causal:
            seen = seen & (apart <= 0)
        scores = scores.masked_fill(~seen, torch.finfo(scores.dtype).min)
        return self.out((torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """``(groups, turns, inputs)`` to ``(groups, turns, width)``."""

    def __init__(self, config: Config, inputs: int) -> None:
        super().__init__()
        self.width = config.width
        self.drop = Dropout(config.dropout)
        self.input = nn.Linear(inputs, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Zeros where the mask is False."""
        x = self.input(self.drop(sequence))
        for layer in self.layers:
            x = layer(x, mask)
        return zeroed(self.norm(x), mask)


def build(config: Config, inputs: int) -> Transformer:
    """The reader of turns of ``inputs`` numbers."""
    return Transformer(config, inputs)
