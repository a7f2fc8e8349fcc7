"""Plain tables for other programs: csv with one header line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mmcli.artifacts.io import atomic


def dumps_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A csv table in UTF-8; None becomes an empty cell, floats keep every digit.

    >>> dumps_csv(["id", "p"], [["a", 0.1], ["b", None]])
    b'id,p\\na,0.1\\nb,\\n'
    """
    lines = [",".join(map(_cell, row)) or '""' for row in (columns, *rows)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _cell(value: object) -> str:
    """As the csv module writes it, but that a lone carriage return is quoted too: it ends a line for readers."""
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in ',"\r\n') else text


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a csv table (``-``: standard output); returns the file's SHA-256."""
    return atomic.write_bytes(path, dumps_csv(columns, rows))
