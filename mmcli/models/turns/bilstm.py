"""LSTM over the turns of a group, in both directions, or with `causal` forwards alone.

Reference: S. Poria et al., "Context-dependent sentiment analysis in user-generated videos", ACL 2017 (bc-LSTM).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmcli.models.parts import Dropout, mirrored, zeroed


@dataclass(frozen=True)
class Config:
    """Numbers a turn gets, half of them from each direction."""

    width: int = 64
    causal: bool = False
    dropout: float = 0.3


def sized(width: int, items: int) -> Config:
    """As wide as an encoder."""
    return Config(width)


class BiLstm(nn.Module):
    """``(groups, turns, inputs)`` to ``(groups, turns, width)``; the backward half starts at each group's last turn."""

    def __init__(self, config: Config, inputs: int) -> None:
        super().__init__()
        half = max(config.width // 2, 1)
        self.width = config.width if config.causal else 2 * half
        self.drop = Dropout(config.dropout)
        self.forwards = nn.LSTM(inputs, self.width if config.causal else half, batch_first=True)
        self.backwards = None if config.causal else nn.LSTM(inputs, half, batch_first=True)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """Zeros where the mask is False."""
        x = self.drop(sequence)
        said, _ = self.forwards(x)
        if self.backwards is not None:
            back, _ = self.backwards(mirrored(x, mask))
            said = torch.cat([said, mirrored(back, mask)], dim=-1)
        return zeroed(said, mask)


def build(config: Config, inputs: int) -> BiLstm:
    """The reader of turns of ``inputs`` numbers."""
    return BiLstm(config, inputs)
