"""The whole network: an encoder for each modality, a fusion block, a head. Any subset of the modalities may be present.

The configuration is one JSON object::

    {"name": "network", "modalities": [{"name": "image", "encoder": "image", "config": {...}}, ...],
     "fusion": {"name": "concat", "config": {...}},
     "head": {"outputs": 10, "hidden": 64, "dropout": 0.3}, "auxiliary": true}

With ``auxiliary`` every modality has a head of its own beside the fused one, trained with it and read by ``detailed``.
With ``"context": {"name": "bilstm", "config": {...}}`` the head also gets what a reader makes of the item among the
others of its group (:mod:`mmcli.models.grouped`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.errors import ArtifactError
from mmcli.models import blocks, encoders, grouped, turns
from mmcli.models.parts import Block, Dropout, Encoder, from_json, zeroed
from mmcli.registry import Registry

MOST_MODALITIES = 64


class Input(NamedTuple):
    """One modality of a batch: values float32 ``(n, steps, ...)``, mask bool ``(n, steps)``, present bool ``(n,)``."""

    values: Tensor
    mask: Tensor
    present: Tensor


Batch = Mapping[str, Input]


class Outputs(NamedTuple):
    """``logits`` ``(n, outputs)``; ``alone`` ``(n, modalities, outputs)``, each modality's own, or None."""

    logits: Tensor
    alone: Tensor | None
    present: Tensor
    vectors: Tensor


@dataclass(frozen=True)
class HeadConfig:
    """Outputs (classes, or 1), hidden units (0: linear) and dropout of the head."""

    outputs: int
    hidden: int = 0
    dropout: float = 0.3


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


class Network(nn.Module):
    """Built from its configuration by :func:`.build`; ``names`` are the modalities in order."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        parts = objects(config.get("modalities"))
        head = from_json(HeadConfig, _object(config.get("head"), "head"), "head")
        self.names = [str(part.get("name")) for part in parts]
        built = [encoder_of(part) for part in parts]
        width = built[0].width
        if any(encoder.width != width for encoder in built):
            raise ArtifactError("the encoders of one network must have one width")
        self.encoders = nn.ModuleList(built)
        self.fusion = _block(_object(config.get("fusion"), "fusion"), len(parts), width, head.outputs)
        self.context = _reader(config.get("context"), self.fusion)
        read = 0 if self.context is None else cast(int, self.context.width)
        width_in = self.fusion.width + read
        self.head = None if self.fusion.decides else Head(width_in, head.outputs, head.hidden, head.dropout)
        alone = config.get("auxiliary") is True or self.fusion.decides
        self.alone = nn.ModuleList(Head(width, head.outputs, 0, head.dropout) for _ in parts if alone)

    def forward(self, batch: Batch) -> Tensor:
        """Logits ``(n, outputs)``."""
        return self.detailed(batch).logits

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Vectors ``(n, modalities, width)``, zero where absent, and present bool ``(n, modalities)``."""
        sequences, seen, present = [], [], []
        for name, encoder in zip(self.names, self.encoders, strict=True):
            values, mask, there = batch[name]
            mask = mask & there[:, None]
            sequence, mask = encoder(zeroed(values, mask), mask)
            sequences.append(sequence)
            seen.append(mask)
            present.append(mask.any(1))
        here = torch.stack(present, dim=1)
        mixed = self.fusion.mix(sequences, seen)
        vectors = [cast(Encoder, e).pool(s, m) for e, s, m in zip(self.encoders, mixed, seen, strict=True)]
        return zeroed(torch.stack(vectors, dim=1), here), here

    def detailed(self, batch: Batch) -> Outputs:
        """Logits, each modality's own logits where it has a head, and what was present."""
        vectors, present = self.encode(batch)
        if self.head is not None:
            fused = self.fusion(vectors, present)
            if self.context is not None:
                fused = torch.cat([fused, grouped.read(self.context, fused, batch)], dim=1)
                fused, vectors, present = (grouped.asked(part, batch) for part in (fused, vectors, present))
        alone = None
        if len(self.alone):
            alone = torch.stack([head(vectors[:, i]) for i, head in enumerate(self.alone)], dim=1)
        if self.head is not None:
            return Outputs(self.head(fused), alone, present, vectors)
        assert alone is not None  # a deciding block has heads
        return Outputs(self.fusion(alone, present), alone, present, vectors)


def _reader(part: Any, fusion: Block) -> nn.Module | None:
    """What reads the turns of a group, where the configuration has one."""
    if part is None:
        return None
    part = _object(part, "context")
    if fusion.decides:
        raise ArtifactError("a fusion block that decides has no vector of an item that turns could be read by")
    module = _module(turns.registry, part.get("name"))
    where = f"context {part.get('name')!r}"
    config = from_json(module.Config, _object(part.get("config"), where), where)
    return cast(nn.Module, module.build(config, fusion.width))


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ArtifactError(f"the configuration of {where} is not an object")
    return value


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The modalities of a configuration, 1 to 64 JSON objects."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_MODALITIES:
        raise ArtifactError(f"a network needs 1 to {MOST_MODALITIES} modalities")
    return [_object(part, "modality") for part in value]


def _module(family: Registry, name: Any) -> ModuleType:
    if name not in family.names():
        raise ArtifactError(f"unknown {family.kind} {name!r}", hint="was the checkpoint written by a newer version?")
    return family.load(name)


def encoder_of(part: Mapping[str, Any]) -> Encoder:
    """The encoder that one modality's part of a configuration describes."""
    module = _module(encoders.registry, part.get("encoder"))
    where = f"encoder {part.get('encoder')!r} of {part.get('name')!r}"
    return cast(Encoder, module.build(from_json(module.Config, _object(part.get("config"), where), where)))


def _block(part: Mapping[str, Any], modalities: int, width: int, outputs: int) -> Block:
    module = _module(blocks.registry, part.get("name"))
    where = f"fusion {part.get('name')!r}"
    config = from_json(module.Config, _object(part.get("config"), where), where)
    fits = {"modalities": modalities, "width": width, "outputs": outputs}
    if any(getattr(config, field, value) != value for field, value in fits.items()):
        raise ArtifactError(f"{where} does not fit {modalities} modalities of width {width}")
    return cast(Block, module.build(config))


# Encoders without a classifier: each modality's vector through a linear map onto one sphere that all modalities share.
#
# What pre-training on pairs trains; ``mmcli train --init`` goes on from its encoders.
#
# Reference: A. Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021
# (CLIP): linear projections, unit length, and a learned temperature kept as the logarithm of its inverse.
#
# The configuration is one JSON object::
#
# {"name": "contrastive", "modalities": [{"name": "image", "encoder": "image", "config": {...}}, ...],
#  "space": {"width": 64}}

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
