"""The file formats, and nothing else: the only room of mmcli that writes files.

How files are read and written stands in :mod:`mmcli.artifacts.io`, what is in them in
:mod:`mmcli.artifacts.formats`. Every artifact has the same four functions: ``load(path)`` and ``save(path, value)`` for
files (``"-"`` is standard input or output), ``loads(data, name)`` and ``dumps(value)`` for bytes. ``save`` returns the
SHA-256 of what it wrote. What loads is whole and follows its schema; everything else raises
:class:`mmcli.errors.ArtifactError`.

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

from mmcli.registry import also_known_as

# What programs outside import: the paths that the README names.
also_known_as("mmcli.artifacts.alignment", "mmcli.artifacts.formats.alignment")
also_known_as("mmcli.artifacts.features", "mmcli.artifacts.formats.features")


def __getattr__(name: str) -> ModuleType:
    """``mmcli.artifacts.alignment`` and ``.features`` are imported when they are first named."""
    if name in ("alignment", "features"):
        return importlib.import_module(f"mmcli.artifacts.formats.{name}")
    raise AttributeError(f"module 'mmcli.artifacts' has no attribute {name!r}")
