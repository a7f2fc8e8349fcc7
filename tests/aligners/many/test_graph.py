"""One clock for many: planted answers, and a slow twin that tries every tree of edges."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mmcli.aligners.core import limits
from mmcli.aligners.many.graph import Edge, solve, way

LENGTH_S = 100.0


def planted(seed: int, n: int, wrong: int, noise_s: float = 2e-4) -> tuple[list[Edge], np.ndarray, set[int]]:
    """Edges between clips that overlap, of planted starts and rates, some of them wrong by seconds."""
    draw = np.random.default_rng(seed)
    start = np.cumsum(draw.uniform(10.0, 40.0, n)) - 10.0
    rate = 1.0 + draw.uniform(-8e-5, 8e-5, n)
    start, rate = start - start[0], rate / rate[0]
    edges = []
    for a, b in combinations(range(n), 2):
        low, high = max(start[a], start[b]), min(start[a], start[b]) + LENGTH_S
        if high - low < 10.0:
            continue
        offset = (start[b] - start[a]) / rate[a] + draw.normal(0.0, noise_s)
        t = ((np.array([low, high]) - start[b]) / rate[b]).tolist()
        edges.append(Edge(a, b, offset, rate[b] / rate[a], *t, deviation_s=noise_s, windows=int(draw.integers(5, 30))))
    off = set(draw.choice(len(edges), wrong, replace=False).tolist())
    for k in off:
        e = edges[k]
        moved = draw.choice([-1, 1]) * draw.uniform(0.3, 20.0)
        edges[k] = Edge(e.a, e.b, e.offset_s + moved, e.rate, e.start_s, e.end_s, e.deviation_s, 4)
    return edges, start, off


def twin(n: int, edges: list[Edge]) -> set[int]:
    """The edges that hold, by trying every tree: the most windows that agree with one."""
    best, most = set[int](), -1
    for tree in combinations(range(len(edges)), n - 1):
        place = {0: (0.0, 1.0)}
        for _ in range(n):
            for k in tree:
                e = edges[k]
                if e.a in place and e.b not in place:
                    s, r = place[e.a]
                    place[e.b] = s + r * e.offset_s, r * e.rate
                elif e.b in place and e.a not in place:
                    s, r = place[e.b]
                    place[e.a] = s - r / e.rate * e.offset_s, r / e.rate
        if len(place) < n:
            continue
        holds = set()
        for k, e in enumerate(edges):
            (s, r), (u, v) = place[e.a], place[e.b]
            x, y = e.ends.T
            if np.abs(s + r * x - u - v * y).max() <= limits.MANY_LOOP_S.value:
                holds.add(k)
        windows = sum(edges[k].windows for k in holds)
        if windows > most:
            best, most = holds, windows
    return best


@pytest.mark.parametrize("seed", range(8))
def test_it_holds_what_the_best_of_all_trees_holds(seed: int) -> None:
    edges, _, off = planted(seed, 5, 1)
    solution = solve([LENGTH_S] * 5, edges, 0)
    held = set(np.flatnonzero(solution.kept).tolist())
    if len(solution.references) > 1:  # what only the wrong one joined: no tree can say so
        assert off.isdisjoint(held) or off & twin(5, edges)
        return
    assert held == twin(5, edges)


@pytest.mark.parametrize("seed", range(12))
def test_planted_clocks_come_back_though_every_sixth_edge_is_wrong(seed: int) -> None:
    n = 24
    edges, start, off = planted(seed, n, 12)
    assert len(off) >= len(edges) / 7
    solution = solve([LENGTH_S] * n, edges, 0)
    right = np.array([k not in off for k in range(len(edges))])
    for k in range(n):
        if way(edges, right, 0, k):  # nobody can place a clip that only wrong edges hold
            assert solution.group[k] == 0
            assert solution.start[k] == pytest.approx(start[k], abs=0.03), k
    for k in off:
        assert not solution.kept[k] or not way(edges, right, edges[k].a, edges[k].b)


def test_a_wrong_edge_between_two_groups_is_no_way_to_tell_but_one_in_a_loop_is_named() -> None:
    ring = [
        Edge(0, 1, 40.0, 1.0, 0.0, 60.0),
        Edge(1, 2, 40.0, 1.0, 0.0, 60.0),
        Edge(0, 2, 83.0, 1.0, 0.0, 20.0, windows=4),
    ]
    solution = solve([100.0] * 3, ring, 0)
    assert solution.kept.tolist() == [True, True, False]
    assert solution.off_s[2] == pytest.approx(3.0, abs=1e-3)
    assert way(ring, solution.kept, 0, 2) == [0, 1, 2]


def test_groups_stand_apart_and_the_reference_has_its_own_clock() -> None:
    edges = [Edge(0, 1, 5.0, 1.0, 0.0, 50.0), Edge(2, 3, -7.0, 1.0 + 1e-4, 10.0, 90.0)]
    solution = solve([60.0, 60.0, 80.0, 90.0, 10.0], edges, 1)
    assert solution.references == (1, 3, 4)
    assert solution.group.tolist() == [0, 0, 1, 1, 2]
    assert solution.start[0] == pytest.approx(-5.0)
    assert solution.start[2] == pytest.approx(7.0, abs=3e-3)
    assert solution.rate[2] == pytest.approx(1 / 1.0001, abs=2e-5)
    assert np.isnan(solve([1.0, 1.0], [], None).deviation_s).sum() == 0


def test_the_deviation_grows_along_a_chain() -> None:
    chain = [Edge(k, k + 1, 50.0, 1.0, 0.0, 50.0, deviation_s=1e-3) for k in range(5)]
    spread = solve([100.0] * 6, chain, 0).deviation_s
    assert spread[0] == 0.0
    assert (np.diff(spread) > 0).all()
