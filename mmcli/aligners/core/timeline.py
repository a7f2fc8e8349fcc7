"""A map as editing programs see it: two tracks of one clock, and on that of the query pieces of constant pace."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.timemap import TimeMap

if TYPE_CHECKING:
    from mmcli.artifacts.formats.alignment import Alignment

# A curve becomes pieces of constant pace that lie within this of it: half a frame of film at 25 a second.
WITHIN_S = 0.02
SHORTEST_S = 1e-3  # what an editor cannot show is no piece


@dataclass(frozen=True)
class Piece:
    """A stretch of a recording, ``start`` to ``end`` of its own seconds, that lies ``at`` to ``until`` of the clock."""

    start: float
    end: float
    at: float
    until: float

    @property
    def speed(self) -> float:
        """How fast it is played: seconds of the recording a second of the clock."""
        return (self.end - self.start) / (self.until - self.at)


@dataclass(frozen=True)
class Track:
    """One recording: its file, whether it has pictures and sound, how long it is, and its pieces in order."""

    path: Path
    pictures: bool
    sound: bool
    duration_s: float
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Timeline:
    """Recordings on one clock that begins at 0, the reference first; of two the ``alignment`` that placed them."""

    tracks: tuple[Track, ...]
    alignment: Alignment | None = None

    @property
    def reference(self) -> Track:
        """The first."""
        return self.tracks[0]

    @property
    def query(self) -> Track:
        """The second."""
        return self.tracks[1]


def timeline(
    alignment: Alignment, reference: Path, query: Path, pictures: tuple[bool, bool] = (False, False)
) -> Timeline:
    """Both recordings on one clock, whole; a text has no pieces. Before the first knot and after the last the pace is
    kept.

    ``pictures``: which of the two are films. Where the query begins before the reference, the clock begins with it.

    >>> from mmcli.artifacts.formats.alignment import Alignment
    >>> one = {"name": "a.wav", "sha256": None, "duration_s": 10.0}
    >>> line = Alignment(model="offset", knots=np.array([[0.0, 2.0], [8.0, 10.0]]), offset_s=-2.0, rate=1.0, ppm=0.0,
    ...                  reference=one, query=one)
    >>> t = timeline(line, Path("a.wav"), Path("b.wav"))
    >>> t.reference.pieces, t.query.pieces
    ((Piece(start=0.0, end=10.0, at=2.0, until=12.0),), (Piece(start=0.0, end=10.0, at=0.0, until=10.0),))
    """
    lengths = [_length(alignment, side, column) for side, column in (("reference", 0), ("query", 1))]
    pieces = _pieces(TimeMap(alignment), lengths[1]) if len(alignment.knots) else []
    zero = min(0.0, pieces[0].at) if pieces else 0.0
    moved = tuple(Piece(p.start, p.end, p.at - zero, p.until - zero) for p in pieces)
    whole = (Piece(0.0, lengths[0], 0.0 - zero, lengths[0] - zero),)
    both = Track(reference, pictures[0], True, lengths[0], whole), Track(query, pictures[1], True, lengths[1], moved)
    return Timeline(both, alignment)


def _length(alignment: Alignment, side: str, column: int) -> float:
    known = getattr(alignment, side)["duration_s"]
    last = float(alignment.knots[-1, column]) if len(alignment.knots) else 0.0
    return float(known) if known else last


def _pieces(m: TimeMap, length: float) -> list[Piece]:
    if m.is_line:
        at, until = (float(t) for t in m.to_reference(np.array([0.0, length])))
        return [Piece(0.0, length, at, until)]
    out = [piece for s in m.segments for piece in _straight(s)]
    first = out[0]
    if first.start > SHORTEST_S:
        out[0] = Piece(0.0, first.end, first.at - first.start / first.speed, first.until)
    last = out[-1]
    if length - last.end > SHORTEST_S:
        out[-1] = Piece(last.start, length, last.at, last.until + (length - last.end) / last.speed)
    return out


def _straight(segment: NDArray[np.float64]) -> list[Piece]:
    """A segment as the fewest straight pieces within ``WITHIN_S`` of it, split where it is farthest (Ramer 1972, "An
    iterative procedure for the polygonal approximation of plane curves"; Douglas and Peucker 1973)."""
    kept = {0, len(segment) - 1}
    waiting = [(0, len(segment) - 1)]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        part = segment[a : b + 1]
        off = np.abs(np.interp(part[:, 1], part[[0, -1], 1], part[[0, -1], 0]) - part[:, 0])
        worst = int(off.argmax())
        if off[worst] > WITHIN_S:
            kept.add(a + worst)
            waiting += [(a, a + worst), (a + worst, b)]
    ends = segment[sorted(kept)].tolist()
    return [Piece(q0, q1, r0, r1) for (r0, q0), (r1, q1) in pairwise(ends)]
