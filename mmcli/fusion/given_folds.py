"""Folds that come with a data set: the column ``fold`` of a manifest, or a table with the columns id and fold.

Results are comparable on published folds only: ``train --cv given`` and ``train --cv FILE`` test on each in turn.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, UsageError
from mmcli.fusion import labels

COLUMN = "fold"
GIVEN = "given"  # those that the data set keeps
FEWEST = 3  # to train on, to stop by, and to test on
MAX_BYTES = 256 << 20


def of_rows(rows: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """The fold of each row that has one, by id; ``rows`` are ids with the columns that pass through.

    >>> of_rows([("a", {"fold": "2"}), ("b", {"note": "x"})])
    {'a': '2'}
    """
    return {identifier: extra[COLUMN] for identifier, extra in rows if extra.get(COLUMN)}


def parts(dataset: Dataset, source: str) -> tuple[list[str], list[NDArray[np.int64]]]:
    """The names of the folds in order, and the rows of each; ``source`` is ``given`` or a file.

    Items without a fold take no part. Raises :class:`UsageError` where the data set keeps none or there are fewer than
    three, :class:`InputError` for a file that names none of the items, or one item twice.
    """
    known: Mapping[str, str] = (dataset.meta.get("folds") or {}) if source == GIVEN else _read(source)
    if not known:
        raise UsageError(f"the data set has no folds: its manifest had no column {COLUMN!r}", hint="--cv K, or a file")
    each = [known.get(identifier, "") for identifier in dataset.id.tolist()]
    names = labels.ordered([name for name in each if name])
    if not names:
        raise InputError("names none of the data set's items", source=source)
    if len(names) < FEWEST:
        what = f"{len(names)} folds ({', '.join(names)}) are too few: one tests, one stops the training, the rest train"
        raise UsageError(what, hint="a column split is for one division")
    column = np.array(each)
    return names, [np.flatnonzero(column == name) for name in names]


def _read(source: str) -> dict[str, str]:
    """The table in a file; also without a head, where its lines are id, fold."""
    if not Path(source).is_file():
        hint = (
            f"a number of folds, {GIVEN} (the manifest's column {COLUMN!r}), or a csv file with the columns id and fold"
        )
        raise UsageError(f"--cv {source!r}", hint=hint)
    text = provenance.read_bytes(source, MAX_BYTES).decode("utf8", errors="replace").removeprefix("\ufeff")
    rows = [row for row in csv.reader(io.StringIO(text), delimiter="\t" if "\t" in text else ",") if row]
    head = [name.strip().lower() for name in rows[0]] if rows else []
    if "id" in head and COLUMN in head:
        at, of, rows = head.index("id"), head.index(COLUMN), rows[1:]
    elif len(head) == 2:
        at, of = 0, 1
    else:
        raise InputError("has no columns id and fold", source=source)
    known: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if len(row) <= max(at, of):
            raise InputError(f"row {number} has {len(row)} cells", source=source)
        identifier, fold = row[at].strip(), row[of].strip()
        if known.setdefault(identifier, fold) != fold:
            raise InputError(f"item {identifier!r} is in two folds, {known[identifier]} and {fold}", source=source)
    return known
