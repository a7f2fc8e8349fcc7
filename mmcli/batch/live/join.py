"""A keyed join in event time: what belongs together, until when it is waited for, and what came too late.

A watermark follows each modality's newest stamp, less the lateness that is allowed, and never falls; the slowest
modality that is not idle holds it. An item is closed, once and finally, when all modalities are there or the watermark
has passed its stamp; its id is remembered until then, so that a row that is sent twice does not open it again.

Reference: T. Akidau et al., "The Dataflow Model", Proceedings of the VLDB Endowment 8, 2015.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mmcli.errors import InputError, UsageError


@dataclass(frozen=True)
class Options:
    """Seconds of event time, but ``idle``, which is counted by the clock."""

    lateness: float = 2.0  # a row may come so much after newer ones of its modality
    idle: float = 10.0  # a modality that has sent nothing for so long holds nobody
    open: int = 10_000  # items at a time; with more the oldest is closed
    ahead: float = 60.0  # a stamp so far ahead of all others is refused, unless the next row agrees

    def __post_init__(self) -> None:
        for name in ("lateness", "idle", "ahead"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"--{name} {value:g} is no time")
        if self.open < 1:
            raise UsageError(f"--open {self.open}: at least one item has to be open")


@dataclass(slots=True)
class Item:
    """What is there of an id. ``t``: stamp of its first row; ``codes`` by modality; ``rows``: what to acknowledge."""

    id: str
    t: float
    codes: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    rows: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Event:
    """What came of a row, or of time: ``kind`` is ``update``, ``final``, ``late`` or ``duplicate``.

    ``why`` a final is one: complete, watermark, evicted, end. ``behind``: seconds that a late row is too late.
    """

    kind: str
    item: Item | None = None
    why: str = ""
    behind: float = 0.0


class Join:
    """Rows in, events out. ``modalities`` are all that an item may have."""

    def __init__(self, modalities: list[str], options: Options | None = None) -> None:
        self.options = options or Options()
        self.modalities = modalities
        self.items: dict[str, Item] = {}
        self.heap: list[tuple[float, str]] = []
        self.closed: dict[str, tuple[float, frozenset[str]]] = {}
        self.closing: list[tuple[float, str]] = []
        self.newest: dict[str, float] = {}
        self.seen: dict[str, float] = {}
        self.begun: float | None = None  # the clock at the first row: a modality that was never seen holds from there
        self.watermark = -math.inf
        self.doubted: float | None = None
        self.counts = dict.fromkeys(("rows", "final", "late", "duplicate", "evicted", "peak"), 0)

    def admit(self, t: float) -> None:
        """Raises :class:`InputError` for a stamp that would close everything: not finite, or far ahead alone."""
        if not math.isfinite(t):
            raise InputError(f"t is {t}")
        most = max(self.newest.values(), default=None)
        if most is None or t <= most + self.options.ahead:
            self.doubted = None
            return
        if self.doubted is not None and abs(t - self.doubted) <= self.options.ahead:
            self.doubted = None
            return
        self.doubted = t
        raise InputError(
            f"t is {t:g}, {t - most:g} s ahead of all others; it is taken if the next row agrees (--ahead)"
        )

    def holds(self, identifier: str, modality: str) -> bool:
        """Whether this modality of the item is there, now or when it was closed."""
        item = self.items.get(identifier)
        if item is not None:
            return modality in item.codes
        return identifier in self.closed and modality in self.closed[identifier][1]

    def is_late(self, identifier: str, t: float) -> bool:
        """Whether a row of this id can no longer count."""
        return identifier not in self.items and (identifier in self.closed or t < self.watermark)

    def push(self, identifier: str, modality: str, t: float, code: Any, now: float, row: Any = None) -> list[Event]:
        """One row, whose stamp was admitted; ``now`` is the clock in seconds. ``code`` may be None for a late one."""
        events: list[Event] = []
        self.counts["rows"] += 1
        self.begun = now if self.begun is None else self.begun
        if self.holds(identifier, modality):
            self.counts["duplicate"] += 1
            events.append(Event("duplicate", self.items.get(identifier)))
        elif self.is_late(identifier, t):
            self.counts["late"] += 1
            stamp = self.closed[identifier][0] if identifier in self.closed else t
            events.append(Event("late", behind=max(0.0, self.watermark - stamp)))
        else:
            events += self._add(identifier, modality, t, code, row)
        self.newest[modality] = max(t, self.newest.get(modality, -math.inf))
        self.seen[modality] = now
        return events + self.tick(now)

    def _add(self, identifier: str, modality: str, t: float, code: Any, row: Any) -> list[Event]:
        events = []
        item = self.items.get(identifier)
        if item is None:
            if len(self.items) >= self.options.open:
                self.counts["evicted"] += 1
                events.append(self._close(self._oldest(), "evicted"))
            item = self.items[identifier] = Item(identifier, t)
            heapq.heappush(self.heap, (t, identifier))
            self.counts["peak"] = max(self.counts["peak"], len(self.items))
        item.codes[modality] = code
        item.rows.append(row)
        if len(item.codes) == len(self.modalities):
            events.append(self._close(item, "complete"))
        else:
            item.revision += 1
            events.append(Event("update", item))
        return events

    def tick(self, now: float) -> list[Event]:
        """What time alone brings."""
        if self.begun is None or (len(self.newest) < len(self.modalities) and now - self.begun <= self.options.idle):
            return []
        live = [t for m, t in self.newest.items() if now - self.seen[m] <= self.options.idle]
        among = live or ([max(self.newest.values())] if self.newest else [])
        if among:
            self.watermark = max(self.watermark, min(among) - self.options.lateness)
        while self.closing and self.closing[0][0] < self.watermark:
            self.closed.pop(heapq.heappop(self.closing)[1], None)
        events = []
        while self.heap and (not self._is_open(self.heap[0]) or self.heap[0][0] < self.watermark):
            entry = heapq.heappop(self.heap)
            if self._is_open(entry):
                events.append(self._close(self.items[entry[1]], "watermark"))
        return events

    def end(self) -> Iterator[Event]:
        """The finals of all that is open, in order of event time: the stream has ended."""
        for item in sorted(self.items.values(), key=lambda i: (i.t, i.id)):
            yield self._close(item, "end")

    def _is_open(self, entry: tuple[float, str]) -> bool:
        item = self.items.get(entry[1])
        return item is not None and item.t == entry[0]

    def _oldest(self) -> Item:
        while not self._is_open(self.heap[0]):
            heapq.heappop(self.heap)
        return self.items[heapq.heappop(self.heap)[1]]

    def _close(self, item: Item, why: str) -> Event:
        del self.items[item.id]
        if item.t >= self.watermark:
            self.closed[item.id] = item.t, frozenset(item.codes)
            heapq.heappush(self.closing, (item.t, item.id))
        item.revision += 1
        self.counts["final"] += 1
        return Event("final", item, why)
