"""Raw files as a model wants them: its own extractors, with their fitted states, run over whatever is there.

A model keeps the extractor, configuration and fitted state of each modality. Here files, folders and manifests become
data sets of those streams, a few items at a time; what an item lacks is absent, as in training.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mmcli import extractors
from mmcli.artifacts.formats import features, manifest
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.formats.features import Features
from mmcli.batch.plan import inputs, plan, task
from mmcli.batch.plan.items import Cell, Item
from mmcli.errors import ArtifactError, InputError, MismatchError, MmcliError, UsageError
from mmcli.extractors import weights
from mmcli.fusion import turns
from mmcli.media import MediaOptions

AT_ONCE = 64  # items held at a time
# What a stream keeps of a model's facts about it; the values are as they were extracted, not yet normalised.
KEEP = ("kind", "modality", "extractor", "config", "config_sha256", "fitted_sha256", "vocabulary_size", "fitted")


@dataclass(frozen=True)
class Chunk:
    """Some items as a data set, None where all of them failed, and those that failed with their reasons.

    ``asked``: the rows that an answer is wanted for, where it is not wanted for all.
    """

    dataset: Dataset | None
    failed: list[tuple[str, str]]
    asked: NDArray[np.int64] | None = None


def is_raw(sources: Sequence[str]) -> bool:
    """Whether the sources hold anything to extract from: any file that is no features file and no data set."""
    if len(sources) == 1 and sources[0] == "-":
        return False
    gathered = inputs.gather(sources)
    return any(cell.modality not in plan.COPIED for item in gathered.items for cell in item.cells)


def chunks(
    sources: Sequence[str],
    modalities: Mapping[str, Mapping[str, Any]],
    name: str = "model",
    time_unit: str | None = None,
    *,
    together: bool = False,
) -> Iterator[Chunk]:
    """The items of files, folders and manifests as data sets of a model's streams, in order, 64 at a time, or all
    ``together`` where they are read by their groups.

    ``modalities`` is what the model keeps: ``{stream: {modality, extractor, config, fitted, shape, ...}}``. Cells that
    the model has no use for are passed over; an item without any that it can use has failed. Raises
    :class:`MismatchError` where the model was not trained on our extractors, or misses what one of them learned.
    """
    model = Model(modalities, name, time_unit)
    made = planned(inputs.gather(sources).items, model)
    every = zip(made.items, cells(made), strict=True)
    while some := list(itertools.islice(every, None if together else AT_ONCE)):
        yield chunk(some, model)


class Model:
    """The streams of a model, ready to run over raw files; ``time_unit`` is that of their time columns."""

    def __init__(self, modalities: Mapping[str, Mapping[str, Any]], name: str, time_unit: str | None = None) -> None:
        self.time_unit = time_unit
        weights.folders.append(Path(name).parent)  # encoders' models may lie beside the one that was trained on them
        self.loaded = {stream: _Loaded(stream, meta, name) for stream, meta in modalities.items()}
        self.wanted: dict[str, list[plan.Stream]] = {}
        for one in self.loaded.values():
            if one.module is not None and one.stream not in self.wanted.setdefault(one.modality, []):
                self.wanted[one.modality].append(one.stream)

    def dataset(
        self, ids: Sequence[str], by_item: Mapping[str, Mapping[str, Features]], items: Sequence[Item] = ()
    ) -> Dataset:
        """The features of some items, by item and stream, as a data set of the model's streams; the ``items`` say their
        groups, and the order in these."""
        data = _dataset(list(ids), by_item, self.loaded)
        listed = {item.id: item for item in items}
        if any(item.group for item in items):
            data.group = np.array([(listed[i].group if i in listed else None) or "" for i in ids], dtype=np.str_)
            data.meta["order"] = turns.of_rows((i.id, i.group, i.start, i.extra) for i in listed.values())
        return data

    def read(self, cells: Iterable[Mapping[str, Any]]) -> dict[str, Features]:
        """The features of one item, by stream, from its cells as :func:`cells` gives them.

        Raises :class:`InputError` where there is nothing that the model reads, and what is wrong with a cell.
        """
        by_stream = {name: values for cell in cells for name, values in _of_cell(cell, self.loaded, self.time_unit)}
        if not by_stream:
            raise InputError(f"has nothing that the model reads ({', '.join(self.loaded)})")
        return by_stream


def planned(items: list[Item], model: Model) -> plan.Plan:
    """What of the items the model reads. Raises :class:`UsageError` where there are none."""
    if not items:
        raise UsageError("there is nothing to predict", hint="name files, a folder or a manifest")
    brings = {one.name for one in model.loaded.values() if one.module is None}
    items = [_as_brought(item, brings) for item in items]
    used = {s.key: s for ones in model.wanted.values() for s in ones}
    return plan.Plan(items, plan.tasks(items, model.wanted), used)


def _as_brought(item: Item, streams: set[str]) -> Item:
    """Series of which a model was trained on the arrays themselves are taken as they are, and not extracted."""

    def taken(cell: Cell) -> Cell:
        theirs = cell.column in streams or cell.column.partition(".")[0] in streams
        return replace(cell, modality="features") if cell.modality == "series" and theirs else cell

    return replace(item, cells=tuple(map(taken, item.cells)))


def cells(made: plan.Plan) -> Iterator[list[dict[str, Any]]]:
    """For each item of a plan its cells, plain JSON, which :meth:`Model.read` takes here or in a worker."""
    number = 0
    for index in range(len(made.items)):
        its: list[dict[str, Any]] = []
        while number < len(made.tasks) and made.tasks[number].item == index:
            columns = {key: column for key, (column, _) in made.tasks[number].outputs("").items()}
            its.append({**plan.payload(made, number, Path(), None, force=True), "columns": columns})
            number += 1
        yield its


class _Loaded:
    """One stream of a model: its extractor, ready to run; ``module`` is None where it brought its own features."""

    def __init__(self, name: str, meta: Mapping[str, Any], source: str) -> None:
        self.name, self.meta = name, meta
        self.modality = str(meta.get("modality") or name.partition(".")[0])
        self.module: Any = None
        extractor = meta.get("extractor")
        if extractor is None:
            return
        if meta.get("spans"):
            raise MismatchError(
                f"reads {name!r} word by word, which raw files do not come in",
                source=source,
                hint="align each with its transcript, and name a manifest of features with a column map.MODALITY",
            )
        self.module = extractors.registry(self.modality).load(str(extractor))
        self.config = extractors.configured(self.module, meta.get("config") or {})
        self.state = meta.get("fitted")
        self.stream = plan.Stream(self.modality, str(extractor), self.config)
        if extractors.is_fitted(self.module) and self.state is None:
            raise MismatchError(
                f"does not carry what {extractor} learned for {name!r}, so it cannot read raw files",
                source=source,
                hint="run fuse with the fitted/ folder beside the manifest, and train again",
            )

    def takes(self, column: str) -> bool:
        """Whether this stream is what an output column of the plan holds."""
        return column == self.name or (self.name == self.modality and column.partition(".")[0] == self.modality)


def chunk(some: Sequence[tuple[Item, list[dict[str, Any]]]], model: Model) -> Chunk:
    """Some items of a plan with their cells, read here."""
    by_item: dict[str, dict[str, Features]] = {}
    failed: list[tuple[str, str]] = []
    for item, its in some:
        try:
            if item.error is not None:
                raise InputError(item.error)
            by_item[item.id] = model.read(its)
        except MmcliError as error:
            failed.append((item.id, str(error).replace("\n", "; ")))
    items = [item for item, _ in some if item.id in by_item]
    return Chunk(model.dataset(list(by_item), by_item, items) if by_item else None, failed)


def _of_cell(
    cell: Mapping[str, Any], loaded: Mapping[str, _Loaded], time_unit: str | None
) -> Iterator[tuple[str, Features]]:
    if cell["as"] == "map":
        raise UsageError("maps are applied by `mmcli fuse`: extract and fuse this manifest first")
    clip = None
    with ExitStack() as copies:
        payload = task.near(dict(cell), copies)
        for key, column in payload["columns"].items():
            for stream in loaded.values():
                if not stream.takes(column):
                    continue
                if payload["as"] == "features":
                    own = payload["row"] is None and str(payload["path"]).lower().endswith(".npz")
                    item = features.load(str(payload["path"])) if own else task.brought(payload)
                    _check(stream, item)
                    yield stream.name, item
                    continue
                if stream.module is None or stream.stream.key != key:
                    continue
                if clip is None:
                    rate = getattr(stream.config, "rate", None) if payload["as"] == "series" else None
                    places: dict[str, Any] = {name: payload.get(name) for name in ("start", "end", "row", "member")}
                    options = MediaOptions(**places, rate=rate, time_unit=time_unit)
                    clip = task.open_cell(payload, options)
                if clip is None:  # a video without sound
                    return
                yield stream.name, extractors.run(stream.module, clip, stream.config, stream.state)


def _dataset(ids: list[str], by_item: Mapping[str, Mapping[str, Features]], loaded: Mapping[str, _Loaded]) -> Dataset:
    made: dict[str, Stream] = {}
    for name, one in loaded.items():
        items = [by_item[identifier].get(name) for identifier in ids]
        there = [item for item in items if item is not None]
        frames = [0 if item is None else item.frames for item in items]
        shape = tuple(int(n) for n in one.meta["shape"])
        made[name] = Stream(
            np.concatenate([item.values for item in there]) if there else np.zeros((0, *shape), np.float32),
            np.concatenate([[0], np.cumsum(frames)]).astype(np.int64),
            np.concatenate([item.times for item in there]) if there else np.zeros(0),
            np.array([item is not None for item in items]),
            meta={key: one.meta[key] for key in KEEP if key in one.meta},
        )
    nothing = np.full(len(ids), "", dtype=np.str_)
    return Dataset(made, np.array(ids, dtype=np.str_), nothing, nothing)


def _check(one: _Loaded, item: Features) -> None:
    """Features from a file have to be what the model was trained on."""
    for key in ("extractor", "config_sha256", "fitted_sha256"):
        ours, theirs = one.meta.get(key), item.meta.get(key)
        if ours is not None and theirs is not None and ours != theirs:
            raise MismatchError(f"{one.name}: features of another {key} than the model was trained with")
    if item.width != int(np.prod(one.meta["shape"])):
        raise InputError(f"{one.name}: frames of {item.width} numbers; the model reads {one.meta['shape']}")


# Rows that come one after another through a pipe: each is answered before the next is read.
#
# Rows of raw media (files, or text in the row) are read by the model's own extractors as they come; a row that cannot
# be read is told and passed over, and the stream goes on. Rows of features are a manifest as ``mmcli extract`` writes
# it, which is read to its end.


class Rows:
    """The rows of a stream, the first of them looked at: ``raw`` says whether there is anything to extract from.

    Raises :class:`ArtifactError` where the stream is no manifest.
    """

    def __init__(self, stream: BinaryIO, source: str = "standard input") -> None:
        self._reader = manifest.iter_rows(stream, source)
        self._source = source
        self._item = inputs.reading_rows(self._reader.root)
        first = next(self._reader, None)
        if first is None:
            raise ArtifactError("holds no rows", source=source)
        self._first: manifest.Row | None = first
        nothing = not first.cells and first.error is None
        self.raw = nothing or any(_is_raw(column, value) for column, value in first.cells.items())

    def whole(self) -> manifest.Manifest:
        """All rows, once the stream has ended."""
        rows = [row for row in (self._first, *self._reader) if row is not None]
        return manifest.Manifest(rows, self._reader.root, self._source, self._reader.columns)

    def chunks(
        self, modalities: Mapping[str, Mapping[str, Any]], name: str = "model", time_unit: str | None = None
    ) -> Iterator[Chunk]:
        """A chunk for every row, as :func:`mmcli.batch.plan.raw.chunks` makes them of many."""
        model = Model(modalities, name, time_unit)
        for one, failed in self.items():
            if one is None:
                yield Chunk(None, failed)
                continue
            try:
                made = planned([one], model)
            except MmcliError as problem:
                yield Chunk(None, [(one.id, str(problem).replace("\n", "; "))])
                continue
            yield chunk(list(zip(made.items, cells(made), strict=True)), model)

    def items(self) -> Iterator[tuple[Item | None, list[tuple[str, str]]]]:
        """The rows as items as they come, or why one is none."""
        number = 0
        while True:
            number += 1
            try:
                row, self._first = self._first or next(self._reader), None
            except StopIteration:
                return
            except ArtifactError as problem:
                yield None, [(f"row {number}", problem.what)]
                continue
            try:
                yield self._item(row), []
            except MmcliError as problem:
                yield None, [(row.id, str(problem).replace("\n", "; "))]


def _is_raw(column: str, value: str) -> bool:
    """Whether a cell names something to extract from: not features, not a map (:mod:`mmcli.batch.plan.inputs`)."""
    kind = manifest.split_column(column)[0]
    path, _, row = value.partition("#")
    if not value or kind in ("map", "table"):
        return False
    if kind == "series":
        return bool(row) or not path.endswith(".npz")
    return kind not in manifest.MODALITIES or not (row or path.endswith((".npz", ".npy")))
