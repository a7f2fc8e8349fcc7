"""Which sections of two renditions belong together: parts, repeats that one of them leaves out or plays again.

A warp that must use all of both collapses where one of them has a section more, and one whose ends are free leaves out
half of a piece for a little gain. Here frames are paired for what they gain over frames of no pair, sections may be
left out on either side at a price that does not depend on their length, and no stretch is played more than three times
as fast as it is written: a local alignment (Smith and Waterman 1981, "Identification of common molecular
subsequences") along slopes between 1/3 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import frames, limits
from mmcli.aligners.core.inputs import hop_of

Frames = NDArray[np.float32]
Path = NDArray[np.int64]

HOP_S = 0.1
MOST = 1500  # frames of the longer side; longer pairs more coarsely
STEPS = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1))  # frames of x and of y that a step goes on
LEAD_S = 3.0  # silence and applause at the ends, that may be left out for nothing
SECTION_S = 4.0  # of both sides, that a section has at least


@dataclass(frozen=True)
class Section:
    """Frames of both sides that belong together, int64 (k, 2), in the order of time; ``gain`` over no pair."""

    path: Path
    gain: float


@dataclass(frozen=True)
class Structure:
    """The ``sections`` in order, what they ``gain`` in all, and ``hop_s`` between frames of their paths."""

    sections: tuple[Section, ...]
    gain: float
    hop_s: float

    def share(self, lengths_s: tuple[float, float]) -> float:
        """Of the shorter side, what its sections cover."""
        used = [sum(int(np.ptp(s.path[:, k])) + 1 for s in self.sections) * self.hop_s for k in (0, 1)]
        return max(u / max(t, 1e-9) for u, t in zip(used, lengths_s, strict=True))


def find(
    x: Frames, y: Frames, hop_s: float, null: float, *, jumps: bool = True, banned: Path | None = None
) -> Structure:
    """The sections of frames ``x`` (n, d) and ``y`` (m, d) of length 1, ``hop_s`` seconds apart, that gain most.

    ``null``: the cosine distance a frame of two sides that do not belong together; with ``jumps`` sections may be left
    out in the middle, else at the ends alone. ``banned``: frames (k, 2) near which nothing is paired.
    """
    gain = (null - 1.0 + x @ y.T).astype(np.float32)
    if banned is not None:
        half = max(1, round(LEAD_S / hop_s))
        for i, j in banned.tolist():
            gain[i, max(0, j - half) : j + half + 1] = -1.0
    n, m = gain.shape
    jump = np.float32(limits.JUMP_S.value / hop_s * null)
    inside = np.float32(limits.JUMP_INSIDE_S.value / hop_s * null)
    lead = max(1, round(LEAD_S / hop_s))
    best = np.full((n + 3, m + 3), -np.inf, np.float32)  # three rows and columns before the first
    came = np.full((n, m), -1, np.int8)
    before = np.full(m + 1, -np.inf, np.float32)  # the best of all rows up to the last, left of each column
    for i in range(n):
        entry = np.full(m, -jump, np.float32)  # at the price of a jump anywhere
        if i < lead:
            entry[:lead] = 0.0
        total, how = entry, np.full(m, 5, np.int8)
        if jumps:
            far = before[:m] - inside
            total, how = np.maximum(total, far), np.where(far > total, np.int8(6), how)
        for k, (di, dj) in enumerate(STEPS):
            old = best[i + 3 - di, 3 - dj : m + 3 - dj]
            # a step over several frames is worth the mean of what they are
            better = old > total
            total, how = np.where(better, old, total), np.where(better, np.int8(k), how)
        weight = np.array([2, 3, 3, 4, 4, 2, 2], np.float32)[how]
        row = total + weight * gain[i]
        best[i + 3, 3:] = row
        came[i] = how
        before[1:] = np.maximum(before[1:], np.maximum.accumulate(row))
    return Structure(*_traced(best[3:, 3:], came, float(jump), lead), hop_s)


def _traced(best: Frames, came: NDArray[np.int8], jump: float, lead: int) -> tuple[tuple[Section, ...], float]:
    n, m = best.shape
    ends = best - jump
    ends[max(0, n - lead) :, max(0, m - lead) :] += jump
    i, j = divmod(int(np.argmax(ends)), m)
    total = float(ends[i, j])
    sections: list[Section] = []
    end_value = float(best[i, j])
    path: list[tuple[int, int]] = []
    while True:
        path.append((i, j))
        how = int(came[i, j])
        if how < len(STEPS):
            i, j = i - STEPS[how][0], j - STEPS[how][1]
            continue
        started = 0.0
        if how == len(STEPS) + 1:
            k = int(np.argmax(best[:i, :j]))
            before = divmod(k, j)
            started = float(best[before])
        sections.append(Section(np.array(path[::-1], dtype=np.int64), end_value - started))
        if how == len(STEPS):
            return tuple(sections[::-1]), total
        i, j = before
        end_value, path = started, []


def thin(values: NDArray[Any], times: NDArray[np.float64], hop_s: float) -> tuple[Frames, NDArray[np.float64]]:
    """Frames, each of length 1, about ``hop_s`` seconds apart, and their times."""
    v, t = frames.coarse(values, times, max(1, round(hop_s / hop_of(times))))
    return unit(v), t


def unit(values: NDArray[Any]) -> Frames:
    """Rows of length 1."""
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9), dtype=np.float32)
