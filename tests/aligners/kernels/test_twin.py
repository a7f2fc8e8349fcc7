"""The twin equals a plain recurrence over the whole matrix, for every metric, step pattern, corridor and open end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.kernels import costs, twin, twin_sweep


def local_cost(a, b, metric):
    if metric == "cosine":
        if not a.any() or not b.any():
            return 0.0 if not a.any() and not b.any() else 1.0
        return 1 - (a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
    e = np.abs(a - b)
    return {"euclidean": np.sqrt((e**2).sum()), "sqeuclidean": (e**2).sum(), "manhattan": e.sum()}[metric]


def whole_matrix(x, y, metric, pattern, ranges, open_begin, open_end):
    """The recurrence as it is written down, in plain loops; the cost of the best end."""
    n, m = len(x), len(y)
    total = np.full((n, m), np.inf)
    for i in range(n):
        for j in range(ranges[i][0], ranges[i][1]):
            c = local_cost(x[i], y[j], metric)
            if (i == 0 and (j == 0 or open_begin[1])) or (j == 0 and open_begin[0]):
                total[i, j] = c
                continue
            for di, dj, weight in twin.PATTERNS[pattern]:
                if i >= di and j >= dj:
                    total[i, j] = min(total[i, j], total[i - di, j - dj] + weight * c)
    ends = [total[-1, -1]]
    ends += list(total[-1]) if open_end[1] else []
    ends += list(total[:, -1]) if open_end[0] else []
    return min(ends)


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, m, d = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 4))
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if draw(st.booleans()):  # whole numbers: many ties
        x, y = np.round(x), np.round(y)
    lo, hi = np.zeros(n, dtype=np.int64), np.full(n, m)
    if draw(st.booleans()):
        radius = draw(st.integers(1, 20))
        centre = np.round(np.linspace(0, m - 1, n)).astype(np.int64)
        lo, hi = np.maximum(0, centre - radius), np.minimum(m, centre + radius + 1)
    flags = [draw(st.booleans()) for _ in range(4)]
    metric = draw(st.sampled_from(sorted(costs.METRICS)))
    pattern = draw(st.sampled_from(sorted(twin.PATTERNS)))
    return x, y, metric, pattern, np.column_stack([lo, hi]), tuple(flags[:2]), tuple(flags[2:])


@settings(deadline=None)
@given(cases())
def test_cost_is_the_optimum_and_the_path_has_it(case):
    x, y, metric, pattern, corridor, open_begin, open_end = case
    want = whole_matrix(*case)
    kw = {"metric": metric, "pattern": pattern, "corridor": corridor, "open_begin": open_begin, "open_end": open_end}
    cost, path = twin.align(x, y, **kw)
    if want == np.inf:
        assert (cost, path.shape, twin.distance(x, y, **kw)) == (np.inf, (0, 2), np.inf)
        return
    assert cost == pytest.approx(want, rel=1e-12, abs=1e-13)
    assert twin.distance(x, y, **kw) == pytest.approx(want, rel=1e-12, abs=1e-13)
    allowed = {(di, dj) for di, dj, _ in twin.PATTERNS[pattern]}
    assert {tuple(step) for step in np.diff(path, axis=0)} <= allowed
    assert all(corridor[i, 0] <= j < corridor[i, 1] for i, j in path)
    (i0, j0), (i1, j1) = path[0], path[-1]
    assert (i0 == 0 and (j0 == 0 or open_begin[1])) or (j0 == 0 and open_begin[0])
    last_i, last_j = len(x) - 1, len(y) - 1
    assert (i1 == last_i and (j1 == last_j or open_end[1])) or (j1 == last_j and open_end[0])


@settings(max_examples=40, deadline=None)
@given(cases())
def test_the_three_sweeps_agree_to_the_bit(case):
    x, y, metric, pattern, corridor, open_begin, open_end = case
    kw = {"metric": metric, "pattern": pattern, "corridor": corridor, "open_begin": open_begin, "open_end": open_end}
    found = [
        twin.align(x, y, sweep=s, **kw)
        for s in (twin_sweep.sweep, twin_sweep.sweep_by_diagonals, twin_sweep.fastest_sweep())
    ]
    assert len({cost for cost, _ in found}) == 1
    assert len({path.tobytes() for _, path in found}) == 1


def test_ties_go_diagonal_then_up_then_left():
    """All costs equal: the diagonal first, and what is left over at the begin, since the walk goes backwards."""
    _, path = twin.align(np.zeros((4, 1)), np.zeros((2, 1)))
    assert path.tolist() == [[0, 0], [1, 0], [2, 0], [3, 1]]
    _, path = twin.align(np.zeros((2, 1)), np.zeros((4, 1)))
    assert path.tolist() == [[0, 0], [0, 1], [0, 2], [1, 3]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (300, 2), (2, 300)])
def test_the_smallest_and_thinnest_inputs(shape):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(shape[0], 3)), rng.normal(size=(shape[1], 3))
    cost, path = twin.align(x, y)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [shape[0] - 1, shape[1] - 1]
    assert cost == pytest.approx(
        whole_matrix(x, y, "euclidean", "symmetric1", [(0, shape[1])] * shape[0], (0, 0), (0, 0))
    )


def test_planted_subsequence_is_found():
    rng = np.random.default_rng(7)
    y = rng.normal(size=(500, 3))
    x = np.repeat(y[200:240], 2, axis=0)
    cost, path = twin.align(x, y, open_begin=(False, True), open_end=(False, True))
    assert cost == 0
    assert path[0].tolist() == [0, 200]
    assert path[-1].tolist() == [79, 239]


def test_zero_rows_under_cosine_cost_one_and_nothing_against_each_other():
    zero, one = np.zeros((1, 2)), np.array([[2.0, 0.0]])
    assert twin.align(zero, one, metric="cosine")[0] == 1.0
    assert twin.align(zero, zero, metric="cosine")[0] == 0.0
    assert twin.align(np.array([[1e-200, 0.0]]), one, metric="cosine")[0] == 0.0


def test_path_cost_agrees_with_the_local_costs_along_the_path():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(20, 3))
    for metric in costs.METRICS:
        _, path = twin.align(x, y, metric=metric)
        along = costs.local_costs(x, y, metric)[path[:, 0], path[:, 1]].sum()
        assert costs.path_cost(x, y, path, metric) == pytest.approx(along, rel=1e-13)
