"""Aligners: one method per file, each with ``Config`` and ``align(x, y, config) -> Alignment``.

``mmcli.aligners.NAME`` opens on first use. ``x`` is the reference, ``y`` the query: arrays ``(frames, dims)`` at one
frame a second, :class:`~mmcli.artifacts.features.Features`, or audio clips where the method's ``INPUTS`` says so.
"""

from __future__ import annotations

from types import ModuleType

from mmcli.errors import UsageError
from mmcli.registry import Registry

SUPPORT = ("timemap", "pair", "apply", "formats")

registry = Registry("alignment method", __name__, __path__, support=SUPPORT)


def __getattr__(name: str) -> ModuleType:
    """Methods and support modules are imported when they are first named."""
    if name.startswith("_"):
        raise AttributeError(name)
    if name in SUPPORT:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    try:
        return registry.load(name)
    except UsageError as e:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from e
