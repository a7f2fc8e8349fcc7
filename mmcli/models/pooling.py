"""From a sequence to one vector, padding left out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmcli.models import masks
from mmcli.models.dropout import Dropout


class AttentionPool(nn.Module):
    """``(n, steps, width)`` and a mask ``(n, steps)`` to ``(n, width)``: attention-weighted mean beside the maximum.

    Each step's weight is a softmax over a learned score (Bahdanau et al. 2015, with one learned query).
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)  # a softmax over steps does not see one
        self.drop = Dropout(dropout)
        self.out = nn.Linear(2 * width, width)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Zeros through a linear layer where no step is real."""
        weight = masks.softmax(self.score(sequence).squeeze(-1), mask)
        mean = torch.einsum("nt,ntw->nw", weight, sequence)
        both = torch.cat([mean, masks.largest(sequence, mask)], dim=-1)
        return torch.relu(self.out(self.drop(both)))


class GridPool(nn.Module):
    """A grid of ``cells`` picture cells ``(n, cells, width)`` to ``(n, width)``, each place with its own weights."""

    def __init__(self, cells: int, width: int, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.out = nn.Linear(cells * width, width)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Cells that the mask leaves out count as zero."""
        return torch.relu(self.out(self.drop(masks.zeroed(sequence, mask).flatten(1))))


class NoPool(nn.Module):
    """For encoders whose result is one step: that step."""

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """The step, zeros where it is absent."""
        return masks.zeroed(sequence, mask)[:, 0]
