"""A data set as it was named on the command line: a file, a folder of shards or standard input; and its source."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset


def data_set(path: Path) -> tuple[Dataset, dict[str, Any]]:
    """The data set and its source ``{name, size, sha256}``; of standard input the bytes are read once for both."""
    from mmcli.artifacts.formats import dataset
    from mmcli.artifacts.io import reading

    if str(path) != reading.STDIN:
        return load(path), source(path)
    data = reading.read_bytes(path, dataset.MAX_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    return dataset.loads(data, reading.named(path)), {"name": reading.STDIN, "size": len(data), "sha256": digest}


def load(path: Path) -> Dataset:
    """The data set in a file, or in a folder of shards, whose rows are read when they are needed."""
    from mmcli.artifacts.formats import dataset, shards

    return shards.load(path) if path.is_dir() else dataset.load(path)


def source(path: Path) -> dict[str, Any]:
    """What is recorded of an input: ``{name, size, sha256}``."""
    from mmcli.artifacts.formats import shards
    from mmcli.artifacts.io import provenance

    return shards.source_of(path) if path.is_dir() else provenance.source_of(path)
