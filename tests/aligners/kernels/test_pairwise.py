"""Distances between many series equal one warp after the other, the nearest is the nearest, UCR's figures come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.aligners.kernels import corridor, pairs_twin, pairwise, twin
from mmcli.aligners.kernels.bounds import Bounds
from mmcli.errors import InputError, MismatchError

SERIES = Path(__file__).parents[3].parent / "shared" / "data" / "align" / "s7_series"


@st.composite
def lists(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    d, longest = draw(st.integers(1, 3)), draw(st.integers(1, 14))
    xs = [rng.normal(size=(rng.integers(1, longest + 1), d)) for _ in range(draw(st.integers(1, 4)))]
    ys = [rng.normal(size=(rng.integers(1, longest + 1), d)) for _ in range(draw(st.integers(1, 11)))]
    if draw(st.booleans()):  # whole numbers: ties, and zero rows
        xs, ys = [np.round(x) for x in xs], [np.round(y) for y in ys]
    band = draw(st.sampled_from([None, 0.0, 0.2, 0.6]))
    return xs, ys, draw(st.sampled_from(sorted(twin.METRICS))), draw(st.sampled_from(sorted(twin.PATTERNS))), band


def one_by_one(xs, ys, metric, pattern, band):
    out = np.empty((len(xs), len(ys)))
    for i, x in enumerate(xs):
        for j, y in enumerate(ys):
            c = None if band is None else corridor.band(len(x), len(y), band * len(y))
            out[i, j] = twin.distance(x, y, metric=metric, pattern=pattern, corridor=c)
    return out


@pytest.fixture(params=["compiled", "twin"])
def kernels(request, monkeypatch):
    if request.param == "twin":
        monkeypatch.setattr(pairs_twin, "kernels", lambda: pairs_twin)
    else:
        pytest.importorskip("mmcli.aligners.kernels._pairs", reason="built without a compiler")


@pytest.mark.parametrize("name", ["compiled", "twin"])
@settings(deadline=None)
@given(lists())
def test_distances_and_nearest_equal_one_warp_after_the_other(name, case):
    xs, ys, metric, pattern, band = case
    with pytest.MonkeyPatch.context() as patch:
        if name == "twin":
            patch.setattr(pairs_twin, "kernels", lambda: pairs_twin)
        want = one_by_one(*case)
        got = pairwise.pairwise(xs, ys, metric=metric, pattern=pattern, band=band)
        found = pairwise.nearest(xs, ys, metric=metric, pattern=pattern, band=band)
    assert got == pytest.approx(want, rel=1e-12, abs=1e-13)
    best = got.min(axis=1)
    assert found.distance.tolist() == best.tolist()
    assert found.index.tolist() == np.where(best < np.inf, got.argmin(axis=1), -1).tolist()
    assert 0 <= found.pruned <= 1


@settings(deadline=None)
@given(lists())
def test_lower_bounds_are_never_above_the_distance(case):
    xs, ys, metric, pattern, band = case
    want = one_by_one(*case) * (2 if metric == "cosine" else 1)
    problem = pairwise._Problem(xs, ys, metric, pattern, band, False)
    for rows, columns, ranges in problem.groups(np.arange(len(xs))):
        bounds = Bounds.of(problem.y, problem.y_offsets, columns, metric, pattern, ranges)
        for i in rows:
            x = problem.x[problem.x_offsets[i] : problem.x_offsets[i + 1]]
            assert (bounds.against(x) <= want[i, columns] + 1e-12).all()


@pytest.mark.usefixtures("kernels")
def test_upper_gives_infinity_above_and_the_distance_below():
    rng = np.random.default_rng(1)
    xs = [rng.normal(size=(20, 2)) for _ in range(5)]
    full = pairwise.pairwise(xs, xs)
    limit = np.median(full, axis=1)
    cut = pairwise.pairwise(xs, xs, upper=limit)
    assert cut.tolist() == np.where(full <= limit[:, None], full, np.inf).tolist()


@pytest.mark.usefixtures("kernels")
def test_a_list_against_itself_is_mirrored_and_zero_on_the_diagonal():
    rng = np.random.default_rng(2)
    xs = [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, size=150)]
    got = pairwise.pairwise(xs)
    assert (got == got.T).all()
    assert (np.diag(got) == 0).all()
    assert got[:10].tolist() == pairwise.pairwise(xs[:10], xs).tolist()


def test_threads_give_the_same_bytes():
    rng = np.random.default_rng(3)
    xs, ys = ([rng.normal(size=n) for n in rng.integers(3, 40, size=30)] for _ in range(2))
    for f in (pairwise.pairwise, pairwise.nearest):
        one, two = (f(xs, ys, metric="manhattan", jobs=jobs) for jobs in (1, 2))
        one, two = (v if isinstance(v, np.ndarray) else v.distance for v in (one, two))
        assert one.tobytes() == two.tobytes()


def test_every_instruction_set_gives_the_same_bits():
    extension = pytest.importorskip("mmcli.aligners.kernels._pairs", reason="built without a compiler")
    rng = np.random.default_rng(4)
    xs, ys = ([rng.normal(size=(n, 3)) for n in rng.integers(1, 30, size=9)] for _ in range(2))
    for metric in twin.METRICS:
        for pattern in twin.PATTERNS:
            problem = pairwise._Problem(xs, ys, metric, pattern, None, False)
            seen = set()
            for kernel in ("avx512", "avx2", "base"):
                out = np.empty((9, 9))
                try:
                    extension.matrix(*problem.head, np.arange(9), np.arange(9), None, None, out, kernel)
                except ValueError:  # not on this machine
                    continue
                seen.add(out.tobytes())
            assert len(seen) == 1


def test_ties_go_to_the_lowest_index_and_the_planted_copy_is_found():
    rng = np.random.default_rng(5)
    ys = [rng.normal(size=(30, 4)) for _ in range(40)]
    ys[31] = ys[12]
    x = np.repeat(ys[12], 2, axis=0)
    found = pairwise.nearest([x], ys)
    assert found.index.tolist() == [12]
    assert found.distance.tolist() == [0.0]
    assert found.pruned > 0.5


@pytest.mark.parametrize(
    ("xs", "ys", "error", "words"),
    [
        ([], [[1.0]], InputError, "no series"),
        ([[]], [[1.0]], InputError, "shape"),
        ([[np.nan]], [[1.0]], InputError, "NaN"),
        ([[1.0]], [[[1.0, 2.0]]], MismatchError, "values a frame"),
        ([[1.0], [[1.0, 2.0]]], [[1.0]], MismatchError, "values a frame"),
    ],
)
def test_what_is_refused_is_named(xs, ys, error, words):
    with pytest.raises(error, match=words):
        pairwise.pairwise(xs, ys)


def test_the_extension_refuses_arrays_that_do_not_fit():
    extension = pytest.importorskip("mmcli.aligners.kernels._pairs", reason="built without a compiler")
    head = (np.zeros((4, 1)), np.array([0, 2, 4]), np.zeros((3, 1)), np.array([0, 3]), 1, 0, 0)
    rows, columns, out = np.arange(2), np.arange(1), np.empty((2, 1))
    extension.matrix(*head, rows, columns, None, None, out)
    with pytest.raises(ValueError, match="fit"):
        extension.matrix(*head, rows + 1, columns, None, None, out)
    with pytest.raises(ValueError, match="fit"):
        extension.matrix(*head, rows, columns, None, None, out[:1])
    with pytest.raises(ValueError, match="fit"):
        extension.matrix(*head[:1], np.array([0, 2, 5]), *head[2:], rows, columns, None, None, out)
    with pytest.raises(ValueError, match="fit"):
        extension.matrix(*head, rows, columns, np.array([[0, 3], [1, 4]]), None, out)


def read_ts(path):
    """Series and labels of a UCR .ts file: values, then a colon, then the label."""
    lines = [s for s in path.read_text().splitlines() if s.strip() and s[0] not in "@#"]
    parts = [s.strip().rsplit(":", 1) for s in lines]
    return [np.array([float(v) for v in values.split(",")]) for values, _ in parts], np.array([k for _, k in parts])


@pytest.mark.skipif(not SERIES.is_dir(), reason="needs the UCR series in ../shared/data/align/s7_series")
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("name", "published"), [("GunPoint", 0.9067), ("ItalyPowerDemand", 0.9504)])
def test_one_nearest_neighbour_gives_the_published_accuracy(name, published):
    """Squared differences, root of the sum, no band (Bagnall et al., column DTW_R1_1NN)."""
    (train, labels), (test, truth) = (read_ts(SERIES / f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
    found = pairwise.nearest(test, train, metric="sqeuclidean", root=True)
    assert round(float((labels[found.index] == truth).mean()), 4) == published
