"""mmcli: features, alignment, fusion, training and evaluation for multimodal data, from files to files.

The library has one door per family, opened on first use::

    mmcli.extractors.logmel.extract(clip, mmcli.extractors.logmel.Config()) -> Features
    mmcli.aligners.methods.dtw.align(x, y, mmcli.aligners.methods.dtw.Config()) -> Alignment
"""

from __future__ import annotations

import importlib
from types import ModuleType

from mmcli._version import __version__

__all__ = [
    "__version__",
    "aligners",
    "artifacts",
    "batch",
    "errors",
    "evaluation",
    "extractors",
    "fusion",
    "media",
    "models",
    "training",
]


def __getattr__(name: str) -> ModuleType:
    """Rooms are imported when they are first named: ``import mmcli`` itself loads nothing heavy."""
    if name in __all__:
        return importlib.import_module(f"mmcli.{name}")
    raise AttributeError(f"module 'mmcli' has no attribute {name!r}")
