"""Two renditions of a piece, section by section: which belong together, how sure that is, and the warp inside each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import frames, inputs, limits
from mmcli.aligners.core.shuffle_test import shuffled
from mmcli.aligners.kernels import corridor, engine
from mmcli.aligners.warp import structure, views
from mmcli.aligners.warp.structure import LEAD_S, Frames, Path, Section, Structure
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment

Vector = NDArray[np.float64]

CONTEXT = 5  # frames of 0.1 s that stand together
SHUFFLES = 2
BLOCK_S = 1.0  # of a shuffled query
NULL = 0.95  # of the cost of a shuffled query's warp, that a pair of frames must stay below to gain
NEAR_S = 2.0  # either side of the coarse warp, in which the exact one runs
TOUCH_S = 0.1  # frames at the ends of two sections
EVEN_OVER, UNEVEN = 8, 1.6  # steps that a pace is told by, and times the usual one that it may be at an open end
JOINED_S = 1.5  # of one side, without partner between two sections
AGREE_CONTEXT = 9  # coarse frames that stand together where pitch classes alone are warped
AGREE_S = 0.5  # two warps within it say the same
GRID_S = 0.25
LEAST = 8.0  # of a gain: below it there is nothing to be many times as large as


@dataclass
class Sections:
    """Both sounds as the structure sees them, and what comes of them; each thing is made when it is asked for."""

    x: Any
    y: Any
    jumps: bool = True  # whether sections may be left out in the middle
    pace: float = 1.0  # times as fast as x that y is expected to be

    @cached_property
    def key(self) -> int:
        """By how many semitones ``y`` is raised."""
        return views.transposition(self.x, self.y)

    @cached_property
    def thin(self) -> tuple[tuple[Frames, Vector], tuple[Frames, Vector]]:
        """Log-mel bands and pitch classes side by side, each of length 1, every 0.1 s or more coarsely; their times."""
        sides = []
        for sound, semitones, hop in zip((self.x, self.y), (0, self.key), self._hops, strict=True):
            bands, chroma = frames.comparable(sound), frames.pitch_classes(sound)
            pitches = np.roll(chroma.values - chroma.values.mean(axis=0), semitones, axis=1)
            (a, t), (b, at) = structure.thin(bands.values, bands.times, hop), structure.thin(pitches, chroma.times, hop)
            b = np.column_stack([np.interp(t, at, column) for column in b.T])  # their frames are not as far apart
            parts = [structure.unit(frames.stacked(v, CONTEXT)) for v in (a, b)]
            sides.append((structure.unit(np.hstack(parts)), t))
        return sides[0], sides[1]

    @property
    def _hops(self) -> tuple[float, float]:
        """Seconds between coarse frames of x and of y, so that a pair of them at that pace goes on by one each."""
        lengths = [float(frames.comparable(s).times[-1]) for s in (self.x, self.y)]
        apart = max(self.pace, 1.0), max(1.0 / self.pace, 1.0)
        base = max(structure.HOP_S, *(t / a / structure.MOST for t, a in zip(lengths, apart, strict=True)))
        return base * apart[0], base * apart[1]

    @property
    def hop_s(self) -> float:
        """Seconds between coarse frames, of the side where they are further apart."""
        return max(inputs.hop_of(t) for _, t in self.thin)

    @cached_property
    def null(self) -> float:
        """The cosine distance that a pair of frames must stay below to gain."""
        (a, _), _ = self.thin
        warps = [engine.align(a, s, metric="cosine") for s in self._shuffled]
        return NULL * float(np.mean([w.cost / len(w.path) for w in warps]))

    @cached_property
    def found(self) -> Structure:
        """The sections that gain most, without those too short to be any."""
        every = self._find(self.thin[1][0])
        least = limits.SECTION_S.value / self.hop_s
        kept = tuple(s for s in every.sections if s.gain > 0 and np.ptp(s.path, axis=0).min() >= least)
        kept = kept or (max(every.sections, key=lambda s: len(s.path)),)
        first, last = kept[0].path, kept[-1].path
        lead = LEAD_S / self.hop_s + 1
        if not (first[0] <= lead).all():
            kept = (Section(even(first[::-1])[::-1], kept[0].gain), *kept[1:])
        if not all(last[-1, k] >= len(self.thin[k][0]) - 1 - lead for k in (0, 1)):
            kept = (*kept[:-1], Section(even(kept[-1].path), kept[-1].gain))
        return Structure(kept, every.gain, every.hop_s)

    @property
    def _shuffled(self) -> list[Frames]:
        block = max(2, round(BLOCK_S / self.hop_s))
        return [shuffled(self.thin[1][0], block, seed) for seed in range(SHUFFLES)]

    def _find(self, y: Frames, banned: Path | None = None) -> Structure:
        return structure.find(self.thin[0][0], y, self.hop_s, self.null, jumps=self.jumps, banned=banned)

    @property
    def lengths_s(self) -> tuple[float, float]:
        """Of both sides."""
        a, b = (float(t[-1]) for _, t in self.thin)
        return a, b

    @cached_property
    def gains(self) -> tuple[float, float]:
        """What the sections gain, and those of a shuffled query, on average."""
        null = float(np.mean([self._find(s).gain for s in self._shuffled]))
        return max(self.found.gain, 1.0), max(null, LEAST)

    def evidence(self) -> dict[str, float]:
        """What speaks for the sections: their ``gain`` over that of a shuffled query, and over that of the best place
        ``elsewhere``, as logarithms; ``agree``: the share of the exact warp that pitch classes alone confirm."""
        gain, null = self.gains
        banned = np.concatenate([s.path for s in self.found.sections])
        other = max(self._find(self.thin[1][0], banned).gain, LEAST)
        return {
            "gain": float(np.log(gain / null)),
            "elsewhere": float(np.log(gain / other)),
            "covered": self.found.share(self.lengths_s),
            "agree": self.agree(),
            "sections": float(len(self.found.sections)),
        }

    @cached_property
    def warps(self) -> list[tuple[slice, slice, Path]]:
        """The exact warp of every section: its frames of both sides, and the path within them."""
        view = self.view
        out = []
        for section, rows, columns in self._spans(view.x_times, view.y_times):
            path = self._within(section, (view.x, view.y), (view.x_times, view.y_times), rows, columns, view.metric)
            out.append((rows, columns, path))
        return out

    @cached_property
    def view(self) -> views.View:
        """What two renditions are compared by."""
        return views.rendition((self.x, self.y))

    def agree(self) -> float:
        """The share of the mapped query where pitch classes alone lead within AGREE_S of the exact warp."""
        sides = [frames.pitch_classes(s) for s in (self.x, self.y)]
        values = [np.asarray(f.values - f.values.mean(axis=0), np.float32) for f in sides]
        values[1] = np.roll(values[1], self.key, axis=1)
        thin = []
        for v, f, hop in zip(values, sides, self._hops, strict=True):
            a, t = frames.coarse(v, f.times, max(1, round(hop / inputs.hop_of(f.times))))
            thin.append((frames.stacked(a, AGREE_CONTEXT), t))
        same, total = 0, 0
        x_times, y_times = self.view.x_times, self.view.y_times
        spans = self._spans(thin[0][1], thin[1][1])
        for (section, rows, columns), (fine_rows, fine_columns, path) in zip(spans, self.warps, strict=True):
            other = self._within(
                section, (thin[0][0], thin[1][0]), (thin[0][1], thin[1][1]), rows, columns, "cosine", 1.5
            )
            one = x_times[fine_rows][path[:, 0]], y_times[fine_columns][path[:, 1]]
            two = thin[0][1][rows][other[:, 0]], thin[1][1][columns][other[:, 1]]
            grid = np.arange(max(one[1][0], two[1][0]), min(one[1][-1], two[1][-1]), GRID_S)
            apart = np.abs(np.interp(grid, one[1], one[0]) - np.interp(grid, two[1], two[0]))
            same, total = same + int((apart <= AGREE_S).sum()), total + len(grid)
        return same / max(total, 1)

    def _spans(self, x_times: Vector, y_times: Vector) -> list[tuple[Section, slice, slice]]:
        """Every section with the frames of both sides at these times that it holds: to the ends of the file where it
        begins or ends near both."""
        lead = LEAD_S / self.hop_s + 1
        last = len(self.found.sections) - 1
        out = []
        for k, section in enumerate(self.found.sections):
            path = section.path
            begins = k == 0 and bool((path[0] <= lead).all())
            ends = k == last and all(path[-1, s] >= len(self.thin[s][0]) - 1 - lead for s in (0, 1))
            spans = []
            for side, times in enumerate((x_times, y_times)):
                at = self.thin[side][1][path[[0, -1], side]] + np.array([-0.5, 0.5]) * self.hop_s
                if k == 0:  # frames stand together: an open end is not known to one of them
                    at = at + np.array([1.0, 0.0]) * self._hops[side] * (CONTEXT // 2)
                if k == last:
                    at = at - np.array([0.0, 1.0]) * self._hops[side] * (CONTEXT // 2)
                at[0] -= self._between(k - 1)[side]
                at[1] += self._between(k)[side]
                first = 0 if begins else int(np.searchsorted(times, at[0]))
                end = len(times) if ends else int(np.searchsorted(times, at[1]))
                spans.append(slice(first, max(end, first + 2)))
            out.append((section, spans[0], spans[1]))
        return out

    def _between(self, k: int) -> Vector:
        """Half of what lies between a section and the next where that is short: it belongs to both; seconds a side."""
        if not 0 <= k < len(self.found.sections) - 1:
            return np.zeros(2)
        one, two = self.found.sections[k].path[-1], self.found.sections[k + 1].path[0]
        short = max(0.0, float((two - one - 1).min())) * self.hop_s
        return np.full(2, short / 2 if short <= JOINED_S else 0.0)

    def _within(
        self,
        section: Section,
        sides: tuple[NDArray[Any], NDArray[Any]],
        times: tuple[Vector, Vector],
        rows: slice,
        columns: slice,
        metric: str,
        wider: float = 1.0,
    ) -> Path:
        """The warp of a section's frames near its coarse path."""
        x, y = (np.ascontiguousarray(v[s]) for v, s in zip(sides, (rows, columns), strict=True))
        if len(x) == len(sides[0]) and len(y) == len(sides[1]) and len(x) * len(y) <= views.LARGE:
            return engine.align(x, y, metric=metric).path  # nothing is left out: the exact warp needs no guide
        points = [
            np.clip((self.thin[k][1][section.path[:, k]] - times[k][s][0]) / inputs.hop_of(times[k]), 0, n - 1)
            for k, (s, n) in enumerate(((rows, len(x)), (columns, len(y))))
        ]
        near = wider * max(NEAR_S, 4 * self.hop_s)
        allowed = corridor.around(
            np.column_stack(points), len(x), len(y), near / inputs.hop_of(times[1]), near / inputs.hop_of(times[0])
        )
        return engine.align(x, y, metric=metric, corridor=allowed).path

    def alignment(self, kind: str, doubt: float, name: str, config: Any) -> Alignment:
        """The map: a warp a section, breaks between them; ``kind`` and ``doubt`` as in :func:`.views.find`."""
        view = self.view
        segments, t, half = [], [], []
        for rows, columns, path in self.warps:
            x_times, y_times = view.x_times[rows], view.y_times[columns]
            posterior = views.about_path(
                view.x[rows], view.y[columns], x_times, y_times, path, metric=view.metric, kind=kind, doubt=doubt
            )
            if posterior is None:
                segments.append(timemap.from_path(path, x_times, y_times))
            else:
                segments.append(timemap.from_curve(posterior.t, posterior.mean))
                t.append(posterior.t)
                half.append(posterior.half)
        line = timemap.from_segments(met(segments), "warp")
        confidence = None
        if len(t) == len(segments):
            values = np.interp(line.knots[:, 0], np.concatenate(t), np.concatenate(half))
            confidence = [round(float(v), 6) for v in values]
        whole = len(self.warps) == 1
        path = np.concatenate([p + np.array([r.start, c.start]) for r, c, p in self.warps])
        return Alignment(
            model="warp",
            knots=line.knots,
            breaks=line.breaks,
            confidence_s=confidence,
            quality=dict(inputs.UNTESTED),
            method=inputs.method_entry(name, config),
            cost=1.0 / (1.0 + max(self.found.gain, 0.0)),
            reference=inputs.about(self.x),
            query=inputs.about(self.y),
            path=np.ascontiguousarray(path, dtype=np.int64) if whole else None,
        )


def met(segments: list[Vector]) -> list[Vector]:
    """Segments [(t_reference, t_query)] whose ends touch on the side where only frames lie between them.

    >>> a, b = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[5.0, 1.02], [6.0, 2.0]])
    >>> [s[[0, -1], 1].tolist() for s in met([a, b])]
    [[0.0, 1.01], [1.01, 2.0]]
    """
    out = [s.copy() for s in segments]
    for one, two in pairwise(out):
        for side in (0, 1):
            if one[-1, side] < two[0, side] <= one[-1, side] + TOUCH_S:
                one[-1, side] = two[0, side] = (one[-1, side] + two[0, side]) / 2
    return out


def even(path: Path) -> Path:
    """A path without what runs otherwise than the rest at its end: where a section ends is not known to the note, and
    the last one is drawn out to gain a little more.

    >>> straight = np.stack([np.arange(40), np.arange(40)], axis=1)
    >>> drawn = np.concatenate([straight, [[40 + k // 3, 40 + k] for k in range(12)]])
    >>> len(even(straight)), 38 <= len(even(drawn)) <= 46
    (40, True)
    """
    usual = float(np.ptp(path[:, 0])) / max(float(np.ptp(path[:, 1])), 1.0)
    end = len(path)
    while end > max(EVEN_OVER, 2 * len(path) // 3):
        moved = np.abs(path[end - 1] - path[end - EVEN_OVER])
        if 1.0 / UNEVEN <= moved[0] / max(float(moved[1]), 1.0) / max(usual, 1e-9) <= UNEVEN:
            break
        end -= 1
    return path[:end]
