"""Planted copies are found, best first, and each match is the best that keeps clear of those before it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.kernels import costs, twin
from mmcli.aligners.kernels.matches import matches
from mmcli.errors import UsageError


def test_planted_copies_are_found_best_first():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 5)).cumsum(axis=0)
    y = rng.normal(size=(1500, 5)) * 8
    places = {200: 0.0, 700: 0.05, 1200: 0.1}
    for start, noise in places.items():
        y[start : start + 60] = x + rng.normal(size=x.shape) * noise
    found = matches(x, y, 3)
    assert [m.start for m in found] == [200, 700, 1200]
    assert [m.stop for m in found] == [260, 760, 1260]
    assert found[0].cost == pytest.approx(0, abs=1e-9)
    assert [m.cost for m in found] == sorted(m.cost for m in found)
    for m in found:
        assert m.cost == pytest.approx(costs.path_cost(x, y, m.path, "euclidean"))


def test_stretched_copies_are_found_under_a_slope_limit():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(50, 4)).cumsum(axis=0)
    slow = np.column_stack([np.interp(np.linspace(0, 49, 90), np.arange(50), x[:, f]) for f in range(4)])
    y = np.concatenate([rng.normal(size=(300, 4)) * 9, slow, rng.normal(size=(200, 4)) * 9])
    (m,) = matches(x, y, 1, pattern="slope2")
    assert abs(m.start - 300) <= 2
    assert abs(m.stop - 390) <= 2


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 25), st.sampled_from(["symmetric1", "symmetric2"]))
def test_each_match_is_the_best_of_all_that_keep_clear_of_those_before(seed, n, m, pattern):
    """Against the warp of x with every stretch of y, both ends fixed."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2))
    spans = {(a, b): twin.distance(x, y[a:b], pattern=pattern) for a in range(m) for b in range(a + 1, m + 1)}
    taken = []
    found = matches(x, y, 4, pattern=pattern, shortest=0.0, precision="float64")
    for match in found:
        free = [cost for (a, b), cost in spans.items() if all(b <= s or e <= a for s, e in taken)]
        assert match.cost == pytest.approx(min(free), rel=1e-9, abs=1e-12)
        assert all(match.stop <= s or e <= match.start for s, e in taken)
        taken.append((match.start, match.stop))
    covered = sum(e - s for s, e in taken)
    assert len(found) == 4 or covered == m


def test_matches_stuck_on_a_frame_are_left_out_and_a_limit_ends_the_search():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(400, 3))
    y[100:140] = x
    found = matches(x, y, 10, shortest=0.5)
    assert found[0].start == 100
    assert all(m.stop - m.start >= 20 for m in found)
    assert len(matches(x, y, 10, limit=1e-6)) == 1


@pytest.mark.parametrize("change", [{"k": 0}, {"shortest": 2.0}, {"corridor": None}])
def test_what_has_no_meaning_is_refused(change):
    with pytest.raises(UsageError):
        matches(**{"x": np.zeros((2, 1)), "y": np.zeros((2, 1)), "k": 1, **change})


def test_a_place_too_short_for_the_pattern_is_no_match():
    assert matches(np.zeros((9, 1)), np.zeros((3, 1)), 2, pattern="slope2", shortest=0.0) == []
