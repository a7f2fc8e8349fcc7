"""Items that share the very same recording or picture: a model that has seen one of them has seen the other.

Data sets that pair modalities by drawing with replacement hold the same picture in several items. Folds that put such
twins on both sides would praise whoever remembers pictures.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset, Stream


def groups(dataset: Dataset, rows: NDArray[np.int64], given: NDArray[np.str_], folds: int) -> NDArray[np.str_]:
    """``given`` groups of ``rows`` joined where items share the content of a stream; an empty name stays a group of
    one.

    A stream of few distinct contents (a category, a stock sentence) would join everything; where a group would grow
    beyond half a fold, that stream is left out.
    """
    root = np.arange(len(rows))
    _join(root, [g or f"\0{i}" for i, g in enumerate(given.tolist())])
    most = max(len(rows) / (2 * folds), int(np.bincount(root).max(initial=1)))
    digests = [contents(stream, rows) for stream in dataset.streams.values()]
    for content in sorted(digests, key=lambda c: -len(set(c))):
        tried = root.copy()
        _join(tried, content)
        if np.bincount(tried).max(initial=1) <= most:
            root = tried
    return np.array([f"{r}" for r in root])


def contents(stream: Stream, rows: NDArray[np.int64]) -> list[str]:
    """A digest for each item; items without the stream share nothing."""
    digests = []
    for row in rows.tolist():
        values = stream.item(row).values
        digests.append(hashlib.sha256(values.tobytes()).hexdigest() if len(values) else f"\0{row}")
    return digests


def _join(root: NDArray[np.int64], names: list[str]) -> None:
    """Give all members of groups that share a name one root, in place."""
    first: dict[str, int] = {}
    parent = root.copy()

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for i, name in enumerate(names):
        parent[find(i)] = find(first.setdefault(name, i))
    root[:] = [find(i) for i in range(len(root))]
