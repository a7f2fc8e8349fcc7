"""Low-rank tensor fusion: the product of all modalities' features, each with a constant one beside it.

Reference: Z. Liu et al., "Efficient low-rank multimodal fusion with modality-specific factors", ACL 2018, eq. 7: the
outer product is never formed; with rank r the result is a weighted sum over r of elementwise products of linear maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.models.parts import Block


@dataclass(frozen=True)
class Config:
    """Number of modalities, width of each vector, and ``rank`` of the factors."""

    modalities: int
    width: int
    rank: int = 4


def sized(modalities: int, width: int, items: int) -> Config:
    """A higher rank where there are thousands of items."""
    return Config(modalities, width, rank=4 if items < 2000 else 8)


class LowRank(Block):
    """``(n, modalities, width)`` to ``(n, width)``; an absent modality is the factor one."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.width
        spread = config.width**-0.5
        self.factors = nn.Parameter(torch.randn(config.modalities, config.width, config.rank * config.width) * spread)
        self.ones = nn.Parameter(torch.ones(config.modalities, config.rank * config.width))
        self.weights = nn.Parameter(torch.full((config.rank,), 1.0 / config.rank))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Product over modalities, weighted sum over ranks."""
        factors = torch.einsum("nmw,mwr->nmr", vectors, self.factors) + self.ones
        product = torch.where(present[..., None], factors, 1.0).prod(1).reshape(len(vectors), -1, self.width)
        return self.norm(torch.einsum("nrw,r->nw", product, self.weights))  # type: ignore[no-any-return]


def build(config: Config) -> Block:
    """The block."""
    return LowRank(config)
