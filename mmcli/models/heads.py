"""From a feature vector to logits (classes, one value for regression)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmcli.models.parts import Dropout


class Head(nn.Module):
    """``(n, width)`` to ``(n, outputs)``: a linear map plus a hidden layer that learns what the linear map leaves.

    The linear path makes the sum over concatenated modalities a product of experts, right where modalities are
    independent given the class; the hidden layer serves labels that show only in combinations (``hidden`` 0: none).
    """

    def __init__(self, width: int, outputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.direct = nn.Linear(width, outputs)
        self.hidden = nn.Linear(width, hidden) if hidden else None
        self.out = nn.Linear(hidden, outputs) if hidden else None

    def forward(self, features: Tensor) -> Tensor:
        """Logits; no softmax here."""
        x = self.drop(features)
        logits: Tensor = self.direct(x)
        if self.hidden is not None and self.out is not None:
            logits = logits + self.out(self.drop(torch.relu(self.hidden(x))))
        return logits
