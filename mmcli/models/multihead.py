"""Multi-head scaled dot-product attention with masks, through torch's fused kernel.

Reference: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, eq. 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models.parts import Dropout


class Attention(nn.Module):
    """Queries ``(n, q, width)`` look at ``(n, k, width)``; one that may see nothing gets the last map of zeros."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
        """``mask`` bool ``(n, k)``: which steps may be seen."""
        q = self.query(queries).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.key_value(seen).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        some = mask.any(1)
        visible = (mask | ~some[:, None])[:, None, None, :]
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        y = y.transpose(1, 2).flatten(2)
        return self.out(y.masked_fill(~some[:, None, None], 0.0))  # type: ignore[no-any-return]


class SelfLayer(nn.Module):
    """Attention of a sequence to itself and a feed-forward map of twice the width, pre-norm, each beside a residual
    path.

    Pre-norm: R. Xiong et al., "On layer normalization in the transformer architecture", ICML 2020.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.between = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``(n, steps, width)`` and bool ``(n, steps)`` to the same shape."""
        y = self.before(x)
        x = x + self.drop(self.attention(y, y, mask))
        return x + self.drop(self.feed(self.between(x)))  # type: ignore[no-any-return]


def positions(steps: int, width: int, device: torch.device) -> Tensor:
    """Sinusoidal positions ``(steps, width)`` (Vaswani et al. 2017, section 3.5)."""
    half = (width + 1) // 2
    rate = torch.exp(torch.arange(half, device=device) * (-9.210340371976184 / max(half, 1)))
    angle = torch.arange(steps, device=device)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :width]
