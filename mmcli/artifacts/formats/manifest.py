"""A manifest: one row an item, saying which file holds which modality. csv with a header line, or NDJSON.

Columns: ``id``; optional ``split``, ``label``, ``group``, ``start``, ``end`` (seconds), ``error``; the modality
columns ``audio``, ``image``, ``video``, ``text``, ``series``, also with a name (``audio.mfcc``), hold a path,
``PATH#ROW`` for a row of an array file; ``table.NAME`` the path of features; ``text_value`` text, ``num.NAME`` a
number, ``cat.NAME`` a category; ``map.MODALITY`` the path of a map. All other columns pass through. An empty cell, or
null, means absent.

Paths are relative to the manifest's folder; on standard input to the ``root`` of the header line ``{"mmcli":
{"schema": "mmcli/manifest@1", "root": "..."}}``, else to the working directory. A manifest in a file may not name
another root: whoever gives it to you would choose which of your files are read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mmcli.artifacts.formats import manifest_lines
from mmcli.artifacts.formats.manifest_lines import MAX_LINE, MODALITIES, SCHEMA, Row, split_column
from mmcli.artifacts.io import atomic, jsonfile, provenance
from mmcli.artifacts.io.paths import Resolver, id_problem, member_of, path_problem, resolve, split_row
from mmcli.errors import ArtifactError

__all__ = [
    "MAX_LINE",
    "MODALITIES",
    "SCHEMA",
    "Manifest",
    "Reader",
    "Resolver",
    "Row",
    "dump_row",
    "dumps",
    "header_line",
    "id_problem",
    "iter_rows",
    "load",
    "loads",
    "member_of",
    "path_problem",
    "resolve",
    "save",
    "split_column",
    "split_row",
]


@dataclass(eq=False)
class Manifest:
    """The rows of a manifest; ``root`` is the folder its paths are relative to, ``columns`` are in the file's order."""

    rows: list[Row]
    root: Path = field(default_factory=Path)
    source: str = "manifest"
    columns: list[str] = field(default_factory=list)
    unterminated: bool = False  # the last line had no newline

    def __post_init__(self) -> None:
        self._resolver = Resolver(self.root)

    def resolve(self, cell: str) -> tuple[Path, int | None]:
        """The file that a cell names and the row in it, see :class:`mmcli.artifacts.io.paths.Resolver`."""
        return self._resolver(cell)


class Reader(Iterator[Row]):
    """The rows of a stream, one at a time, each checked, ids unique; ``root`` and ``columns`` are known as they are
    read.

    ``root`` is the folder for paths where no header line names one. ``confined`` says that a header line may not name
    another. Raises :class:`ArtifactError` with the line's number.
    """

    def __init__(
        self, stream: BinaryIO, source: str, *, root: Path | str = ".", suffix: str = "", confined: bool = False
    ) -> None:
        self.source = source
        self._lines = manifest_lines.parsed(stream, source, suffix)
        self._ids: set[str] = set()
        self.root = Path(root)
        named = self._lines.root
        if named is not None:
            if confined and named.resolve() != self.root.resolve():
                hint = "move it there, or give it on standard input: ... - < MANIFEST"
                raise ArtifactError(f"names the root {str(named)!r}, which is not its folder", source=source, hint=hint)
            self.root = named

    @property
    def columns(self) -> list[str]:
        """The columns met so far, in order."""
        return list(self._lines.columns)

    @property
    def unterminated(self) -> bool:
        """Whether the last line had no newline: a csv without one is usual, and cannot be told from one cut short."""
        return self._lines.unterminated

    def __next__(self) -> Row:
        row = next(self._lines)
        if row.id in self._ids:
            raise ArtifactError(f"{self._lines.where}: the id {row.id!r} stands twice", source=self.source)
        self._ids.add(row.id)
        return row


def load(path: Path | str) -> Manifest:
    """Read a whole manifest (``-``: standard input). One without rows is refused."""
    if str(path) == provenance.STDIN:
        return _whole(iter_rows(sys.stdin.buffer))
    with provenance.opened(path) as (stream, _):
        suffix, folder = Path(path).suffix.lower(), Path(path).parent
        return _whole(Reader(stream, str(path), root=folder, suffix=suffix, confined=True))


def loads(data: bytes, name: str, *, root: Path | str = ".") -> Manifest:
    """The manifest in the bytes of a file; ``name`` is for messages and, by its suffix, for the format."""
    return _whole(Reader(BytesIO(data), name, root=root, suffix=Path(name).suffix.lower()))


def iter_rows(stream: BinaryIO, source: str = "standard input") -> Reader:
    """The rows of a stream as they arrive."""
    return Reader(stream, source)


def dump_row(row: Row) -> str:
    """A row as one line of NDJSON, newline included.

    >>> dump_row(Row("a/1", {"audio": "a/1.wav"}, label="yes"))
    '{"id": "a/1", "label": "yes", "audio": "a/1.wav"}\\n'
    """
    return jsonfile.one_line(manifest_lines.checked(row))


def header_line(root: Path | str) -> str:
    """The first line of a manifest on a pipe, newline included: what the paths in it are relative to."""
    return jsonfile.one_line({"mmcli": {"schema": SCHEMA, "root": str(root)}})


def dumps(rows: Iterable[Row]) -> bytes:
    """The bytes of an NDJSON manifest."""
    return "".join(dump_row(row) for row in rows).encode("utf-8")


def save(path: Path | str, rows: Iterable[Row]) -> str:
    """Write a manifest (``-``: standard output), csv where the name ends so; returns the file's SHA-256."""
    if Path(path).suffix.lower() != ".csv":
        return atomic.write_bytes(path, dumps(rows))
    cells = [manifest_lines.checked(row) for row in rows]
    columns = list({column: None for row in cells for column in row})
    return atomic.write_csv(path, columns, ([row.get(column) for column in columns] for row in cells))


def _whole(reader: Reader) -> Manifest:
    rows = list(reader)
    if not rows:
        raise ArtifactError("holds no rows", source=reader.source)
    return Manifest(rows, reader.root, reader.source, reader.columns, reader.unterminated)
