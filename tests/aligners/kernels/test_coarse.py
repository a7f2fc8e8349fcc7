"""Coarse to fine finds the warp, and what it says about its exactness holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.kernels import coarse, costs, engine, twin
from mmcli.errors import InputError, UsageError


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


@pytest.fixture
def never_small(monkeypatch):
    monkeypatch.setattr(coarse, "SMALL", 0)


@pytest.mark.usefixtures("never_small")
@pytest.mark.parametrize("tried", [True, False])
@pytest.mark.parametrize("pattern", sorted(twin.PATTERNS))
@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0, 20.0])
def test_what_is_said_about_the_optimum_holds(monkeypatch, tried, pattern, noise):
    """From a plain case to one that is all noise, where the corridor misses the optimum and the proof must notice."""
    monkeypatch.setattr(coarse, "UNTRIED", 0 if tried else 1e18)
    for seed in range(3):
        x, y = walks(seed, 900 + 37 * seed, 800, 3, noise)
        best = twin.distance(x, y, pattern=pattern)
        found = coarse.align(x, y, pattern=pattern, radius=2)
        assert found.cost == pytest.approx(costs.path_cost(x, y, found.path, "euclidean", pattern), rel=1e-12)
        assert found.cost >= best * (1 - 1e-12)
        assert best >= found.cost - found.bound - 1e-6 * best
        assert (found.bound == 0) == found.exact
        if found.exact:
            assert found.cost == pytest.approx(best, rel=1e-6)
        if not tried:
            assert found.exact


@pytest.mark.usefixtures("never_small")
@pytest.mark.parametrize("metric", sorted(costs.METRICS))
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_proof_goes_through_for_every_metric(metric, precision):
    x, y = walks(5, 1500, 1300, 4, 0.05)
    found = coarse.align(x, y, metric=metric, precision=precision)
    assert found.exact
    assert found.cost == pytest.approx(
        twin.distance(x, y, metric=metric), rel=1e-6 if precision == "float32" else 1e-11
    )


@pytest.mark.usefixtures("never_small")
@pytest.mark.parametrize("pattern", ["symmetric1", "symmetric2", "asymmetric"])
@pytest.mark.parametrize("size", [1.0, 1.2])
def test_a_corridor_that_was_led_astray_is_found_out(pattern, size):
    """A code that vanishes when eight frames are pooled: only the frames say that one side is 288 of them late."""
    rng = np.random.default_rng(8)
    code = rng.permuted(np.repeat([[[-size] * 4 + [size] * 4]], 112, axis=0), axis=2).reshape(-1, 1)
    x = np.concatenate([np.zeros((304, 1)), code, np.zeros((16, 1))]) + 0.05 * rng.normal(size=(1216, 1))
    y = np.concatenate([np.zeros((16, 1)), code, np.zeros((304, 1))]) + 0.05 * rng.normal(size=(1216, 1))
    best = twin.distance(x, y, pattern=pattern)
    assert coarse.align(x, y, pattern=pattern, radius=1, certify=False).cost > best * 1.1
    found = coarse.align(x, y, pattern=pattern, radius=1)
    assert found.exact
    assert found.cost == pytest.approx(best, rel=1e-6)


@pytest.mark.usefixtures("never_small")
def test_without_a_proof_nothing_is_claimed_and_threads_change_nothing():
    x, y = walks(9, 1000, 1100, 3, 0.3)
    found = coarse.align(x, y, certify=False)
    assert not found.exact
    assert found.bound == found.cost
    one, two = coarse.align(x, y), coarse.align(x, y, jobs=2)
    assert (one.cost, one.exact, one.bound) == (two.cost, two.exact, two.bound)
    assert one.path.tobytes() == two.path.tobytes()


@pytest.mark.usefixtures("never_small")
def test_a_proof_too_dear_ends_in_a_bound(monkeypatch):
    monkeypatch.setattr(coarse, "UNTRIED", 0)
    x, y = walks(10, 1500, 1500, 3, 0.3)
    found = coarse.align(x, y, share=0.02)
    assert not found.exact
    assert 0 < found.bound <= found.cost
    assert twin.distance(x, y) >= found.cost - found.bound


def test_small_problems_are_solved_whole():
    x, y = walks(11, 60, 50, 2, 1.0)
    found = coarse.align(x, y)
    assert (found.cost, found.exact, found.bound) == (engine.align(x, y).cost, True, 0.0)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"upper": 1.0}, UsageError),
        ({"corridor": None}, UsageError),
        ({"factor": 1}, UsageError),
        ({"share": 0.0}, UsageError),
        ({"x": np.array([[np.nan]])}, InputError),
        ({"pattern": "slope2"}, InputError),
    ],
)
def test_what_cannot_be_done_is_refused(change, error):
    with pytest.raises(error):
        coarse.align(**{"x": np.zeros((2, 1)), "y": np.zeros((9, 1)), **change})


def test_an_upper_bound_about_the_optimum_ends_in_the_path_or_in_none():
    """Walking back, part of a tile may look dearer than the bound that let the whole tile through."""
    extension = pytest.importorskip("mmcli.aligners.kernels._dtw", reason="built without a compiler")
    rng = np.random.default_rng(12)
    path = np.empty((104, 2), dtype=np.int64)
    for _ in range(60):
        x, y = (rng.integers(0, 5, (n, 1)).astype(np.float64) for n in (65, 40))  # ties; the last tile row has one row
        best, _ = extension.align(x, y, None, None, 0, 0, 1, 10, np.inf, 1, 0, None, 64, 64, 1)  # open in y
        for share in np.linspace(0.9, 1.02, 25):
            cost, length = extension.align(x, y, path, None, 0, 0, 1, 10, best * share, 1, 0, None, 64, 64, 1)
            assert cost >= best * (1 - 1e-12)
            assert length == 0 or path[0, 0] == 0
