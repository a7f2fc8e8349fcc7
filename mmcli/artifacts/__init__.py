"""The file formats, and nothing else: the only room of mmcli that writes files.

Every artifact has the same four functions: ``load(path)`` and ``save(path, value)`` for files (``"-"`` is standard
input or output), ``loads(data, name)`` and ``dumps(value)`` for bytes. ``save`` returns the SHA-256 of what it wrote.
What loads is whole and follows its schema; everything else raises :class:`mmcli.errors.ArtifactError`.

========== ============================ ==========================
module     schema                       file
========== ============================ ==========================
features   ``mmcli/features@1``         npz
alignment  ``mmcli/alignment@1``        json
dataset    ``mmcli/dataset@1``          npz
checkpoint ``mmcli/checkpoint@1``       pt
manifest   ``mmcli/manifest@1``         csv or NDJSON
report     ``mmcli/report@1``           json
fitted     ``mmcli/fitted@1``           json
========== ============================ ==========================
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = [
    "alignment",
    "append",
    "atomic",
    "checkpoint",
    "dataset",
    "features",
    "fitted",
    "inspect",
    "manifest",
    "provenance",
    "report",
    "table",
]


def __getattr__(name: str) -> ModuleType:
    """Formats are imported when they are first named."""
    if name in __all__:
        return importlib.import_module(f"mmcli.artifacts.{name}")
    raise AttributeError(f"module 'mmcli.artifacts' has no attribute {name!r}")
