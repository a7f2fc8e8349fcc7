"""From a manifest of features to one data set: every modality apart, on one scale, on the reference's clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats import alignment, fitted, manifest
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import lazy, provenance
from mmcli.errors import InputError, MismatchError, MmcliError, UsageError
from mmcli.fusion import labels, normalise, streams
from mmcli.fusion.dataset import augment, balance, fused
from mmcli.fusion.dataset.words import NO_CLOCK, Words
from mmcli.registry import nearest


@dataclass(frozen=True)
class Plan:
    """How a data set is made; every field is an option of ``mmcli fuse``."""

    strategy: str = "none"
    strategy_config: Any = None
    normalise: str = "zscore"
    reference: str | None = None  # None: the first modality column
    label_type: str = "auto"
    balance: str = "none"
    match: str = "label"
    seed: int = 0
    augmenting: augment.Config = field(default_factory=augment.Config)  # for balance "augment"
    words: Words | None = None  # frames are the words of each row's transcript


@dataclass
class Assembled:
    """The data set, the rows that failed here with their reasons, and what a person should know."""

    dataset: Dataset
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def assemble(rows: manifest.Manifest, plan: Plan, progress: Any = None, *, lazily: bool = False) -> Assembled:
    """Read every features file that the manifest names and put them into one :class:`Dataset`.

    A row whose files cannot be used is left out and listed in ``failed``; a row that failed in an earlier stage is
    counted. Normalisers and strategies are fitted on the training rows only. ``lazily``: the files are looked at one by
    one, and read again when the rows of the data set are asked for; its values are the same.

    Raises :class:`UsageError` where a plan needs all values at once and they are read lazily,
    :class:`InputError` where nothing is left, and :class:`MismatchError` where items do not belong together.
    """
    normalise.refuse_unknown(plan.normalise)
    if lazily:
        _refuse_whole(plan)
    good = [row for row in rows.rows if row.error is None]
    earlier = len(rows.rows) - len(good)
    if not good:
        raise InputError("no usable rows", source=rows.source)
    names = streams.columns(rows.columns, good)
    reference = _reference(plan.reference, names)
    if plan.words is not None:
        plan.words.refuse(rows.columns, names, reference)
    seen = Survey(rows.root, good, names, reference, not lazily, plan.words, progress)
    kept, failed = seen.rows, seen.failed
    if not kept:
        raise InputError(f"none of the {len(good)} rows can be used; the first: {failed[0][1]}", source=rows.source)
    split, rule = labels.assign([r.id for r in kept], [r.split for r in kept], [r.group for r in kept])
    label, task, classes = labels.read([r.label for r in kept], plan.label_type)
    found = Assembled(
        Dataset(
            streams={name: seen.stream(name) for name in names},
            id=np.array([r.id for r in kept]),
            split=np.array(split),
            group=np.array([r.group or "" for r in kept]),
            label=label,
            source=seen.source(),
            meta={},
        ),
        failed,
    )
    data = found.dataset
    _normalise(data, plan.normalise, seen)
    _attach_fitted(rows.root, data, found.notes)
    config = {
        "strategy": plan.strategy,
        "normalise": plan.normalise,
        "reference": reference,
        "balance": plan.balance,
        **({"match": plan.match} if plan.balance == "match" else {}),
        **({"augment": provenance.config_dict(plan.augmenting)} if plan.balance == "augment" else {}),
        **({"spans": plan.words.modality, **plan.words.facts()} if plan.words is not None else {}),
        "seed": plan.seed,
    }
    data.meta.update(
        task=task,
        classes=classes,
        reference=reference,
        split_rule=rule,
        config=config,
        config_sha256=provenance.config_sha256(config),
        errors=earlier + len(failed),
    )
    if rule != "as given":
        found.notes.append(f"no split column: {rule}")
    if earlier:
        found.notes.append(f"{earlier} rows failed in an earlier stage and are left out")
    starts = np.array([np.nan if row.start is None else row.start for row in kept])
    found.dataset, said = balance.apply(data, plan.balance, plan.seed, plan.match, starts, plan.augmenting)
    found.notes += said
    if plan.strategy != "none":
        found.notes += fused.add(found.dataset, plan.strategy, plan.strategy_config, reference)
    return found


def _refuse_whole(plan: Plan) -> None:
    """What looks at all values, or all items, at once is for data sets that fit into memory."""
    hint = "write one file: -o DATASET.npz"
    if plan.normalise == "robust":
        raise UsageError("--normalise robust needs all training values at once, and a folder holds few", hint=hint)
    if plan.balance == "match":
        raise UsageError("--balance match borrows from items of other shards, which a shard cannot name", hint=hint)


def _reference(wanted: str | None, names: dict[str, str]) -> str:
    if wanted is None:
        return next(iter(names))
    for name, column in names.items():
        if wanted in (name, column):
            return name
    raise UsageError(f"--reference {wanted}: no such modality", hint=nearest(wanted, names))


def _normalise(data: Dataset, method: str, seen: Survey) -> None:
    train = data.rows("train")
    as_foreseen = {str(data.id[i]) for i in train} == seen.training - {item for item, _ in seen.failed}
    for stream_name, stream in data.streams.items():
        own = train[stream.present[train]].tolist()
        if stream.meta.get("kind") == "tokens":
            fitted: dict[str, Any] = {"method": "none"}
        elif method == "zscore" and as_foreseen:
            fitted = seen.moments[stream_name].normaliser()
        else:
            fitted = normalise.fit_items((stream.item(i).values for i in own), method)
        stream.values = normalise.apply_items(stream.values, stream.offsets, fitted)
        stream.meta["normaliser"] = fitted


def _attach_fitted(root: Path, data: Dataset, notes: list[str]) -> None:
    """Keep the state of fitted extractors with the data, so that a model can read raw files later."""
    wanted = {s.meta["fitted_sha256"]: n for n, s in data.streams.items() if s.meta.get("fitted_sha256")}
    folder = root / "fitted"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        name = wanted.pop(provenance.sha256_file(path), None)
        if name is not None:
            data.streams[name].meta["fitted"] = fitted.load(path)["state"]
    for name in wanted.values():
        notes.append(f"{name}: its fitted state is not in {folder.name}/; models will not read raw files for it")


# One look at every features file that a manifest names: what is needed of all of them before any is written down.
#
# The values themselves are held, or thrown away and read again when they are needed, item by item: then a data set may
# be larger than the memory, and the files may not change meanwhile, which is checked.


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
    """The training rows as :func:`mmcli.fusion.labels.assign` will say once it is known which rows are usable."""
    given = any(row.split is not None for row in rows)
    return {row.id for row in rows if (row.split if given else labels.digest_split(row.group or row.id)) == "train"}


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
