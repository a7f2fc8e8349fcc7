"""Coarse to fine finds the warp, and what it says about its exactness holds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.kernels import engine, twin


def walks(seed, n, m, d, noise):
    """Two noisy copies of one smooth movement under different time scales, float64."""
    rng = np.random.default_rng(seed)
    knots = rng.normal(size=(max(n, m) // 10 + 3, d))

    def at(t):
        return np.column_stack([np.interp(t, np.linspace(0, 1, len(knots)), knots[:, f]) for f in range(d)])

    u = np.linspace(0, 1, m)
    bend = u + 0.06 * np.sin(2 * np.pi * u)
    return at(np.linspace(0, 1, n)) + rng.normal(size=(n, d)) * noise, at(bend) + rng.normal(size=(m, d)) * noise


def reaching(x, y, i, pattern):
    """The least cost of a path that ends in row i; under slope2 or in the row above, since it may pass over one."""
    ends = [i - 1, i] if pattern == "slope2" else [i]
    return min(twin.distance(x[: k + 1], y, pattern=pattern, open_end=(False, True)) for k in ends)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(sorted(twin.PATTERNS)), st.sampled_from(["float32", "float64"]))
def test_lowest_is_never_above_what_reaches_a_row_and_rest_changes_no_result(seed, pattern, precision):
    x, y = walks(seed, 700, 400, 2, 0.2)
    options = {"pattern": pattern, "precision": precision}
    low = engine.lowest(x, y, **options)
    assert (np.diff(low) >= 0).all()
    for i in (1, 100, 255, 300, 511, 699):
        assert low[i] <= reaching(x, y, i, pattern)
    if engine.kernels()[0] != "twin":
        assert low[255] > 0.999 * reaching(x, y, 255, pattern)  # where a tile ends
    if pattern == "symmetric2":  # backwards its first cell would count differently
        return
    cost = engine.distance(x, y, **options)
    rest = np.append(engine.lowest(x[::-1], y[::-1], **options)[::-1][1:], 0.0)
    assert engine.distance(x, y, upper=cost * 1.001, rest=rest, **options) == cost
    assert engine.distance(x, y, upper=cost * 0.9, rest=rest, **options) == np.inf
