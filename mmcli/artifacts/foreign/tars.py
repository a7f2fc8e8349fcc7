"""Tar files of WebDataset: an item is the members of one key, which is a name up to the first dot of its last part.

``a/0001.wav``, ``a/0001.cls`` and ``a/0001.json`` are an item ``a/0001`` (https://github.com/webdataset/webdataset).
The headers are read once; members are read where they stand. ``cls`` is the label; of ``json`` the label, split, group
and text are taken. Pickles (``pyd``, ``pth``) are never opened.
"""

from __future__ import annotations

import functools
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt

from mmcli.artifacts.foreign.entry import Entry
from mmcli.artifacts.io import jsonfile, npz
from mmcli.errors import ArtifactError

HELD = 8  # files whose headers are kept
MOST_TEXT = 16 << 20  # bytes of a json or a class, as of a line of a manifest
NEVER = ("pyd", "pkl", "pickle", "pth", "pt")  # pickles
_NUMBERS = npz.Spec("<f2 <f4 <f8 |i1 <i2 <i4 <i8 |u1 <u2 <u4 <u8", 0, 6)


@dataclass(frozen=True)
class Members:
    """The members of one key: where each stands, (offset, bytes), by what its name has after the key."""

    key: str
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)


def entries(path: Path, prefix: str) -> Iterator[Entry]:
    """The items of a file in its order. Where it was cut short the last has the problem: it may lack members."""
    members, problem = _index(path)
    with path.open("rb") as file:
        for row, one in enumerate(members):
            if problem and row == len(members) - 1:
                yield Entry(one.key, problem=problem)
            else:
                yield _entry(one, row, prefix, file, path)


def _entry(one: Members, row: int, prefix: str, file: BinaryIO, path: Path) -> Entry:
    entry = Entry(one.key)
    if one.twice:
        entry.problem = f"{one.twice[0]!r} stands twice in {path.name}"
        return entry
    for name, place in one.places.items():
        stem, _, suffix = name.lower().rpartition(".")
        cell = f"{prefix}:{name}#{row}"
        if suffix in ("json", "cls") and not stem:
            try:
                _facts(entry, suffix, _read(file, place))
            except (ArtifactError, UnicodeError) as problem:
                entry.problem = f"{name}: {problem}"
        elif suffix == "npy":
            if not stem.endswith(".times"):
                entry.arrays[stem] = cell
        elif suffix not in NEVER:
            entry.files[name] = f".{suffix}", cell
    return entry


def _read(file: BinaryIO, place: tuple[int, int]) -> bytes:
    if place[1] > MOST_TEXT:
        raise ArtifactError(f"holds {place[1]:,} bytes; at most {MOST_TEXT:,} are read")
    file.seek(place[0])
    return file.read(place[1])


def _facts(entry: Entry, suffix: str, data: bytes) -> None:
    if suffix == "cls":
        entry.label = data.decode().strip()
        return
    content = jsonfile.parse(data, entry.id)
    for name, value in content.items():
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            entry.take(name, str(value))


def about(path: Path, row: int) -> dict[str, Any]:
    """The json of a key, empty where it has none. Raises ArtifactError."""
    one = _of(path, row)
    if "json" not in one.places:
        return {}
    with path.open("rb") as file:
        return jsonfile.parse(_read(file, one.places["json"]), f"{path}:json#{row}")


def names(path: Path, row: int) -> list[str]:
    """What the members of a key are called."""
    return list(_of(path, row).places)


def count(path: Path) -> int:
    """How many keys a file has."""
    return len(_index(path)[0])


def opened(path: Path, member: str, row: int) -> tuple[str, BinaryIO]:
    """A name for a member, and its bytes. Raises ArtifactError where there are none."""
    one = _of(path, row)
    offset, size = _place(path, one, member, row)
    base = re.sub(r"[^\w.-]", "_", one.key.rpartition("/")[2])[-100:]
    return f"{base}.{member.rpartition('/')[2]}", io.BufferedReader(_Part(path, offset, size))


def array_of(path: Path, member: str, row: int) -> npt.NDArray[Any]:
    """The array of a member ``X.npy``. Raises ArtifactError."""
    offset, size = _place(path, _of(path, row), member, row)
    with path.open("rb") as file:
        file.seek(offset)
        return npz.array_of(file.read(size), member, _NUMBERS, f"{path}#{row}")


def _place(path: Path, one: Members, member: str, row: int) -> tuple[int, int]:
    if member not in one.places:
        there = ", ".join(list(one.places)[:12])
        raise ArtifactError(f"row {row} ({one.key}) has no {member!r}; it has {there}", source=path)
    return one.places[member]


def _of(path: Path, row: int) -> Members:
    members, _ = _index(path)
    if not 0 <= row < len(members):
        raise ArtifactError(f"has {len(members)} items, counted from 0: there is no item {row}", source=path)
    return members[row]


def _index(path: Path) -> tuple[list[Members], str]:
    info = path.stat()
    return _headers(str(path), info.st_size, info.st_mtime_ns)


@functools.lru_cache(maxsize=HELD)
def _headers(name: str, size: int, mtime_ns: int) -> tuple[list[Members], str]:
    """The members by key in the order of the file, and why it ends before its end."""
    by_key: dict[str, Members] = {}
    problem = ""
    try:
        with tarfile.open(name, "r:") as archive:
            for info in archive:
                if not info.isreg() or info.issparse():
                    continue
                key, suffix = parted(info.name)
                if info.offset_data + info.size > size:
                    by_key.setdefault(key, by_key.pop(key, Members(key)))  # the last, whose problem it is
                    problem = f"{Path(name).name} is cut short within this item; what stands before it is read"
                    break
                if suffix:
                    one = by_key.setdefault(key, Members(key))
                    if suffix in one.places:
                        one.twice.append(suffix)
                    one.places[suffix] = info.offset_data, info.size
                archive.members = []  # type: ignore[attr-defined]  # headers that tarfile would keep: a million of them are a gigabyte
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if not by_key:
            hint = "an uncompressed tar is needed: a compressed one cannot be read in parts"
            raise ArtifactError(f"is no tar that can be read ({error})", source=name, hint=hint) from error
        problem = f"{Path(name).name} is damaged from this item on ({error}); what stands before it is read"
    return list(by_key.values()), problem


def parted(name: str) -> tuple[str, str]:
    """A member's key and the rest of its name; the rest is empty for what is none.

    >>> parted("./a.b/0001.audio.wav"), parted("__meta__/x.json"), parted("a/.DS_Store")
    (('a.b/0001', 'audio.wav'), ('', ''), ('', ''))
    """
    name = name.removeprefix("./")
    folder, slash, last = name.rpartition("/")
    base, _, suffix = last.partition(".")
    if not base or not suffix or any(part.startswith("__") for part in name.split("/")):
        return "", ""
    return f"{folder}{slash}{base}", suffix


class _Part(io.RawIOBase):
    """Some bytes of a file, from the first to the last."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(offset)
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._file.read(min(len(into), self._left))
        self._left -= len(data)
        into[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
