"""What every alignment method keeps, whoever wrote it: a new file in mmcli/aligners is held to it at once."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from mmcli import aligners
from mmcli.aligners.kernels import twin
from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError

METHODS = aligners.registry.names()


def walk(frames: int, seed: int = 0, dims: int = 3) -> np.ndarray:
    """A smooth random curve, float64 (frames, dims)."""
    return np.random.default_rng(seed).standard_normal((frames, dims)).cumsum(axis=0)


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Any:
    return aligners.registry.load(request.param)


def name_of(method: Any) -> str:
    return method.__name__.rpartition(".")[2]


@pytest.mark.parametrize(("n", "m"), [(60, 60), (60, 45), (45, 60)])
def test_a_path_leads_from_the_first_pair_to_the_last_without_going_back(method: Any, n: int, m: int) -> None:
    found = method.align(walk(n), walk(m))
    if found.path is None:
        assert found.model in ("offset", "affine", "piecewise")
        return
    assert found.path.dtype == np.int64
    assert found.path[0].tolist() == [0, 0]
    assert found.path[-1].tolist() == [n - 1, m - 1]
    steps = np.diff(found.path, axis=0)
    assert np.all(steps >= 0)
    assert np.all(steps.sum(axis=1) > 0)


def test_the_cost_is_the_sum_along_the_path(method: Any) -> None:
    """For methods with a metric; the hidden Markov model's own sum is tested beside it."""
    x, y = walk(50), walk(50) + np.random.default_rng(1).standard_normal((50, 3))
    config = method.Config()
    found = method.align(x, y, config)
    assert found.cost is not None
    assert np.isfinite(found.cost)
    if hasattr(config, "metric"):
        pattern = getattr(config, "pattern", "symmetric1")
        wanted = twin.path_cost(x, y, found.path, config.metric, pattern)
        assert found.cost == pytest.approx(wanted, rel=1e-9)


def test_a_curve_and_itself_lie_on_the_diagonal(method: Any) -> None:
    x = walk(80)
    m = TimeMap(method.align(x, x))
    t = np.arange(5.0, 75.0)
    assert np.abs(m.to_query(t) - t).max() < 0.1


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (np.array([[np.nan, 0.0, 0.0]] * 20), "NaN"),
        (np.array([[0.0, np.inf, 0.0]] * 20), "infinite"),
        (np.empty((0, 3)), "empty"),
        (np.empty((20, 0)), "empty"),
        (walk(20, dims=2), "2 values"),
        (np.array([["a", "b", "c"]]), "numbers"),
    ],
)
def test_what_cannot_be_aligned_is_refused_in_one_line(method: Any, bad: np.ndarray, word: str) -> None:
    if word == "2 values" and getattr(method, "WIDTHS", "same") == "any":
        pytest.skip("takes two kinds")
    for x, y in ((walk(20), bad), (bad, walk(20))):
        with pytest.raises(InputError) as refused:
            method.align(x, y)
        assert word in refused.value.what
        assert "\n" not in refused.value.what


def test_the_same_inputs_give_the_same_bytes(method: Any) -> None:
    x, y = walk(60), walk(60)[4:54]
    first, second = (alignment.dumps(method.align(x, y)) for _ in range(2))
    assert first == second


def test_inputs_stay_as_they_are(method: Any) -> None:
    x, y = walk(60), walk(60)[4:54]
    kept = x.copy(), y.copy()
    method.align(x, y)
    assert np.array_equal(x, kept[0])
    assert np.array_equal(y, kept[1])


def test_features_and_arrays_say_the_same_up_to_the_clock(method: Any) -> None:
    x, y = walk(60).astype(np.float32), walk(60).astype(np.float32)
    plain = method.align(x, y)
    clock = np.arange(60) / 50.0
    timed = method.align(Features(x, clock, {}), Features(y, clock, {}))
    if plain.path is not None:
        assert np.array_equal(plain.path, timed.path)
    assert np.allclose(timed.knots[[0, -1]], plain.knots[[0, -1]] / 50.0, atol=0.01)


def test_what_was_found_survives_the_file(method: Any) -> None:
    found = method.align(walk(60), walk(60))
    again = alignment.loads(alignment.dumps(found), "map.json")
    assert again.model == found.model
    assert np.array_equal(again.knots, found.knots)
    assert again.method["name"] == name_of(method)
    assert found.reference["duration_s"] == 60.0


def test_the_configuration_is_written_down_whole_and_can_be_used_again(method: Any) -> None:
    config = method.Config()
    found = method.align(walk(60), walk(60), config)
    assert found.method["config"] == provenance.config_dict(config)
    assert method.Config(**found.method["config"]) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, None)


def test_results_and_configurations_travel_between_processes(method: Any) -> None:
    found = pickle.loads(pickle.dumps(method.align(walk(40), walk(40))))
    assert found.method["name"] == name_of(method)
    assert pickle.loads(pickle.dumps(method.Config())) == method.Config()


def test_methods_say_what_they_take(method: Any) -> None:
    assert set(method.INPUTS) <= {"audio", "features"}
    assert method.align.__doc__
    assert method.Config.__doc__
