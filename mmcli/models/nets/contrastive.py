"""Encoders without a classifier: each modality's vector through a linear map onto one sphere that all modalities share.

What pre-training on pairs trains (:mod:`.contrastive`); ``mmcli train --init`` goes on from its encoders.

Reference: A. Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021
(CLIP): linear projections, unit length, and a learned temperature kept as the logarithm of its inverse.

The configuration is one JSON object::

    {"name": "contrastive", "modalities": [{"name": "image", "encoder": "image", "config": {...}}, ...],
     "space": {"width": 64}}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.errors import ArtifactError
from mmcli.models.nets.network import Batch, encoder_of, objects
from mmcli.models.parts import Encoder, from_json, zeroed

TEMPERATURE = 0.07  # to start from
LARGEST_SCALE = 100.0  # the paper's bound: below a temperature of 0.01 training is unstable


@dataclass(frozen=True)
class SpaceConfig:
    """``width``: dimensions of the shared space."""

    width: int


class Contrastive(nn.Module):
    """``names`` are the modalities in order; at least two."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        parts = objects(config.get("modalities"))
        if len(parts) < 2:
            raise ArtifactError("contrastive encoders need two modalities")
        space = from_json(SpaceConfig, cast(Mapping[str, Any], config.get("space")), "space")
        self.names = [str(part.get("name")) for part in parts]
        built = [encoder_of(part) for part in parts]
        self.encoders = nn.ModuleList(built)
        self.projections = nn.ModuleList(nn.Linear(e.width, space.width, bias=False) for e in built)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))

    def forward(self, batch: Batch) -> Tensor:
        """Points on the sphere, float32 ``(n, modalities, width)``; zero where a modality is absent."""
        points = []
        for name, encoder, project in zip(self.names, self.encoders, self.projections, strict=True):
            values, mask, there = batch[name]
            mask = mask & there[:, None]
            sequence, seen = encoder(zeroed(values, mask), mask)
            point = functional.normalize(project(cast(Encoder, encoder).pool(sequence, seen)).float(), dim=1)
            points.append(zeroed(point, mask.any(1)))
        return torch.stack(points, dim=1)

    @property
    def scale(self) -> Tensor:
        """One over the temperature, a scalar."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)
