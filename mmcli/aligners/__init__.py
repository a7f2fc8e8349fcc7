"""Aligners: one method per file of :mod:`mmcli.aligners.methods`, with ``Config`` and ``align(x, y, config)``.

``mmcli.aligners.NAME`` opens on first use. ``x`` is the reference, ``y`` the query: arrays ``(frames, dims)`` at one
frame a second, :class:`~mmcli.artifacts.formats.features.Features`, or audio clips where the method's ``INPUTS`` says
so; the result is an :class:`~mmcli.artifacts.formats.alignment.Alignment`.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from mmcli.errors import UsageError
from mmcli.registry import Registry, also_known_as

registry = Registry("alignment method", f"{__name__}.methods", [str(Path(__file__).parent / "methods")], group=__name__)
also_known_as("mmcli.aligners", registry)
also_known_as("mmcli.aligners.timemap", "mmcli.artifacts.formats.timemap")


def __getattr__(name: str) -> ModuleType:
    """Methods are imported when they are first named."""
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return registry.load(name)
    except UsageError as e:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from e
