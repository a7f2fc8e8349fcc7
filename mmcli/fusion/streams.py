"""From a manifest's cells to streams: which columns hold features, what each is called, and one item's values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts import features, manifest
from mmcli.artifacts.features import Features
from mmcli.errors import InputError, MismatchError

# What all items of a stream must agree on, and what the data set keeps of the features' meta.
AGREE = ("modality", "extractor", "kind", "config_sha256", "fitted_sha256", "vocabulary_size")
KEEP = (*AGREE, "config", "rate_hz", "hop_s", "sample_rate_hz", "columns")
ARRAYS = (".npy",)


def columns(order: Sequence[str], rows: Sequence[manifest.Row]) -> dict[str, str]:
    """Stream name to manifest column, in the manifest's ``order`` of columns.

    A stream is called by its modality alone where that has only one column, else by the column.

    Raises :class:`InputError` where a column holds media instead of features.
    """
    found: list[str] = []
    for column in order:
        if manifest.split_column(column)[0] not in (*manifest.MODALITIES, "table"):
            continue
        first = next((row for row in rows if row.cells.get(column)), None)
        if first is not None:
            _refuse_media(column, first.cells[column], first.id)
            found.append(column)
    if not found:
        raise InputError("no column holds features", hint="run `mmcli extract` on the manifest first")
    modality = {column: manifest.split_column(column)[0] for column in found}
    count = {m: list(modality.values()).count(m) for m in modality.values()}
    return {modality[c] if count[modality[c]] == 1 else c: c for c in found}


def _refuse_media(column: str, cell: str, name: str) -> None:
    suffix = Path(cell.partition("#")[0]).suffix.lower()
    if suffix != ".npz" and suffix not in ARRAYS:
        raise InputError(
            f"row {name!r}, column {column!r}: {cell!r} is media, not features",
            hint="run `mmcli extract` on the manifest first",
        )


def read(root: Path, cell: str) -> Features:
    """The features a cell names: a features file, or ``PATH.npy#ROW``, a row of your own array as one frame."""
    path, row = manifest.resolve(root, cell)
    if path.suffix.lower() not in ARRAYS:
        return features.load(path)
    from mmcli.media import MediaOptions, SeriesClip, open_clip

    clip = open_clip(path, "series", options=MediaOptions(row=row))
    assert isinstance(clip, SeriesClip)
    kind = "vector" if len(clip.times) == 1 else "sequence"
    return Features(np.asarray(clip.values, dtype=np.float32), clip.times, {"kind": kind, "modality": "series"})


def common_meta(name: str, items: Sequence[tuple[str, Features]]) -> dict[str, Any]:
    """What the items of a stream agree on.

    Raises :class:`MismatchError`, naming two items, where they were made differently or have different shapes.
    """
    first_id, first = items[0]
    for item_id, item in items[1:]:
        if item.values.shape[1:] != first.values.shape[1:]:
            raise MismatchError(
                f"{name}: {item_id!r} has frames of shape {item.values.shape[1:]}, {first_id!r} of "
                f"{first.values.shape[1:]}",
                hint="extract all items with one configuration",
            )
        for key in AGREE:
            if item.meta.get(key) != first.meta.get(key):
                raise MismatchError(
                    f"{name}: {item_id!r} and {first_id!r} differ in {key} "
                    f"({_short(item.meta.get(key))} and {_short(first.meta.get(key))})",
                    hint="extract all items with one extractor and one configuration",
                )
    meta = {key: first.meta[key] for key in KEEP if key in first.meta}
    for key in ("rate_hz", "hop_s", "sample_rate_hz"):
        if key in meta and any(item.meta.get(key) != meta[key] for _, item in items):
            del meta[key]
    if "kind" not in meta:
        meta["kind"] = "vector" if all(len(item.times) == 1 for _, item in items) else "sequence"
    return meta


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 16 else text[:12] + "..."
