"""Tables of Hugging Face's datasets: parquet, and Arrow as ``save_to_disk`` writes it; a row is an item.

The schema says what a column is (https://huggingface.co/docs/datasets/about_dataset_features): Audio, Image and Video
are ``{bytes, path}``, ClassLabel an integer with names, lists of numbers are features. Files that a row only names are
not followed, for they lie wherever somebody else's disk had them.
"""

from __future__ import annotations

import functools
import io
import json
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.foreign.entry import GROUPS, LABELS, TEXTS, Entry
from mmcli.errors import ArtifactError, MissingError

SUFFIXES = (".parquet", ".arrow", ".feather")
HELD = 4  # groups of rows, and files, that are kept for reading row after row
AT_ONCE = 4096  # rows of which plain columns are read together
_MEDIA = {"Audio": "audio", "Image": "image", "Video": "video"}
_STARTS = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg",
           b"ID3": ".mp3", b"GIF8": ".gif"}  # fmt: skip
_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2  # of the union MessageHeader in Arrow's Message.fbs


def needed() -> Any:
    """The module pyarrow. Raises MissingError where it is not installed."""
    try:
        import pyarrow
    except ImportError:
        raise MissingError("parquet and Arrow need pyarrow", hint="pip install 'mmcli[parquet]'") from None
    return pyarrow


def is_plain(path: Path) -> bool:
    """Whether a table is a manifest as it stands: it has a column ``id``, and only text and numbers without names."""
    types, schema = needed().types, open_table(path).schema
    nested = any(types.is_nested(column.type) or types.is_binary(column.type) for column in schema)
    return "id" in schema.names and not nested and not any(kind[0] == "class" for kind in _kinds(path).values())


def entries(path: Path, prefix: str) -> Iterator[Entry]:
    """The rows of a table in order, called by its column ``id``."""
    table = open_table(path)
    kinds = _kinds(path)
    plain = [name for name, kind in kinds.items() if kind[0] in ("text", "number", "class") and _is_read(name, kind[0])]
    media = [name for name, kind in kinds.items() if kind[0] == "file"]
    arrays = [name for name, kind in kinds.items() if kind[0] == "array"]
    absent = {name: table.nulls(name) for name in media + arrays}
    number = 0
    for some in table.batches(plain):
        for row in some:
            entry = Entry(str(row.get("id", "")))
            for name in plain:
                if (value := row[name]) is not None and name != "id":
                    _take(entry, name, kinds[name], value)
            there = {name: f"{prefix}:{name}#{number}" for name in media + arrays if not absent[name][number]}
            entry.files = {name: (kinds[name][1] or name, there[name]) for name in media if name in there}
            entry.arrays = {name: there[name] for name in arrays if name in there}
            yield entry
            number += 1


def _is_read(name: str, kind: str) -> bool:
    """Whether a plain column says anything that an item keeps; the others, which may be long, are not read."""
    return kind == "class" or name in ("id", "split", *LABELS, *GROUPS, *TEXTS)


def _take(entry: Entry, name: str, kind: tuple[str, Any], value: Any) -> None:
    if kind[0] == "class":
        classes = kind[1]
        if 0 <= value < len(classes):  # -1 is what a test split without labels has
            entry.take(name if name in LABELS or entry.label else "label", str(classes[value]))
    elif kind[0] == "text" or not isinstance(value, bool):
        entry.take(name, str(value))


def holds_file(path: Path, member: str) -> bool:
    """Whether a column holds files. Raises ArtifactError where there is none of that name."""
    kinds = _kinds(path)
    if member not in kinds:
        raise ArtifactError(f"has no column {member!r}; it has {', '.join(list(kinds)[:12])}", source=path)
    return kinds[member][0] == "file"


def opened(path: Path, member: str, row: int) -> tuple[str, BinaryIO]:
    """A name for a file in a table, and its bytes. Raises ArtifactError where there are none."""
    held = open_table(path).row([member], row)[member]
    with guarded(path):
        value = held.as_py()
    if isinstance(value, bytes):
        value = {"bytes": value, "path": None}
    data = (value or {}).get("bytes")
    if data is None:
        elsewhere = (value or {}).get("path")
        what = f"row {row}: {member} " + (f"only names a file, {elsewhere[-80:]!r}" if elsewhere else "is empty")
        hint = "write the data set with its bytes, as save_to_disk and push_to_hub do" if elsewhere else None
        raise ArtifactError(what, source=path, hint=hint)
    base = (
        re.sub(r"[^\w.-]", "_", re.split(r"[/\\]", value.get("path") or "")[-1])[-100:].lstrip(".") or f"{member}-{row}"
    )
    if not Path(base).suffix:
        base += next((suffix for start, suffix in _STARTS.items() if data.startswith(start)), "")
    return base, io.BytesIO(data)


def array_of(path: Path, member: str, row: int) -> npt.NDArray[np.float32]:
    """The numbers of a row in a column of lists. Raises ArtifactError where they are none."""
    held = open_table(path).row([member], row)[member]
    with guarded(path):
        value = held.as_py()
    try:
        return np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as problem:
        raise ArtifactError(f"row {row}: {member} is no array of numbers ({problem})", source=path) from problem


@functools.lru_cache(maxsize=64)
def _kinds_of(name: str, size: int, mtime_ns: int) -> dict[str, tuple[str, Any]]:
    schema = open_table(Path(name)).schema
    try:
        said = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        said = {}
    kinds = {}
    for column in schema:
        about = said.get(column.name)
        kind = _kind(column, about if isinstance(about, dict) else {})
        if kind is not None:
            kinds[column.name] = kind
    return kinds


def _kinds(path: Path) -> dict[str, tuple[str, Any]]:
    """What each column that is read holds: text, number, class (with its names), file (with its modality) or array."""
    info = path.stat()
    return _kinds_of(str(path), info.st_size, info.st_mtime_ns)


def _kind(column: Any, about: dict[str, Any]) -> tuple[str, Any] | None:
    types = needed().types
    kind = column.type
    if types.is_integer(kind) and isinstance(about.get("names"), list):
        return "class", about["names"]
    modality = _MEDIA.get(str(about.get("_type"))) or next(
        (m for m in _MEDIA.values() if column.name.startswith(m)), None
    )
    if types.is_struct(kind) and {kind.field(k).name for k in range(kind.num_fields)} == {"bytes", "path"}:
        return ("file", modality) if modality else None
    if types.is_binary(kind) or types.is_large_binary(kind):
        return ("file", modality) if modality else None
    if types.is_string(kind) or types.is_large_string(kind):
        return "text", None
    if types.is_integer(kind) or types.is_floating(kind):
        return "number", None
    for _ in range(2):  # frames of numbers at most
        if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
            return None
        kind = kind.value_type
        if types.is_integer(kind) or types.is_floating(kind):
            return "array", None
    return None


def open_table(path: Path) -> Table:
    """A table by rows; what was opened once stays open. Raises ArtifactError for what is none."""
    info = path.stat()
    return _opened(str(path), info.st_size, info.st_mtime_ns)


@functools.lru_cache(maxsize=HELD)
def _opened(name: str, size: int, mtime_ns: int) -> Table:
    with guarded(name):
        return _Parquet(name) if name.lower().endswith(".parquet") else _Arrow(name)


@contextmanager
def guarded(name: Path | str) -> Iterator[None]:
    """What pyarrow raises for damage, and what its values raise when they are looked at, as ArtifactError."""
    damage = (needed().ArrowException, OSError, ValueError, IndexError, KeyError, struct.error)
    try:
        yield
    except damage as problem:
        raise ArtifactError(f"is no table that can be read ({str(problem)[:200]})", source=name) from problem


class Table:
    """A file of rows. ``schema`` is pyarrow's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.schema: Any = None
        self.rows = 0

    def row(self, columns: Sequence[str], row: int) -> dict[str, Any]:
        """The scalars of some columns of a row. Raises ArtifactError where there is no such row."""
        if not 0 <= row < self.rows:
            raise ArtifactError(f"has {self.rows} rows, counted from 0: there is no row {row}", source=self.name)
        lacking = next((c for c in columns if c not in self.schema.names), None)
        if lacking is not None:
            raise ArtifactError(f"has no column {lacking!r}", source=self.name)
        with guarded(self.name):
            held, at = self._held(tuple(columns), row)
            return {name: held[name][at] for name in columns}

    def batches(self, columns: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        """All rows of some plain columns, some at a time; without columns empty ones."""
        with guarded(self.name):
            yield from self._batches(list(columns))

    def nulls(self, column: str) -> npt.NDArray[np.bool_]:
        """Which rows have nothing in a column."""
        with guarded(self.name):
            return self._nulls(column)

    def _nulls(self, column: str) -> npt.NDArray[np.bool_]:
        raise NotImplementedError

    def _held(self, columns: tuple[str, ...], row: int) -> tuple[Any, int]:
        raise NotImplementedError

    def _batches(self, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
        raise NotImplementedError


class _Parquet(Table):
    def __init__(self, name: str) -> None:
        from pyarrow import parquet

        super().__init__(name)
        self._file = parquet.ParquetFile(name)
        self.schema, about = self._file.schema_arrow, self._file.metadata
        groups = [about.row_group(k) for k in range(about.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum([group.num_rows for group in groups])]).astype(np.int64)
        self.rows = int(self._starts[-1])
        self._group = functools.lru_cache(maxsize=HELD)(self._read)

    def _read(self, group: int, columns: tuple[str, ...]) -> Any:
        return self._file.read_row_group(group, list(columns)).combine_chunks()

    def _held(self, columns: tuple[str, ...], row: int) -> tuple[Any, int]:
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._group(group, columns), row - int(self._starts[group])

    def _batches(self, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
        if not columns:
            yield [{} for _ in range(self.rows)]
            return
        for batch in self._file.iter_batches(AT_ONCE, columns=columns):
            yield batch.to_pylist()

    def _nulls(self, column: str) -> npt.NDArray[np.bool_]:
        if self._is_full(column):
            return np.zeros(self.rows, bool)
        parts = [_nulls(batch.column(0)) for batch in self._file.iter_batches(64, columns=[column])]
        return np.concatenate([np.zeros(0, bool), *parts])

    def _is_full(self, column: str) -> bool:
        """Whether the counts in the file say that no row lacks the column: then its bytes need not be read for that."""
        about = self._file.metadata
        for k in range(about.num_row_groups):
            group = about.row_group(k)
            leaves = [group.column(j) for j in range(group.num_columns)]
            own = [leaf for leaf in leaves if leaf.path_in_schema in (column, f"{column}.bytes")]
            if not own or any(leaf.statistics is None or leaf.statistics.null_count != 0 for leaf in own):
                return False
        return True


class _Arrow(Table):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        arrow = needed()
        memory = arrow.memory_map(name)
        _refuse_compressed(memory, name)
        is_file = memory.seek(0) == 0 and memory.read(6) == b"ARROW1"
        memory.seek(0)
        self._table = (arrow.ipc.open_file if is_file else arrow.ipc.open_stream)(memory).read_all()
        self._table.validate(full=True)  # offsets that lead out of the file
        self.schema, self.rows = self._table.schema, self._table.num_rows

    def _held(self, columns: tuple[str, ...], row: int) -> tuple[Any, int]:
        return self._table.select(list(columns)).slice(row, 1), 0

    def _batches(self, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
        if not columns:
            yield [{} for _ in range(self.rows)]
            return
        for batch in self._table.select(columns).to_batches(AT_ONCE):
            yield batch.to_pylist()

    def _nulls(self, column: str) -> npt.NDArray[np.bool_]:
        return np.concatenate([np.zeros(0, bool), *(_nulls(part) for part in self._table[column].chunks)])


def _nulls(array: Any) -> npt.NDArray[np.bool_]:
    """Which rows are null; of ``{bytes, path}`` those that have neither."""
    types = needed().types
    absent: npt.NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    if types.is_struct(array.type):
        inner = [array.field(name).is_null().to_numpy(zero_copy_only=False) for name in ("bytes", "path")]
        absent = absent | (inner[0] & inner[1])
    return absent


def _refuse_compressed(memory: Any, name: str) -> None:
    """Compressed buffers say themselves how large they become; such a file is refused before anything is unpacked."""
    arrow = needed()
    memory.seek(8 if memory.read(6) == b"ARROW1" else 0)
    reader = arrow.ipc.MessageReader.open_stream(memory)
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        if _is_compressed(bytes(message.metadata)):
            hint = "write it without compression, or as parquet"
            raise ArtifactError("is compressed Arrow, which is not read", source=name, hint=hint)


def _is_compressed(data: bytes) -> bool:
    """Whether a message (flatbuffers; format/Message.fbs of Arrow) holds a record batch with a BodyCompression."""
    root = struct.unpack_from("<I", data, 0)[0]
    kind = _field(data, root, 1)
    header = _field(data, root, 2)
    if kind is None or header is None or data[kind] not in (_RECORD_BATCH, _DICTIONARY_BATCH):
        return False
    batch = header + struct.unpack_from("<I", data, header)[0]
    if data[kind] == _DICTIONARY_BATCH:
        inner = _field(data, batch, 1)
        if inner is None:
            return False
        batch = inner + struct.unpack_from("<I", data, inner)[0]
    return _field(data, batch, 3) is not None


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where a field of a table of flatbuffers stands; None where it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0]
    return table + offset if offset else None
