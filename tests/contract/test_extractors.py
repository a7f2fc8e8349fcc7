"""What every extractor promises. A new one is covered by being there."""

from __future__ import annotations

import copy
import json
import pickle
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mmcli import extractors
from mmcli.artifacts.formats import features
from mmcli.artifacts.io import provenance
from mmcli.errors import MmcliError, UsageError
from mmcli.media.clips import AudioClip, ImageClip, SeriesClip, TableClip, TextClip, VideoClip

ALL = [f"{m}.{n}" for m in extractors.MODALITIES for n in extractors.registry(m).names()]


def learned(name: str) -> bool:
    """Encoders that take their weights from a file have no meaning without one; tests/extractors covers them."""
    return bool(getattr(extractors.load(name), "NEEDS_FILE", False))


NAMES = [n for n in ALL if not learned(n)]
LEARNING = [n for n in NAMES if extractors.load(n).FITTED]
IN_BLOCKS = [n for n in NAMES if n.startswith("audio.") and extractors.load(n).LONG != "whole"]


def clips(modality: str) -> list[Any]:
    """A few ordinary clips of a modality, the same at each call."""
    rng = np.random.default_rng(5)
    if modality == "audio":
        t = np.arange(12000) / 8000
        tone = 0.4 * np.sin(2 * np.pi * (200 + 300 * t) * t) * (t > 0.2) + 0.01 * rng.standard_normal(12000)
        return [AudioClip.from_array(tone, 8000, "tone"), AudioClip.from_array(rng.standard_normal(3000), 16000, "n")]
    if modality == "image":
        return [ImageClip.from_array(rng.random((50, 40, 3)), "rgb"), ImageClip.from_array(rng.random((20, 90)), "g")]
    if modality == "video":
        return [VideoClip.from_array(rng.integers(0, 256, (12, 40, 60, 3)).astype(np.uint8), 10.0, "v")]
    if modality == "text":
        return [TextClip(name="a", text="Odd, and larger than four."), TextClip(name="b", text="日本語 हिन्दी or none")]
    if modality == "series":
        return [SeriesClip.from_array(rng.standard_normal((40, 3)), 10.0), SeriesClip.from_array([[1.0, 2.0]], 1.0)]
    numbers = {"age": 3.0, "height": None}
    return [
        TableClip(name="r", numbers={"age": 1.0, "height": 2.0}, categories={"sex": "f"}),
        TableClip(name="s", numbers=numbers, categories={"sex": None}),
    ]


def shortest(modality: str) -> Any:
    """The least that is still something."""
    return {
        "audio": lambda: AudioClip.from_array([0.5], 16000),
        "image": lambda: ImageClip.from_array([[0.5]]),
        "video": lambda: VideoClip.from_array(np.zeros((1, 1, 1, 3), np.uint8), 25.0),
        "text": lambda: TextClip(name="one", text="a"),
        "series": lambda: SeriesClip.from_array([1.0], 1.0),
        "table": lambda: TableClip(name="one", numbers={"age": 1.0}),
    }[modality]()


def uniform(modality: str) -> Any:
    """Silence, black, the same word or number again and again."""
    return {
        "audio": lambda: AudioClip.from_array(np.zeros(9000), 16000),
        "image": lambda: ImageClip.from_array(np.zeros((30, 30, 3))),
        "video": lambda: VideoClip.from_array(np.zeros((5, 8, 8, 3), np.uint8), 25.0),
        "text": lambda: TextClip(name="one", text="a a a a"),
        "series": lambda: SeriesClip.from_array(np.ones((9, 2)), 1.0),
        "table": lambda: TableClip(name="one", numbers={"age": 0.0}),
    }[modality]()


def content(clip: Any) -> Any:
    """What a clip holds, as values that can be compared."""
    if isinstance(clip, AudioClip):
        return clip.samples().copy()
    if isinstance(clip, VideoClip):
        return np.stack([f for _, f in clip.frames()])
    return copy.deepcopy({k: v for k, v in vars(clip).items() if k not in ("source", "decode")})


def run(module: ModuleType, clip: Any, config: Any = None) -> features.Features:
    modality = module.__name__.split(".")[-2]
    config = module.Config() if config is None else config
    state = module.fit(clips(modality), config) if extractors.is_fitted(module) else None
    found = extractors.run(module, clip, config, state)
    assert isinstance(found, features.Features)
    return found


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


@pytest.fixture(params=NAMES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return extractors.load(request.param)


def modality_of(module: ModuleType) -> str:
    return module.__name__.split(".")[-2]


def test_declares_how_it_treats_long_input_what_it_gives_and_whether_it_learns(module: ModuleType) -> None:
    assert module.LONG in ("streams", "two-pass", "whole")
    assert module.KIND in features.KINDS
    assert isinstance(module.FITTED, bool)
    assert (module.__doc__ or "").strip()
    assert (module.extract.__doc__ or "").strip()


def test_gives_checked_float32_features_that_say_where_they_come_from(module: ModuleType) -> None:
    for clip in clips(modality_of(module)):
        found = run(module, clip)
        assert found.values.dtype == np.float32
        assert found.times.dtype == np.float64
        assert found.meta["modality"] == modality_of(module)
        assert found.meta["extractor"] == module.__name__.rpartition(".")[2]
        assert found.meta["config_sha256"] == provenance.config_sha256(found.meta["config"])
        assert features.loads(features.dumps(found), "x").meta == found.meta


def test_gives_the_same_bytes_twice(module: ModuleType) -> None:
    for clip in clips(modality_of(module)):
        assert features.dumps(run(module, clip)) == features.dumps(run(module, clip))


def test_all_clips_get_the_same_width(module: ModuleType) -> None:
    assert len({run(module, clip).values.shape[1:] for clip in clips(modality_of(module))}) == 1 or (
        modality_of(module) == "series"  # a series has the columns of its file
    )


def test_takes_the_shortest_input(module: ModuleType) -> None:
    assert run(module, shortest(modality_of(module))).frames >= 1


def test_takes_an_input_without_any_change_in_it(module: ModuleType) -> None:
    assert np.isfinite(run(module, uniform(modality_of(module))).values).all()


def test_leaves_its_input_as_it_was(module: ModuleType) -> None:
    for clip in clips(modality_of(module)):
        before = content(clip)
        run(module, clip)
        assert same(before, content(clip))


def test_refuses_an_empty_input_or_nan_with_a_typed_error(module: ModuleType) -> None:
    nothing = {
        "audio": [lambda: AudioClip.from_array([], 8000), lambda: AudioClip.from_array([0.0, np.nan], 8000)],
        "image": [lambda: ImageClip.from_array(np.zeros((0, 4))), lambda: ImageClip.from_array([[np.nan]])],
        "video": [lambda: VideoClip.from_array(np.zeros((0, 4, 4, 3), np.uint8), 25.0)],
        "text": [lambda: TextClip(name="e", text=""), lambda: TextClip(name="e", text=" \n ")],
        "series": [lambda: SeriesClip.from_array([], 1.0), lambda: SeriesClip.from_array([np.inf], 1.0)],
        "table": [lambda: TableClip(name="e", numbers={"age": float("nan")})],
    }
    for make in nothing[modality_of(module)]:
        with pytest.raises(MmcliError):
            run(module, make())


def test_the_configuration_survives_json_and_pickling(module: ModuleType) -> None:
    config = module.Config()
    written = json.loads(json.dumps(provenance.config_dict(config)))
    assert extractors.configured(module, written) == config
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(UsageError):
        extractors.configured(module, {"no_such_field": 1})
    with pytest.raises(AttributeError):  # frozen
        config.something = 1


@pytest.mark.parametrize("name", LEARNING)
def test_a_state_is_plain_json(name: str) -> None:
    module = extractors.load(name)
    modality = modality_of(module)
    state = module.fit(clips(modality), module.Config())
    again = json.loads(json.dumps(state, allow_nan=False))
    for clip in clips(modality):
        one = module.extract(clip, module.Config(), state)
        two = module.extract(clip, module.Config(), again)
        assert features.dumps(one) == features.dumps(two)


@pytest.mark.parametrize("seconds", [0.003, 0.1, 0.77])
@pytest.mark.parametrize("name", IN_BLOCKS)
def test_the_block_size_changes_nothing(name: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    module = extractors.load(name)
    from mmcli.extractors import sound

    whole = [features.dumps(run(module, clip)) for clip in clips("audio")]
    monkeypatch.setattr(sound, "BLOCK_S", seconds)
    assert [features.dumps(run(module, clip)) for clip in clips("audio")] == whole


def test_every_numeric_field_refuses_nonsense(module: ModuleType) -> None:
    """A field that takes any number at all is not validated."""
    import dataclasses

    for field in dataclasses.fields(module.Config):
        value = getattr(module.Config(), field.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        with pytest.raises(UsageError):
            dataclasses.replace(module.Config(), **{field.name: -1e12})
