"""Lines of events, csv or NDJSON, as columns: a block of lines at a time, with the number of its first line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from mmcli.artifacts.io import encoding, jsonfile
from mmcli.errors import InputError

SCHEMA = "mmcli/events@1"
BLOCK = 1 << 16
_ALIASES = {
    "user": ("user", "userid", "user_id"),
    "item": ("item", "itemid", "item_id", "movieid", "movie_id"),
    "rating": ("rating",),
    "weight": ("weight",),
    "time": ("time", "timestamp"),
    "split": ("split",),
}


class Block(NamedTuple):
    """Some lines: the number of the first, and each column's cells (None: the file has no such column)."""

    line: int
    columns: dict[str, Sequence[Any] | None]


def blocks(stream: BinaryIO, name: str) -> Iterator[Block]:
    """The blocks of an open file; ``name`` is for messages. Raises :class:`InputError` with the line."""
    try:
        lines = io.TextIOWrapper(encoding.as_utf8(stream), encoding="utf-8", newline="")
        first = lines.readline()
        yield from _ndjson(first, lines, name) if first.lstrip().startswith("{") else _csv(first, lines, name)
    except UnicodeError as problem:
        raise InputError("is not UTF-8 text, nor UTF-16 with its mark", source=name) from problem


def _csv(header: str, rest: io.TextIOWrapper, name: str) -> Iterator[Block]:
    delimiter = encoding.separator(header)
    titles = next(csv.reader([header], delimiter=delimiter), [])
    place = columns_of(titles)
    for key in ("user", "item"):
        if key not in place:
            there = ", ".join(titles)[:100] or "nothing"
            raise InputError(f"line 1: no column {key!r}; found {there}", source=name, hint="user,item[,rating][,time]")
    if "rating" in place and "weight" in place:
        raise InputError("line 1: has ratings and weights; one of them is wanted", source=name)
    extra = [title for i, title in enumerate(titles) if i not in place.values() and title]
    reader = csv.reader(rest, delimiter=delimiter)
    line, rows, started = 2, [], True
    try:
        for row in reader:
            if len(row) != len(titles):
                if not row:
                    continue
                what = f"line {reader.line_num + 1}: {len(row)} cells; {len(titles)} are wanted"
                raise InputError(what, source=name)
            rows.append(row)
            if len(rows) == BLOCK:
                yield _columns(rows, place, line, extra if started else [])
                line, rows, started = reader.line_num + 2, [], False
    except csv.Error as problem:
        raise InputError(f"line {reader.line_num + 1}: {problem}", source=name) from problem
    if rows:
        yield _columns(rows, place, line, extra if started else [])


def columns_of(titles: Sequence[str]) -> dict[str, int]:
    """Where each known column stands.

    >>> columns_of(["userId", "movieId", "rating", "timestamp"])
    {'user': 0, 'item': 1, 'rating': 2, 'time': 3}
    """
    plain = [title.strip().lower() for title in titles]
    return {key: plain.index(n) for key, names in _ALIASES.items() for n in names[::-1] if n in plain}


def _columns(rows: list[list[str]], place: dict[str, int], line: int, extra: list[str]) -> Block:
    columns = list(zip(*rows, strict=True))
    return Block(line, {key: columns[i] for key, i in place.items()} | ({"_extra": extra} if extra else {}))


def _ndjson(first: str, rest: io.TextIOWrapper, name: str) -> Iterator[Block]:
    keys: list[str] | None = None
    cells: dict[str, list[Any]] = {}
    line, number = 1, 0
    for number, source in enumerate(_chain(first, rest), 1):
        if not source.strip():
            continue
        try:
            event = json.loads(source, parse_constant=float)
        except ValueError as problem:
            raise InputError(f"line {number}: is not JSON ({problem})", source=name) from problem
        if number == 1 and isinstance(event, dict) and "schema" in event and "user" not in event:
            jsonfile.check(event, {"schema": jsonfile.exactly(SCHEMA)}, {}, what="line 1", source=name)
            line = 2
            continue
        if not isinstance(event, dict) or "user" not in event or "item" not in event:
            raise InputError(f"line {number}: has no user and item", source=name)
        if keys is None:
            keys = sorted(event)
            cells = {key: [] for key in keys}
        if sorted(event) != keys:
            raise InputError(f"line {number}: has other keys than the lines before", source=name)
        for key in keys:
            value = event[key]
            if key in ("user", "item") and isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            cells[key].append(value)
        if len(cells["user"]) == BLOCK:
            yield _block_of(cells, line)
            line, cells = number + 1, {key: [] for key in keys}
    if keys and cells["user"]:
        yield _block_of(cells, line)


def _block_of(cells: dict[str, list[Any]], line: int) -> Block:
    extra = [key for key in cells if key not in _ALIASES]
    return Block(line, {**{k: v for k, v in cells.items() if k in _ALIASES}, **({"_extra": extra} if extra else {})})


def _chain(first: str, rest: io.TextIOWrapper) -> Iterator[str]:
    yield first
    yield from rest
