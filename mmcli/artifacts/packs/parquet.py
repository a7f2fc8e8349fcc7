"""One parquet table: a row an item, and of each stream STREAM four columns.

``STREAM`` holds the values, a list of float32 in C order, ``STREAM.shape`` their shape, ``STREAM.times`` the middle of
each frame in seconds, and ``STREAM.meta`` the rest as JSON; all null where an item lacks the stream. Groups of rows are
small, so that a row can be read without the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mmcli.artifacts.foreign.tables import needed
from mmcli.artifacts.formats.packed import OWN, SCHEMA
from mmcli.artifacts.formats.packing import Packed, Rows, parts
from mmcli.artifacts.io import atomic, provenance

SUFFIXES = (".parquet",)
AT_ONCE = 256  # rows of a group


def write(path: Path, rows: Rows) -> None:
    """Write the table. Raises MissingError without pyarrow, OutputError where it cannot be written."""
    pyarrow = needed()
    from pyarrow import parquet

    schema = schema_of(pyarrow, rows.streams)
    with (
        atomic.path(path) as place,
        parquet.ParquetWriter(place, schema, compression="zstd", write_statistics=False) as out,
    ):
        for some in tables(pyarrow, rows, schema):
            out.write_table(some, row_group_size=AT_ONCE)


def schema_of(pyarrow: Any, streams: list[str]) -> Any:
    """The columns of a table with some streams."""
    fields = [(name, pyarrow.string()) for name in OWN]
    for stream in streams:
        fields += [
            (stream, pyarrow.list_(pyarrow.float32())),
            (f"{stream}.shape", pyarrow.list_(pyarrow.int32())),
            (f"{stream}.times", pyarrow.list_(pyarrow.float64())),
            (f"{stream}.meta", pyarrow.string()),
        ]
    return pyarrow.schema(fields, metadata={"mmcli": SCHEMA})


def tables(pyarrow: Any, rows: Rows, schema: Any) -> Iterator[Any]:
    """The rows as tables of AT_ONCE."""
    for some in parts(rows, AT_ONCE):
        yield pyarrow.Table.from_pylist([_row(item, rows.streams) for item in some], schema=schema)


def _row(item: Packed, streams: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {name: getattr(item, name) or None for name in OWN}
    for name in streams:
        one = item.streams.get(name)
        if one is not None:
            out[name] = one.values.ravel()
            out[f"{name}.shape"] = list(one.values.shape)
            out[f"{name}.times"] = one.times
            out[f"{name}.meta"] = provenance.canonical_json(one.meta)
    return out


def check(path: Path) -> None:
    """Raises MissingError without pyarrow, OutputError where nothing can be written."""
    needed()
    atomic.refuse_impossible(path)


def write_columns(path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write plain columns (n,) as a table. Raises MissingError without pyarrow, OutputError where it cannot be."""
    pyarrow = needed()
    from pyarrow import parquet

    with atomic.path(path) as place:
        parquet.write_table(pyarrow.table(dict(columns)), place, compression="zstd")
