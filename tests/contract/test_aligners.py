"""What every alignment method keeps, whoever wrote it: a new file in mmcli/aligners is held to it at once."""

from __future__ import annotations

import dataclasses
import functools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli import aligners
from mmcli.aligners.kernels import costs
from mmcli.artifacts.formats import alignment
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MmcliError
from mmcli.media import open_clip
from mmcli.media.clips import AudioClip, SubtitleClip, TextClip, VideoClip

METHODS = aligners.registry.names()
KINDS = ("audio", "video", "text", "subtitle", "features")
FRAMES = ("features", "features")
OF_FRAMES = [name for name in METHODS if FRAMES in aligners.registry.load(name).ACCEPTS]
CASES = [(name, kinds) for name in METHODS for kinds in aligners.registry.load(name).ACCEPTS]
RATE, FPS = 16_000, 12


def walk(frames: int, seed: int = 0, dims: int = 3) -> np.ndarray:
    """A smooth random curve, float64 (frames, dims)."""
    return np.random.default_rng(seed).standard_normal((frames, dims)).cumsum(axis=0)


@pytest.fixture(params=OF_FRAMES)
def method(request: pytest.FixtureRequest) -> Any:
    """Every method that takes frames."""
    return aligners.registry.load(request.param)


class Made:
    """A small pair that belongs together of every two kinds that methods accept, made when it is first asked for."""

    def __init__(self, sample_data: Path) -> None:
        self.reading = sample_data / "reading"
        rng = np.random.default_rng(1)
        self.hits = np.cumsum(0.3 + rng.exponential(0.6, 40))
        self.hits = self.hits[self.hits < 19.5]
        pauses, lengths = rng.uniform(0.4, 2.0, 12), rng.uniform(0.8, 3.0, 12)
        starts = np.cumsum(pauses + np.concatenate([[0.0], lengths[:-1]]))
        self.cues = list(zip(starts.tolist(), (starts + lengths).tolist(), "abcdefghijkl", strict=True))
        self.noise = rng.standard_normal(60 * RATE).astype(np.float32)

    @functools.cache  # noqa: B019 - it lives as long as the module
    def pair(self, kinds: tuple[str, str]) -> tuple[Any, Any]:
        """Reference and query."""
        match kinds:
            case "audio", "audio":
                samples = self.speech.samples(RATE)
                return AudioClip.from_array(samples[: 14 * RATE], RATE), AudioClip.from_array(samples[2 * RATE :], RATE)
            case "features", "features":
                return walk(60), walk(60)[4:54]
            case "audio", "text":
                text = (self.reading / "transcript.txt").read_text()
                return self.speech, TextClip(name="text", text=text)
            case ("video", "audio") | ("audio", "video"):
                sides = {"video": self.film(), "audio": self.loud(self.hits, self.hits + 0.1, 20.0)}
                return sides[kinds[0]], sides[kinds[1]]
            case _:
                starts, ends, _ = zip(*self.cues, strict=True)
                late = [(a + 3.0, b + 3.0, text) for a, b, text in self.cues]
                speech = self.loud(np.array(starts), np.array(ends), ends[-1] + 2.0)
                sides = {"audio": speech, "subtitle": SubtitleClip(name="cues", cues=self.cues)}
                other = SubtitleClip(name="late", cues=late)
                return sides[kinds[0]], other if kinds[1] == "subtitle" else sides[kinds[1]]

    @functools.cached_property
    def speech(self) -> AudioClip:
        """The reading, sixteen seconds of it."""
        clip = open_clip(self.reading / "reading.flac", "audio")
        return AudioClip.from_array(clip.samples(RATE), RATE)

    def loud(self, starts: np.ndarray, ends: np.ndarray, seconds: float) -> AudioClip:
        """Noise that is loud between starts and ends."""
        t = np.arange(int(seconds * RATE)) / RATE
        inside = np.searchsorted(starts, t, side="right") > np.searchsorted(ends, t, side="right")
        return AudioClip.from_array(self.noise[: len(t)] * np.where(inside, 0.2, 0.002).astype(np.float32), RATE)

    def film(self) -> VideoClip:
        """A screen that flashes at the hits."""
        t = np.arange(20 * FPS) / FPS
        since = t - np.concatenate([[-9.0], self.hits])[np.searchsorted(self.hits, t, side="right")]
        grey = (60 + 150 * np.exp(-8 * since)).astype(np.uint8)
        return VideoClip.from_array(np.broadcast_to(grey[:, None, None, None], (len(t), 16, 16, 3)), FPS)


@pytest.fixture(scope="module")
def made(sample_data: Path) -> Made:
    return Made(sample_data)


@pytest.fixture(scope="module")
def first() -> dict[Any, Any]:
    """The first alignment of every case: it is asked for by several tests."""
    return {}


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1][0]}-{case[1][1]}")
def case(request: pytest.FixtureRequest, made: Made, first: dict[Any, Any]) -> tuple[Any, Any, Any, Any]:
    """Every method with all that it accepts: the method, the two inputs, and their alignment."""
    name, kinds = request.param
    method, (x, y) = aligners.registry.load(name), made.pair(kinds)
    if request.param not in first:
        first[request.param] = method.align(x, y)
    return method, x, y, first[request.param]


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
        wanted = costs.path_cost(x, y, found.path, config.metric, pattern)
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


def test_the_same_inputs_give_the_same_bytes(case: tuple[Any, Any, Any, Any]) -> None:
    method, x, y, alignment_ = case
    assert alignment.dumps(method.align(x, y)) == alignment.dumps(alignment_)


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


def test_an_alignment_survives_the_file(case: tuple[Any, Any, Any, Any]) -> None:
    method, x, _, made = case
    again = alignment.loads(alignment.dumps(made), "map.json")
    assert again.model == made.model
    assert np.array_equal(again.knots, made.knots)
    assert again.method["name"] == name_of(method)
    assert made.reference["duration_s"] == pytest.approx(len(x) if isinstance(x, np.ndarray) else length_of(x))


def length_of(clip: Any) -> float:
    return float(clip.cues[-1][1] if isinstance(clip, SubtitleClip) else clip.duration_s)


def test_the_configuration_is_written_down_whole_and_can_be_used_again(case: tuple[Any, Any, Any, Any]) -> None:
    method, _, _, made = case
    config = method.Config()
    assert made.method["config"] == provenance.config_dict(config)
    assert method.Config(**made.method["config"]) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.anything = None


def test_results_and_configurations_travel_between_processes(case: tuple[Any, Any, Any, Any]) -> None:
    method, _, _, made = case
    assert alignment.dumps(pickle.loads(pickle.dumps(made))) == alignment.dumps(made)
    assert pickle.loads(pickle.dumps(method.Config())) == method.Config()


@pytest.mark.parametrize("name", METHODS)
def test_methods_say_what_they_accept_and_refuse_everything_else_in_one_line(name: str, made: Made) -> None:
    method = aligners.registry.load(name)
    assert method.ACCEPTS
    assert {kind for kinds in method.ACCEPTS for kind in kinds} <= set(KINDS)
    one = {
        "audio": made.speech,
        "video": made.film(),
        "text": TextClip(name="a.txt", text="so it goes"),
        "subtitle": SubtitleClip(name="a.srt", cues=made.cues),
        "features": walk(60),
    }
    for a in KINDS:
        for b in KINDS:
            if (a, b) not in method.ACCEPTS:
                with pytest.raises(MmcliError) as refused:
                    method.align(one[a], one[b])
                assert refused.value.exit_code == 4, (a, b)
                assert "\n" not in refused.value.what
    assert method.align.__doc__
    assert method.Config.__doc__
