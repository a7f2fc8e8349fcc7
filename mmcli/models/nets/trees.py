"""Gradient-boosted trees over fixed statistics of the streams, as tensors: neither a pickle nor a library to answer.

An absent modality is a stretch of missing values, which every split sends the way that served best in training.

Reference: J. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29, 2001; by
histograms: G. Ke et al., "LightGBM", NeurIPS 2017.

The configuration is one JSON object; ``trees`` trees of together ``nodes`` nodes, of which tree t adds to output t
modulo ``outputs``::

    {"name": "trees", "outputs": 10, "trees": 600, "nodes": 9000, "depth": 12,
     "modalities": [{"name": "audio", "kind": "vector", "shape": [13], "vocabulary_size": 0}, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmcli.errors import ArtifactError
from mmcli.models.nets.described import Machine
from mmcli.models.nets.network import Batch
from mmcli.models.parts import from_json

MOST_NODES = 1 << 24
MOST_DEPTH = 64


@dataclass(frozen=True)
class Config:
    """Sizes: outputs, trees, nodes of all trees together, and steps from a root to its deepest leaf."""

    outputs: int
    trees: int
    nodes: int
    depth: int


class Trees(Machine):
    """All tensors are buffers. A leaf's children are the leaf itself, so that a walk may go on after it ended."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        sizes = from_json(Config, {k: v for k, v in config.items() if k not in ("name", "modalities")}, "trees")
        if sizes.nodes > MOST_NODES or sizes.depth > MOST_DEPTH or not 1 <= sizes.trees <= sizes.nodes:
            raise ArtifactError(f"trees of {sizes.nodes:,} nodes, {sizes.depth} deep")
        self.sizes = sizes
        self.register_buffer("roots", torch.zeros(sizes.trees, dtype=torch.int64))
        for name in ("column", "left", "right"):
            self.register_buffer(name, torch.zeros(sizes.nodes, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(sizes.nodes, dtype=torch.float64))
        self.register_buffer("value", torch.zeros(sizes.nodes, dtype=torch.float64))
        self.register_buffer("missing_left", torch.zeros(sizes.nodes, dtype=torch.bool))
        self.register_buffer("bias", torch.zeros(sizes.outputs, dtype=torch.float64))

    def forward(self, batch: Batch) -> Tensor:
        """Logits ``(n, outputs)``."""
        described = [self.described(batch, i) for i in range(len(self.names))]
        return self.answer([x for x, _ in described], torch.stack([there for _, there in described], dim=1))

    @torch.no_grad()  # its answers are steps
    def answer(self, vectors: Sequence[Tensor], there: Tensor) -> Tensor:
        """Logits of standardised statistics, of each modality ``(n, width)``; ``there`` bool ``(n, modalities)``."""
        x = torch.cat([part.masked_fill(~there[:, i, None], torch.nan) for i, part in enumerate(vectors)], dim=1)
        column, left, right, threshold = (self.get_buffer(n) for n in ("column", "left", "right", "threshold"))
        missing_left = self.get_buffer("missing_left")
        wide, last = x.double(), len(column) - 1
        at = self.get_buffer("roots").clamp(0, last)[None].expand(len(x), -1)
        for _ in range(self.sizes.depth):
            value = wide.gather(1, column[at].clamp(0, wide.shape[1] - 1))
            to_left = torch.where(value.isnan(), missing_left[at], value <= threshold[at])
            at = torch.where(to_left, left[at], right[at]).clamp(0, last)
        leaves = self.get_buffer("value")[at]
        total = leaves.reshape(len(x), -1, self.sizes.outputs).sum(1) + self.get_buffer("bias")
        return total.float()
