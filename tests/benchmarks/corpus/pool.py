"""What a generator of pairs draws from: one split's recordings, one pair's random numbers, its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sound
from sources import SALT, TAKEN_WHOLE, Recording

Made = dict[str, Any]
Maker = Callable[["Pool"], Made]
ONE_READER = ("voxceleb", "ljspeech", "linguist_en", "sphinx")  # or as good as one
KINDS: dict[str, tuple[Maker, int]] = {}


def kind(name: str, each: int) -> Callable[[Maker], Maker]:
    """Registers a generator: ``each`` pairs of it are made a split. Names of strangers begin with "no_"."""

    def add(maker: Maker) -> Maker:
        KINDS[name] = (maker, each)
        return maker

    return add


@dataclass
class Pool:
    """Draws of one pair; ``used`` are the names of what it took, ``at`` is its number among its kind."""

    split: str
    kind: str
    at: int
    folder: Path
    all: Sequence[Recording]
    used: set[str] = field(default_factory=set)
    first: str = ""  # the recording that a talk begins with

    def __post_init__(self) -> None:
        seed = hashlib.sha256(f"{SALT}|{self.split}|{self.kind}|{self.at}".encode()).digest()[:8]
        self.rng = np.random.default_rng(int.from_bytes(seed, "little"))

    @property
    def whole(self) -> bool:
        """Whether the split has sources of its own."""
        return self.split in TAKEN_WHOLE

    def of(self, *kinds: str, source: str | None = None, language: str | None = None) -> list[Recording]:
        """This split's recordings of some kinds; rooms and noises of splits with sources of their own are last's."""
        tools = self.whole and kinds in (("room",), ("noise",))
        return [
            r
            for r in self.all
            if r.split == ("last" if tools else self.split)
            and (r.kind in kinds or not kinds)
            and (source is None or r.source == source)
            and (language is None or r.language == language)
        ]

    def take(self, rows: Sequence[Recording]) -> Recording:
        """One of them: first a source, then a recording of it, so that large sources do not crowd the others out.
        Pairs of a kind walk through the sources in turn."""
        by: dict[str, list[Recording]] = {}
        for r in rows:
            by.setdefault(r.source, []).append(r)
        names = sorted(by)
        mine = by[names[(self.at + len(self.used) + int(self.rng.integers(len(names)))) % len(names)]]
        groups = sorted({r.group for r in mine})
        group = groups[int(self.rng.integers(len(groups)))]
        chosen = sorted((r for r in mine if r.group == group), key=lambda r: r.path)
        return self.mark(chosen[int(self.rng.integers(len(chosen)))])

    def mark(self, recording: Recording) -> Recording:
        """Notes that it was used."""
        self.used.add(f"{recording.source}/{recording.group}")
        return recording

    def uniform(self, low: float, high: float) -> float:
        """A number between."""
        return float(self.rng.uniform(low, high))

    def choice(self, items: Sequence[Any]) -> Any:
        """One of them."""
        return items[int(self.rng.integers(len(items)))]

    def flip(self, share: float = 0.5) -> bool:
        """Heads?"""
        return bool(self.rng.random() < share)

    def room(self) -> sound.Sound:
        """A measured room."""
        return sound.load(self.take(self.of("room")).path)

    def noise(self, length: int) -> sound.Sound:
        """A recorded noise from a random place, or hiss."""
        rows = self.of("noise")
        if self.flip(0.3) or not rows:
            return sound.hiss(self.rng, length, self.choice([0.0, 1.0, 2.0]))
        x = sound.load(self.take(rows).path)
        return np.resize(np.roll(x, int(self.rng.integers(len(x)))), length)

    def talk(self, length: float, *, avoid: Sequence[str] = (), source: str | None = None) -> sound.Sound:
        """Someone talking, of ``length`` s: a part of a long recording, or sentences of one reader with pauses."""
        rows = [
            r
            for r in self.of("talk", "prompt", source=source)
            if f"{r.source}/{r.group}" not in self.used and r.source not in avoid
        ]
        first = self.take(rows)
        self.first = first.path
        x = sound.load(first.path)
        if sound.seconds(x) >= length:
            return sound.cut(x, self.uniform(0, sound.seconds(x) - length), length)
        same = [
            r
            for r in rows
            if r.source == first.source
            and (
                r.group == first.group
                or r.kind == "prompt"
                or r.source in ("voxceleb", "ljspeech", "linguist_en", "sphinx")
            )
        ]
        return self._joined(x, same, length)

    def _joined(self, x: sound.Sound, rows: Sequence[Recording], length: float) -> sound.Sound:
        parts, total = [x], sound.seconds(x)
        said = {self.first}
        order = [rows[int(i)] for i in self.rng.permutation(len(rows))]
        while total < length:  # nothing is said twice: it would belong to two places
            if not order:
                rows = self.of("talk")
                order = [rows[int(i)] for i in self.rng.permutation(len(rows))]
            if (r := order.pop()).path in said:
                continue
            said.add(r.path)
            y = sound.load(self.mark(r).path)
            parts += [sound.silence(self.uniform(0.15, 0.7)), y[: sound.RATE * 20]]
            total = sum(map(sound.seconds, parts))
        return np.concatenate(parts)[: round(length * sound.RATE)]

    def music(self, length: float) -> sound.Sound:
        """Recorded or performed music, of up to ``length`` s; not what this pair has already taken."""
        from scores import render

        played = [r for r in self.of("played") if r.source in ("asap", "batik")]
        if self.flip(0.35) and played:
            return render(self, self.take(self._fresh(played)), length)
        x = sound.load(self.take(self._fresh(self.of("music"))).path)
        room = sound.seconds(x) - length
        return sound.cut(x, self.uniform(0, room), length) if room > 0 else x

    def _fresh(self, rows: Sequence[Recording]) -> list[Recording]:
        """Those whose group was not used: two strangers of one song would be no strangers."""
        return [r for r in rows if f"{r.source}/{r.group}" not in self.used] or list(rows)

    def any(self, length: float) -> sound.Sound:
        """Talk, talk over music, or music."""
        which = self.rng.random()
        if which < 0.5:
            return self.talk(length)
        if which < 0.7:
            x = self.talk(length)
            m = self.music(length)
            return sound.with_noise(x, m, self.uniform(6, 18))
        return self.music(length)
