"""What holds in every data set: which keys, arrays and types there are, and how they go together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mmcli.artifacts.formats import features
from mmcli.artifacts.io import jsonfile, npz, paths
from mmcli.errors import ArtifactError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset, Stream

SCHEMA = "mmcli/dataset@1"
TASKS = ("classify", "regress", "multilabel")
MAX_WIDTH = 1 << 26
STREAM_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

STREAM_META = features.OPTIONAL | {
    "schema": jsonfile.TEXT,
    "mmcli": jsonfile.TEXT,
    "normaliser": jsonfile.nullable(jsonfile.OBJECT),
    "fitted": jsonfile.nullable(jsonfile.OBJECT),
    "weight": jsonfile.NUMBER,
    "spans": jsonfile.OBJECT,
    "projection": jsonfile.nullable(jsonfile.OBJECT),
}
REQUIRED = {
    "schema": jsonfile.exactly(SCHEMA),
    "mmcli": jsonfile.TEXT,
    "task": jsonfile.nullable(jsonfile.one_of(*TASKS)),
    "streams": jsonfile.OBJECT,
}
OPTIONAL = {
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
    "balance": jsonfile.OBJECT,
    "notes": jsonfile.TEXTS,
}
ARRAYS = {
    "values": npz.Spec("<f4", 1, 6),
    "offsets": npz.Spec("<i8", 1, 1),
    "times": npz.Spec("<f8", 1, 1),
    "present": npz.Spec("|b1", 1, 1),
}
MADE = {"made": npz.Spec("|b1", 1, 1)}
PARTNERS = {"pool": npz.Spec("<i8", 1, 1), "pool_offsets": npz.Spec("<i8", 1, 1)}
_ATTRIBUTES = {"pool": "partners", "pool_offsets": "partner_offsets"}  # of a stream, where the file says it otherwise


def array_of(stream: Stream, key: str) -> npt.NDArray[Any] | None:
    """The array of a stream that a file keeps under ``key``; None where there is none."""
    array: npt.NDArray[Any] | None = getattr(stream, _ATTRIBUTES.get(key, key))
    return array


def check(d: Dataset, name: str) -> None:
    """Raise :class:`ArtifactError` where a data set does not follow its schema."""
    check_columns(d, name)
    train = d.split == "train"
    for stream_name, stream in d.streams.items():
        _check_stream(stream, d.items, train, f"{name}: {stream_name}")


def check_columns(d: Dataset, name: str) -> None:
    """The same for everything but the streams' arrays."""
    jsonfile.check(d.meta, REQUIRED, OPTIONAL, what="meta", source=name)
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
        if not STREAM_NAME.fullmatch(stream_name):
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


def _check_stream(s: Stream, items: int, train: npt.NDArray[np.bool_], name: str) -> None:
    jsonfile.check(s.meta, {}, STREAM_META, what="meta", source=name)
    for what, spec in (ARRAYS | MADE | PARTNERS).items():
        array = array_of(s, what)
        if array is not None and array.dtype.str != spec.dtype:
            raise ArtifactError(f"{what} is {array.dtype}; {np.dtype(spec.dtype)} is needed", source=name)
    values, times = s.arrays()
    rows = values.shape[0]
    made = s.present if s.made is None else s.made
    if s.offsets.shape != (items + 1,) or s.present.shape != (items,) or made.shape != (items,):
        raise ArtifactError(f"offsets, present or made do not have the shape for {items} items", source=name)
    if times.shape != (rows,) or int(s.offsets[0]) != 0 or int(s.offsets[-1]) != rows:
        raise ArtifactError(f"offsets and times do not go with {rows} rows", source=name)
    lengths = s.lengths
    if bool((lengths < 0).any()):
        raise ArtifactError("offsets run backwards", source=name)
    if not np.array_equal(lengths > 0, s.present):
        raise ArtifactError("present does not say which items have rows", source=name)
    if not 0 < s.width <= MAX_WIDTH:
        raise ArtifactError(f"rows of shape {values.shape[1:]}", source=name)
    if s.made is not None and bool((s.made & ~(train & s.present)).any()):
        raise ArtifactError("made marks an item that is absent or outside the training split", source=name)
    _check_partners(s, items, train, name)
    features.check_finite(values, "values", name)
    features.check_finite(times, "times", name)
    increasing = np.diff(times) > 0
    starts = s.offsets[1:-1]
    increasing[starts[(starts > 0) & (starts < rows)] - 1] = True
    if not bool(increasing.all()):
        raise ArtifactError(f"times do not increase at row {int(np.argmin(increasing)) + 1}", source=name)
    kind = s.meta.get("kind")
    if kind is not None:
        features.check_kind(kind, (1, *values.shape[1:]), name)
        if kind in ("image", "vector") and int(lengths.max()) > 1:
            raise ArtifactError(f"an item of kind {kind} has {int(lengths.max())} rows", source=name)
        if kind == "tokens":
            features.check_tokens(values, s.meta.get("vocabulary_size"), name)


def _check_partners(s: Stream, items: int, train: npt.NDArray[np.bool_], name: str) -> None:
    if s.partners is None or s.partner_offsets is None:
        if s.partners is not None or s.partner_offsets is not None:
            raise ArtifactError("pool and pool_offsets go together", source=name)
        return
    counts = np.diff(s.partner_offsets)
    if s.partner_offsets.shape != (items + 1,) or s.partner_offsets[0] != 0 or s.partner_offsets[-1] != len(s.partners):
        raise ArtifactError("pool_offsets do not go with the pool", source=name)
    made = np.zeros(items, bool) if s.made is None else s.made
    if bool((counts < 0).any()) or bool((counts[~made] > 0).any()):
        raise ArtifactError("a pool is of an item that borrows nothing", source=name)
    if len(s.partners) and not (int(s.partners.min()) >= 0 and int(s.partners.max()) < items):
        raise ArtifactError("a pool names items that are not there", source=name)
    if not bool((train & s.present & ~made)[s.partners].all()):
        raise ArtifactError("a pool names an item that is made, absent or outside the training split", source=name)
