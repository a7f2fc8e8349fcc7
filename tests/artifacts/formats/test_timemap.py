"""The map: what it says between, at and beyond its knots, and what is kept when maps are turned, joined and cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.artifacts.formats.timemap import TimeMap, from_path, from_segments
from mmcli.errors import InputError

BROKEN = TimeMap(
    np.array([[0.0, 0.0], [10.0, 10.0], [16.0, 10.0], [20.0, 14.0]]),
    [{"side": "reference", "start": 10.0, "end": 16.0}],
    "piecewise",
)


@st.composite
def warps(draw: st.DrawFn) -> TimeMap:
    """A random map of one segment."""
    steps = st.lists(st.floats(0.01, 5.0), min_size=2, max_size=12)
    t = np.cumsum(draw(steps))
    q = np.cumsum(draw(st.lists(st.floats(0.01, 5.0), min_size=len(t), max_size=len(t))))
    return TimeMap(np.column_stack([t, q]))


@given(warps())
def test_there_and_back_again(m: TimeMap) -> None:
    t = np.linspace(m.knots[0, 0], m.knots[-1, 0], 23)
    assert np.allclose(m.to_reference(np.clip(m.to_query(t), m.knots[0, 1], m.knots[-1, 1])), t, atol=1e-9)
    assert np.allclose(m.invert().to_reference(t), m.to_query(t), atol=1e-12)
    assert np.array_equal(m.invert().invert().knots, m.knots)


@given(warps(), warps())
def test_composing_is_evaluating_one_after_the_other(a: TimeMap, b: TimeMap) -> None:
    low, high = max(a.knots[0, 1], b.knots[0, 0]), min(a.knots[-1, 1], b.knots[-1, 0])
    if high - low < 0.01:
        return
    joined = a.compose(b)
    t = np.linspace(joined.knots[0, 0], joined.knots[-1, 0], 31)[1:-1]
    assert np.allclose(joined.to_query(t), b.to_query(a.to_query(t)), atol=1e-6)


@given(warps(), st.floats(0.05, 2.0))
def test_resampling_keeps_the_ends_and_the_map_at_its_knots(m: TimeMap, hop: float) -> None:
    dense = m.resample(hop)
    assert np.allclose(dense.knots[[0, -1]], m.knots[[0, -1]])
    assert np.allclose(dense.knots[:, 1], m.to_query(dense.knots[:, 0]), atol=1e-9)
    assert np.all(np.diff(dense.knots[:, 0]) <= hop + 1e-9)


def test_a_break_is_never_interpolated_across() -> None:
    assert np.isnan(BROKEN.to_query(13.0))
    assert BROKEN.to_query(18.0) == 12.0
    assert BROKEN.to_reference(12.0) == 18.0
    assert np.isnan(BROKEN.to_query(np.array([-0.1, 20.1]))).all()


def test_turning_a_map_exchanges_the_sides_of_its_breaks() -> None:
    assert BROKEN.invert().breaks == [{"side": "query", "start": 10.0, "end": 16.0}]
    assert np.isnan(BROKEN.invert().to_reference(13.0))


def test_breaks_survive_composing_with_a_line_on_either_side() -> None:
    later = TimeMap([[3.0, 0.0], [33.0, 30.0]], model="offset", offset_s=3.0, rate=1.0)
    after = later.compose(BROKEN)  # a clock that is 3 s ahead, then the break
    assert after.breaks == [{"side": "reference", "start": 13.0, "end": 19.0}]
    before = BROKEN.compose(later.invert())
    assert before.breaks == [{"side": "reference", "start": 10.0, "end": 16.0}]
    assert before.to_query(5.0) == 8.0


def test_a_line_holds_beyond_its_knots() -> None:
    m = TimeMap([[10.0, 0.0], [20.0, 5.0]], model="affine", offset_s=10.0, rate=2.0)
    assert m.to_query(-10.0) == -10.0
    assert m.to_reference(100.0) == 210.0
    assert TimeMap([[10.0, 0.0], [20.0, 5.0]], model="affine").rate == 2.0


def test_restricting_cuts_segments_and_drops_breaks_outside() -> None:
    part = BROKEN.restrict(2.0, 9.0)
    assert part.breaks == []
    assert part.knots.tolist() == [[2.0, 2.0], [9.0, 9.0]]
    across = BROKEN.restrict(9.0, 17.0)
    assert across.breaks == [{"side": "reference", "start": 10.0, "end": 16.0}]
    with pytest.raises(InputError):
        BROKEN.restrict(11.0, 12.0)


def test_a_break_on_both_sides_is_two_breaks() -> None:
    m = from_segments([np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 2.0], [4.0, 3.0]])], "piecewise")
    assert [b["side"] for b in m.breaks] == ["reference", "query"]
    assert len(m.segments) == 2


def test_knots_that_go_back_are_refused() -> None:
    with pytest.raises(InputError):
        TimeMap([[0.0, 0.0], [1.0, 1.0], [2.0, 0.5]])


@st.composite
def paths(draw: st.DrawFn) -> np.ndarray:
    """A random monotone path from (0, 0)."""
    moves = draw(st.lists(st.sampled_from([(1, 1), (1, 0), (0, 1), (2, 1), (1, 2)]), min_size=1, max_size=60))
    return np.cumsum([(0, 0), *moves], axis=0).astype(np.int64)


@given(paths(), st.sampled_from([0.01, 0.0116, 1.0]))
def test_thinning_a_path_moves_no_point_by_more_than_a_millisecond(path: np.ndarray, hop: float) -> None:
    """Against the definition: the mean query time of each reference frame of the path."""
    tx, ty = np.arange(path[-1, 0] + 1) * hop, np.arange(path[-1, 1] + 1) * hop
    knots = from_path(path, tx, ty)
    assert np.all(np.diff(knots, axis=0) > 0)
    if path[-1, 0] == 0 or path[-1, 1] == 0:
        return  # one frame on a side: the map is made up of its length
    m = TimeMap(knots)
    for i in np.unique(path[:, 0]):
        mean = ty[path[path[:, 0] == i, 1]].mean()
        assert abs(m.to_query(tx[i]) - mean) <= 0.001 + 1e-9


def test_a_straight_path_needs_two_knots() -> None:
    path = np.column_stack([np.arange(1000), np.arange(1000)])
    assert len(from_path(path, np.arange(1000) / 100, np.arange(1000) / 100)) == 2


def test_an_hour_of_frames_is_thinned_in_one_pass() -> None:
    rng = np.random.default_rng(0)
    moves = rng.choice([[1, 1], [1, 2], [2, 1]], size=100_000)
    path = np.cumsum(np.vstack([[[0, 0]], moves]), axis=0)
    knots = from_path(path, np.arange(path[-1, 0] + 1) / 50, np.arange(path[-1, 1] + 1) / 50)
    assert 2 < len(knots) < len(path)
