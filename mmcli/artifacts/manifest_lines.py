"""Lines of a manifest to rows and back: the two syntaxes, and the check of each cell."""

from __future__ import annotations

import csv
import math
import re
import sys
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from mmcli.artifacts import jsonfile, schema
from mmcli.artifacts.paths import id_problem, path_problem, split_row, text_problem
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/manifest@1"
MODALITIES = ("audio", "image", "video", "text", "series")
MAX_LINE = 16 << 20
MAX_COLUMNS = 4096
_FIXED = ("id", "split", "label", "group", "start", "end", "error")
_PATHS = (*MODALITIES, "table", "map")
_INLINE = ("num", "cat")
_PART = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_HEADER = {"schema": schema.exactly(SCHEMA)}
_HEADER_OPTIONAL = {"root": schema.TEXT, "mmcli": schema.TEXT}


@dataclass(frozen=True, slots=True)
class Row:
    """One item. ``cells`` holds the modality columns as written (paths, ``text_value``, ``num.*``, ``cat.*``,
    ``map.*``), ``extra`` the columns that pass through; what is absent has no key. ``start`` and ``end`` in seconds.
    """

    id: str
    cells: dict[str, str] = field(default_factory=dict)
    split: str | None = None
    label: str | None = None
    group: str | None = None
    start: float | None = None
    end: float | None = None
    error: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


def split_column(column: str) -> tuple[str, str]:
    """A column's modality, or whatever stands before its first dot, and the name after it.

    >>> split_column("audio.mic.logmel"), split_column("image")
    (('audio', 'mic.logmel'), ('image', ''))
    """
    head, _, name = column.partition(".")
    return head, name


def checked(row: Row) -> dict[str, Any]:
    """The columns of a row in the order they are written, after the same checks that reading makes."""
    columns: dict[str, Any] = {"id": row.id}
    for column in ("split", "label", "group", "start", "end"):
        if (value := getattr(row, column)) is not None:
            columns[column] = value
    columns |= row.cells | row.extra
    if row.error is not None:
        columns["error"] = row.error
    _row({column: _text(value, column) for column, value in columns.items()}, "row", "manifest")
    return columns


def parsed(stream: BinaryIO, source: str, suffix: str) -> Lines:
    """The lines of a stream in the syntax that its suffix, or else its first line, says."""
    first = _line(stream, source, 1).removeprefix(b"\xef\xbb\xbf")  # Excel starts UTF-8 with this mark
    if suffix in (".csv", ".tsv") or (suffix not in (".jsonl", ".ndjson") and not first.lstrip().startswith(b"{")):
        return _Csv(first, stream, source, "\t" if suffix == ".tsv" else ",")
    return _Ndjson(first, stream, source)


class Lines(Iterator[Row]):
    """Rows as they are read, with the place that messages name and the columns met so far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.columns: dict[str, None] = {}
        self.where = "line 1"

    @abstractmethod
    def root(self) -> Path | None:
        """The root that a header line names."""

    def _note(self, columns: Iterator[str]) -> None:
        for column in columns:
            if column not in self.columns:
                _check_column(column, self.where, self.source)
                self.columns[sys.intern(column)] = None
        if len(self.columns) > MAX_COLUMNS:
            raise ArtifactError(f"{self.where}: more than {MAX_COLUMNS} columns", source=self.source)


class _Ndjson(Lines):
    def __init__(self, first: bytes, stream: BinaryIO, source: str) -> None:
        super().__init__(source)
        self._pending: bytes | None = first
        self._stream = stream
        self._number = 0
        self._root: Path | None = None
        content = self._parse(first) if first.strip() else {}
        if isinstance(content.get("mmcli"), dict) and "id" not in content:
            header = schema.check(content["mmcli"], _HEADER, _HEADER_OPTIONAL, what="the header line", source=source)
            self._pending = None
            self._number = 1
            if header.get("root"):
                self._root = Path(header["root"])

    def root(self) -> Path | None:
        return self._root

    def __next__(self) -> Row:
        while True:
            self._number += 1
            self.where = f"line {self._number}"
            if self._pending is not None:
                line, self._pending = self._pending, None
            else:
                line = _line(self._stream, self.source, self._number)
            if not line:
                raise StopIteration
            if line.strip():
                break
        content = self._parse(line)
        self._note(iter(content))
        return _row({key: _text(value, self.where) for key, value in content.items()}, self.where, self.source)

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            return jsonfile.parse(line, self.source)
        except ArtifactError as problem:
            torn = "" if line.endswith(b"\n") else "; it is the last and has no end, so the file was cut short"
            raise ArtifactError(f"{self.where} {problem.what}{torn}", source=self.source) from problem


class _Csv(Lines):
    def __init__(self, first: bytes, stream: BinaryIO, source: str, delimiter: str) -> None:
        super().__init__(source)
        self._table = csv.reader(self._decoded(first, stream), delimiter=delimiter, strict=True)
        self._names = self._next()
        if self._names is None or "id" not in self._names:
            hint = "a csv manifest starts with its column names; for NDJSON each line is an object with an id"
            raise ArtifactError("is no manifest: it has no column id", source=source, hint=hint)
        if len(set(self._names)) < len(self._names):
            raise ArtifactError("line 1: a column stands twice", source=source)
        self._note(iter(self._names))

    def root(self) -> Path | None:
        return None

    def __next__(self) -> Row:
        cells = self._next()
        if cells is None or self._names is None:
            raise StopIteration
        if len(cells) != len(self._names):
            wrong = f"{self.where} has {len(cells)} cells for {len(self._names)} columns"
            raise ArtifactError(wrong, source=self.source)
        return _row(dict(zip(self.columns, cells, strict=True)), self.where, self.source)

    def _next(self) -> list[str] | None:
        """The next line that is not empty."""
        try:
            for cells in self._table:
                self.where = f"line {self._table.line_num}"
                if cells:
                    return cells
        except csv.Error as problem:
            raise ArtifactError(f"line {self._table.line_num} is no csv ({problem})", source=self.source) from problem
        return None

    def _decoded(self, first: bytes, stream: BinaryIO) -> Iterator[str]:
        line, number = first, 1
        while line:
            try:
                yield line.decode("utf-8")
            except UnicodeError as problem:
                raise ArtifactError(f"line {number} is not UTF-8 text", source=self.source) from problem
            number += 1
            line = _line(stream, self.source, number)


def _line(stream: BinaryIO, source: str, number: int) -> bytes:
    try:
        line = stream.readline(MAX_LINE + 1)
    except OSError as problem:
        raise ArtifactError(f"cannot be read ({problem.strerror})", source=source) from problem
    if len(line) > MAX_LINE:
        raise ArtifactError(f"line {number} is longer than {MAX_LINE:,} bytes", source=source)
    return line


def _text(value: object, where: str) -> str:
    """A cell as text; NDJSON may write numbers as numbers."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    raise ArtifactError(f"{where}: a cell is text, a number or null, not {type(value).__name__}", source="manifest")


def _check_column(column: str, where: str, source: str) -> None:
    problem = "is empty" if not column else text_problem(column)
    head, dot, name = column.partition(".")
    if problem is None and (head in _INLINE or (dot and head in _PATHS)) and not _PART.fullmatch(name):
        problem = "needs a name of letters, digits, - and _ after the dot"
    if problem is None and head == "map" and name.partition(".")[0] not in (*MODALITIES, "table"):
        problem = f"is for none of {', '.join(MODALITIES)}"
    if problem is not None:
        raise ArtifactError(f"{where}: the column {column[:60]!r} {problem}", source=source)


def _row(columns: dict[str, str], where: str, source: str) -> Row:
    cells: dict[str, str] = {}
    extra: dict[str, str] = {}
    fixed: dict[str, str] = {}
    for column, text in columns.items():
        if text == "":
            continue
        if "\0" in text:
            raise ArtifactError(f"{where}: {column} holds the character U+0000", source=source)
        head = column.partition(".")[0]
        if column in _FIXED:
            fixed[column] = text
        elif head in _PATHS or head in _INLINE or column == "text_value":
            problem = _cell_problem(head, text) if column != "text_value" else None
            if problem is not None:
                raise ArtifactError(f"{where}: {column} {text[:60]!r} {problem}", source=source)
            cells[column] = text
        else:
            extra[column] = text
    problem = id_problem(fixed.get("id", ""))
    if problem is not None:
        raise ArtifactError(f"{where}: the id {fixed.get('id', '')[:60]!r} {problem}", source=source)
    for column in ("label", "group"):
        if column in fixed and (problem := text_problem(fixed[column])) is not None:
            raise ArtifactError(f"{where}: {column} {problem}", source=source)
    if fixed.get("split", "train") not in schema.SPLITS:
        wrong = f"{where}: split is {fixed['split'][:60]!r}; known: {', '.join(schema.SPLITS)}"
        raise ArtifactError(wrong, source=source)
    start, end = (_seconds(fixed.get(column), f"{where}: {column}", source) for column in ("start", "end"))
    if start is not None and end is not None and start >= end:
        raise ArtifactError(f"{where}: end {end} is not after start {start}", source=source)
    split, label, group = (sys.intern(fixed[c]) if c in fixed else None for c in ("split", "label", "group"))
    return Row(fixed["id"], cells, split, label, group, start, end, fixed.get("error"), extra)


def _cell_problem(head: str, text: str) -> str | None:
    if head == "num":
        return None if _number(text) is not None else "is no finite number"
    if head == "cat":
        return text_problem(text)
    return path_problem(split_row(text)[0])


def _seconds(text: str | None, what: str, source: str) -> float | None:
    if text is None:
        return None
    value = _number(text)
    if value is None or value < 0:
        raise ArtifactError(f"{what} is {text[:60]!r}; seconds of at least 0 are needed", source=source)
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
