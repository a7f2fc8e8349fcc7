"""Imbalance between classes and between modalities, mended in the training split and marked as made.

``weight``   nothing is made: each modality's weight is how much better than guessing it answers alone, cross-validated
             on the training rows, times the share of training items that have it; in its meta, for ``weighted``
``augment``  scarce classes get new items, changed copies of their own (:mod:`.augment`), up to the size of
             the largest class, at most three for each real one
``match``    a training item that lacks a modality borrows it from a training item that has it
             (:mod:`mmcli.fusion.dataset.balance`); every epoch of training draws another one of the item's partners

Validation and test are never touched, and ``made`` says for every stream which items are not real there.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mmcli.artifacts.formats.dataset import Dataset, Stream, listed
from mmcli.artifacts.io import lazy, provenance
from mmcli.errors import InputError, UsageError
from mmcli.fusion import learned
from mmcli.fusion.dataset import augment
from mmcli.fusion.summary import summarise

METHODS = ("none", "weight", "augment", "match")
MOST = 3  # made items for each real one


def apply(
    dataset: Dataset,
    method: str,
    seed: int,
    by: str = "label",
    starts: np.ndarray | None = None,
    how: augment.Config | None = None,
) -> tuple[Dataset, list[str]]:
    """The balanced data set and what should be said about it.

    ``by`` is how ``match`` finds partners; ``starts`` float64 ``(items,)``, seconds, NaN where unknown, is when each
    item begins in its recording; ``how`` is for ``augment``. Raises :class:`InputError` where the labels or starts do
    not allow it.
    """
    if method not in METHODS:
        raise UsageError(f"unknown balance {method!r}", hint="one of: " + ", ".join(METHODS))
    if method == "none":
        return dataset, []
    needs_label = method != "match" or by == "label"
    if needs_label and (dataset.label is None or dataset.label.ndim != 1):
        raise InputError(f"--balance {method} needs one label an item")
    rng = np.random.default_rng(seed)
    if method == "match":
        balanced, notes, record = _match(dataset, rng, Finder(dataset, by, starts))
    elif method == "weight":
        balanced, notes, record = _weigh(dataset)
    else:
        balanced, notes, record = _augment(dataset, rng, how or augment.Config())
    balanced.meta["balance"] = {"method": method, "seed": seed, **record}
    return balanced, notes


def _weigh(dataset: Dataset) -> tuple[Dataset, list[str], dict[str, Any]]:
    train = dataset.rows("train")
    weights = {}
    for name in dataset.modalities:
        stream = dataset.streams[name]
        rows = train[stream.present[train]]
        values = np.stack([summarise(stream.item(int(i)).values, stream.meta) for i in rows])
        groups = np.where(dataset.group[rows] == "", dataset.id[rows], dataset.group[rows])
        assert dataset.label is not None
        gain = learned.reliability(values, dataset.label[rows], groups)
        weights[name] = round(max(0.0, gain) * len(rows) / len(train), 4)
    if not any(weights.values()):
        raise InputError("no modality answers better than guessing, so there is nothing to weigh")
    for name, weight in weights.items():
        dataset.streams[name].meta["weight"] = weight
    listed = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    return dataset, [f"weights by reliability and amount: {listed}"], {"weights": weights}


def _augment(
    dataset: Dataset, rng: np.random.Generator, how: augment.Config
) -> tuple[Dataset, list[str], dict[str, Any]]:
    label = dataset.label
    assert label is not None
    if label.dtype.kind != "U":
        raise InputError("--balance augment fills scarce classes, and these labels are numbers")
    train = dataset.rows("train")
    classes, counts = np.unique(label[train], return_counts=True)
    parents: list[int] = []
    for name, count in zip(classes, counts, strict=True):
        members = train[label[train] == name]
        wanted = min(int(counts.max() - count), MOST * int(count))
        parents += [int(members[i % count]) for i in rng.permutation(int(count)).tolist() * (MOST + 1)][:wanted]
    if not parents:
        return dataset, ["balance: all classes have as many training items"], {"made": 0}
    streams = {
        name: _extended(stream, parents, label, train, rng, how)
        for name, stream in dataset.streams.items()
        if name in dataset.modalities
    }
    made = np.array(parents)
    taken = set(dataset.id.tolist())
    names = [_fresh(f"{dataset.id[p]}~{k}", taken) for k, p in enumerate(parents)]
    balanced = Dataset(
        streams,
        np.concatenate([dataset.id, np.array(names)]),
        np.concatenate([dataset.split, dataset.split[made]]),
        np.concatenate([dataset.group, dataset.group[made]]),
        np.concatenate([label, label[made]]),
        [*dataset.source, *(_digest(dataset.source[p], n) for p, n in zip(parents, names, strict=True))],
        dataset.meta,
    )
    return balanced, [f"balance: {len(parents)} training items made for scarce classes"], {"made": len(parents)}


def _extended(
    stream: Stream,
    parents: list[int],
    label: np.ndarray,
    train: np.ndarray,
    rng: np.random.Generator,
    how: augment.Config,
) -> Stream:
    rows, times, lengths = [], [], [0]
    for parent in parents:
        item = stream.item(parent)
        lengths.append(len(item.values))
        if len(item.values) == 0:
            continue
        mates = train[(label[train] == label[parent]) & stream.present[train]]
        partner = stream.item(int(rng.choice(mates))).values
        rows.append(augment.sample(item.values, stream.meta.get("kind", "sequence"), partner, rng, how))
        times.append(item.times)
    count = len(stream.present)
    present = np.concatenate([stream.present, stream.present[parents]])
    made = np.zeros(len(present), bool)
    made[:count] = False if stream.made is None else stream.made
    made[count:] = present[count:]
    offsets = np.concatenate([stream.offsets, stream.offsets[-1] + np.cumsum(lengths[1:])]).astype(np.int64)
    values, clock = _followed(stream.values, rows, lengths[1:]), _followed(stream.times, times, lengths[1:])
    return dataclasses.replace(stream, values=values, times=clock, offsets=offsets, present=present, made=made)


def _followed(rows: lazy.Array | lazy.Rows, made: list[np.ndarray], lengths: list[int]) -> lazy.Array | lazy.Rows:
    """The rows of all items and then those that were made; an item of length 0 has none among ``made``."""
    if not isinstance(rows, lazy.Rows):
        return np.concatenate([rows, *made])
    if (needed := sum(item.nbytes for item in made)) > lazy.HELD:
        raise UsageError(
            f"--balance augment makes {needed:,} bytes; at most {lazy.HELD:,} are held for a folder of shards",
            hint="leave it out: train --class-weights or --sampling balanced; or write one file: -o DATASET.npz",
        )
    each = iter(made)
    return rows.followed_by([next(each) if length else rows[:0] for length in lengths])


def _match(dataset: Dataset, rng: np.random.Generator, finder: Finder) -> tuple[Dataset, list[str], dict[str, Any]]:
    train = dataset.rows("train")
    streams, borrowed = {}, {}
    for name in dataset.modalities:
        stream = dataset.streams[name]
        partners = {int(i): finder.partners(name, int(i), rng) for i in train[~stream.present[train]]}
        partners = {i: chosen for i, chosen in partners.items() if len(chosen)}
        streams[name] = _borrowed(stream, partners, rng)
        borrowed[name] = len(partners)
    balanced = dataclasses.replace(dataset, streams=streams)
    listed = ", ".join(f"{name} {count}" for name, count in borrowed.items())
    said = f"balance: training items that borrow a modality, by {finder.by}: {listed}"
    return balanced, [said], {"by": finder.by, "borrowed": borrowed}


def _borrowed(stream: Stream, partners: dict[int, np.ndarray], rng: np.random.Generator) -> Stream:
    """One draw for every needy item, and the partners it was drawn from."""
    count = len(stream.present)
    source = np.arange(count)
    for item, chosen in partners.items():
        source[item] = rng.choice(chosen)
    moved = stream.select(source)
    made = np.zeros(count, bool) if stream.made is None else stream.made.copy()
    made[list(partners)] = True
    members, offsets = listed([partners.get(i, np.zeros(0, np.int64)) for i in range(count)])
    return dataclasses.replace(moved, made=made, partners=members, partner_offsets=offsets)


def _digest(source: str, name: str) -> str:
    return provenance.sha256_bytes(f"{source} {name}".encode())


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "~"
    taken.add(name)
    return name


# From whom a training item may borrow a modality that it lacks: training items that have it for real.
#
# ``label`` those of the same class, at most 64 of them, drawn at random; for a regression the 8 with the nearest label
# ``time`` the 8 that begin nearest in time in the same recording (the manifest's group), among them only those of the
# same class where there are classes ``neighbour`` the 8 nearest in what both have: each shared modality summarised,
# put on the scale of the training rows and compared by mean squared difference; of the same class where there are
# classes

WAYS = ("label", "time", "neighbour")
MOST_PARTNERS = 64
NEAREST = 8


class Finder:
    """The partners of items of one data set. ``starts`` float64 ``(items,)``: seconds, NaN where unknown."""

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

    def partners(self, stream: str, item: int, rng: np.random.Generator) -> np.ndarray:
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
        vectors = np.stack([summarise(stream.item(int(i)).values, stream.meta) for i in rows])
        spread = vectors.std(axis=0)
        values = np.zeros((self.dataset.items, vectors.shape[1]))
        values[rows] = (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return values, there
