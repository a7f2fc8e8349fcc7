"""Items of a plan, and those that cannot be one: each keeps a name that is safe to write, and the reason.

A name that no output can have, a second file of one kind, a row that cannot be read: it costs itself. It becomes an
item without cells, whose ``refusal`` is counted as a failed input, and the rest is done.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from mmcli.artifacts.formats import manifest
from mmcli.artifacts.io.paths import MAX_BYTES, MAX_PART_BYTES, text_problem
from mmcli.errors import MmcliError, UsageError, printable

_ROOM = MAX_PART_BYTES - 20  # for ``~`` with a digest or a number


@dataclass(frozen=True, slots=True)
class Cell:
    """One modality of an item. ``column`` is its name in the manifest, ``modality`` what it is read as.

    Besides the modalities of :mod:`mmcli.media` there are ``features`` (a file of ours, copied), ``map`` (an alignment,
    copied) and ``table``, whose ``values`` are in the row.
    """

    column: str
    modality: str
    path: str | None = None
    facts: tuple[int, int] | None = None  # size and mtime_ns of the file; None where it is not there
    row: int | None = None
    member: str | None = None  # of an npz, HDF5, tar or table file
    packed: bool = False  # a file that stands in another one, by its member and row
    text: str | None = None
    numbers: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One row: what belongs together. ``error`` marks one that failed, earlier or, with its ``refusal``, here."""

    id: str
    cells: tuple[Cell, ...]
    split: str | None = None
    label: str | None = None
    group: str | None = None
    start: float | None = None
    end: float | None = None
    error: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
    refusal: MmcliError | None = None


def refused(item: Item, why: MmcliError) -> Item:
    """The item without its cells, with the reason; where that names no source, its file or its id."""
    if why.source is None:
        why = type(why)(why.what, source=next((c.path for c in item.cells if c.path), item.id), hint=why.hint)
    return replace(item, cells=(), error=printable(why.what), refusal=why)


def report(item: Item) -> dict[str, str]:
    """The line of failures.jsonl of a refused item."""
    why = item.refusal
    assert why is not None
    line = {"id": item.id, "path": printable(str(why.source)), "stage": "plan", "class": type(why).__name__}
    return line | {"message": printable(why.what)} | ({"hint": why.hint} if why.hint else {})


def distinct(items: Iterable[Item]) -> list[Item]:
    """The items with ids that can be outputs, each its own on every file system; the others are refused.

    Of two that claim one place the first has it.
    """
    kept: list[Item] = []
    taken: dict[str, str] = {}
    for item in items:
        problem = manifest.id_problem(item.id)
        if problem is not None:
            hint = "rename it, or name the items in a manifest"
            item = refused(item, UsageError(f"{printable(item.id)!r} cannot be an id: it {problem}", hint=hint))
            item = replace(item, id=safe(item.id))
        other = taken.get(folded(item.id))
        if other is not None:
            if item.refusal is None:
                item = refused(item, _twins(other, item.id))
            item = replace(item, id=free(item.id, taken))
        taken[folded(item.id)] = item.id
        kept.append(item)
    return kept


def _twins(first: str, second: str) -> UsageError:
    hint = "rename one of them, or give them different ids in a manifest"
    if first == second:
        return UsageError(f"two items are called {first!r}", hint=hint)
    way = "case" if first.casefold() == second.casefold() else "the form of their letters (Unicode NFC, NFD)"
    return UsageError(f"{second!r} differs from {first!r} in {way} only, which not every file system keeps apart",
                      hint=hint)  # fmt: skip


def folded(identifier: str) -> str:
    """What ids that some file system takes for one have in common.

    >>> folded("Caf\\u00e9") == folded("cafe\\u0301")
    True
    """
    if identifier.isascii():
        return identifier.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", identifier).casefold())


def free(identifier: str, taken: Container[str]) -> str:
    """The id, or with the first number that makes it one that no other is taken for; ``taken`` holds folded ids."""
    if folded(identifier) not in taken:
        return identifier
    number = 2
    while folded(f"{identifier}~{number}") in taken:
        number += 1
    return f"{identifier}~{number}"


def safe(text: str) -> str:
    """A name as near as can be that is an id: what cannot stand in one is written as %XX, what is too long is cut.

    >>> safe("a\\nb"), safe("../c"), safe("\\udce9.x")
    ('a%0Ab', '%2E%2E/c', '%E9.x')
    """
    made = "/".join(map(_part, text.split("/")))
    return made if len(made.encode()) <= MAX_BYTES - 20 else f"long~{_digest(text)}"


def _part(part: str) -> str:
    if part in ("", ".", ".."):
        return "%2E" * len(part) or "%"
    whole = part if text_problem(part) is None and "\\" not in part else "".join(map(_character, part))
    data = whole.encode()
    if len(data) <= _ROOM:
        return whole
    return f"{data[: _ROOM - 20].decode(errors='ignore')}~{_digest(part)}"


def _character(character: str) -> str:
    if character != "\\" and text_problem(character) is None:
        return character
    code = ord(character)  # 0xDC80 to 0xDCFF stand for bytes that are no UTF-8 (PEP 383)
    data = bytes([code - 0xDC00]) if 0xDC80 <= code <= 0xDCFF else character.encode(errors="surrogatepass")
    return "".join(f"%{byte:02X}" for byte in data)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]


def refuse_where_none_is_left(items: Sequence[Item]) -> None:
    """Raise the first refusal where all items are refused: there is no rest that could be done."""
    if items and all(item.refusal is not None for item in items):
        raise next(item.refusal for item in items if item.refusal is not None)
