"""A manifest that somebody keeps as a parquet table: its rows as lines of NDJSON, checked like any others.

Numbers that hold a label, a group or a category become text as they are printed; what is null is absent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmcli.errors import ArtifactError, UsageError

SUFFIX = ".parquet"
MOST_CELLS = 1 << 26
AT_ONCE = 4096


def as_lines(path: Path) -> bytes:
    """The table as NDJSON.

    Raises :class:`UsageError` without pyarrow and :class:`ArtifactError` for what is no parquet, or holds other cells
    than text and numbers.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise UsageError("a parquet manifest needs pyarrow", source=path, hint="pip install mmcli[parquet]") from None
    lines = []
    try:
        with parquet.ParquetFile(path) as table:
            cells = table.metadata.num_rows * table.metadata.num_columns
            if cells > MOST_CELLS:
                raise ArtifactError(f"holds {cells:,} cells, more than the {MOST_CELLS:,} of a manifest", source=path)
            for batch in table.iter_batches(AT_ONCE):
                lines += [json.dumps(_plain(row, path)) for row in batch.to_pylist()]
    except (ArrowException, OSError, ValueError) as problem:
        raise ArtifactError(f"is no parquet that can be read ({str(problem)[:200]})", source=path) from problem
    return ("\n".join(lines) + "\n").encode("utf-8") if lines else b""


def _plain(row: dict[str, Any], path: Path) -> dict[str, Any]:
    for name, value in row.items():
        if not isinstance(value, (str, int, float, bool, type(None))):
            what = f"column {name!r} holds {type(value).__name__}; a cell of a manifest is text, a number or null"
            raise ArtifactError(what, source=path)
    return {name: value for name, value in row.items() if value is not None and value == value}  # NaN is null
