"""Tables as csv, of which a spreadsheet runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mmcli.artifacts.io import atomic

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula to spreadsheets


def write(path: Path | str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, verbatim: bool = False) -> str:
    """Write a csv table (``-``: standard output); returns the file's SHA-256. ``verbatim`` as :func:`dumps`."""
    return atomic.write_bytes(path, dumps(columns, rows, verbatim=verbatim))


def dumps(columns: Sequence[str], rows: Iterable[Sequence[object]], *, verbatim: bool = False) -> bytes:
    """A csv table in UTF-8; None becomes an empty cell, floats keep every digit.

    Texts are :func:`defused` unless the table is ``verbatim``, for what has to be read again as it is.

    >>> dumps(["id", "p"], [["a", 0.1], ["b", None], ["=1+1", -2.5]])
    b"id,p\\na,0.1\\nb,\\n'=1+1,-2.5\\n"
    """
    lines = []
    for row in (columns, *rows):
        texts = ["" if cell is None else str(cell) for cell in row]
        lines.append(",".join(map(_cell, texts if verbatim else map(defused, texts))) or '""')
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def defused(text: str) -> str:
    """The text of a cell, after an apostrophe where a spreadsheet would run it (OWASP, "CSV Injection").

    >>> defused("=1+1"), defused("-1.5"), defused("a=b")
    ("'=1+1", '-1.5', 'a=b')
    """
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _cell(text: str) -> str:
    """As the csv module writes it, but that a lone carriage return is quoted too: it ends a line for readers."""
    return '"' + text.replace('"', '""') + '"' if any(character in text for character in ',"\r\n') else text
