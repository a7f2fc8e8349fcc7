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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mmcli.artifacts.formats import manifest_foreign, manifest_lines, manifest_parquet
from mmcli.artifacts.formats.manifest_lines import MAX_LINE, MODALITIES, SCHEMA, STREAMS, Row, RowError, split_column
from mmcli.artifacts.io import atomic, csvfile, jsonfile, provenance
from mmcli.artifacts.io.paths import Resolver, id_problem, member_of, path_problem, resolve, split_row
from mmcli.errors import ArtifactError

__all__ = [
    "MAX_LINE",
    "MODALITIES",
    "SCHEMA",
    "STREAMS",
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
    # By id the rows that cannot be used, where they are allowed to cost only themselves; such a row has ``error``.
    refused: dict[str, ArtifactError] = field(default_factory=dict)

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
        self.ids: set[str] = set()
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
        if row.id in self.ids:
            what = f"{self._lines.where}: the id {row.id!r} stands twice"
            raise RowError(what, source=self.source, row=Row(row.id, {}, row.split, row.label, row.group))
        self.ids.add(row.id)
        return row


def load(path: Path | str, *, lenient: bool = False, kinds: Mapping[str, str] | None = None) -> Manifest:
    """Read a whole manifest (``-``: standard input). One without rows is refused.

    A data set of another program (:mod:`mmcli.artifacts.foreign`) is one too; ``kinds`` is the modality of the suffixes
    of its files, without which only its arrays are known. ``lenient``: a row that cannot be used costs itself: it has
    ``error``, and ``Manifest.refused`` the reason.
    """
    if str(path) == provenance.STDIN:
        return _whole(iter_rows(sys.stdin.buffer), lenient)
    if manifest_foreign.takes(Path(path)):
        lines, problems = manifest_foreign.as_lines(Path(path), kinds or {})
        root = manifest_foreign.root_of(Path(path))
        content = _whole(Reader(BytesIO(lines), str(path), root=root, suffix=".jsonl", confined=True), lenient)
        content.refused |= {name: ArtifactError(what, source=path) for name, what in problems.items()}
        return content
    if Path(path).suffix.lower() == manifest_parquet.SUFFIX and Path(path).is_file():
        table = BytesIO(manifest_parquet.as_lines(Path(path)))
        return _whole(Reader(table, str(path), root=Path(path).parent, suffix=".jsonl", confined=True), lenient)
    with provenance.opened(path) as (stream, _):
        suffix, folder = Path(path).suffix.lower(), Path(path).parent
        return _whole(Reader(stream, str(path), root=folder, suffix=suffix, confined=True), lenient)


def loads(data: bytes, name: str, *, root: Path | str = ".", lenient: bool = False) -> Manifest:
    """The manifest in the bytes of a file; ``name`` is for messages and, by its suffix, for the format."""
    return _whole(Reader(BytesIO(data), name, root=root, suffix=Path(name).suffix.lower()), lenient)


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
    lines = ([row.get(column) for column in columns] for row in cells)
    return csvfile.write(path, columns, lines, verbatim=True)


def _whole(reader: Reader, lenient: bool = False) -> Manifest:
    refused: dict[str, ArtifactError] = {}
    rows = list(_kept(reader, refused) if lenient else reader)
    if not rows:
        raise ArtifactError("holds no rows", source=reader.source)
    return Manifest(rows, reader.root, reader.source, reader.columns, reader.unterminated, refused)


def _kept(reader: Reader, refused: dict[str, ArtifactError]) -> Iterator[Row]:
    """The rows, and in place of those that cannot be used what is known of them, under an id of its own."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except RowError as problem:
            row = problem.row or Row("row")
            number = 1
            identifier = row.id
            while identifier in refused or identifier in reader.ids:
                number += 1
                identifier = f"{row.id}~{number}"
            row = replace(row, id=identifier, error=problem.what)
            refused[identifier] = problem
        yield row
