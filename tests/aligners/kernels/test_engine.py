"""The compiled kernels and the twin find the same: metrics, patterns, corridors, open ends, precisions, tilings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmcli.aligners.kernels import corridor, costs, engine, twin

COMPILED = engine.kernels()[:-1]
CASES_A_KERNEL = 40
needs_extension = pytest.mark.skipif(not COMPILED, reason="no compiler was there when the package was built")
SIZES = [1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 128, 129, 199, 255, 256, 257, 300, 511, 512, 513]
WHOLE_NUMBERS = 0


def case(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, Any], int]:
    """A random problem: x, y, the options that engine and twin share, and what kind of values it has."""
    r = np.random.default_rng(seed)
    n, m = (int(v) for v in r.choice(SIZES, 2))
    d = int(r.choice([1, 1, 2, 3, 12, 20]))
    kind = int(r.integers(4))
    if kind == WHOLE_NUMBERS:  # ties everywhere, and arithmetic without rounding
        x, y = (r.integers(0, 3, (size, d)).astype(float) for size in (n, m))
    elif kind == 1:
        x, y = r.random((n, d)), r.random((m, d))
    elif kind == 2:  # one curve, sampled twice
        curve = r.normal(size=(n + m, d)).cumsum(axis=0)
        x, y = (curve[np.linspace(0, n + m - 1, size).astype(int)] + r.normal(0, 0.1, (size, d)) for size in (n, m))
    else:
        x, y = (r.normal(size=(size, d)).astype(np.float32) for size in (n, m))
    allowed = None
    if r.random() < 0.4:
        allowed = corridor.band(n, m, float(r.integers(1, m + 1)))
        if r.random() < 0.5:  # a ragged one: bounds go back and forth
            lo = np.clip(allowed[:, 0] - r.integers(0, 4, n), 0, m - 1)
            hi = np.clip(allowed[:, 1] + r.integers(0, 4, n), lo + 1, m)
            allowed = np.stack([lo, hi], axis=1)
    options = {
        "metric": str(r.choice(engine.METRICS)),
        "pattern": str(r.choice(engine.PATTERNS)),
        "corridor": allowed,
        "open_begin": tuple(bool(v) for v in r.integers(0, 2, 2)) if r.random() < 0.4 else (False, False),
        "open_end": tuple(bool(v) for v in r.integers(0, 2, 2)) if r.random() < 0.4 else (False, False),
    }
    return x, y, options, kind


def agree(seed: int, kernel: str) -> list[float]:
    """Both precisions against the twin; the relative distances of the float32 paths from the optimum."""
    x, y, options, kind = case(seed)
    best, best_path = twin.align(x, y, **options)
    misses = []
    for precision, tolerance in (("float32", 1e-6), ("float64", 1e-12)):
        found = engine.align(x, y, **options, precision=precision, kernel=kernel, upper=np.inf)
        if np.isinf(best):
            assert np.isinf(found.cost)
            assert len(found.path) == 0
            continue
        assert found.cost == pytest.approx(
            costs.path_cost(x, y, found.path, options["metric"], options["pattern"]), rel=1e-12
        )
        assert found.cost == pytest.approx(best, rel=tolerance, abs=1e-300)
        if kind == WHOLE_NUMBERS and options["metric"] in ("sqeuclidean", "manhattan"):
            np.testing.assert_array_equal(found.path, best_path)
        alone = engine.distance(x, y, **options, precision=precision, kernel=kernel)
        assert alone == pytest.approx(best, rel=1e-4 if precision == "float32" else 1e-11, abs=1e-12)
        if precision == "float32":
            misses.append(found.cost / best - 1 if best else found.cost)
    return misses


@needs_extension
@pytest.mark.parametrize("kernel", COMPILED)
def test_random_problems_agree_with_the_twin(kernel: str) -> None:
    for seed in range(CASES_A_KERNEL):
        agree(seed, kernel)


@needs_extension
@pytest.mark.hunt
@pytest.mark.parametrize("kernel", COMPILED)
def test_500_random_problems_and_at_most_one_in_20_off_by_more_than_rounding(kernel: str) -> None:
    misses = [miss for seed in range(1000, 1500) for miss in agree(seed, kernel)]
    assert sum(abs(miss) > 1e-12 for miss in misses) <= len(misses) / 20


@needs_extension
@pytest.mark.hunt
@pytest.mark.parametrize("seed", range(20))
def test_uniform_noise_of_1000_frames(seed: int) -> None:
    """The hardest case for float32: many paths of nearly the same cost."""
    r = np.random.default_rng(seed)
    x, y = r.random((1000, 12)), r.random((1000, 12))
    best = twin.distance(x, y)
    assert engine.align(x, y).cost == pytest.approx(best, rel=1e-6)
    assert engine.align(x, y, precision="float64").cost == pytest.approx(best, rel=1e-12)


@needs_extension
@given(
    arrays(np.float64, st.tuples(st.integers(1, 40), st.just(2)), elements=st.integers(-4, 4)),
    arrays(np.float64, st.tuples(st.integers(1, 40), st.just(2)), elements=st.integers(-4, 4)),
    st.sampled_from(engine.PATTERNS),
)
def test_whole_numbers_give_the_twins_path_ties_included(x: np.ndarray, y: np.ndarray, pattern: str) -> None:
    found = engine.align(x, y, metric="manhattan", pattern=pattern, upper=np.inf)
    cost, path = twin.align(x, y, metric="manhattan", pattern=pattern)
    assert found.cost == cost
    np.testing.assert_array_equal(found.path, path)


@needs_extension
@pytest.mark.parametrize("pattern", engine.PATTERNS)
@pytest.mark.parametrize("wide", [0, 1])
def test_any_tiling_and_any_nesting_give_the_same_path(pattern: str, wide: int) -> None:
    from mmcli.aligners.kernels import _dtw

    r = np.random.default_rng(5)
    x, y = r.integers(0, 4, (300, 3)).astype(float), r.integers(0, 4, (500, 3)).astype(float)
    allowed = corridor.band(300, 500, 120)
    best, best_path = twin.align(x, y, metric="sqeuclidean", pattern=pattern, corridor=allowed)
    path = np.empty((799, 2), dtype=np.int64)
    for rows, columns, group in [(64, 64, 1), (64, 64, 2), (64, 64, 3), (64, 128, 2), (128, 64, 5), (256, 512, 1)]:
        code = engine.PATTERNS.index(pattern)
        args = (x, y, path, allowed, 1, code, wide, 0, np.inf, 1, 0, None, rows, columns, group)
        cost, length = _dtw.align(*args)
        assert cost == best
        np.testing.assert_array_equal(path[:length], best_path)


@needs_extension
@pytest.mark.parametrize("options", [{}, {"pattern": "slope2"}, {"corridor": "band"}, {"open_end": (True, True)}])
def test_threads_change_no_byte(options: dict[str, Any]) -> None:
    r = np.random.default_rng(3)
    x, y = r.random((2600, 3)), r.random((2400, 3))
    if "corridor" in options:
        options = {"corridor": corridor.band(2600, 2400, 700)}
    one = engine.align(x, y, **options, jobs=1)
    for jobs in (2, 5):
        found = engine.align(x, y, **options, jobs=jobs)
        assert found.cost == one.cost
        np.testing.assert_array_equal(found.path, one.path)


@needs_extension
@pytest.mark.parametrize("width", [1, 4096])
def test_narrow_and_wide_frames(width: int) -> None:
    r = np.random.default_rng(width)
    x, y = r.normal(size=(70, width)), r.normal(size=(90, width))
    assert engine.align(x, y).cost == pytest.approx(twin.distance(x, y), rel=1e-6)


@needs_extension
@pytest.mark.parametrize("size", [1e30, 1e-30, 3e38])
def test_very_large_and_very_small_values_do_not_overflow_or_vanish(size: float) -> None:
    r = np.random.default_rng(1)
    x, y = r.random((50, 3)), r.random((60, 3))
    plain = engine.align(x, y)
    scaled = engine.align(x * size, y * size)
    assert scaled.cost == pytest.approx(plain.cost * size, rel=1e-6)
    np.testing.assert_array_equal(scaled.path, plain.path)


@needs_extension
def test_values_far_from_zero_keep_their_digits() -> None:
    """Around a million float32 has steps of 0.06; the path must not depend on that."""
    r = np.random.default_rng(1)
    x, y = r.random((200, 2)), r.random((220, 2))
    moved = engine.align(x + 1e6, y + 1e6)
    assert moved.cost == pytest.approx(twin.distance(x, y), rel=1e-6)


@needs_extension
def test_an_upper_bound_above_the_optimum_changes_nothing_and_one_below_says_so() -> None:
    r = np.random.default_rng(8)
    x = r.normal(size=(700, 4)).cumsum(axis=0)
    y = x[::2] + r.normal(0, 0.1, (350, 4))
    free = engine.align(x, y)
    tight = engine.align(x, y, upper=free.cost)
    assert tight.cost == free.cost
    np.testing.assert_array_equal(tight.path, free.path)
    none = engine.align(x, y, upper=free.cost * 0.9)
    assert np.isinf(none.cost)
    assert none.path.shape == (0, 2)
    assert np.isinf(engine.distance(x, y, upper=free.cost * 0.9))


@pytest.mark.parametrize("kernel", engine.kernels())
def test_zero_rows_under_cosine_match_each_other_and_nothing_else(kernel: str) -> None:
    zero, one, other = [0.0, 0.0], [2.0, 0.0], [0.0, -3.0]
    for a, b, cost in [(zero, zero, 0.0), (zero, one, 1.0), (other, zero, 1.0), (one, one, 0.0), (one, other, 1.0)]:
        found = engine.align(np.array([a]), np.array([b]), metric="cosine", kernel=kernel)
        assert found.cost == pytest.approx(cost, abs=1e-15)
        assert engine.distance(np.array([a]), np.array([b]), metric="cosine", kernel=kernel) == pytest.approx(
            cost, abs=1e-6
        )


@pytest.mark.parametrize("kernel", engine.kernels())
@pytest.mark.parametrize("pattern", engine.PATTERNS)
def test_a_planted_path_comes_back(kernel: str, pattern: str) -> None:
    """A sequence against itself, every step of the path known, and a piece found inside the whole."""
    x = np.random.default_rng(2).normal(size=(120, 3))
    same = engine.align(x, x, pattern=pattern, kernel=kernel)
    assert same.cost == 0
    np.testing.assert_array_equal(same.path, np.repeat(np.arange(120)[:, None], 2, axis=1))
    piece = engine.align(x[30:70], x, pattern=pattern, kernel=kernel, open_begin=(False, True), open_end=(False, True))
    np.testing.assert_array_equal(piece.path, np.column_stack([np.arange(40), np.arange(30, 70)]))
