"""One look at every features file that a manifest names: what is needed of all of them before any is written down.

The values themselves are held, or thrown away and read again when they are needed, item by item: then a data set may be
larger than the memory, and the files may not change meanwhile, which is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats import alignment, manifest
from mmcli.artifacts.formats.dataset import Stream
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import lazy, provenance
from mmcli.errors import InputError, MismatchError, MmcliError
from mmcli.fusion import normalise, splits, streams
from mmcli.fusion.dataset.words import NO_CLOCK, Words


class Survey:
    """Frames, digests and what items agree on, of the ``rows`` that could be read; the others are in ``failed``.

    ``names`` are the columns of the streams. ``holding``: keep the values. ``words``: frames are words. ``moments`` are
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
    ) -> None:
        self._root, self._names, self._reference, self._words = root, names, reference, words
        self.rows: list[manifest.Row] = []
        self.failed: list[tuple[str, str]] = []
        self.frames: dict[str, list[int]] = {name: [] for name in names}
        self.common = {name: streams.Common(name) for name in names}
        self.moments = {name: normalise.Moments() for name in names}
        self.training = _training(rows)
        self.content: list[dict[str, list[Any]]] = []
        self._held: list[dict[str, Features]] | None = [] if holding else None
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
        self.content.append({name: _content(found) for name, found in item.items()})
        for name in self._names:
            self.frames[name].append(len(item[name].times) if name in item else 0)
        for name, found in item.items():
            self.common[name].add(row.id, found)
            if row.id in self.training:
                self.moments[name].add(found.values)
        if self._held is not None:
            self._held.append(item)

    def stream(self, name: str) -> Stream:
        """The stream of one modality: in memory, or as files that are read when rows are asked for."""
        meta = self.common[name].meta()
        if self._words is not None and meta["kind"] not in NO_CLOCK:
            meta["spans"] = self._words.facts()
        lengths = np.array(self.frames[name], np.int64)
        if self._held is not None:
            there = [item[name] for item in self._held if name in item]
            values = np.concatenate([item.values for item in there])
            times = np.concatenate([item.times for item in there])
        else:
            inner = self.common[name].shape
            rows = lazy.Rows(lambda i: self._again(i, name).values, lengths, inner, np.dtype(np.float32))
            clock = lazy.Rows(lambda i: self._again(i, name).times, lengths, (), np.dtype(np.float64))
            values, times = lazy.stands_for(rows), lazy.stands_for(clock)
        return Stream(values, lazy.offsets_of(lengths), times, lengths > 0, meta=meta)

    def source(self) -> list[str]:
        """The content of each item as a digest: equal where all its modalities hold equal values."""
        return [provenance.sha256_bytes(json.dumps(found, sort_keys=True).encode()) for found in self.content]

    def _again(self, index: int, name: str) -> Features:
        """The features of one item, which have to be what they were."""
        kept = self._last.get(name)  # values and times of an item are asked for one after the other
        if kept is not None and kept[0] == index:
            return kept[1]
        row = self.rows[index]
        found = self._read(row, name)
        if len(found.times) != self.frames[name][index] or _content(found) != self.content[index][name]:
            raise InputError(f"{name} changed while the data set was being made", source=row.id)
        self._last[name] = index, found
        return found

    def _read(self, row: manifest.Row, name: str) -> Features:
        found = streams.read(self._root, row.cells[self._names[name]])
        cell = _map_cell(row, name, self._names[name])
        if self._words is not None and manifest.split_column(self._names[name])[0] == self._words.modality:
            cell = None  # of the transcript, whose words are the frames
        if cell and name != self._reference:
            found = _on_reference_clock(self._root, cell, found, row.id)
        if self._words is not None:
            found = self._words.pooled(self._root, row, found, name == self._reference)
        return found


def _training(rows: Sequence[manifest.Row]) -> set[str]:
    """The training rows as :func:`mmcli.fusion.splits.assign` will say once it is known which rows are usable."""
    given = any(row.split is not None for row in rows)
    return {row.id for row in rows if (row.split if given else splits.digest_split(row.group or row.id)) == "train"}


def _content(found: Features) -> list[Any]:
    return [list(found.values.shape), provenance.sha256_bytes(found.values.tobytes())]


def _map_cell(row: manifest.Row, name: str, column: str) -> str | None:
    for key in (f"map.{column}", f"map.{name}", f"map.{manifest.split_column(column)[0]}"):
        if row.cells.get(key):
            return row.cells[key]
    return None


def _on_reference_clock(root: Path, cell: str, found: Features, item: str) -> Features:
    """The features with their times rewritten through the map; frames where it is undefined are left out."""
    path, _ = manifest.resolve(root, cell)
    chosen = alignment.load(path)
    own = (found.meta.get("source") or {}).get("sha256")
    meant = chosen.query.get("sha256")
    if own and meant and own != meant:
        raise MismatchError(
            f"row {item!r}: the map {path.name} is for {chosen.query.get('name')!r}, not for this file",
            hint="align the file that the features were extracted from",
        )
    times = TimeMap(chosen).to_reference(found.times)
    defined = np.isfinite(times)
    if not defined.any():
        raise InputError(f"the map {path.name} is undefined for all frames", source=item)
    return Features(np.ascontiguousarray(found.values[defined]), times[defined], found.meta)
