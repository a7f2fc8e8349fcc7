"""One look at every features file that a manifest names: what is needed of all of them before any is written down.

Which columns hold features, what each stream is called, what its items agree on. The values themselves are held, or
thrown away and read again when they are needed, item by item: then a data set may be larger than the memory, and the
files may not change meanwhile, which is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmcli.artifacts import foreign
from mmcli.artifacts.formats import alignment, manifest, packed
from mmcli.artifacts.formats import features as feature_files
from mmcli.artifacts.formats.dataset import Stream
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import lazy, provenance
from mmcli.errors import InputError, MismatchError, MmcliError
from mmcli.fusion import labels, normalise
from mmcli.fusion.dataset.growing import Growing
from mmcli.fusion.dataset.words import NO_CLOCK, RATES, Words
from mmcli.media import limits

# What all items of a stream must agree on, and what the data set keeps of the features' meta.
AGREE = ("modality", "extractor", "kind", "config_sha256", "fitted_sha256", "vocabulary_size")
KEEP = (*AGREE, "config", *RATES, "columns")  # a rate only where all items have the same
ARRAYS = (".npy",)
BROUGHT = {"kind": "vector", "modality": "series"}  # what is known of a row that somebody brings
AT_ZERO = np.zeros(1)
HOLE = np.float32(limits.MISSING)  # where a value was missing: features hold no NaN


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
    path, row = manifest.split_row(cell)
    suffix = Path(path).suffix.lower()
    if suffix in (".pkl", ".pickle", ".p"):
        raise InputError(
            f"row {name!r}, column {column!r}: {cell!r} is a pickle, which can run programs and is never opened",
            hint="where you trust it: python -c \"import pickle, numpy as np; d = pickle.load(open('"
            f"{Path(path).name}', 'rb')); np.savez('{Path(path).stem}.npz', **{{k: np.asarray(v) for k, v in "
            "d['train'].items() if np.asarray(v).dtype != object}})\", then name "
            f"{Path(path).stem}.npz:KEY#ROW",
        )
    if suffix != ".npz" and suffix not in ARRAYS and (row is None or suffix not in (".h5", ".hdf5", *packed.SUFFIXES)):
        raise InputError(
            f"row {name!r}, column {column!r}: {cell!r} is media, not features",
            hint="run `mmcli extract` on the manifest first",
        )


@dataclass(frozen=True)
class Arrays:
    """How arrays that somebody brings are read: ``rate`` of their frames in Hz, and what becomes of missing values.

    Without a rate frames count as seconds. ``missing``: refuse, or mean (a mark here, filled when all rows are known).
    """

    rate: float | None = None
    missing: str = "refuse"


def read_cell(root: Path, cell: str, resolve: manifest.Resolver | None = None, how: Arrays | None = None) -> Features:
    """The features a cell names: a features file, ``PATH.npy``, or a row of your own array.

    ``PATH#ROW`` or ``PATH:MEMBER#ROW``: see :mod:`mmcli.media.arrays`. ``resolve`` follows folders below ``root`` once.
    """
    how = how or Arrays()
    path, row = (resolve or manifest.Resolver(root))(cell)
    member = manifest.member_of(cell)
    inside = row is not None and member is not None and path.suffix.lower() in packed.SUFFIXES
    if inside and packed.holds(path, str(member), row or 0):
        return packed.read(path, str(member), row or 0)
    if path.suffix.lower() not in ARRAYS and row is None:
        return feature_files.load(path)
    from mmcli.media import MediaOptions, SeriesClip, arrays, open_clip

    if row is not None and (inside or arrays.takes(path, member)):
        array = foreign.array_of(path, str(member), row) if inside else arrays.row_of(path, member, row)
        values = np.array(array, np.float32)
        if not (known := np.isfinite(values)).all():
            if how.missing == "refuse":
                raise InputError(f"row {row} holds NaN or Inf", source=path, hint="--missing mean")
            values[~known] = HOLE
        if len(values) == 1:  # of a hundred thousand rows each costs its numbers and little else
            return Features(values, AT_ZERO, BROUGHT)
        times = np.arange(len(values), dtype=np.float64) / (how.rate or 1.0)
    else:
        filling: Literal["refuse", "mark"] = "mark" if how.missing == "mean" else "refuse"
        clip = open_clip(path, "series", options=MediaOptions(row=row, rate=how.rate, missing=filling))
        assert isinstance(clip, SeriesClip)
        values, times = np.asarray(clip.values, dtype=np.float32), clip.times
    kind = "vector" if len(times) == 1 else "sequence"
    return Features(values, times, {"kind": kind, "modality": "series"})


class Common:
    """What the items of the stream ``name`` agree on, gathered item by item."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shape: tuple[int, ...] = ()  # of one frame
        self._first: tuple[str, dict[str, Any]] | None = None
        self._first_cell = ""
        self._varying: set[str] = set()
        self._single = True

    def add(self, item: str, features: Features, cell: str = "") -> None:
        """Take one item in, read from ``cell``.

        Raises :class:`MismatchError`, naming two items, where it was made differently.
        """
        self._single = self._single and len(features.times) == 1
        if self._first is None:
            self._first, self.shape = (item, dict(features.meta)), features.values.shape[1:]
            self._first_cell = cell
            return
        first_id, first = self._first
        if features.values.shape[1:] != self.shape:
            raise MismatchError(
                f"{self.name}: {item!r} has frames of shape {features.values.shape[1:]}, {first_id!r} of {self.shape}",
                hint="extract all items with one configuration",
            )
        if {features.meta.get("kind"), first.get("kind")} == {"vector", "sequence"}:
            first["kind"] = "sequence"  # a sequence of one frame, which an extractor took for a vector
            features = Features(features.values, features.times, features.meta | {"kind": "sequence"})
        for key in AGREE:
            if features.meta.get(key) != first.get(key):
                raise MismatchError(
                    f"{self.name}: {item!r} and {first_id!r} differ in {key} "
                    f"({_short(features.meta.get(key))} in {cell}, {_short(first.get(key))} in {self._first_cell})",
                    hint=f"extract all with one extractor: `mmcli extract --{first.get('modality') or 'series'} NAME`",
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


class Survey:
    """Frames, digests and what items agree on, of the ``rows`` that could be read; the others are in ``failed``.

    ``names`` are the columns of the  ``holding``: keep the values. ``words``: frames are words. ``moments`` are
    those of the streams over the rows of ``training``.
    """

    def __init__(
        self,
        root: Path,
        rows: Sequence[manifest.Row],
        names: Mapping[str, str],
        reference: str,
        holding: bool,
        words: Words | None = None,
        progress: Any = None,
        arrays: Arrays | None = None,
    ) -> None:
        self._arrays = arrays or Arrays()
        self.without_clock: set[str] = set()  # streams whose frames were numbered, and not timed
        self.by_rate: set[str] = set()  # streams whose frames were timed by --rate
        self.holes: set[str] = set()  # streams with missing values
        self._root, self._names, self._reference, self._words = root, names, reference, words
        self._resolver = manifest.Resolver(root)
        self.rows: list[manifest.Row] = []
        self.failed: list[tuple[str, str]] = []
        self.frames: dict[str, list[int]] = {name: [] for name in names}
        self.common = {name: Common(name) for name in names}
        self.moments = {name: normalise.Moments() for name in names}
        self.training = _training(rows)
        self.content: list[dict[str, list[Any]]] = []
        self._held = {name: (Growing(np.float32), Growing(np.float64)) for name in names} if holding else None
        self._last: dict[str, tuple[int, Features]] = {}
        for row in rows:
            try:
                item = {name: self._read(row, name) for name in names if row.cells.get(names[name])}
            except MismatchError:
                raise
            except MmcliError as error:
                self.failed.append((row.id, str(error)))
            else:
                self._take(row, item)
            if progress is not None:
                progress.advance(1)

    def _take(self, row: manifest.Row, item: dict[str, Features]) -> None:
        self.rows.append(row)
        self.content.append({name: _content(features) for name, features in item.items()})
        for name in self._names:
            self.frames[name].append(len(item[name].times) if name in item else 0)
        for name, features in item.items():
            self.common[name].add(row.id, features, row.cells[self._names[name]])
            if row.id in self.training:
                self.moments[name].add(features.values)
        if self._held is not None:
            for name, features in item.items():
                values, times = self._held[name]
                values.add(features.values)
                times.add(features.times)

    def stream(self, name: str) -> Stream:
        """The stream of one modality, asked for once: in memory, or as files that are read when rows are asked for."""
        meta = self.common[name].meta()
        if self._words is not None and meta["kind"] not in NO_CLOCK:
            meta["spans"] = self._words.facts() | {"modality": self._words.modality, "reference": self._reference}
        lengths = np.array(self.frames[name], np.int64)
        if self._held is not None:
            values, times = (growing.whole() for growing in self._held.pop(name))
            return Stream(values, lazy.offsets_of(lengths), times, lengths > 0, meta=meta)
        inner = self.common[name].shape
        rows = lazy.Rows(lambda i: self._again(i, name).values, lengths, inner, np.dtype(np.float32))
        clock = lazy.Rows(lambda i: self._again(i, name).times, lengths, (), np.dtype(np.float64))
        return Stream(rows, lazy.offsets_of(lengths), clock, lengths > 0, meta=meta)

    def source(self) -> list[str]:
        """The content of each item as a digest: equal where all its modalities hold equal values."""
        return [provenance.sha256_bytes(json.dumps(contents, sort_keys=True).encode()) for contents in self.content]

    def _again(self, index: int, name: str) -> Features:
        """The features of one item, which have to be what they were."""
        kept = self._last.get(name)  # values and times of an item are asked for one after the other
        if kept is not None and kept[0] == index:
            return kept[1]
        row = self.rows[index]
        features = self._read(row, name)
        if len(features.times) != self.frames[name][index] or _content(features) != self.content[index][name]:
            raise InputError(f"{name} changed while the data set was being made", source=row.id)
        self._last[name] = index, features
        return features

    def _read(self, row: manifest.Row, name: str) -> Features:
        features = read_cell(self._root, row.cells[self._names[name]], self._resolver, self._arrays)
        numbered = "extractor" not in features.meta and len(features.times) > 1
        if numbered and self._arrays.rate is not None:
            self.by_rate.add(name)
            numbered = False
        if numbered and np.array_equal(features.times, np.arange(len(features.times))):
            self.without_clock.add(name)
        if self._arrays.missing == "mean" and bool((features.values == HOLE).any()):
            self.holes.add(name)
        cell = _map_cell(row, name, self._names[name])
        if self._words is not None and manifest.split_column(self._names[name])[0] == self._words.modality:
            cell = None  # of the transcript, whose words are the frames
        if cell and name != self._reference:
            features = _on_reference_clock(self._root, cell, features, row.id)
        if self._words is not None:
            features = self._words.pooled(self._root, row, features, name == self._reference)
        return features


def _training(rows: Sequence[manifest.Row]) -> set[str]:
    """The training rows as :func:`mmcli.fusion.labels.assign` will say once it is known which rows are usable."""
    given = any(row.split is not None for row in rows)
    return {row.id for row in rows if (row.split if given else labels.digest_split(row.group or row.id)) == "train"}


def _content(features: Features) -> list[Any]:
    return [list(features.values.shape), provenance.sha256_bytes(features.values.tobytes())]


def _map_cell(row: manifest.Row, name: str, column: str) -> str | None:
    for key in (f"map.{column}", f"map.{name}", f"map.{manifest.split_column(column)[0]}"):
        if row.cells.get(key):
            return row.cells[key]
    return None


def _on_reference_clock(root: Path, cell: str, features: Features, item: str) -> Features:
    """The features with their times rewritten through the map; frames where it is undefined are left out."""
    path, _ = manifest.resolve(root, cell)
    chosen = alignment.load(path)
    own = (features.meta.get("source") or {}).get("sha256")
    meant = chosen.query.get("sha256")
    if own and meant and own != meant:
        raise MismatchError(
            f"row {item!r}: the map {path.name} is for {chosen.query.get('name')!r}, not for this file",
            hint="align the file that the features were extracted from",
        )
    times = TimeMap(chosen).to_reference(features.times)
    defined = np.isfinite(times)
    if not defined.any():
        raise InputError(f"the map {path.name} is undefined for all frames", source=item)
    return Features(np.ascontiguousarray(features.values[defined]), times[defined], features.meta)
