"""What users did with items. Schema ``mmcli/events@1``: csv (comma, semicolon or tab) or NDJSON, one event a line.

``user`` and ``item`` are text; ``rating`` or ``weight`` a finite number (a weight at least 0); ``time`` seconds since
1970 or an ISO 8601 date; ``split`` one of train, val, test. The column names of widespread files are understood
(``userId``, ``movieId``, ``timestamp``); other columns are not read and are named. A file is read a block at a time
into 24 bytes an event. Of a pair that is there more than once the last in time is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.event_lines import SCHEMA, Block, blocks, columns_of
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, UsageError

__all__ = ["SCHEMA", "SPLITS", "Events", "columns_of", "load", "positives"]

SPLITS = ("", "train", "val", "test")  # the code of a split is its place here
_LONGEST_ID = 1000
# Seconds reach 1e11 in the year 5138; milliseconds passed it in 1973, and microseconds 1e14.
_MILLI, _MICRO = 1e11, 1e14
BOT = 1000  # events: a user of more, and of ten times the median, is named
BOT_RATIO = 10

Int = NDArray[np.int64]


@dataclass(eq=False)
class Events:
    """Events in the order of the file, each pair of user and item once.

    ``user`` and ``item`` int32 ``(events,)`` number ``users`` and ``items``; ``row`` int64 counts the lines of events
    of the file from 0; ``value`` float32 (ratings or weights, by ``kind``), ``time`` float64 (seconds) and ``split``
    int8 (see ``SPLITS``) are None where the file has no such column. ``notes`` says what was counted on the way.
    """

    users: list[str]
    items: list[str]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    row: Int
    value: NDArray[np.float32] | None = None
    time: NDArray[np.float64] | None = None
    split: NDArray[np.int8] | None = None
    kind: str | None = None
    rows: int = 0
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.user)

    def take(self, keep: NDArray[Any]) -> Events:
        """The events of a mask or of indices; users and items keep their numbers."""
        parts: dict[str, Any] = {}
        for name in ("value", "time", "split"):
            parts[name] = None if (column := getattr(self, name)) is None else column[keep]
        arrays = (self.user[keep], self.item[keep], self.row[keep])
        return Events(self.users, self.items, *arrays, **parts, kind=self.kind, rows=self.rows, notes=self.notes)

    def numbered(self, items: Sequence[str]) -> Events:
        """The events whose item is among ``items``, numbered as these are."""
        place = {name: i for i, name in enumerate(items)}
        number = np.array([place.get(name, -1) for name in self.items] or [-1], np.int32)
        mine = self.take(number[self.item] >= 0)
        return Events(
            self.users, list(items), mine.user, number[mine.item], mine.row, mine.value, mine.time, mine.split,
            self.kind, self.rows, self.notes,
        )  # fmt: skip


def load(path: Path | str, known: Collection[str] | None = None, *, strict: bool = False) -> Events:
    """Read events (``-``: standard input), checked; ``known`` names the items that there are.

    Raises :class:`InputError` with the line for what cannot be meant: ratings or times that are no numbers, seconds
    beside milliseconds, empty ids, one pair in train and test, more than half of the events on items that are not
    known, fewer than two events; under ``strict`` also a test event older than a training event of its user.
    """
    name = provenance.named(path)
    with provenance.opened(path) as (stream, _):
        read = _Reader(name)
        for block in blocks(stream, name):
            read.add(block)
    return read.finished(known, strict)


class _Reader:
    """Columns that grow a block at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.users: dict[str, int] = {}
        self.items: dict[str, int] = {}
        self.parts: dict[str, list[NDArray[Any]]] = {key: [] for key in ("user", "item", "value", "time", "split")}
        self.parts["line"] = []
        self.kind: str | None = None
        self.unit: float | None = None
        self.notes: list[str] = []

    def add(self, block: Block) -> None:
        columns, count = block.columns, len(block.columns["user"] or ())
        if extra := columns.get("_extra"):
            self.notes.append(f"columns not read: {', '.join(map(str, extra))}")
        self.parts["user"].append(self._numbers(columns["user"] or (), self.users, "user", block.line))
        self.parts["item"].append(self._numbers(columns["item"] or (), self.items, "item", block.line))
        self.parts["line"].append(np.arange(block.line, block.line + count, dtype=np.int64))
        for kind in ("rating", "weight"):
            cells = columns.get(kind)
            if cells is not None:
                self.kind = kind
                values = self._floats(cells, kind, block.line)
                if kind == "weight" and count and values.min() < 0:
                    self.refuse(block.line + int(values.argmin()), f"weight {values.min():g}; at least 0 is needed")
                self.parts["value"].append(values.astype(np.float32))
        if (cells := columns.get("time")) is not None:
            self.parts["time"].append(self._seconds(cells, block.line))
        if (cells := columns.get("split")) is not None:
            codes = np.array([SPLITS.index(cell) if cell in SPLITS else -1 for cell in cells], np.int8)
            if count and codes.min() < 0:
                at = int(codes.argmin())
                self.refuse(block.line + at, f"split {cells[at]!r}; one of train, val, test is wanted")
            self.parts["split"].append(codes)

    def refuse(self, line: int, what: str, hint: str | None = None) -> None:
        raise InputError(f"line {line}: {what}", source=self.name, hint=hint)

    def _numbers(self, cells: Sequence[Any], seen: dict[str, int], what: str, line: int) -> NDArray[np.int32]:
        try:
            return np.array([seen[cell] for cell in cells], np.int32)  # most blocks hold nothing new
        except KeyError:
            pass
        for i, cell in enumerate(cells):
            if cell not in seen:
                if type(cell) is not str or not cell.strip() or len(cell) > _LONGEST_ID:
                    shown = "is empty" if not str(cell).strip() else f"is {str(cell)[:40]!r}, which is no id"
                    self.refuse(line + i, f"{what} {shown}")
                seen[cell] = len(seen)
        return np.array([seen[cell] for cell in cells], np.int32)

    def _floats(self, cells: Sequence[Any], what: str, line: int) -> NDArray[np.float64]:
        try:
            values = np.array(cells, np.float64)
        except (ValueError, TypeError):
            for i, cell in enumerate(cells):
                try:
                    float(cell)
                except (ValueError, TypeError):
                    shown = "is empty" if cell in ("", None) else f"is {str(cell)[:40]!r}, which is no number"
                    self.refuse(line + i, f"{what} {shown}")
            raise
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            self.refuse(line + at, f"{what} is {cells[at]}; a finite number is needed")
        return values

    def _seconds(self, cells: Sequence[Any], line: int) -> NDArray[np.float64]:
        if isinstance(cells[0], str) and "-" in cells[0].lstrip()[1:] and "e-" not in cells[0].lower():
            times = np.empty(len(cells))
            for i, cell in enumerate(cells):
                try:
                    moment = datetime.fromisoformat(str(cell).strip())
                except ValueError:
                    self.refuse(line + i, f"time is {str(cell)[:40]!r}, which is no date", "seconds or ISO 8601")
                times[i] = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            return times
        times = self._floats(cells, "time", line)
        units = np.where(times < _MILLI, 1.0, np.where(times < _MICRO, 1e3, 1e6))
        first = float(units[0]) if self.unit is None else self.unit
        if (units != first).any():
            at = int(np.flatnonzero(units != first)[0])
            self.refuse(line + at, f"time {cells[at]} beside times in another unit", "seconds for all events, or ms")
        if self.unit is None and first > 1:
            self.notes.append("times are in " + ("milliseconds" if first == 1e3 else "microseconds"))
        self.unit = first
        return times / first

    def finished(self, known: Collection[str] | None, strict: bool) -> Events:
        whole = {key: np.concatenate(parts) if parts else None for key, parts in self.parts.items()}
        self.parts = {}
        line = whole.pop("line")
        if line is None or len(line) < 2:
            what = "line 1: no event follows" if line is None or not len(line) else "line 2: holds one event"
            raise InputError(what, source=self.name, hint="there is nothing to learn from and to hold out")
        arrays: dict[str, Any] = {**whole, "row": np.arange(len(line), dtype=np.int64)}
        events = Events(list(self.users), list(self.items), kind=self.kind, rows=len(line), **arrays)
        events.notes = self.notes
        events = self._once(events, line)
        self._in_order(events, line, strict)
        counts = np.bincount(events.user, minlength=len(events.users))
        bots = np.flatnonzero((counts > BOT) & ((counts > BOT_RATIO * np.median(counts)) | (len(counts) == 1)))
        for user in bots[np.argsort(-counts[bots])][:5]:
            name = events.users[user][:60]
            events.notes.append(f"user {name!r} has {counts[user]:,} events, as a program would; kept")
        if known is not None:
            self._known(events, line, set(known), bots)
        return events

    def _once(self, events: Events, line: Int) -> Events:
        """Of each pair the last in time, of equal times the last line."""
        pair = events.user.astype(np.int64) * len(events.items) + events.item
        order = np.argsort(pair, kind="stable")
        same = pair[order][1:] == pair[order][:-1]
        if not same.any():
            return events
        if events.split is not None:
            held = events.split == SPLITS.index("test")
            both = same & (held[order][1:] != held[order][:-1])
            if both.any():
                at = int(order[1:][both].min())
                what = f"user {events.users[events.user[at]]!r} and item {events.items[events.item[at]]!r}"
                self.refuse(int(line[at]), f"{what} are in test and in train")
        if events.time is not None:
            order = np.lexsort((events.time, pair))
        last = np.append(pair[order][1:] != pair[order][:-1], True)
        gone = len(events) - int(last.sum())
        events.notes.append(f"{gone:,} repeats of a pair of user and item; the last of each is kept")
        return events.take(np.sort(order[last]))

    def _in_order(self, events: Events, line: Int, strict: bool) -> None:
        if events.split is None or events.time is None:
            return
        held = events.split == SPLITS.index("test")
        newest = np.full(len(events.users), -np.inf)
        np.maximum.at(newest, events.user[~held], events.time[~held])
        early = np.flatnonzero(held & (events.time < newest[events.user]))
        if len(early):
            what = f"{len(early):,} test events are older than a training event of their user"
            if strict:
                self.refuse(int(line[events.row[early[0]]]), what, "a model would know the future")
            events.notes.append(f"{what} (the first in line {line[events.row[early[0]]]}): results flatter")

    def _known(self, events: Events, line: Int, known: set[str], bots: Int) -> None:
        strange = np.array([name not in known for name in events.items])
        lost = strange[events.item]
        if not lost.any():
            return
        at = int(np.flatnonzero(lost)[0])
        what = f"{int(lost.sum()):,} of {len(events):,} events are on items that are not known ({int(strange.sum()):,})"
        people = ~np.isin(events.user, bots)  # a program that visits everything says nothing about the items
        if (people.any() and lost[people].mean() > 0.5) or lost.all():
            first = f"the first is {events.items[events.item[at]][:60]!r}; are these the events of these items?"
            self.refuse(int(line[events.row[at]]), what, first)
        events.notes.append(what + "; left out")


def positives(events: Events, rule: str | None) -> tuple[NDArray[np.bool_], str]:
    """Which events say that a user liked an item, bool ``(events,)``, and the rule in words.

    ``rule`` is ``rating>=4`` or the like (>=, >, <=, <, ==). Without one: ratings of at least four fifths of the
    largest, weights above 0, and every event where there are neither.

    >>> events = Events(["u"], ["a", "b"], np.array([0, 0]), np.array([0, 1]), np.arange(2),
    ...                 value=np.array([5.0, 3.0], np.float32), kind="rating")
    >>> positives(events, None)
    (array([ True, False]), 'rating>=4')
    """
    if rule is None:
        if events.kind is None or events.value is None or not len(events):
            return np.ones(len(events), bool), "every event"
        if events.kind == "weight":
            return events.value > 0, "weight>0"
        rule = f"rating>={0.8 * float(events.value.max()):g}"
    for sign, compare in (
        (">=", np.greater_equal), ("<=", np.less_equal), ("==", np.equal), (">", np.greater), ("<", np.less),
    ):  # fmt: skip
        kind, there, number = rule.partition(sign)
        if there:
            try:
                bound = float(number)
            except ValueError:
                break
            if kind.strip() != events.kind or events.value is None:
                has = "neither ratings nor weights" if events.kind is None else f"{events.kind}s"
                raise UsageError(f"--positive {rule!r}: the events have {has}")
            return np.asarray(compare(events.value, np.float32(bound))), f"{kind.strip()}{sign}{bound:g}"
    raise UsageError(f"--positive is {rule!r}", hint="for example --positive 'rating>=4'")
