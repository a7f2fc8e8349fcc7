"""Late fusion: every modality answers for itself, the answers are calibrated and multiplied.

Each modality's logits are divided by its own learned temperature and weighted by a learned reliability; the prior,
counted once by every modality, is counted once by the sum (J. Kittler et al., "On combining classifiers", PAMI 1998,
product rule).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.models import parts
from mmcli.models.parts import Block


@dataclass(frozen=True)
class Config:
    """Number of modalities, width of each vector, and logits of each answer."""

    modalities: int
    width: int
    outputs: int = 2


def sized(modalities: int, width: int, items: int) -> Config:
    """Nothing to choose."""
    return Config(modalities, width)


class Late(Block):
    """Logits ``(n, modalities, outputs)`` to ``(n, outputs)``; one value (regression) is averaged."""

    decides = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.outputs
        self.scale = nn.Parameter(torch.full((config.modalities,), 0.5413))  # softplus gives 1
        self.prior = nn.Parameter(torch.zeros(config.outputs))

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """With nothing present the prior answers alone."""
        weight = functional.softplus(self.scale) * present
        if self.width == 1:
            mean = (vectors * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp(min=1e-6)
            return mean + self.prior
        evidence = functional.log_softmax(vectors, dim=-1) - functional.log_softmax(self.prior, dim=-1)
        return parts.zeroed(evidence * weight[..., None], present).sum(1) + functional.log_softmax(self.prior, dim=-1)


def build(config: Config) -> Block:
    """The block."""
    return Late(config)
