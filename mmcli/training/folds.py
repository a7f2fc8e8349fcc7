"""Folds of items for cross-validation: classes in equal shares, and a group (speaker, video) never on both sides.

Not scikit-learn's StratifiedGroupKFold: its folds are other ones than those of the runs that there are, less even in
size, and it refuses labels that are numbers.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import lazy
from mmcli.errors import InputError, MismatchError
from mmcli.fusion import normalise


def make(
    rows: NDArray[np.int64], classes: NDArray[np.int64] | None, groups: NDArray[np.str_], folds: int, seed: int
) -> list[NDArray[np.int64]]:
    """``rows`` divided into ``folds`` parts; ``classes`` and ``groups`` hold one entry for each row.

    Items of one group (an empty name is no group) stay together. Groups go, largest first, into the fold that they
    leave most even: in number and in the shares of the classes. Raises :class:`InputError` where there are fewer
    groups than folds.
    """
    rng = np.random.default_rng([seed, folds])
    names = np.array([g or f"\0{i}" for i, g in enumerate(groups.tolist())])
    distinct, member = np.unique(names, return_inverse=True)
    if len(distinct) < folds:
        problem = f"{folds} folds need as many groups; there are {len(distinct)}"
        raise InputError(problem, hint="lower the number of folds")
    kinds = np.zeros(len(rows), np.int64) if classes is None else classes
    count = np.zeros((len(distinct), int(kinds.max(initial=0)) + 1))
    np.add.at(count, (member, kinds), 1.0)
    turn = rng.permutation(len(distinct))
    turn = turn[np.argsort(-count[turn].sum(1), kind="stable")]
    held = np.zeros((folds, count.shape[1]))
    place = np.zeros(len(distinct), np.int64)
    wanted = np.maximum(count.sum(0) / folds, 1e-9)
    for group in turn:
        # the fold whose fullness, in the classes of this group and in all, is least
        full = (held / wanted) @ count[group] / count[group].sum() + held.sum(1) / wanted.sum()
        place[group] = int(np.argmin(full))
        held[place[group]] += count[group]
    return [np.sort(rows[place[member] == fold]) for fold in range(folds)]


def refuse_leak(groups: NDArray[np.str_], first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    """Raises :class:`MismatchError`, naming the group, where one has items on both sides."""
    both = (set(groups[first].tolist()) & set(groups[second].tolist())) - {""}
    if both:
        raise MismatchError(
            f"group {min(both)!r} has items on both sides of a split",
            hint="give every item of a group the same split",
        )


# A data set as one fold of cross-validation may see it.
#
# ``fuse`` fitted scales, and drew made items and partners, on the data set's own training split. A fold trains on
# other rows, so what those statistics and copies tell about its held-out rows would leak into its score.


def real(dataset: Dataset) -> Dataset:
    """The data set without what was made: made rows of a stream count as absent, items with nothing left as unlabelled.

    Those items keep their place, with an empty split, so that rows mean the same in every fold.
    """
    if all(stream.made is None or not stream.made.any() for stream in dataset.streams.values()):
        return dataset
    kept = copy.copy(dataset)
    kept.streams = {name: _without_made(stream) for name, stream in dataset.streams.items()}
    left = np.any([stream.present for stream in kept.streams.values()], axis=0)
    kept.split = np.where(left, dataset.split, "")
    return kept


def split(dataset: Dataset, column: NDArray[np.str_]) -> Dataset:
    """The data set under the splits ``column`` (items,), its streams on scales fitted on that training split.

    A fitted scale is affine, so fitting it on scaled values and composing the two gives what the raw values would
    have given. Strategies and extractors with fitted state (``cca``, ``tfidf``) are not fitted again.
    """
    fold = copy.copy(dataset)
    fold.split = column
    fold.streams = {name: _rescaled(stream, column == "train") for name, stream in dataset.streams.items()}
    return fold


def _without_made(stream: Stream) -> Stream:
    return stream if stream.made is None else stream.without(stream.made)


def _rescaled(stream: Stream, train: NDArray[np.bool_]) -> Stream:
    first = stream.meta.get("normaliser") or {"method": "none"}
    own = np.flatnonzero(train & stream.present)
    if "center" not in first or not len(own):
        return stream
    second = normalise.fit_items((stream.item(i).values for i in own.tolist()), first["method"])
    center, scale = np.asarray(first["center"]), np.asarray(first["scale"])
    both = {
        "method": first["method"],
        "center": (center + np.asarray(second["center"]) * scale).tolist(),
        "scale": (scale * np.asarray(second["scale"])).tolist(),
    }
    meta = stream.meta | {"normaliser": both}
    values = lazy.changed(stream.values, lambda values: normalise.apply(values, second))
    return dataclasses.replace(stream, values=values, meta=meta)


# Items that share the very same recording or picture: a model that has seen one of them has seen the other.
#
# Data sets that pair modalities by drawing with replacement hold the same picture in several items. Folds that put such
# twins on both sides would praise whoever remembers pictures.


def joined_groups(dataset: Dataset, rows: NDArray[np.int64], given: NDArray[np.str_], folds: int) -> NDArray[np.str_]:
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
