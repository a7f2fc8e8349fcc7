"""Features of many items in one parquet table, as `mmcli extract -o OUT.parquet` writes it: read row by row.

What its columns are stands in :mod:`mmcli.artifacts.packs.parquet`, which writes it. A cell ``OUT.parquet:STREAM#ROW``
of a manifest names the features of one row.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats.features import Features
from mmcli.errors import ArtifactError, MissingError

SCHEMA = "mmcli/pack@1"
SUFFIX = ".parquet"
OWN = ("id", "split", "label", "group")
PARTS = ("shape", "times", "meta")
HELD = 4  # groups of rows that are kept for reading row after row


def needed() -> Any:
    """The module pyarrow. Raises MissingError where it is not installed."""
    try:
        import pyarrow
    except ImportError:
        raise MissingError("parquet and Arrow need pyarrow", hint="pip install 'mmcli[parquet]'") from None
    return pyarrow


def is_ours(table: Any) -> bool:
    """Whether an opened ParquetFile was written by :mod:`mmcli.artifacts.packs.parquet`."""
    return (table.schema_arrow.metadata or {}).get(b"mmcli") == SCHEMA.encode()


def lines(path: Path, table: Any) -> list[dict[str, Any]]:
    """The rows as those of a manifest, whose cells are ``PATH:STREAM#ROW``."""
    names = table.schema_arrow.names
    streams = [n for n in names if n not in OWN and f"{n}.meta" in names]
    out = []
    for number, row in enumerate(table.read([*OWN, *(f"{s}.meta" for s in streams)]).to_pylist()):
        own = {name: row[name] for name in OWN if row[name] is not None}
        cells = {s: f"{path.name}:{s}#{number}" for s in streams if row[f"{s}.meta"] is not None}
        out.append(own | cells)
    return out


def read(path: Path, stream: str, row: int) -> Features:
    """The features of one row. Raises ArtifactError where there are none, MissingError without pyarrow."""
    info = path.stat()
    starts = _starts(str(path), info.st_size, info.st_mtime_ns)
    group = int(np.searchsorted(starts, row, side="right")) - 1
    if not 0 <= row < starts[-1]:
        raise ArtifactError(f"has {starts[-1]} rows, counted from 0: there is no row {row}", source=path)
    held = _group(str(path), info.st_size, info.st_mtime_ns, group, stream)
    at = row - int(starts[group])
    if held[f"{stream}.meta"][at].as_py() is None:
        raise ArtifactError(f"row {row} has no {stream}", source=path)
    shape = held[f"{stream}.shape"][at].as_py()
    try:
        values = np.asarray(held[stream][at].values.to_numpy(zero_copy_only=False), np.float32).reshape(shape)
        times = np.asarray(held[f"{stream}.times"][at].values.to_numpy(zero_copy_only=False), np.float64)
        return Features(values.copy(), times.copy(), json.loads(held[f"{stream}.meta"][at].as_py()))
    except (ValueError, TypeError, AttributeError) as problem:
        raise ArtifactError(f"row {row}: {stream} is damaged ({problem})", source=path) from problem


@functools.lru_cache(maxsize=HELD)
def _starts(name: str, size: int, mtime_ns: int) -> Any:
    needed()
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(name) as table:
            counts = [table.metadata.row_group(k).num_rows for k in range(table.metadata.num_row_groups)]
    except (ArrowException, OSError) as problem:
        raise ArtifactError(f"is no parquet that can be read ({str(problem)[:200]})", source=name) from problem
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@functools.lru_cache(maxsize=HELD)
def _group(name: str, size: int, mtime_ns: int, group: int, stream: str) -> Any:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(name) as table:
            if stream not in table.schema_arrow.names:
                raise ArtifactError(f"has no column {stream!r}", source=name)
            return table.read_row_group(group, [stream, *(f"{stream}.{part}" for part in PARTS)]).combine_chunks()
    except (ArrowException, OSError) as problem:
        raise ArtifactError(f"is no parquet that can be read ({str(problem)[:200]})", source=name) from problem
