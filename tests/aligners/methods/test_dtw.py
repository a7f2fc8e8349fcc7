"""`align --method dtw` as a library function: conventions of other tools, bands, a prior map, open ends, bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.aligners.methods import dtw
from mmcli.artifacts.formats import alignment, timemap
from mmcli.artifacts.formats.features import Features
from mmcli.errors import InputError, MismatchError, UsageError

RNG = np.random.default_rng(7)
CURVE = RNG.normal(size=(400, 3)).cumsum(axis=0)


def features(values: np.ndarray, rate: float) -> Features:
    meta = {"schema": "mmcli/features@1", "mmcli": "0"}
    return Features(values.astype(np.float32), np.arange(len(values)) / rate, meta)


def plain(x: np.ndarray, y: np.ndarray, squared: bool, diagonal: float = 1.0) -> float:
    """The textbook recurrence, cell by cell."""
    e = x[:, None] - y[None]
    c = (e * e).sum(-1) if squared else np.sqrt((e * e).sum(-1))
    total = np.full((len(x) + 1, len(y) + 1), np.inf)
    for i in range(len(x)):
        for j in range(len(y)):
            before = min(total[i, j] + diagonal * c[i, j], total[i, j + 1] + c[i, j], total[i + 1, j] + c[i, j])
            total[i + 1, j + 1] = c[0, 0] if i == j == 0 else before
    return float(total[-1, -1])


@pytest.mark.parametrize(
    ("fields", "squared", "diagonal", "reported"),
    [
        ({}, False, 1.0, lambda cost, path: cost),  # librosa, fastdtw
        ({"metric": "sqeuclidean", "report": "root"}, True, 1.0, lambda cost, path: cost**0.5),  # dtaidistance, tslearn
        ({"pattern": "symmetric2"}, False, 2.0, lambda cost, path: cost),  # dtw-python
        ({"report": "mean"}, False, 1.0, lambda cost, path: cost / len(path)),
    ],
)
def test_the_cost_can_be_that_of_other_tools(
    fields: dict[str, Any], squared: bool, diagonal: float, reported: Any
) -> None:
    x, y = CURVE[:40], CURVE[5:60:2]
    found = dtw.align(x, y, dtw.Config(**fields))
    assert found.cost == pytest.approx(reported(plain(x, y, squared, diagonal), found.path), rel=1e-12)
    if fields.get("report") != "mean":
        assert dtw.distance(x, y, dtw.Config(**fields)) == pytest.approx(found.cost, rel=1e-5)


def test_librosa_finds_the_same() -> None:
    librosa = pytest.importorskip("librosa")
    x, y = CURVE[:120], CURVE[3:200:2]
    costs, path = librosa.sequence.dtw(x.T, y.T)
    found = dtw.align(x, y)
    assert found.cost == pytest.approx(costs[-1, -1], rel=1e-12)
    np.testing.assert_array_equal(found.path, path[::-1])


def test_float64_input_keeps_its_digits() -> None:
    """In float32 the two sides would be equal and the cost 0."""
    x = np.array([[1.0], [2.0]])
    assert dtw.align(x, x + 1e-9).cost == pytest.approx(2e-9, rel=1e-6)


def test_column_0_of_the_path_is_the_reference_and_the_map_follows_the_clocks() -> None:
    reference, query = features(CURVE[::2], 10.0), features(CURVE, 100.0)
    found = dtw.align(reference, query)
    assert found.path[:, 0].max() == 199
    assert found.path[:, 1].max() == 399
    at = timemap.TimeMap(found).to_query(np.array([5.0, 15.0]))
    np.testing.assert_allclose(at, [1.0, 3.0], atol=0.02)


@pytest.mark.parametrize("fields", [{"band": 0.2}, {"band_s": 0.8}])
def test_a_band_keeps_the_path_near_the_diagonal(fields: dict[str, float]) -> None:
    """A fifth of 4 s of query: 40 frames on either side."""
    x, y = features(CURVE[:400], 100.0), features(np.roll(CURVE, 90, axis=0), 100.0)
    path = dtw.align(x, y, dtw.Config(**fields)).path
    assert abs(path[:, 0] - path[:, 1]).max() == 40


def test_a_corridor_follows_an_earlier_map_across_rates(tmp_path: Path) -> None:
    """The path may not leave the map by more than was asked for, also where the whole matrix would be cheaper."""
    coarse = dtw.align(features(CURVE[::8], 5.0), features(CURVE[::8], 5.0))
    alignment.save(tmp_path / "prior.json", coarse)
    config = dtw.Config(around=str(tmp_path / "prior.json"), within_s=0.25)
    x, y = features(CURVE, 40.0), features(np.repeat(np.roll(CURVE, 60, axis=0), 2, axis=0), 80.0)
    found = dtw.align(x, y, config)
    assert abs(found.path[:, 0] / 40 - found.path[:, 1] / 80).max() <= 0.25 + 1 / 40
    assert found.cost > dtw.align(x, y).cost
    assert str(tmp_path) not in str(found.method)
    assert found.method["config"]["around"].startswith("sha256:")


def test_a_map_of_other_times_is_no_help(tmp_path: Path) -> None:
    alignment.save(tmp_path / "prior.json", dtw.align(features(CURVE, 100.0), features(CURVE, 100.0)))
    late = dataclasses.replace(features(CURVE, 100.0), times=np.arange(400) / 100 + 1000)
    with pytest.raises(MismatchError, match="says nothing"):
        dtw.align(late, features(CURVE, 100.0), dtw.Config(around=str(tmp_path / "prior.json")))


def test_open_ends_find_a_piece_in_the_whole() -> None:
    query_inside = dtw.align(CURVE, CURVE[100:160], dtw.Config(open_begin="reference", open_end="reference"))
    np.testing.assert_array_equal(query_inside.path, np.column_stack([np.arange(100, 160), np.arange(60)]))
    overlap = dtw.align(CURVE[:250], CURVE[150:], dtw.Config(open_begin="reference", open_end="query"))
    np.testing.assert_array_equal(overlap.path, np.column_stack([np.arange(150, 250), np.arange(100)]))


@pytest.mark.parametrize("report", ["sum", "root", "mean"])
def test_fast_says_what_is_known_of_the_optimum(report: Any) -> None:
    x = RNG.normal(size=(4200, 2)).cumsum(axis=0)
    y = x[np.clip(np.arange(4300) - 50, 0, 4199)] + RNG.normal(0, 0.1, (4300, 2))
    found = dtw.align(x, y, dtw.Config(fast=True, report=report))
    best = dtw.align(x, y, dtw.Config(report=report))
    assert found.cost - found.bound <= best.cost * (1 + 1e-9)
    assert best.cost <= found.cost * (1 + 1e-9)
    assert found.exact == (found.bound == 0)
    assert best.exact is None
    assert best.bound is None


def test_matches_are_the_places_of_the_query_in_the_reference() -> None:
    clip = RNG.normal(size=(40, 3))
    reference = RNG.normal(size=(500, 3))
    reference[100:140] = clip
    reference[300:340] = clip + 0.01
    found = dtw.align(features(reference, 10.0), features(clip, 10.0), dtw.Config(matches=2))
    assert [(m["start"], m["end"]) for m in found.matches] == [(10.0, 13.9), (30.0, 33.9)]
    assert found.matches[0]["cost"] == found.cost == 0.0
    np.testing.assert_array_equal(found.path, np.column_stack([np.arange(100, 140), np.arange(40)]))
    assert alignment.loads(alignment.dumps(found), "map").matches == found.matches


def test_a_query_that_fits_nowhere_is_a_mismatch() -> None:
    with pytest.raises(MismatchError, match="nowhere"):
        dtw.align(CURVE[:10], CURVE, dtw.Config(matches=1))


def test_threads_and_memory_change_no_byte_of_the_map() -> None:
    x, y = RNG.random((2100, 2)), RNG.random((2000, 2))
    one = dtw.align(x, y, dtw.Config(jobs=1))
    assert alignment.dumps(dtw.align(x, y, dtw.Config(jobs=3, memory_mb=50.0))) == alignment.dumps(one)


def test_what_does_not_fit_is_refused_before_the_run() -> None:
    x = np.zeros((5000, 4))
    assert dtw.plan(x, x).memory > 300_000
    for run in (dtw.plan, dtw.align):
        with pytest.raises(InputError, match=r"more than the 0\.3 MB allowed"):
            run(x, x, dtw.Config(memory_mb=0.3))


@pytest.mark.parametrize(
    "fields",
    [
        {"band": 0.0},
        {"band_s": -1.0},
        {"jobs": 0},
        {"within_s": -0.1},
        {"band": 0.1, "band_s": 2.0},
        {"matches": -1},
        {"matches": 2, "fast": True},
        {"fast": True, "band": 0.1},
        {"matches": 2, "open_end": "both"},
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        dtw.Config(**fields)


def test_the_mean_needs_a_path() -> None:
    with pytest.raises(UsageError, match="needs the path"):
        dtw.distance(CURVE, CURVE, dtw.Config(report="mean"))
