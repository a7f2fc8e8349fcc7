"""The one door to models: a configuration in, a module out. Every module has ``names``, the modalities it reads in
order, and ``forward(batch) -> logits``; contrastive encoders, which have no classifier, give points in their space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from mmcli.errors import ArtifactError
from mmcli.models.nets.contrastive import Contrastive
from mmcli.models.nets.kernel import Kernel
from mmcli.models.nets.network import Network
from mmcli.models.nets.stack import MOST_MEMBERS, Stack


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
