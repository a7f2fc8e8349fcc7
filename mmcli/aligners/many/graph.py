"""One clock for many recordings from what pairs of them measured: robust least squares over a graph.

Clip ``i`` has its time 0 at ``start[i]`` of the common clock and runs at ``rate[i]``: ``T = start + rate * t``. An edge
says ``t_a = offset + rate * t_b`` for what both heard, so at both ends of that ``start_a + rate_a * t_a`` equals
``start_b + rate_b * t_b``: linear in all unknowns once one clip of each group is the clock. First the sum of absolute
errors is made least, which a wrong edge among right ones does not move (iteratively reweighted least squares, Holland
and Welsch 1977, "Robust regression using iteratively reweighted least-squares"); edges that lie off by more than
LOOP_S are set aside, and the rest is fitted by its accuracy. Two parts that only a wrong edge joined fall apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits

ROUNDS = 60  # of reweighting: errors of 10 s fall below LOOP_S within 20 in trials with every sixth edge wrong
AGAIN = 6  # times that edges are set aside or taken back
SOFT_S = 1e-3  # errors below it count as their square
DRIFT = 5e-5  # deviation of a clock's rate that is expected where little was measured: 50 ppm
UNIT = 1e-3  # that rates are solved in, so that all unknowns are of a size


@dataclass(frozen=True)
class Edge:
    """Two clips that heard the same: ``t_a = offset_s + rate * t_b`` from ``start_s`` to ``end_s`` on the clock of b.

    ``deviation_s``: standard deviation at those ends. ``windows`` agree on it, ``share`` of those that sound;
    ``strength`` tells several places of one pair apart.
    """

    a: int
    b: int
    offset_s: float
    rate: float
    start_s: float
    end_s: float
    deviation_s: float = 1e-3
    windows: int = 10
    share: float = 1.0
    strength: float = 0.0

    @property
    def ends(self) -> NDArray[np.float64]:
        """(2, 2): times of a and of b at the first and the last moment that both heard."""
        t = np.array([self.start_s, self.end_s])
        return np.column_stack([self.offset_s + self.rate * t, t])


@dataclass(frozen=True)
class Solution:
    """``start`` seconds and ``rate`` (clips,) on the clock of the reference of each clip's ``group``, which counts from
    0, the largest first; ``references`` (groups,) their clips; ``kept`` bool and ``off_s`` (edges,): whether an edge
    holds, and how far it lies off (NaN between groups); ``deviation_s`` (clips,) of each start, 0 of references."""

    start: NDArray[np.float64]
    rate: NDArray[np.float64]
    group: NDArray[np.int64]
    references: tuple[int, ...]
    kept: NDArray[np.bool_]
    off_s: NDArray[np.float64]
    deviation_s: NDArray[np.float64]


def solve(durations: Sequence[float], edges: Sequence[Edge], reference: int | None = None) -> Solution:
    """Where all clips lie. ``reference``: the clip whose clock its group has; of other groups, and without one, the
    longest.

    >>> edges = [Edge(0, 1, 5.0, 1.0, 0.0, 9.0), Edge(1, 2, 3.0, 1.0, 0.0, 9.0)]
    >>> one = solve([20.0, 10.0, 10.0, 4.0], edges)
    >>> one.start.round(6).tolist(), one.group.tolist()
    ([0.0, 5.0, 8.0, 0.0], [0, 0, 0, 1])
    """
    n, kept = len(durations), np.ones(len(edges), dtype=bool)
    members = _groups(n, edges, kept, durations, reference)
    windows = np.array([edge.windows for edge in edges], dtype=np.float64)
    # Two ways to begin, of which that is taken with which more windows agree: least absolute errors, and the tree of
    # edges that most loops of three confirm. Errors fail where few right ones meet many wrong ones, which a loop tells.
    start, rate, deviation = min(
        (_fit(n, edges, kept, members, robust=True), _fit(n, edges, _tree(n, edges), members, robust=False)),
        key=lambda fit: -float(windows[_off(edges, fit[0], fit[1], members) <= limits.MANY_LOOP_S.value].sum()),
    )
    for _ in range(AGAIN):
        off = _off(edges, start, rate, members)
        now = np.nan_to_num(off, nan=np.inf) <= limits.MANY_LOOP_S.value
        members = _groups(n, edges, now, durations, reference)
        start, rate, deviation = _fit(n, edges, now, members, robust=False)
        if np.array_equal(now, kept):
            break
        kept = now
    group = np.zeros(n, dtype=np.int64)
    for number, (_, clips) in enumerate(members):
        group[clips] = number
    off = _off(edges, start, rate, members)
    return Solution(start, rate, group, tuple(r for r, _ in members), kept & np.isfinite(off), off, deviation)


def way(edges: Sequence[Edge], kept: NDArray[np.bool_], a: int, b: int) -> list[int]:
    """The clips from ``a`` to ``b`` over the fewest edges that hold; empty where there is no way.

    >>> way([Edge(0, 1, 0.0, 1.0, 0.0, 1.0), Edge(1, 2, 0.0, 1.0, 0.0, 1.0)], np.array([True, True]), 0, 2)
    [0, 1, 2]
    """
    beside = _neighbours(edges, kept)
    came: dict[int, int] = {a: a}
    waiting = deque([a])
    while waiting:
        at = waiting.popleft()
        for other in sorted(beside.get(at, ())):
            if other not in came:
                came[other] = at
                waiting.append(other)
    if b not in came:
        return []
    out = [b]
    while out[-1] != a:
        out.append(came[out[-1]])
    return out[::-1]


def _neighbours(edges: Sequence[Edge], kept: NDArray[np.bool_]) -> dict[int, set[int]]:
    beside: dict[int, set[int]] = {}
    for edge, holds in zip(edges, kept.tolist(), strict=True):
        if holds:
            beside.setdefault(edge.a, set()).add(edge.b)
            beside.setdefault(edge.b, set()).add(edge.a)
    return beside


def _groups(
    n: int, edges: Sequence[Edge], kept: NDArray[np.bool_], durations: Sequence[float], reference: int | None
) -> list[tuple[int, list[int]]]:
    """(reference, clips) of each group, that of the ``reference`` first, then the larger ones."""
    beside, seen, out = _neighbours(edges, kept), set[int](), []
    for k in range(n):
        if k in seen:
            continue
        clips, waiting = {k}, [k]
        while waiting:
            for other in beside.get(waiting.pop(), ()):
                if other not in clips:
                    clips.add(other)
                    waiting.append(other)
        seen |= clips
        longest = max(sorted(clips), key=lambda c: durations[c])
        out.append((reference if reference in clips else longest, sorted(clips)))
    out.sort(key=lambda g: (g[0] != reference, -len(g[1]), g[1][0]))
    return out


def _tree(n: int, edges: Sequence[Edge]) -> NDArray[np.bool_]:
    """The edges (bool) of the trees whose edges have the most support: their own windows, and of every loop of three
    that closes within LOOP_S those of its weakest edge (Kruskal 1956 for the tree)."""
    beside: dict[int, dict[int, int]] = {}
    for k, edge in enumerate(edges):
        beside.setdefault(edge.a, {})[edge.b] = beside.setdefault(edge.b, {})[edge.a] = k
    support = [float(edge.windows) for edge in edges]
    for k, edge in enumerate(edges):
        for c in beside[edge.a].keys() & beside[edge.b].keys():
            t_b = (edge.start_s + edge.end_s) / 2
            t_c = _there(edges[beside[edge.b][c]], edge.b, t_b)
            t_a = _there(edges[beside[edge.a][c]], c, t_c)
            if abs(t_a - edge.offset_s - edge.rate * t_b) <= limits.MANY_LOOP_S.value:
                support[k] += min(edges[other].windows for other in (beside[edge.a][c], beside[edge.b][c]))
    part, used = list(range(n)), np.zeros(len(edges), dtype=bool)
    for k in sorted(range(len(edges)), key=lambda k: -support[k]):
        a, b = part[edges[k].a], part[edges[k].b]
        if a != b:
            used[k] = True
            part = [a if p == b else p for p in part]
    return used


def _there(edge: Edge, clip: int, t: float) -> float:
    """A time ``t`` of ``clip``, an end of the edge, on the clock of the other end."""
    return (t - edge.offset_s) / edge.rate if clip == edge.a else edge.offset_s + edge.rate * t


def _fit(
    n: int, edges: Sequence[Edge], used: NDArray[np.bool_], members: list[tuple[int, list[int]]], *, robust: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Start, rate and deviation of the start by least squares over the ``used`` edges by their accuracy; ``robust``:
    least absolute errors by their windows."""
    chosen = [edge for edge, holds in zip(edges, used.tolist(), strict=True) if holds]
    rows = np.zeros((2 * len(chosen), 2 * n))
    right = np.zeros(2 * len(chosen))
    for k, edge in enumerate(chosen):
        for end, (t_a, t_b) in enumerate(edge.ends.tolist()):
            row = 2 * k + end
            rows[row, [edge.a, edge.b]] = 1.0, -1.0
            rows[row, [n + edge.a, n + edge.b]] = UNIT * t_a, -UNIT * t_b
            right[row] = t_b - t_a
    fixed = [r for r, _ in members]
    free = np.setdiff1d(np.arange(2 * n), [*fixed, *(n + r for r in fixed)])
    rows, prior = rows[:, free], np.where(free >= n, (UNIT / DRIFT) ** 2, 0.0)
    windows = np.repeat([float(edge.windows) for edge in chosen], 2)
    accuracy = np.repeat([1.0 / edge.deviation_s**2 for edge in chosen], 2)
    weight = windows / SOFT_S**2 if robust else accuracy
    x = np.zeros(len(free))
    for _ in range(ROUNDS if robust else 1):
        if not len(free):
            break
        x = np.linalg.solve((rows.T * weight) @ rows + np.diag(prior), (rows.T * weight) @ right)
        if robust:
            weight = windows / (SOFT_S * np.maximum(np.abs(rows @ x - right), SOFT_S))
    unknown = np.zeros(2 * n)
    unknown[free] = x
    spread = np.zeros(2 * n)
    spread[free] = np.sqrt(np.diag(np.linalg.inv((rows.T * weight) @ rows + np.diag(prior)))) if len(free) else 0.0
    return unknown[:n], 1.0 + UNIT * unknown[n:], spread[:n]


def _off(
    edges: Sequence[Edge], start: NDArray[np.float64], rate: NDArray[np.float64], members: list[tuple[int, list[int]]]
) -> NDArray[np.float64]:
    """How far each edge lies off at its worse end, seconds; NaN between groups."""
    group = {clip: number for number, (_, clips) in enumerate(members) for clip in clips}
    out = np.full(len(edges), np.nan)
    for k, edge in enumerate(edges):
        if group[edge.a] == group[edge.b]:
            t_a, t_b = edge.ends.T
            out[k] = np.abs(start[edge.a] + rate[edge.a] * t_a - start[edge.b] - rate[edge.b] * t_b).max()
    return out
