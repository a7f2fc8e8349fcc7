"""The order of a group's items: the turns of a dialogue, the utterances of a video, the visits of a patient.

A manifest tells it in the column ``order`` (any numbers), else by ``start`` (seconds). Where the rows stand in the
manifest, and the files on the disk, means nothing. A data set keeps the order by the ids of its items.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.errors import InputError

COLUMN = "order"
HINT = f"give the manifest a column {COLUMN} (a number) or start (seconds), and run fuse again"

Rows = NDArray[np.int64]


def of_rows(rows: Iterable[tuple[str, str | None, float | None, Mapping[str, str]]]) -> dict[str, float]:
    """The place of each row in its group, by id; ``rows`` are id, group, start, and the columns that pass through.

    Rows alone in their group have none. Raises :class:`InputError` where the column holds something else than numbers.

    >>> of_rows([("a", "d1", 2.5, {}), ("b", "d1", 0.5, {}), ("c", "d2", 0.0, {}), ("e", None, 1.0, {})])
    {'a': 2.5, 'b': 0.5}
    """
    listed = list(rows)
    by_column = any(extra.get(COLUMN) for _, _, _, extra in listed)
    size = Counter(group for _, group, _, _ in listed if group)
    places: dict[str, float] = {}
    for identifier, group, start, extra in listed:
        place = place_of(identifier, None if by_column else start, extra)
        if group and size[group] > 1 and place is not None:
            places[identifier] = place
    return places


def place_of(identifier: str, start: float | None, extra: Mapping[str, str]) -> float | None:
    """Where one row stands in its group, by its column, else by its start; None where it says neither.

    Raises :class:`InputError` where the column holds no number.
    """
    text = extra.get(COLUMN)
    if not text:
        return start
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{COLUMN} is {text!r}, which is no number", source=identifier)
    return value


@dataclass(frozen=True)
class Whole:
    """Some rows with the rest of their groups: ``rows`` int64 ``(n,)``, group after group and in order; ``turns`` int64
    ``(groups, longest)``, for each turn its position in ``rows``, -1 behind the end of a group; ``asked`` int64
    ``(k,)``, the positions of the rows that were asked for.
    """

    rows: Rows
    turns: Rows
    asked: Rows


class Sequences:
    """Groups as sequences: ``number`` int64 ``(items,)`` of each item's group; an item without a group is one alone.

    Groups are numbered by their names, so that the order of a data set's items changes nothing.
    """

    def __init__(self, number: Rows, place: NDArray[np.float64]) -> None:
        self.number = number
        self._order = np.lexsort((place, number)).astype(np.int64)
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(number))]).astype(np.int64)

    def lengths(self, rows: Rows) -> Rows:
        """How many items each group of ``rows`` has, ``(groups,)``."""
        return np.diff(self._starts)[np.unique(self.number[rows])]

    def whole(self, rows: Rows) -> Whole:
        """``rows`` with the rest of their groups."""
        groups = np.unique(self.number[rows])
        parts = [self._of(group) for group in groups.tolist()]
        every = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        turns = np.full((len(parts), max(map(len, parts), default=1)), -1, np.int64)
        at = 0
        for line, part in zip(turns, parts, strict=True):
            line[: len(part)] = np.arange(at, at + len(part))
            at += len(part)
        sorter = np.argsort(every, kind="stable")
        return Whole(every, turns, sorter[np.searchsorted(every, rows, sorter=sorter)])

    def parts(self, rows: Rows, size: int) -> list[Rows]:
        """``rows`` in parts of about ``size`` items of whole groups; a longer group is a part of its own."""
        wanted = self._wanted(rows)
        parts: list[Rows] = []
        held = size
        for group in np.unique(self.number[rows]).tolist():
            members = self._of(group)
            own = members[wanted[members]]
            if held + len(members) > size:
                parts, held = [*parts, own], len(members)
            else:
                parts[-1], held = np.concatenate([parts[-1], own]), held + len(members)
        return parts

    def steps(self, rows: Rows, size: int) -> int:
        """How many batches of about ``size`` items :meth:`batches` makes."""
        return max(1, min(len(np.unique(self.number[rows])), round(len(rows) / size)))

    def batches(self, rows: Rows, size: int, rng: np.random.Generator) -> list[Rows]:
        """``rows`` in random batches of whole groups, of about ``size`` items in the mean."""
        wanted = self._wanted(rows)
        drawn = np.array_split(rng.permutation(np.unique(self.number[rows])), self.steps(rows, size))
        whole = [np.concatenate([self._of(group) for group in sorted(groups.tolist())]) for groups in drawn]
        return [members[wanted[members]] for members in whole]

    def _of(self, group: int) -> Rows:
        return self._order[self._starts[group] : self._starts[group + 1]]

    def _wanted(self, rows: Rows) -> NDArray[np.bool_]:
        wanted = np.zeros(len(self.number), bool)
        wanted[rows] = True
        return wanted


def sequences(dataset: Dataset, streams: Collection[Stream]) -> Sequences:
    """The groups of a data set in order; items with none of the ``streams`` are no turns.

    Raises :class:`InputError`, naming items, where a group of several has no order, or two items share a place.
    """
    known: Mapping[str, float] = dataset.meta.get("order") or {}
    there = np.any([stream.present for stream in streams], axis=0)
    names = np.array(
        [f"g{group}" if group and here else f"i{item}" for item, group, here in _columns(dataset, there)], dtype=np.str_
    )
    _, number, size = np.unique(names, return_inverse=True, return_counts=True)
    place = np.array([known.get(item, math.nan) for item in dataset.id.tolist()], np.float64)
    place[size[number] == 1] = 0.0
    if len(lost := np.flatnonzero(np.isnan(place))):
        first = int(lost[0])
        what = "no item of a group says where it stands in it"
        if not np.isnan(place[size[number] > 1]).all():
            what = f"{len(lost)} items do not say where they stand in their group, the first {dataset.id[first]!r}"
        raise InputError(what, hint=HINT)
    order = np.lexsort((place, number))
    same = (np.diff(number[order]) == 0) & (np.diff(place[order]) == 0)
    if same.any():
        at = int(np.flatnonzero(same)[0])
        one, other = sorted(str(dataset.id[i]) for i in order[at : at + 2])
        group = dataset.group[order[at]]
        raise InputError(f"{one!r} and {other!r} have one place in group {group!r}, {place[order[at]]:g}", hint=HINT)
    return Sequences(number.astype(np.int64), place)


def refuse_without(dataset: Dataset, rows: Rows) -> None:
    """Raises :class:`InputError` where no group has two of the items ``rows``: there is no context to learn from."""
    if not len(rows):
        return
    groups = dataset.group[rows]
    if (groups == "").all():
        raise InputError(
            "no item has a group, so none has a context",
            hint="give the manifest a column group (the dialogue of each turn), and run fuse again",
        )
    if max(Counter(groups[groups != ""].tolist()).values()) < 2:
        raise InputError("every group has one item, so none has a context", hint="the column group joins items")


def _columns(dataset: Dataset, there: NDArray[np.bool_]) -> Iterable[tuple[str, str, bool]]:
    return zip(dataset.id.tolist(), dataset.group.tolist(), there.tolist(), strict=True)
