"""A linear map of each stream's standardised statistics, summed: logistic regression and ridge regression.

A modality that is absent adds nothing, which is what its training mean would add.

Reference: D. R. Cox, "The regression analysis of binary sequences", JRSS B 20, 1958; A. E. Hoerl and R. W. Kennard,
"Ridge regression", Technometrics 12, 1970.

The configuration is one JSON object::

    {"name": "affine", "outputs": 10,
     "modalities": [{"name": "audio", "kind": "sequence", "shape": [13], "vocabulary_size": 0}, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmcli.models.nets.described import Machine
from mmcli.models.nets.network import Batch
from mmcli.models.parts import from_json


@dataclass(frozen=True)
class Config:
    """``outputs``: numbers an item is answered with."""

    outputs: int


class Affine(Machine):
    """All tensors are buffers: the weights are solved for, see :mod:`mmcli.training.ensemble.linear`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        sizes = from_json(Config, {k: v for k, v in config.items() if k not in ("name", "modalities")}, "affine")
        for i, width in enumerate(self.widths):
            self.register_buffer(f"weights_{i}", torch.zeros(width, sizes.outputs))
        self.register_buffer("bias", torch.zeros(sizes.outputs))

    def forward(self, batch: Batch) -> Tensor:
        """Logits ``(n, outputs)``."""
        described = [self.described(batch, i) for i in range(len(self.names))]
        return self.answer([x for x, _ in described], torch.stack([there for _, there in described], dim=1))

    def answer(self, vectors: Sequence[Tensor], there: Tensor) -> Tensor:
        """Logits of standardised statistics, of each modality ``(n, width)``; ``there`` bool ``(n, modalities)``."""
        total = self.get_buffer("bias").expand(len(there), -1)
        for i, x in enumerate(vectors):
            total = total + (x @ self.get_buffer(f"weights_{i}")) * there[:, i, None]
        return total
