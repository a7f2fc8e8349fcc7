"""A data set: items with several streams each, kept apart. Schema ``mmcli/dataset@1``, npz.

Per stream m: ``m/values`` float32, the rows of all items one after another; ``m/offsets`` int64 ``(items + 1,)``,
item i has rows ``offsets[i]`` to ``offsets[i + 1]``; ``m/times`` float64, seconds; ``m/present`` bool ``(items,)``,
an absent item has no rows; optional ``m/made`` bool, marks what was made by augmentation or matching, in the training
split only. ``id``, ``split``, ``group`` text; ``label`` text (``""``: none), float64 (NaN: none) or bool ``(items,
classes)``, absent where the task is null; ``source`` the SHA-256 of each item's content (``""``: unknown); ``meta``
one JSON string.

A stream is a modality's, or ``fused``, which a strategy added.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.formats import stream as streams
from mmcli.artifacts.formats.stream import ARRAYS, MADE, PARTNERS, Item, Stream, array_of, listed
from mmcli.artifacts.io import atomic, jsonfile, npz, paths, provenance
from mmcli.errors import ArtifactError

__all__ = [
    "ARRAYS",
    "FUSED",
    "SCHEMA",
    "TASKS",
    "Dataset",
    "Item",
    "Stream",
    "check_columns",
    "dumps",
    "listed",
    "load",
    "loads",
    "read",
    "save",
]

SCHEMA = "mmcli/dataset@1"
TASKS = ("classify", "regress", "multilabel")
FUSED = "fused"
MAX_BYTES = 1 << 40
MAX_STREAMS = 64
_TEXT_COLUMNS = ("id", "split", "group", "source")

_REQUIRED = {
    "schema": jsonfile.exactly(SCHEMA),
    "mmcli": jsonfile.TEXT,
    "task": jsonfile.nullable(jsonfile.one_of(*TASKS)),
    "streams": jsonfile.OBJECT,
}
_OPTIONAL = {
    "classes": jsonfile.nullable(jsonfile.TEXTS),
    "normalisers": jsonfile.OBJECT,
    "strategy": jsonfile.nullable(jsonfile.OBJECT),
    "reference": jsonfile.nullable(jsonfile.TEXT),
    "inputs": jsonfile.ALL_NAMED,
    "seed": jsonfile.nullable(jsonfile.INTEGER),
    "split_rule": jsonfile.nullable(jsonfile.TEXT),
    "config": jsonfile.OBJECT,
    "config_sha256": jsonfile.SHA256,
    "errors": jsonfile.COUNT,
    "weights": jsonfile.OBJECT,
    "folds": jsonfile.OBJECT,  # {id: name}: folds that came with the data
    "order": jsonfile.OBJECT,  # {id: number}: where an item stands in its group
    "targets": jsonfile.OBJECT,  # {name: {id: text}}: labels beside the label
    "balance": jsonfile.OBJECT,
    "notes": jsonfile.TEXTS,
}


@dataclass(eq=False, repr=False)
class Dataset:
    """Items with their streams; text columns may be given as lists. Checked by :meth:`check`, and when saved or loaded.

    >>> values = np.zeros((3, 2), np.float32)
    >>> audio = Stream(values, np.array([0, 2, 3]), np.array([0.0, 0.1, 0.0]), np.array([True, True]))
    >>> data = Dataset({"audio": audio}, ["a", "b"], ["train", "test"], ["s1", "s2"], ["yes", "no"],
    ...                meta={"task": "classify", "classes": ["no", "yes"]})
    >>> data.items, data.modalities, data.rows("test")
    (2, ['audio'], array([1]))
    """

    streams: dict[str, Stream]
    id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    group: npt.NDArray[np.str_]
    label: npt.NDArray[Any] | None = None
    source: Sequence[str] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id, self.split, self.group = (_text(column) for column in (self.id, self.split, self.group))
        self.source = [str(value) for value in self.source] or [""] * len(self.id)
        if self.label is not None and not isinstance(self.label, np.ndarray):
            self.label = np.array(self.label)
        self.meta = {"schema": SCHEMA, "mmcli": provenance.version, "task": None} | self.meta
        self.meta["streams"] = {name: stream.meta for name, stream in self.streams.items()}

    @property
    def items(self) -> int:
        """The number of items."""
        return len(self.id)

    @property
    def modalities(self) -> list[str]:
        """The names of the streams that are a modality's."""
        return [name for name in self.streams if name != FUSED]

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """The indices of the items of a split, int64, ascending."""
        return np.flatnonzero(self.split == split).astype(np.int64)

    def select(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Dataset:
        """The data set of some items, in the order asked for."""
        chosen = np.asarray(indices, np.int64)
        return Dataset(
            {name: stream.select(chosen) for name, stream in self.streams.items()},
            self.id[chosen],
            self.split[chosen],
            self.group[chosen],
            None if self.label is None else self.label[chosen],
            [self.source[i] for i in chosen],
            self.meta,
        )

    def held(self) -> Dataset:
        """The data set with all its rows in memory."""
        return dataclasses.replace(self, streams={name: stream.held() for name, stream in self.streams.items()})

    def to_pandas(self) -> Any:
        """A data frame of one row an item: id, split, group, label, frames of each modality. Needs pandas."""
        from mmcli.artifacts.formats import tables

        return tables.items_of(self)

    def to_torch(self, modality: str) -> list[Any]:
        """The values of one modality, a tensor ``(frames, ...)`` an item; of no frames where it is absent."""
        from mmcli.artifacts.formats import tables

        stream = self.streams[modality]
        return [tables.torch().tensor(np.asarray(stream.item(i).values)) for i in range(self.items)]

    def __repr__(self) -> str:
        """How many items of what."""
        return f"<Dataset: {self.items:,} items, {', '.join(self.modalities)}, task {self.meta.get('task')}>"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        from mmcli.artifacts.formats import tables

        splits = {name: len(self.rows(name)) for name in ("train", "val", "test")}
        rows = [("items", self.items), ("task", self.meta.get("task")), ("modalities", ", ".join(self.modalities))]
        return tables.html([*rows, *((k, n) for k, n in splits.items() if n)], "data set")

    def check(self, name: str = "data set") -> None:
        """Raise :class:`ArtifactError` where the data set does not follow its schema."""
        check_columns(self, name)
        train = self.split == "train"
        for stream_name, stream in self.streams.items():
            streams.check(stream, self.items, train, f"{name}: {stream_name}")


def load(path: Path | str) -> Dataset:
    """Read a data set (``-``: standard input)."""
    if str(path) == provenance.STDIN:
        return loads(provenance.read_bytes(path, MAX_BYTES), provenance.named(path))
    with provenance.opened(path) as (stream, size):
        return read(stream, size, str(path))


def loads(data: bytes, name: str) -> Dataset:
    """The data set in the bytes of a file; ``name`` is for messages."""
    return read(io.BytesIO(data), len(data), name)


def save(path: Path | str, dataset: Dataset) -> str:
    """Write a data set (``-``: standard output); returns the file's SHA-256."""
    arrays = _arrays(dataset)
    return atomic.write_with(path, lambda stream: npz.write(stream, arrays))


def dumps(dataset: Dataset) -> bytes:
    """The bytes of a data set file."""
    return npz.dumps(_arrays(dataset))


def _arrays(dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
    dataset.check()
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, stream in dataset.streams.items():
        for key in (*ARRAYS, *MADE, *PARTNERS):
            if (array := array_of(stream, key)) is not None:
                arrays[f"{name}/{key}"] = array
    arrays |= {"id": dataset.id, "split": dataset.split, "group": dataset.group, "source": _text(dataset.source)}
    if dataset.label is not None:
        arrays["label"] = dataset.label
    try:
        meta = dataset.meta | {"streams": {name: stream.meta for name, stream in dataset.streams.items()}}
        arrays["meta"] = npz.text_scalar(provenance.canonical_json(meta))
    except (ValueError, TypeError) as problem:
        raise ArtifactError(f"meta is no JSON ({problem})", source="data set") from problem
    return arrays


def read(stream: BinaryIO, size: int, name: str) -> Dataset:
    """The data set in an open file of ``size`` bytes; ``name`` is for messages."""
    limit = len(_TEXT_COLUMNS) + 2 + MAX_STREAMS * (len(ARRAYS) + len(MADE) + len(PARTNERS))
    arrays = npz.read(stream, size, name, lambda keys: _specs(keys, name), max_bytes=MAX_BYTES, max_members=limit)
    meta = jsonfile.parse(str(arrays["meta"]), name)
    jsonfile.check(meta, _REQUIRED, _OPTIONAL, what="meta", source=name)
    names = _stream_names(arrays)
    if names.keys() != meta["streams"].keys():
        raise ArtifactError(f"holds the streams {sorted(names)}, its meta {sorted(meta['streams'])}", source=name)
    streams = {
        stream: Stream(
            arrays[f"{stream}/values"],
            arrays[f"{stream}/offsets"],
            arrays[f"{stream}/times"],
            arrays[f"{stream}/present"],
            arrays.get(f"{stream}/made"),
            meta["streams"][stream],
            arrays.get(f"{stream}/pool"),
            arrays.get(f"{stream}/pool_offsets"),
        )
        for stream in names
    }
    label, source = arrays.get("label"), arrays["source"].tolist()
    dataset = Dataset(streams, arrays["id"], arrays["split"], arrays["group"], label, source, meta)
    dataset.check(name)
    return dataset


def _stream_names(keys: Collection[str]) -> dict[str, None]:
    """Stream names in the order of the file."""
    return {key.rpartition("/")[0]: None for key in keys if "/" in key}


def _specs(keys: Collection[str], name: str) -> Mapping[str, npz.Spec]:
    specs = {column: npz.Spec("U", 1, 1) for column in _TEXT_COLUMNS} | {"meta": npz.Spec("U", 0, 0)}
    if "label" in keys:
        specs["label"] = npz.Spec("U <f8 |b1", 1, 2)
    for stream in _stream_names(keys):
        if not streams.NAME.fullmatch(stream):
            raise ArtifactError(f"holds a stream called {stream[:100]!r}", source=name)
        optional = MADE if f"{stream}/made" in keys else {}
        optional = optional | (PARTNERS if f"{stream}/pool" in keys else {})
        specs |= {f"{stream}/{key}": spec for key, spec in (ARRAYS | optional).items()}
    return specs


def _text(values: Any) -> npt.NDArray[np.str_]:
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        return values
    return np.array([str(value) for value in values], dtype=np.str_).reshape(-1)


def check_columns(d: Dataset, name: str) -> None:
    """Raise :class:`ArtifactError` where anything but the streams' arrays does not follow the schema."""
    jsonfile.check(d.meta, _REQUIRED, _OPTIONAL, what="meta", source=name)
    if d.items == 0 or not d.streams:
        raise ArtifactError(f"holds {d.items} items and {len(d.streams)} streams", source=name)
    for what, column in (("split", d.split), ("group", d.group), ("source", d.source)):
        if len(column) != d.items:
            raise ArtifactError(f"{what} has {len(column)} entries for {d.items} items", source=name)
    ids = d.id.tolist()
    if len(set(ids)) < len(ids):
        raise ArtifactError("an id stands twice", source=name)
    for item in ids:
        if (problem := paths.id_problem(item)) is not None:
            raise ArtifactError(f"the id {item!r} {problem}", source=name)
    for wrong in sorted(set(d.split.tolist()) - {*jsonfile.SPLITS, ""}):
        raise ArtifactError(f"a split called {wrong[:60]!r}; known: {', '.join(jsonfile.SPLITS)}", source=name)
    for text in {*d.group.tolist(), *(d.label.tolist() if d.label is not None and d.label.dtype.kind == "U" else ())}:
        if (problem := paths.text_problem(text)) is not None:
            raise ArtifactError(f"a group or label {problem}", source=name)
    for digest in d.source:
        if digest and not jsonfile.is_sha256(digest):
            raise ArtifactError(f"source holds {digest[:70]!r}, which is no SHA-256", source=name)
    _check_label(d, name)
    for stream_name in d.streams:
        if not streams.NAME.fullmatch(stream_name):
            raise ArtifactError(f"a stream called {stream_name!r}", source=name)


def _check_label(d: Dataset, name: str) -> None:
    task, classes, label = d.meta["task"], d.meta.get("classes"), d.label
    if task is None or label is None:
        if task is not None or label is not None:
            raise ArtifactError("a label needs a task, and a task a label", source=name)
        return
    shape: tuple[int, ...] = (d.items,)
    if task == "multilabel":
        shape += (len(classes or ()),)
    kind = {"classify": "U", "regress": "f8", "multilabel": "b1"}[task]
    if label.shape != shape or kind not in (label.dtype.kind, label.dtype.str[1:]):
        raise ArtifactError(f"label is {label.dtype} of shape {label.shape}, which is not for {task}", source=name)
    if task == "regress":
        if bool(np.isinf(label).any()):
            raise ArtifactError("label holds infinity", source=name)
        return
    if not classes or len(set(classes)) < len(classes) or "" in classes:
        raise ArtifactError("classes are missing, doubled or empty", source=name)
    if task == "classify":
        for wrong in sorted(set(label.tolist()) - {*classes, ""}):
            raise ArtifactError(f"the label {wrong[:60]!r} is none of the classes", source=name)
