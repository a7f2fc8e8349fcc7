"""From a manifest's cells to streams: which columns hold features, what each is called, and one item's values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats import features, manifest
from mmcli.artifacts.formats.features import Features
from mmcli.errors import InputError, MismatchError

# What all items of a stream must agree on, and what the data set keeps of the features' meta.
AGREE = ("modality", "extractor", "kind", "config_sha256", "fitted_sha256", "vocabulary_size")
KEEP = (*AGREE, "config", "rate_hz", "hop_s", "sample_rate_hz", "columns")
RATES = ("rate_hz", "hop_s", "sample_rate_hz")  # kept where all items have the same
ARRAYS = (".npy",)


def columns(order: Sequence[str], rows: Sequence[manifest.Row]) -> dict[str, str]:
    """Stream name to manifest column, in the manifest's ``order`` of columns.

    A stream is called by its modality alone where that has only one column, else by the column.

    Raises :class:`InputError` where a column holds media instead of features.
    """
    kept: list[str] = []
    for column in order:
        if manifest.split_column(column)[0] not in (*manifest.MODALITIES, "table"):
            continue
        first = next((row for row in rows if row.cells.get(column)), None)
        if first is not None:
            _refuse_media(column, first.cells[column], first.id)
            kept.append(column)
    if not kept:
        raise InputError("no column holds features", hint="run `mmcli extract` on the manifest first")
    modality = {column: manifest.split_column(column)[0] for column in kept}
    count = {m: list(modality.values()).count(m) for m in modality.values()}
    return {modality[c] if count[modality[c]] == 1 else c: c for c in kept}


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


class Common:
    """What the items of the stream ``name`` agree on, gathered item by item."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shape: tuple[int, ...] = ()  # of one frame
        self._first: tuple[str, dict[str, Any]] | None = None
        self._varying: set[str] = set()
        self._single = True

    def add(self, item: str, features: Features) -> None:
        """Take one item in. Raises :class:`MismatchError`, naming two items, where it was made differently."""
        self._single = self._single and len(features.times) == 1
        if self._first is None:
            self._first, self.shape = (item, features.meta), features.values.shape[1:]
            return
        first_id, first = self._first
        if features.values.shape[1:] != self.shape:
            raise MismatchError(
                f"{self.name}: {item!r} has frames of shape {features.values.shape[1:]}, {first_id!r} of {self.shape}",
                hint="extract all items with one configuration",
            )
        for key in AGREE:
            if features.meta.get(key) != first.get(key):
                raise MismatchError(
                    f"{self.name}: {item!r} and {first_id!r} differ in {key} "
                    f"({_short(features.meta.get(key))} and {_short(first.get(key))})",
                    hint="extract all items with one extractor and one configuration",
                )
        self._varying |= {key for key in RATES if features.meta.get(key) != first.get(key)}

    def meta(self) -> dict[str, Any]:
        """The meta of the stream. Raises :class:`InputError` where no item has it."""
        if self._first is None:
            raise InputError(f"no item has modality {self.name!r}")
        first = self._first[1]
        meta = {key: first[key] for key in KEEP if key in first and key not in self._varying}
        if "kind" not in meta:
            meta["kind"] = "vector" if self._single else "sequence"
        return meta


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 16 else text[:12] + "..."
