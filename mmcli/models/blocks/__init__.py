"""Fusion blocks inside a network: the vectors or sequences of several modalities to one vector. One block a file.

A block module has ``Config``, ``sized(modalities, width, items)`` and ``build(config)``. A new file is a new block.
"""

from __future__ import annotations

from mmcli.registry import Registry

registry = Registry("fusion block", __name__, __path__, group="mmcli.models.fusion")
