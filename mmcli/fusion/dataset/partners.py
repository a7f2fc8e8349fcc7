"""From whom a training item may borrow a modality that it lacks: training items that have it for real.

``label``      those of the same class, at most 64 of them, drawn at random; for a regression the 8 with the nearest
               label
``time``       the 8 that begin nearest in time in the same recording (the manifest's group), among them only those of
               the same class where there are classes
``neighbour``  the 8 nearest in what both have: each shared modality summarised, put on the scale of the training rows
               and compared by mean squared difference; of the same class where there are classes
"""

from __future__ import annotations

import numpy as np

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError, UsageError
from mmcli.fusion.summary import summarise

WAYS = ("label", "time", "neighbour")
MOST_PARTNERS = 64
NEAREST = 8


class Finder:
    """Pools of partners for one data set. ``starts`` float64 ``(items,)``: seconds, NaN where unknown."""

    def __init__(self, dataset: Dataset, by: str, starts: np.ndarray | None = None) -> None:
        if by not in WAYS:
            raise UsageError(f"unknown way to match {by!r}", hint="one of: " + ", ".join(WAYS))
        if by == "time" and (starts is None or not np.isfinite(starts).any()):
            raise InputError("matching by time needs a start column", hint="or match by label or neighbour")
        self.by, self.dataset, self.starts = by, dataset, starts
        self.train = dataset.rows("train")
        label = dataset.label
        self.classes = label if label is not None and label.dtype.kind == "U" else None
        self.described = {name: self._describe(name) for name in dataset.modalities} if by == "neighbour" else {}

    def pool(self, stream: str, item: int, rng: np.random.Generator) -> np.ndarray:
        """The items, int64 ascending, that ``item`` may borrow ``stream`` from; empty where there is none."""
        owners = self.train[self.dataset.streams[stream].present[self.train]]
        if self.classes is not None:
            owners = owners[(self.classes[owners] == self.classes[item]) & (self.classes[owners] != "")]
        if self.by == "label":
            return self._by_label(owners, item, rng)
        distance = self._in_time(owners, item) if self.by == "time" else self._in_content(owners, item)
        known = np.flatnonzero(np.isfinite(distance))
        return np.sort(owners[known[np.argsort(distance[known], kind="stable")[:NEAREST]]])

    def _by_label(self, owners: np.ndarray, item: int, rng: np.random.Generator) -> np.ndarray:
        if self.classes is None:
            label = self.dataset.label
            assert label is not None
            away = np.abs(label[owners] - label[item])
            known = np.flatnonzero(np.isfinite(away))
            return np.sort(owners[known[np.argsort(away[known], kind="stable")[:NEAREST]]])
        if len(owners) > MOST_PARTNERS:
            owners = rng.choice(owners, MOST_PARTNERS, replace=False)
        return np.sort(owners)

    def _in_time(self, owners: np.ndarray, item: int) -> np.ndarray:
        assert self.starts is not None
        group = self.dataset.group
        same = (group[owners] == group[item]) & (group[owners] != "")
        return np.where(same, np.abs(self.starts[owners] - self.starts[item]), np.nan)

    def _in_content(self, owners: np.ndarray, item: int) -> np.ndarray:
        total, shared = np.zeros(len(owners)), np.zeros(len(owners))
        for values, there in self.described.values():
            if there[item]:
                away = ((values[owners] - values[item]) ** 2).mean(axis=1)
                total += np.where(there[owners], away, 0.0)
                shared += there[owners]
        return np.where(shared > 0, total / np.maximum(shared, 1), np.nan)

    def _describe(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        stream = self.dataset.streams[name]
        there = np.zeros(self.dataset.items, bool)
        there[self.train] = stream.present[self.train]
        rows = np.flatnonzero(there)
        if len(rows) == 0:
            return np.zeros((self.dataset.items, 1)), there
        found = np.stack([summarise(stream.item(int(i)).values, stream.meta) for i in rows])
        spread = found.std(axis=0)
        values = np.zeros((self.dataset.items, found.shape[1]))
        values[rows] = (found - found.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return values, there
