"""Corridors are monotone, connected and no wider than asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.aligners.kernels import corridor
from mmcli.errors import InputError


def check(c: np.ndarray, n: int, m: int) -> None:
    assert c.shape == (n, 2)
    assert c.dtype == np.int64
    assert c[0, 0] == 0
    assert c[-1, 1] == m
    assert (c[:, 0] < c[:, 1]).all()
    assert (np.diff(c, axis=0) >= 0).all()
    assert (c[1:, 0] <= c[:-1, 1]).all()


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 70))
def test_a_band_leads_through_and_is_as_wide_as_asked(n: int, m: int, width: float) -> None:
    c = corridor.band(n, m, width)
    check(c, n, m)
    if n > 1:
        slope = (m - 1) / (n - 1)
        assert (c[:, 1] - c[:, 0]).max() <= max(width, 1, slope) + 2


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(0, 45), st.integers(0, 45)), max_size=8),
    st.floats(0, 20),
)
def test_a_corridor_holds_its_line_and_stays_near_it(n: int, m: int, raw: list[tuple[int, int]], radius: float) -> None:
    points = np.sort(np.array(raw, dtype=float).reshape(-1, 2), axis=0)
    c = corridor.around(points, n, m, radius)
    check(c, n, m)
    for i, j in np.clip(points, 0, [n - 1, m - 1]).astype(int):
        assert c[i, 0] <= j < c[i, 1]


def test_the_band_of_equal_lengths_is_the_classic_one() -> None:
    i, j = np.indices((50, 50))
    inside = np.zeros((50, 50), dtype=bool)
    for row, (lo, hi) in enumerate(corridor.band(50, 50, 14)):
        inside[row, lo:hi] = True
    np.testing.assert_array_equal(inside, abs(i - j) <= 7)


@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_a_width_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(InputError):
        corridor.band(5, 5, bad)
    with pytest.raises(InputError):
        corridor.around([[1, 1]], 5, 5, bad)


def test_points_that_go_back_are_refused() -> None:
    with pytest.raises(InputError, match="rise"):
        corridor.around([[3, 3], [2, 4]], 9, 9, 1)
