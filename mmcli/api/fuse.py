"""``mmcli.fuse``: arrays, data frames or a manifest as one data set."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmcli.api import given
from mmcli.artifacts.formats import dataset, features, manifest
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import scratch
from mmcli.errors import UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.dataset import Dataset


def fuse(
    source: Any,
    output: str | Path | None = None,
    *,
    label: Any = None,
    split: Any = None,
    group: Any = None,
    id: Any = None,
    rate: float | None = None,
    **fields: Any,
) -> Dataset:
    """One data set, as ``mmcli fuse`` makes it: of a manifest, or of arrays.

    ``source``: the path of a manifest whose cells name features, or ``{modality: values}``. Values are an array
    ``(items, width)`` or ``(items, frames, width)``, a data frame of numbers with a row an item, or a list with an
    array ``(frames, width)``, Features or None (absent) for each item; ``rate`` is that of their frames in Hz.
    ``label`` (text, or numbers for a regression), ``split`` (train, val, test), ``group`` (never on both sides of
    a split) and ``id`` are sequences with one entry an item. Without ``split`` items are divided 60/20/20. ``output``:
    the npz to write, too. Further fields are those of :class:`mmcli.fusion.dataset.assemble.Plan`.

    Raises UsageError where lengths differ, for unknown modalities and fields; warns of what the command says.

    >>> made = fuse({"audio": np.eye(6), "text": np.ones((6, 2))}, label=list("ababab"))
    >>> made.items, made.modalities, made.meta["classes"]
    (6, ['audio', 'text'], ['a', 'b'])
    """
    from mmcli.fusion.dataset import assemble
    from mmcli.fusion.dataset.survey import Arrays

    plan = given.configured(assemble.Plan, {"arrays": Arrays(rate), **fields}, "fuse")
    if given.is_path(source):
        mixed = [
            name
            for name, value in (("label", label), ("split", split), ("group", group), ("id", id))
            if value is not None
        ]
        if mixed:
            raise UsageError(f"{mixed[0]}= is for arrays; a manifest has a column of that name")
        made = assemble.assemble(manifest.load(source), plan)
    else:
        with tempfile.TemporaryDirectory() as folder:
            rows = _written(Path(folder), source, {"label": label, "split": split, "group": group, "id": id})
            made = assemble.assemble(rows, plan)
    for item, reason in made.failed:
        warnings.warn(f"{item}: left out: {reason}", stacklevel=2)
    if output is not None:
        dataset.save(output, made.dataset)
    return made.dataset


def _written(folder: Path, source: Any, columns: dict[str, Any]) -> manifest.Manifest:
    """The arrays as files, and the manifest of them: what the command would be given."""
    if not isinstance(source, Mapping) or not source:
        raise UsageError("neither a manifest nor arrays by modality", hint="mmcli.fuse({'audio': array}, label=labels)")
    for name in source:
        if str(name).partition(".")[0] not in manifest.STREAMS:
            raise UsageError(f"{name!r} is no modality", hint=f"one of {', '.join(manifest.STREAMS)}, or audio.NAME")
    cells = {str(name): _cells(folder, str(name), values) for name, values in source.items()}
    items = len(next(iter(cells.values())))
    told = {name: [str(entry) for entry in _entries(value)] for name, value in columns.items() if value is not None}
    for name, entries in {**cells, **told}.items():
        if len(entries) != items:
            raise UsageError(f"{name} has {len(entries)} items where {next(iter(cells))} has {items}")
    names = told.get("id") or [f"{k:0{len(str(items))}d}" for k in range(items)]
    if len(set(names)) < items:
        raise UsageError("an id stands twice")
    rows = [
        manifest.Row(
            id=names[k],
            cells={name: entries[k] for name, entries in cells.items() if entries[k]},
            label=told["label"][k] or None if "label" in told else None,
            split=told["split"][k] or None if "split" in told else None,
            group=told["group"][k] or None if "group" in told else None,
        )
        for k in range(items)
    ]
    manifest.save(folder / "manifest.jsonl", rows)  # read again: what it refuses in files it refuses here
    return manifest.load(folder / "manifest.jsonl")


def _cells(folder: Path, name: str, values: Any) -> list[str]:
    """A cell an item: a row of one array, or a features file; "" where it is absent."""
    if hasattr(values, "columns") and hasattr(values, "select_dtypes"):
        odd = [str(c) for c in values.columns if c not in values.select_dtypes("number").columns]
        if odd:
            raise UsageError(f"{name}: columns that hold no numbers: {', '.join(odd)}", hint="drop them first")
        values = values.to_numpy(np.float64)
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    if isinstance(values, np.ndarray) and values.dtype != object:
        if values.ndim not in (2, 3):
            raise UsageError(f"{name} has shape {values.shape}: (items, width) or (items, frames, width) is wanted")
        scratch.npy(folder / f"{name}.npy", np.asarray(values, np.float32))
        return [f"{name}.npy#{k}" for k in range(len(values))]
    return [_cell(folder, f"{name}.{k}.npz", entry) for k, entry in enumerate(values)]


def _cell(folder: Path, file: str, entry: Any) -> str:
    if entry is None:
        return ""
    if isinstance(entry, Features):
        features.save(folder / file, entry)
        return file
    values = np.asarray(entry, np.float32)
    if values.ndim == 1:
        values = values[None]
    scratch.npy(folder / f"{file[:-4]}.npy", values[None])
    return f"{file[:-4]}.npy#0"


def _entries(value: Any) -> Sequence[Any]:
    """The entries of a sequence, a data frame's column or an array; what is missing in a column is "".

    >>> list(_entries(np.array([1.5, np.nan])))
    [1.5, '']
    """
    entries: Iterable[Any] = value.tolist() if hasattr(value, "tolist") else value
    return ["" if entry is None or entry != entry else entry for entry in entries]
