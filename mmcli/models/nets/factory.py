"""The one door to models: a configuration in, a module out. Every module has ``names``, the modalities it reads in
order, and ``forward(batch) -> logits``; contrastive encoders, which have no classifier, give points in their space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.errors import ArtifactError
from mmcli.models.nets.affine import Affine
from mmcli.models.nets.kernel import Kernel
from mmcli.models.nets.linear import LinearSum
from mmcli.models.nets.network import Batch, Contrastive, Network
from mmcli.models.nets.trees import Trees
from mmcli.models.parts import zeroed


def build(config: Mapping[str, Any]) -> nn.Module:
    """The model that a configuration describes, with fresh weights from torch's generator.

    Raises :class:`ArtifactError` where the configuration is not one that this version can build.
    """
    return _build(config, nested=False)


def names(config: Mapping[str, Any]) -> list[str]:
    """The modalities that the model of a configuration reads, in order."""
    parts = config.get("modalities")
    return [str(part.get("name")) for part in parts] if isinstance(parts, list) else []


def _build(config: Any, *, nested: bool) -> nn.Module:
    if not isinstance(config, Mapping):
        raise ArtifactError("the configuration of a model is not an object")
    name = config.get("name")
    if name == "network":
        return Network(config)
    if name == "kernel":
        return Kernel(config)
    if name == "affine":
        return Affine(config)
    if name == "trees":
        return Trees(config)
    if name == "linear":
        return LinearSum(config)
    if name == "contrastive" and not nested:
        return Contrastive(config)
    if name == "stack" and not nested:
        parts = config.get("members")
        if not isinstance(parts, list) or not 1 <= len(parts) <= MOST_MEMBERS:
            raise ArtifactError(f"a stack needs 1 to {MOST_MEMBERS} members")
        listed = config.get("modalities")
        if not isinstance(listed, list) or not all(isinstance(part, Mapping) for part in [*parts, *listed]):
            raise ArtifactError("a member or modality of a stack is not an object")
        return Stack(config, [_build(part.get("model"), nested=True) for part in parts])
    raise ArtifactError(f"unknown model {name!r}")


# Several models that answer together: a weighted sum of their calibrated log-probabilities (a log-linear ensemble).
#
# A member none of whose modalities is present has no say. With one member of weight one it is that member.
#
# Reference: D. Wolpert, "Stacked generalization", Neural Networks 5, 1992; log-linear combination: G. Hinton, "Training
# products of experts", Neural Computation 14, 2002.
#
# The configuration is one JSON object::
#
# {"name": "stack", "task": "classify", "outputs": 10, "modalities": [{"name": "audio"}, ...], "members": [{"title":
# "audio", "weight": 0.8, "gain": 1.1, "model": {"name": "network", ...}}, ...]}

MOST_MEMBERS = 256


class Stack(nn.Module):
    """``members`` are built models; weights and gains are part of the configuration.

    A member marked as fallback speaks only for items of which no weighted member can see anything. A member without
    weight that is no fallback is kept for comparison: it is never asked here. ``voices`` numbers all others.
    """

    def __init__(self, config: Mapping[str, Any], members: list[nn.Module]) -> None:
        super().__init__()
        parts, outputs = config["members"], config.get("outputs")
        if type(outputs) is not int or not 0 < outputs < 1 << 20:
            raise ArtifactError(f"a stack with {outputs!r} outputs")
        self.task = str(config.get("task"))
        self.members = nn.ModuleList(members)
        self.weights = [_number(part.get("weight")) for part in parts]
        self.gains = [_number(part.get("gain")) for part in parts]
        self.fallback = [part.get("fallback") is True for part in parts]
        self.voices = [i for i, w in enumerate(self.weights) if w > 0 or self.fallback[i]]
        if not self.voices:
            raise ArtifactError("a stack none of whose members has a weight")
        self.names = [str(part.get("name")) for part in config["modalities"]]
        if unknown := {name for member in members for name in _names(member)} - set(self.names):
            raise ArtifactError(f"a stack's member reads {min(unknown)!r}, which the stack does not list")
        self.register_buffer("prior", torch.zeros(outputs))

    def forward(self, batch: Batch) -> Tensor:
        """Logits ``(n, outputs)``: the logarithm of the prior where nothing is present."""
        answers, present = [], []
        for member in self.speaking():
            answers.append(member(batch))
            here = [(batch[n].mask & batch[n].present[:, None]).any(1) for n in _names(member)]
            present.append(torch.stack(here, 1).any(1))
        logits, there = torch.stack(answers, 1), torch.stack(present, 1)
        gains = torch.tensor([self.gains[i] for i in self.voices], device=logits.device)
        return combined(self.task, logits, self.shares(there), gains, self.get_buffer("prior"))

    def speaking(self) -> list[nn.Module]:
        """The members numbered by ``voices``."""
        return [self.members[i] for i in self.voices]

    def shares(self, there: Tensor) -> Tensor:
        """What each voice's answer counts, ``(n, voices)``, by which of them see anything, bool ``(n, voices)``."""
        weights = torch.tensor([self.weights[i] for i in self.voices], device=there.device)
        fallback = torch.tensor([self.fallback[i] for i in self.voices], device=there.device)
        return shares(there, weights, fallback)


def shares(there: Tensor, weights: Tensor, fallback: Tensor) -> Tensor:
    """What each member counts for each item ``(n, members)``: its weight, or 1 where only fallbacks see anything.

    ``there`` bool ``(n, members)``, ``weights`` and bool ``fallback`` ``(members,)``.
    """
    share = there * weights.masked_fill(fallback, 0.0)
    return torch.where(share.sum(1, keepdim=True) > 0, share, (there & fallback).to(share.dtype))


def combined(task: str, logits: Tensor, share: Tensor, gains: Tensor, prior: Tensor) -> Tensor:
    """Members' logits ``(n, members, outputs)`` and weights ``(n, members)``, zero where absent, to ``(n, outputs)``.

    ``classify``: prior plus the sum of weight times (log-probability - prior). ``multilabel``: the same with log-odds.
    ``regress``: the weighted mean.
    """
    return joined(task, evidence(task, logits, gains, prior), share, prior)


def evidence(task: str, logits: Tensor, gains: Tensor, prior: Tensor) -> Tensor:
    """What each member says beyond the prior, ``(n, members, outputs)``: :func:`combined` without the weights."""
    if task == "regress":
        return logits
    answers = logits * gains[:, None]
    if task == "classify":
        answers = functional.log_softmax(answers, dim=-1)
    return answers - prior


def joined(task: str, said: Tensor, share: Tensor, prior: Tensor) -> Tensor:
    """Members' evidence and weights to ``(n, outputs)``."""
    if task == "regress":
        total = share.sum(1, keepdim=True)
        mean = (zeroed(said, share > 0) * share[..., None]).sum(1) / total.clamp(min=1e-6)
        return torch.where(total > 0, mean, prior)
    return prior + (said * share[..., None]).sum(1)


def _names(member: nn.Module) -> list[str]:
    names: list[str] = member.names  # type: ignore[assignment]
    return names


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value < 1e6:
        raise ArtifactError(f"a stack's weight or gain cannot be {value!r}")
    return float(value)
