"""A data set of another program as a manifest: its items as rows, checked like any others.

A packed file of our own (:mod:`mmcli.artifacts.packs`) gives the rows that went into it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmcli.artifacts import foreign
from mmcli.artifacts.foreign import folders, tables
from mmcli.artifacts.foreign.entry import Entry
from mmcli.artifacts.formats import packed
from mmcli.artifacts.formats.manifest_lines import STREAMS
from mmcli.artifacts.io.paths import id_problem


def takes(path: Path) -> bool:
    """Whether a path is such a data set: a tar or Arrow file, numbered ones, a folder of them, a table of datasets."""
    if folders.is_pattern(path.name):
        return True
    if path.is_dir():
        return folders.is_dataset(path)
    suffix = path.suffix.lower()
    if suffix != ".parquet" or not path.is_file():
        return suffix in foreign.SUFFIXES and path.is_file()
    return packed.is_ours(path) or not tables.is_plain(path)


def root_of(path: Path) -> Path:
    """The folder that the cells are below."""
    return path if path.is_dir() else path.parent


def as_lines(path: Path, kinds: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """The rows as NDJSON, and by id why some cannot be used. ``kinds``: the modality of a suffix (``.wav``); files of
    other kinds are passed over, and all of them where it is empty.

    Raises :class:`ArtifactError` where a file cannot be read, MissingError without pyarrow or without the file.
    """
    root = root_of(path)
    rows: list[dict[str, Any]] = []
    origins: list[tuple[str, str]] = []  # of each row what may tell its id from an equal one: the split, the file
    problems: dict[int, str] = {}
    counts: Counter[str] = Counter()
    for file, split in folders.files_of(path):
        prefix = file.relative_to(root).as_posix()
        if packed.is_ours(file):
            ours = [{"id": ""} | row for row in packed.lines(file, prefix)]
            rows += ours
            origins += [("", file.stem)] * len(ours)
            continue
        for entry in foreign.entries(file, prefix):
            if not entry.id:
                entry.id = f"{split}/{counts[split]:08d}" if split else f"{counts[split]:08d}"
            counts[split] += 1
            if entry.problem:
                problems[len(rows)] = entry.problem
            rows.append(_line(entry, split, kinds))
            origins.append((split, file.stem))
    _tell_apart(rows, origins)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return lines.encode(), {rows[k]["id"]: what for k, what in problems.items()}


def _tell_apart(rows: list[dict[str, Any]], origins: list[tuple[str, str]]) -> None:
    """Where ids begin anew with every split, or every file, that is put before them."""
    for part in (0, 1):
        if len({row["id"] for row in rows}) == len(rows):
            return
        if part == 1 or all(split for split, _ in origins):
            for row, origin in zip(rows, origins, strict=True):
                row["id"] = f"{origin[part]}/{row['id']}"


def _line(entry: Entry, split: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    identifier = entry.id.strip("/") if id_problem(entry.id) else entry.id
    if entry.problem:
        return {"id": identifier, "error": entry.problem}
    row: dict[str, Any] = {"id": identifier, "split": entry.split or split, "label": entry.label, "group": entry.group}
    return {k: v for k, v in row.items() if v} | _cells(entry, kinds)


def _cells(entry: Entry, kinds: Mapping[str, str]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, (kind, cell) in entry.files.items() if kinds else ():
        stem, _, suffix = name.rpartition(".")
        modality = kinds.get(kind, "") if kind.startswith(".") else kind
        modality = "text" if modality == "subtitle" else modality
        if modality in STREAMS:
            column = _column(modality, stem if kind.startswith(".") else name)
            cells[column if column not in cells else f"{column}.{suffix}"] = cell
    for name, cell in entry.arrays.items():
        head = re.split(r"[._-]", name)[0]
        cells[_column(head if head in STREAMS else "series", name)] = cell
    for number, (name, text) in enumerate(entry.texts.items()):
        cells["text_value" if number == 0 and "text" not in cells else f"text_value.{_part(name)}"] = text
    return cells


def _column(modality: str, name: str) -> str:
    """``audio`` of the file ``wav`` or the column ``audio``; else with the name: ``audio.mic``.

    >>> _column("audio", ""), _column("image", "image"), _column("audio", "mic"), _column("audio", "audio.mfcc")
    ('audio', 'image', 'audio.mic', 'audio.mfcc')
    """
    part = _part(re.sub(f"^{modality}[._-]", "", name))
    return modality if part in ("", modality) else f"{modality}.{part}"


def _part(name: str) -> str:
    return ".".join(filter(None, (re.sub(r"[^A-Za-z0-9_-]+", "_", part) for part in name.split("."))))
