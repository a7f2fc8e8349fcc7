"""Evidential late fusion: each modality gives evidence for every class and keeps the rest as doubt; Dempster's rule
joins.

Reference: Z. Han et al., "Trusted multi-view classification", ICLR 2021: evidence e, strength S = sum(e) + K, belief
b = e / S, doubt u = K / S (eq. 2); two opinions combine as b = (b1 b2 + b1 u2 + b2 u1) / (1 - C), u = u1 u2 / (1 -
C), with the conflict C = sum over i != j of b1_i b2_j (eq. 4). The logits are the logarithm of the expected class
probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mmcli.models.parts import Block


@dataclass(frozen=True)
class Config:
    """Number of modalities, width of each vector, and number of classes."""

    modalities: int
    width: int
    outputs: int = 2


def sized(modalities: int, width: int, items: int) -> Config:
    """Nothing to choose."""
    return Config(modalities, width)


class Evidential(Block):
    """Logits ``(n, modalities, classes)``, read as evidence through a softplus, to log-probabilities."""

    decides = True

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.width = config.outputs

    def opinion(self, logits: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Belief ``(n, classes)`` and doubt ``(n, 1)`` after all present modalities; nothing present is all doubt."""
        evidence = functional.softplus(logits) * present[..., None]
        strength = evidence.sum(-1, keepdim=True) + self.width
        beliefs, doubts = evidence / strength, self.width / strength
        belief, doubt = beliefs[:, 0], doubts[:, 0]
        for i in range(1, logits.shape[1]):
            other, unsure = beliefs[:, i], doubts[:, i]
            agreed = belief * other
            conflict = belief.sum(-1, keepdim=True) * other.sum(-1, keepdim=True) - agreed.sum(-1, keepdim=True)
            rest = (1.0 - conflict).clamp(min=1e-9)
            belief, doubt = (agreed + belief * unsure + other * doubt) / rest, doubt * unsure / rest
        return belief, doubt

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Expected probabilities are belief plus an even share of the doubt."""
        if self.width == 1:
            count = present.sum(1, keepdim=True).clamp(min=1)
            return (vectors * present[..., None]).sum(1) / count
        belief, doubt = self.opinion(vectors, present)
        return torch.log((belief + doubt / self.width).clamp(min=1e-12))


def build(config: Config) -> Block:
    """The block."""
    return Evidential(config)
