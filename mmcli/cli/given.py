"""A data set as it was named on the command line, a file or standard input, and what is recorded of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmcli.artifacts.dataset import Dataset


def data_set(path: Path) -> tuple[Dataset, dict[str, Any]]:
    """The data set and its source ``{name, size, sha256}``; of standard input the bytes are read once for both."""
    from mmcli.artifacts import dataset, provenance, reading

    if str(path) != reading.STDIN:
        return dataset.load(path), provenance.source_of(path)
    data = reading.read_bytes(path, dataset.MAX_BYTES)
    source = {"name": reading.STDIN, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return dataset.loads(data, reading.named(path)), source
