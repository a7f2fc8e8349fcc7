"""Several targets beside the label: the columns ``label.NAME`` of a manifest, of which a model is trained on one.

A data set keeps them as they were written, by the ids of its items; one of them takes the place of the label where it
is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import UsageError
from mmcli.fusion import labels
from mmcli.registry import nearest

PREFIX = "label."


def of_rows(rows: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, dict[str, str]]:
    """The targets of some rows, each its id and the columns that pass through: by name, then by id.

    >>> of_rows([("a", {"label.age": "41", "note": "x"}), ("b", {"label.age": ""})])
    {'age': {'a': '41'}}
    """
    targets: dict[str, dict[str, str]] = {}
    for identifier, extra in rows:
        for column, text in extra.items():
            if column.startswith(PREFIX) and text:
                targets.setdefault(column.removeprefix(PREFIX), {})[identifier] = text
    return targets


def chosen(dataset: Dataset, name: str, label_type: str = "auto") -> Dataset:
    """The data set with the target ``name`` as its label. Raises :class:`UsageError` where it has none of that name."""
    known: dict[str, Any] = dataset.meta.get("targets") or {}
    if name not in known:
        there = nearest(name, list(known)) if known else "the manifest has no column label.NAME"
        raise UsageError(f"the data set has no target {name!r}", hint=there)
    own: Mapping[str, str] = known[name]
    texts: Sequence[str | None] = [own.get(identifier) for identifier in dataset.id.tolist()]
    # Items of any split may lack one of several targets: they are left out where it is trained on.
    label, task, classes = labels.read(texts, label_type, ["test"] * len(texts))
    meta = {key: value for key, value in dataset.meta.items() if key != "streams"}
    return dataclasses.replace(dataset, label=label, meta=meta | {"task": task, "classes": classes})
