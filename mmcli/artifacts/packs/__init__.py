"""All features of a folder in one file, or a few, as loaders of training data read them. A new file is a new format.

A module has ``SUFFIXES`` and ``write(path, rows)`` of :class:`mmcli.artifacts.formats.packing.Rows`, which writes whole
files or none, and the same bytes for the same rows; and ``check(path)``, which refuses before any work.
"""

from __future__ import annotations

import re
from pathlib import Path

from mmcli.artifacts.formats.packing import Rows
from mmcli.registry import Registry

registry = Registry("pack", __name__, [str(Path(__file__).parent)])


def writer_of(path: str) -> str | None:
    """The name of the format of a path, None where it is none.

    >>> writer_of("out.parquet"), writer_of("out-%06d.tar"), writer_of("out.npz")
    ('parquet', 'webdataset', None)
    """
    suffix = Path(path).suffix.lower()
    return next((name for name in registry.names() if suffix in registry.load(name).SUFFIXES), None)


def folder_of(path: str) -> str:
    """Where the features of a pack are made, and stay for the next run: beside it.

    >>> folder_of("x/out-%06d.tar"), folder_of("out.parquet")
    ('x/out.tar.parts', 'out.parquet.parts')
    """
    at = Path(path)
    return str(at.with_name(re.sub(r"[-_.]?%0?\d*d", "", at.name) + ".parts"))


def write(path: str) -> None:
    """Pack the folder of features that belongs to a path. Raises what the format's ``write`` does."""
    name = writer_of(path)
    assert name is not None
    registry.load(name).write(Path(path), Rows(Path(folder_of(path))))
