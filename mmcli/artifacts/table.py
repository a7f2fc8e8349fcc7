"""Plain tables for other programs: csv with one header line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmcli.artifacts import atomic


def dumps_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A csv table in UTF-8; None becomes an empty cell, floats keep every digit.

    >>> dumps_csv(["id", "p"], [["a", 0.1], ["b", None]])
    b'id,p\\na,0.1\\nb,\\n'
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue().encode("utf-8")


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a csv table (``-``: standard output); returns the file's SHA-256."""
    return atomic.write_bytes(path, dumps_csv(columns, rows))
