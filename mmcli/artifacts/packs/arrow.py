"""One Arrow file (IPC), with the columns of :mod:`.parquet`: read by pyarrow, pandas (`read_feather`) and polars."""

from __future__ import annotations

from pathlib import Path

from mmcli.artifacts.foreign.tables import needed
from mmcli.artifacts.formats.packing import Rows
from mmcli.artifacts.io import atomic
from mmcli.artifacts.packs import parquet

SUFFIXES = (".arrow", ".feather")


def write(path: Path, rows: Rows) -> None:
    """Write the file. Raises MissingError without pyarrow, OutputError where it cannot be written."""
    pyarrow = needed()
    schema = parquet.schema_of(pyarrow, rows.streams)
    with atomic.path(path) as place, pyarrow.ipc.new_file(str(place), schema) as out:
        for some in parquet.tables(pyarrow, rows, schema):
            out.write_table(some)


def check(path: Path) -> None:
    """Raises MissingError without pyarrow, OutputError where nothing can be written."""
    needed()
    atomic.refuse_impossible(path)
