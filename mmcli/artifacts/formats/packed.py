"""Features of many items in one file, as `mmcli extract -o OUT.parquet` (.arrow, .tar) writes it: read item by item.

What it holds stands in :mod:`mmcli.artifacts.packs`, which writes it. A cell ``OUT.parquet:STREAM#ROW`` of a manifest
names the features of one row; so are arrays in the data sets of others (:mod:`mmcli.artifacts.foreign`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts import foreign
from mmcli.artifacts.foreign import tables, tars
from mmcli.artifacts.formats.features import Features
from mmcli.errors import ArtifactError

SCHEMA = "mmcli/pack@1"
SUFFIXES = foreign.SUFFIXES
OWN = ("id", "split", "label", "group")
PARTS = ("shape", "times", "meta")


def is_ours(path: Path) -> bool:
    """Whether a file was written by :mod:`mmcli.artifacts.packs`. Raises what is wrong with it."""
    if path.suffix.lower() != ".tar":
        return (tables.open_table(path).schema.metadata or {}).get(b"mmcli") == SCHEMA.encode()
    if not tars.count(path) or "json" not in tars.names(path, 0):
        return False
    try:
        meta = tars.about(path, 0).get("meta")
    except ArtifactError:
        return False
    return isinstance(meta, dict) and all(f"{stream}.npy" in tars.names(path, 0) for stream in meta)


def lines(path: Path, prefix: str) -> Iterator[dict[str, Any]]:
    """The rows as those of a manifest, whose cells are ``PREFIX:STREAM#ROW``. Raises ArtifactError."""
    if path.suffix.lower() == ".tar":
        for number in range(tars.count(path)):
            try:
                about = tars.about(path, number)
                streams = [name.removesuffix(".times.npy") for name in tars.names(path, number) if ".times." in name]
                yield {k: about[k] for k in OWN if about.get(k)} | {s: f"{prefix}:{s}#{number}" for s in streams}
            except ArtifactError as problem:
                yield {"id": f"{path.stem}/{number}", "error": problem.what}
        return
    table = tables.open_table(path)
    names = table.schema.names
    streams = [n for n in names if n not in OWN and f"{n}.meta" in names]
    number = 0
    for some in table.batches([*(name for name in OWN if name in names), *(f"{s}.meta" for s in streams)]):
        for row in some:
            own = {name: row[name] for name in OWN if row.get(name) is not None}
            yield own | {s: f"{prefix}:{s}#{number}" for s in streams if row[f"{s}.meta"] is not None}
            number += 1


def read(path: Path, stream: str, row: int) -> Features:
    """The features of one row. Raises ArtifactError where there are none, MissingError without pyarrow."""
    if path.suffix.lower() == ".tar":
        return _of_tar(path, stream, row)
    held = tables.open_table(path).row([stream, *(f"{stream}.{part}" for part in PARTS)], row)
    with tables.guarded(path):
        meta, shape = held[f"{stream}.meta"].as_py(), held[f"{stream}.shape"].as_py()
    if meta is None:
        raise ArtifactError(f"row {row} has no {stream}", source=path)
    try:
        values = np.asarray(held[stream].values.to_numpy(zero_copy_only=False), np.float32).reshape(shape)
        times = np.asarray(held[f"{stream}.times"].values.to_numpy(zero_copy_only=False), np.float64)
        return Features(values.copy(), times.copy(), json.loads(meta))
    except (ValueError, TypeError, AttributeError) as problem:
        raise ArtifactError(f"row {row}: {stream} is damaged ({problem})", source=path) from problem


def holds(path: Path, stream: str, row: int) -> bool:
    """Whether a cell names features of our own, with their clock, and not somebody's array."""
    if path.suffix.lower() == ".tar":
        return f"{stream}.times.npy" in tars.names(path, row)
    return f"{stream}.meta" in tables.open_table(path).schema.names


def _of_tar(path: Path, stream: str, row: int) -> Features:
    values = tars.array_of(path, f"{stream}.npy", row)
    times = tars.array_of(path, f"{stream}.times.npy", row)
    meta = tars.about(path, row).get("meta")
    if not isinstance(meta, dict) or not isinstance(meta.get(stream), dict):
        raise ArtifactError(f"row {row}: the json says nothing of {stream}", source=path)
    return Features(values.astype(np.float32), times.astype(np.float64), meta[stream])
