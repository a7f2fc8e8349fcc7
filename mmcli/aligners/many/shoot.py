"""Many recordings in, one clock out: heard, screened, measured where they may overlap, and solved together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.aligners.core.timeline import Piece, Track
from mmcli.aligners.many import graph, heard, measure, screen
from mmcli.aligners.many.graph import Edge
from mmcli.aligners.many.heard import Heard
from mmcli.errors import MmcliError

SCHEMA = "mmcli/shoot@1"
RIVAL = 0.7  # of how well shapes fit at the best lag, at another: the sound repeats itself


@dataclass(frozen=True)
class Placed:
    """A recording on the clock of its group: its time 0 lies at ``start_s``, and it runs at ``rate``. ``half_s``: half
    of the 90 % interval of its start; None of a reference and where alone. ``silent``: nothing was heard."""

    path: Path
    duration_s: float
    pictures: bool
    silent: bool
    group: int
    start_s: float
    rate: float
    half_s: float | None

    @property
    def end_s(self) -> float:
        """On the clock of its group."""
        return self.start_s + self.rate * self.duration_s

    def track(self, zero: float) -> Track:
        """For editors, on a clock that begins at ``zero`` of the group's."""
        piece = Piece(0.0, self.duration_s, self.start_s - zero, self.end_s - zero)
        return Track(self.path, self.pictures, True, self.duration_s, (piece,))


@dataclass(frozen=True)
class Measured:
    """Two clips that heard the same, by number, whether that ``kept`` with all others, how far it lies ``off_s``, and
    the ``loop`` of clips that says otherwise."""

    edge: Edge
    kept: bool
    off_s: float | None
    repeats: bool
    loop: tuple[int, ...] = ()


@dataclass(frozen=True)
class Shoot:
    """All clips in the order given, what was measured between them, and what could not be read: (path, reason)."""

    clips: tuple[Placed, ...]
    edges: tuple[Measured, ...]
    references: tuple[int, ...]
    unread: tuple[tuple[Path, str], ...] = ()

    def groups(self) -> list[list[Placed]]:
        """The clips of each group of more than one, each by its start."""
        out = [sorted((c for c in self.clips if c.group == g), key=lambda c: (c.start_s, str(c.path)))
               for g in range(len(self.references))]  # fmt: skip
        return [clips for clips in out if len(clips) > 1]

    def alone(self) -> list[Placed]:
        """Clips that share no sound with any other."""
        return [
            clips[0] for g in range(len(self.references)) if len(clips := [c for c in self.clips if c.group == g]) == 1
        ]

    def reference(self, clip: Placed) -> Placed:
        """The clip whose clock its group has."""
        return self.clips[self.references[clip.group]]

    def contradictions(self) -> list[str]:
        """What was measured and does not hold, in sentences."""
        out = []
        for m in self.edges:
            if m.kept or m.off_s is None:
                continue
            a, b = (self.clips[k].path.name for k in (m.edge.a, m.edge.b))
            by = " - ".join(self.clips[k].path.name for k in m.loop)
            why = "; it repeats itself" if m.repeats else ""
            out.append(f"{a} and {b} alone would lie {m.off_s:.2f} s elsewhere than by way of {by}{why}")
        return out

    def doubts(self) -> list[str]:
        """What holds, but fits in other places nearly as well, where no way over other recordings says which."""
        edges, kept = [m.edge for m in self.edges], np.array([m.kept for m in self.edges], dtype=bool)
        out = []
        for k, m in enumerate(self.edges):
            without = kept.copy()
            without[k] = False
            if m.kept and m.repeats and not graph.way(edges, without, m.edge.a, m.edge.b):
                a, b = (self.clips[n].path.name for n in (m.edge.a, m.edge.b))
                out.append(f"{a} and {b} fit in several places, as what repeats itself does; no third one says which")
        return out

    def to_json(self) -> dict[str, Any]:
        """As an object of plain values."""
        names = [str(c.path) for c in self.clips]
        return {
            "schema": SCHEMA,
            "groups": [[str(c.path) for c in clips] for clips in self.groups()],
            "clips": [
                {
                    "path": str(c.path),
                    "group": c.group,
                    "reference": str(self.reference(c).path),
                    "start_s": round(c.start_s, 6),
                    "rate": c.rate,
                    "duration_s": round(c.duration_s, 6),
                    "half_width_s": None if c.half_s is None else round(c.half_s, 6),
                    "silent": c.silent,
                }
                for c in self.clips
            ],
            "pairs": [
                {
                    "reference": names[m.edge.a],
                    "query": names[m.edge.b],
                    "offset_s": round(m.edge.offset_s, 6),
                    "rate": m.edge.rate,
                    "windows": m.edge.windows,
                    "share": round(m.edge.share, 4),
                    "kept": m.kept,
                    "off_s": None if m.off_s is None else round(m.off_s, 6),
                    "repeats": m.repeats,
                }
                for m in self.edges
            ],
            "contradictions": self.contradictions(),
            "doubts": self.doubts(),
            "unread": [{"path": str(path), "reason": reason} for path, reason in self.unread],
        }


def place(
    paths: Sequence[Path],
    reference: Path | None = None,
    told: Callable[[float, str], None] = lambda step, message: None,
) -> Shoot:
    """All recordings on as few clocks as they allow. ``reference``: one of them, whose clock its group has; without
    one, and in other groups, the longest. ``told`` is called with how many more were read, and what is being done.

    A file that cannot be read costs itself; raises its error where it is the ``reference``, or where no two are left.
    """
    clips: list[Heard] = []
    unread: list[tuple[Path, str]] = []
    for path in paths:
        told(0.0, path.name)
        try:
            clips.append(heard.hear(path))
        except MmcliError as error:
            unread.append((path, error.what))
            if path == reference or len(paths) - len(unread) < 2:
                raise
        told(1.0, path.name)
    first = next((k for k, clip in enumerate(clips) if clip.path == reference), None)
    return solved(clips, edges_of(clips, told), first, tuple(unread))


def edges_of(
    clips: Sequence[Heard], told: Callable[[float, str], None] = lambda step, message: None
) -> list[list[Edge]]:
    """Of every pair of clips that heard the same the edges at its likely lags, the strongest first."""
    out = []
    for i, j, lags in screen.places(clips):
        told(0.0, f"{clips[i].name} and {clips[j].name}")
        edges = [edge for lag, z in lags if (edge := measure.near(clips[i], clips[j], lag, (i, j), z)) is not None]
        edges.sort(key=lambda e: -e.strength)
        if edges:
            out.append(edges)
    return out


def solved(
    clips: Sequence[Heard],
    pairs: Sequence[list[Edge]],
    reference: int | None = None,
    unread: tuple[tuple[Path, str], ...] = (),
) -> Shoot:
    """The solution of the strongest edges; a pair that repeats itself is then taken at the lag that the others say."""
    durations = [clip.duration_s for clip in clips]
    # What fits in several places says least: its first choice yields to all others.
    chosen = [replace(edges[0], windows=1) if repeats(edges) else edges[0] for edges in pairs]
    solution = graph.solve(durations, chosen, reference)
    for _ in range(3):
        better = [_nearest(edges, solution) for edges in pairs]
        if better == chosen:
            break
        chosen = better
        solution = graph.solve(durations, chosen, reference)
    measured = []
    for k, edge in enumerate(chosen):
        off = float(solution.off_s[k])
        kept = bool(solution.kept[k])
        loop = () if kept else tuple(graph.way(chosen, solution.kept, edge.a, edge.b))
        measured.append(Measured(edge, kept, off if np.isfinite(off) else None, repeats(pairs[k]), loop))
    placed = []
    for k, clip in enumerate(clips):
        group, start = int(solution.group[k]), float(solution.start[k])
        alone = k in solution.references
        half = None if alone else 1.645 * float(solution.deviation_s[k])
        placed.append(
            Placed(clip.path, clip.duration_s, clip.pictures, clip.shape is None, group, start,
                   float(solution.rate[k]), half)
        )  # fmt: skip
    return Shoot(tuple(placed), tuple(measured), solution.references, unread)


def repeats(edges: list[Edge]) -> bool:
    """Whether a pair fits in another place nearly as well."""
    return len(edges) > 1 and edges[1].strength >= RIVAL * edges[0].strength


def _nearest(edges: list[Edge], solution: graph.Solution) -> Edge:
    """Of the lags of a pair that others have placed the one nearest to that; else the strongest."""
    a, b = edges[0].a, edges[0].b
    if len(edges) == 1 or solution.group[a] != solution.group[b]:
        return edges[0]

    def off(edge: Edge) -> float:
        x, y = edge.ends.T
        s, r = solution.start, solution.rate
        return float(np.abs(s[a] + r[a] * x - s[b] - r[b] * y).max())

    return min(edges, key=off)
