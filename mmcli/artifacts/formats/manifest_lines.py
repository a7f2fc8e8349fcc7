"""Lines of a manifest to rows and back: the two syntaxes, and the check of each cell."""

from __future__ import annotations

import csv
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from mmcli.artifacts.io import encoding, jsonfile
from mmcli.artifacts.io.paths import id_problem, path_problem, split_row, text_problem
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/manifest@1"
MODALITIES = ("audio", "image", "video", "text", "series")
STREAMS = (*MODALITIES, "table")  # what an item may hold: a row of numbers, too
MAX_LINE = 16 << 20
MAX_COLUMNS = 4096
_FIXED = ("id", "split", "label", "group", "start", "end", "error")
# What published splits call themselves.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
}
_PATHS = (*STREAMS, "map")
_INLINE = ("num", "cat")
T = TypeVar("T")
_PART = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_HEADER = {"schema": jsonfile.exactly(SCHEMA)}
_HEADER_OPTIONAL = {"root": jsonfile.TEXT, "mmcli": jsonfile.TEXT}


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


class RowError(ArtifactError):
    """One row cannot be used; those after it can. ``row`` is what is known of it, its id the one that was written."""

    def __init__(self, what: str, *, source: object = None, hint: str | None = None, row: Row | None = None) -> None:
        super().__init__(what, source=source, hint=hint)
        self.row = row


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
    _row({column: _text(value, column, "row") for column, value in columns.items()}, None)
    return columns


def parsed(stream: BinaryIO, source: str, suffix: str) -> Lines:
    """The lines of a stream in the syntax that its suffix, or else its first line, says."""
    lines = _Bytes(stream, source)
    is_object = lines.first.lstrip().startswith(b"{")
    if suffix in (".csv", ".tsv") or (suffix not in (".jsonl", ".ndjson") and not is_object):
        return _Csv(lines, source, encoding.separator(encoding.first_line(lines.first)))
    return _Ndjson(lines, source)


def titles(start: bytes) -> list[str]:
    """The columns of a table from its first bytes, in UTF-8 or UTF-16, whatever parts them.

    >>> titles(b'id;"audio"\\n')
    ['id', 'audio']
    """
    line = encoding.first_line(start)
    return [title.strip().strip('"') for title in line.split(encoding.separator(line))]


def resembles(columns: list[str]) -> bool:
    """Whether a table without an ``id`` was meant as a manifest: two or more columns that only a manifest has."""
    known = {*_FIXED, *_PATHS, *_INLINE, "text_value"} - {"start", "end", "error"}
    return sum(column.partition(".")[0] in known for column in columns) > 1


class _Bytes(Iterator[bytes]):
    """The lines of a stream, of bounded length; ``unterminated`` once one came without its newline."""

    def __init__(self, stream: BinaryIO, source: str) -> None:
        self._source = source
        self._stream = self._guarded(lambda: encoding.as_utf8(stream))
        self.number = 0
        self.unterminated = False
        self._again = False
        self.first = next(self, b"")
        self._again = bool(self.first)

    def __next__(self) -> bytes:
        if self._again:
            self._again = False
            return self.first
        line = self._guarded(lambda: self._stream.readline(MAX_LINE + 1))
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > MAX_LINE:
            raise ArtifactError(f"line {self.number} is longer than {MAX_LINE:,} bytes", source=self._source)
        self.unterminated = not line.endswith(b"\n")
        return line

    def _guarded(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except OSError as problem:
            raise ArtifactError(f"cannot be read ({problem.strerror})", source=self._source) from problem
        except UnicodeError as problem:
            raise ArtifactError("is no UTF-16 after its mark", source=self._source) from problem


class Lines(Iterator[Row]):
    """Rows as they are read, with the place that messages name and the columns met so far."""

    def __init__(self, lines: _Bytes, source: str) -> None:
        self.source = source
        self.columns: dict[str, None] = {}
        self.root: Path | None = None  # that a header line names
        self._lines = lines

    @property
    def where(self) -> str:
        """The line read last."""
        return f"line {self._lines.number}"

    @property
    def unterminated(self) -> bool:
        """Whether the last line had no newline."""
        return self._lines.unterminated

    def known(self, cells: Mapping[str, object]) -> Row:
        """What can be said of the row read last, though it cannot be used: the id and the facts that stand in it."""
        written = {c: text for c in ("id", "split", "label", "group") if isinstance(text := cells.get(c), str) and text}
        facts = {c: text for c, text in written.items() if c == "id" or _fixed_problem(c, text) is None}
        number = self._lines.number
        return Row(
            facts.get("id", f"line-{number}"),
            split=facts.get("split"),
            label=facts.get("label"),
            group=facts.get("group"),
        )

    def _note(self, columns: Iterable[str]) -> None:
        for column in columns:
            if column not in self.columns:
                _check_column(column, self.where, self.source)
                self.columns[sys.intern(column)] = None
        if len(self.columns) > MAX_COLUMNS:
            raise ArtifactError(f"{self.where}: more than {MAX_COLUMNS} columns", source=self.source)


class _Ndjson(Lines):
    def __init__(self, lines: _Bytes, source: str) -> None:
        super().__init__(lines, source)
        self._ahead = self._object()
        if self._ahead is not None and isinstance(self._ahead.get("mmcli"), dict) and "id" not in self._ahead:
            header = jsonfile.check(
                self._ahead["mmcli"], _HEADER, _HEADER_OPTIONAL, what="the header line", source=source
            )
            if self._ahead.keys() != {"mmcli"}:
                raise ArtifactError("the header line has other keys beside mmcli", source=source)
            self._ahead = None
            if header.get("root"):
                self.root = Path(header["root"])

    def __next__(self) -> Row:
        content, self._ahead = self._ahead, None
        if content is None:
            content = self._object()
        if content is None:
            raise StopIteration
        try:
            self._note(content)
            cells = {key: _text(value, self.where, self.source) for key, value in content.items()}
        except ArtifactError as problem:
            raise RowError(problem.what, source=self.source, row=self.known(content)) from problem
        return _row(cells, self)

    def _object(self) -> dict[str, Any] | None:
        """The next line that is not empty."""
        for line in self._lines:
            if line.strip():
                try:
                    return jsonfile.parse(line, self.source)
                except ArtifactError as problem:
                    torn = "; it is the last and has no end: the file was cut short" if self.unterminated else ""
                    what = f"{self.where} {problem.what}{torn}"
                    raise RowError(what, source=self.source, row=self.known({})) from problem
        return None


class _Csv(Lines):
    def __init__(self, lines: _Bytes, source: str, delimiter: str) -> None:
        super().__init__(lines, source)
        self._table = csv.reader(self._decoded(), delimiter=delimiter, strict=True)
        names = self._cells()
        if names is None:
            hint = "through a pipe: see what the command before it said"
            raise ArtifactError("is no manifest: it is empty", source=source, hint=hint)
        if "id" not in names:
            hint = "a csv manifest starts with its column names; for NDJSON each line is an object with an id"
            if len(names) > 1:
                hint = f"of its columns ({', '.join(names[:8])}) the one that names the items has to be called id"
            looks = "looks like a manifest, but" if resembles(names) else "is no manifest:"
            raise ArtifactError(f"{looks} it has no column id", source=source, hint=hint)
        if len(set(names)) < len(names):
            raise ArtifactError("line 1: a column stands twice", source=source)
        self._note(names)

    def __next__(self) -> Row:
        cells = self._cells()
        if cells is None:
            raise StopIteration
        if len(cells) != len(self.columns):
            wrong = f"{self.where} has {len(cells)} cells for {len(self.columns)} columns"
            raise RowError(wrong, source=self.source, row=self.known(dict(zip(self.columns, cells, strict=False))))
        return _row(dict(zip(self.columns, cells, strict=True)), self)

    def _cells(self) -> list[str] | None:
        """The next line that is not empty."""
        try:
            for cells in self._table:
                if cells:
                    return cells
        except csv.Error as problem:
            raise ArtifactError(f"{self.where} is no csv ({problem})", source=self.source) from problem
        return None

    def _decoded(self) -> Iterator[str]:
        for line in self._lines:
            try:
                yield line.decode("utf-8")
            except UnicodeError as problem:
                what = f"{self.where} is not UTF-8 text"
                raise RowError(what, source=self.source, row=self.known({})) from problem


def _text(value: object, where: str, source: str) -> str:
    """A cell as text; NDJSON may write numbers as numbers."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    raise ArtifactError(f"{where}: a cell is text, a number or null, not {type(value).__name__}", source=source)


def _check_column(column: str, where: str, source: str) -> None:
    problem = "is empty" if not column else text_problem(column)
    head, dot, name = column.partition(".")
    if problem is None and (head in _INLINE or (dot and head in _PATHS)) and not _PART.fullmatch(name):
        problem = "needs a name of letters, digits, - and _ after the dot"
    if problem is None and head == "map" and dot and name.partition(".")[0] not in STREAMS:
        problem = f"is for none of {', '.join(MODALITIES)}"
    if problem is not None:
        raise ArtifactError(f"{where}: the column {column[:60]!r} {problem}", source=source)


def _row(columns: dict[str, str], at: Lines | None) -> Row:
    """The row of some cells, each checked; ``at`` is where it was read, for messages."""
    cells: dict[str, str] = {}
    extra: dict[str, str] = {}
    fixed: dict[str, str] = {}
    for column, text in columns.items():
        if text == "":
            continue
        head = column.partition(".")[0]
        problem = "holds the character U+0000" if "\0" in text else None
        if column in _FIXED:
            problem = problem or _fixed_problem(column, text)
            fixed[column] = text
        elif column != "map" and (head in _PATHS or head in _INLINE or column == "text_value"):
            if column != "text_value":
                problem = problem or _cell_problem(head, text)
            cells[column] = text
        else:
            extra[column] = text
        if problem is not None:
            raise _at(f"{column} {text[:60]!r} {problem}", at, columns)
    if cells and "map" in extra:  # of a pair it says where its map lies; of files it would say nothing
        raise _at("the column 'map' does not say whose times it moves: map.audio, map.text and so on", at, columns)
    if "split" in fixed:
        fixed["split"] = SPLIT_NAMES[fixed["split"].lower()]
    if "id" not in fixed:
        raise _at("has no id", at, columns)
    start, end = (float(fixed[column]) if column in fixed else None for column in ("start", "end"))
    if start is not None and end is not None and start >= end:
        raise _at(f"end {end} is not after start {start}", at, columns)
    split, label, group = (sys.intern(fixed[c]) if c in fixed else None for c in ("split", "label", "group"))
    return Row(fixed["id"], cells, split, label, group, start, end, fixed.get("error"), extra)


def _at(what: str, at: Lines | None, columns: dict[str, str]) -> ArtifactError:
    if at is None:
        return ArtifactError(f"row: {what}")
    return RowError(f"{at.where}: {what}", source=at.source, row=at.known(columns))


def _fixed_problem(column: str, text: str) -> str | None:
    if column == "id":
        return id_problem(text)
    if column == "split":
        return None if text.lower() in SPLIT_NAMES else f"is none of {', '.join(jsonfile.SPLITS)}"
    if column in ("label", "group"):
        return text_problem(text)
    if column in ("start", "end"):
        value = _number(text)
        return None if value is not None and value >= 0 else "is no time of at least 0 seconds"
    return None


def _cell_problem(head: str, text: str) -> str | None:
    if head == "num":
        return None if _number(text) is not None else "is no finite number"
    if head == "cat":
        return text_problem(text)
    return path_problem(split_row(text)[0])


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
