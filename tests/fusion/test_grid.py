"""A stream on another clock: right where it is defined, undefined elsewhere, never made up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.errors import UsageError
from mmcli.fusion import grid


def slow_linear(values, times, target):
    """The obvious twin: look for the two neighbours of each time."""
    rows = []
    for t in target:
        if t <= times[0]:
            rows.append(values[0])
        elif t >= times[-1]:
            rows.append(values[-1])
        else:
            i = next(k for k in range(len(times)) if times[k] > t)
            share = (t - times[i - 1]) / (times[i] - times[i - 1])
            rows.append((1 - share) * values[i - 1] + share * values[i])
    return np.array(rows)


@given(st.integers(2, 20), st.integers(1, 3), st.integers(0, 10_000))
def test_interpolation_equals_its_slow_twin(frames, width, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.05, 1.0, frames))
    values = rng.normal(size=(frames, width))
    target = np.sort(rng.uniform(times[0], times[-1], 15))

    found, inside = grid.resample(values, times, target, pool="linear")

    assert inside.all()
    assert np.allclose(found, slow_linear(values, times, target))


def test_outside_its_span_a_stream_is_undefined():
    times = np.array([1.0, 2.0, 3.0])

    _, inside = grid.resample(np.ones((3, 1)), times, np.array([0.4, 0.6, 3.4, 3.6]))

    assert inside.tolist() == [False, True, True, False]


def test_a_break_of_the_map_stays_undefined():
    def clock(t):
        return np.where((t > 1) & (t < 2), np.nan, t)

    found, inside = grid.resample(
        np.arange(5.0)[:, None], np.arange(5.0), np.array([0.5, 1.5, 2.5]), to_own_clock=clock
    )

    assert inside.tolist() == [True, False, True]
    assert found[:, 0].tolist() == [0.5, 0.0, 2.5]


def test_a_static_stream_holds_everywhere():
    found, inside = grid.resample(np.array([[7.0]]), np.array([0.0]), np.array([-3.0, 100.0]))

    assert inside.all()
    assert found.tolist() == [[7], [7]]


@pytest.mark.parametrize(("pool", "expected"), [("mean", [0.5, 2.5]), ("max", [1, 3]), ("last", [1, 3])])
def test_a_slower_clock_pools_the_frames_of_its_cells(pool, expected):
    values, times = np.arange(4.0)[:, None], np.array([0.25, 0.75, 1.25, 1.75])

    found, _ = grid.resample(values, times, np.array([0.5, 1.5]), pool=pool)

    assert found[:, 0].tolist() == expected


def test_auto_averages_where_the_clock_is_much_slower_and_interpolates_otherwise():
    times = np.arange(100) / 100
    alternating = np.where(np.arange(100) % 2, 1.0, -1.0)[:, None]

    slow, _ = grid.resample(alternating, times, np.array([0.2, 0.4, 0.6]))
    fast, _ = grid.resample(alternating, times, np.arange(20, 30) / 100)

    assert np.abs(slow).max() < 0.1  # a cell of an odd number of frames keeps one over
    assert np.abs(fast).min() > 1 - 1e-9


def test_images_keep_their_shape():
    found, _ = grid.resample(np.ones((3, 4, 5, 2)), np.arange(3.0), np.array([0.5]))

    assert found.shape == (1, 4, 5, 2)


def test_a_uniform_clock_covers_the_span_on_multiples_of_its_step():
    assert grid.uniform(0.05, 0.31, 10.0).tolist() == [0.1, 0.2, 0.3]


def test_what_cannot_be_a_clock_is_refused():
    with pytest.raises(UsageError, match="not positive"):
        grid.uniform(0, 1, 0.0)
    with pytest.raises(UsageError, match="unknown pooling"):
        grid.resample(np.ones((2, 1)), np.arange(2.0), np.arange(2.0), pool="median")
