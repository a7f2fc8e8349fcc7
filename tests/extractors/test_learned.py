"""Encoders from files: their numbers are the libraries' own, and the same model is the same model anywhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import features
from mmcli.errors import ArtifactError, InputError, MissingError, UsageError
from mmcli.extractors import configured, load, weights
from mmcli.extractors.learned import onnx, torchscript
from mmcli.media.clips import AudioClip, ImageClip, SeriesClip, TextClip, VideoClip

needs_onnx = pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="needs the extra onnx")


def sound(seconds: float = 2.0, rate: int = 16_000) -> AudioClip:
    rng = np.random.default_rng(3)
    return AudioClip.from_array(rng.standard_normal(int(seconds * rate)).astype(np.float32) * 0.1, rate)


@pytest.fixture
def averages(traced: Callable[..., Any]) -> tuple[Path, Any]:
    """Of samples (items, n): mean and mean square."""
    import torch

    class Averages(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.stack([x.mean(1), x.square().mean(1)], dim=1)

    found: tuple[Path, Any] = traced(Averages(), torch.zeros(1, 500))
    return found


@needs_onnx
def test_onnx_gives_what_its_weights_say(onnx_steps: Callable[..., Any]) -> None:
    path, matrix = onnx_steps()
    clip = sound()
    before = load("logmel").extract(clip).values

    steps = onnx.extract(clip, onnx.Config(str(path), of="logmel", pool="none"))
    vector = onnx.extract(clip, onnx.Config(str(path), of="logmel"))

    assert np.abs(steps.values - np.tanh(before @ matrix)).max() < 1e-5
    assert np.abs(vector.values[0] - np.tanh(before @ matrix).mean(axis=0)).max() < 1e-5
    assert steps.meta["kind"] == "sequence"
    assert vector.meta["kind"] == "vector"
    assert np.abs(steps.times - load("logmel").extract(clip).times).max() < 1e-9


@needs_onnx
def test_pictures_and_the_frames_of_a_video_share_a_model(onnx_picture: tuple[Path, np.ndarray]) -> None:
    path, matrix = onnx_picture
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (9, 20, 30, 3)).astype(np.uint8)

    film = onnx.extract(VideoClip.from_array(frames, 4.0), onnx.Config(str(path), rate=4.0, batch=4))
    alone = [onnx.extract(ImageClip.from_array(frame), onnx.Config(str(path))).values for frame in frames]

    small = load("pixels").extract(ImageClip.from_array(frames[0])).values[0]
    assert np.abs(alone[0][0] - small.mean(axis=(0, 1)) @ matrix[:, :, 0, 0].T).max() < 1e-5
    assert np.abs(film.values - np.concatenate(alone)).max() < 1e-5
    assert film.times.tolist() == [i / 4 for i in range(9)]


def test_a_program_that_only_a_model_names_is_not_run(
    averages: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint keeps name and hash; the file lies beside it. Naming it, or --allow-programs, asks for it."""
    asked = torchscript.Config(str(averages[0]))
    monkeypatch.setenv(weights.PROGRAMS, "")
    torchscript._loaded.cache_clear()
    named_by_a_model = torchscript.Config(asked.file, asked.sha256)

    with pytest.raises(InputError, match="is a program that the model asks for"):
        torchscript.extract(sound(), named_by_a_model)
    weights.allow_program("0" * 64)  # another one
    with pytest.raises(InputError, match="is a program"):
        torchscript.ready(named_by_a_model)
    weights.allow_program("all")
    assert torchscript.extract(sound(), named_by_a_model).width == 2


def test_samples_are_cut_into_windows_and_every_sample_counts_once(averages: tuple[Path, Any]) -> None:
    clip = sound(7.3)
    whole = clip.samples()

    found = torchscript.extract(clip, torchscript.Config(str(averages[0]), window_s=1.0)).values[0]
    steps = torchscript.extract(clip, torchscript.Config(str(averages[0]), window_s=1.0, pool="none"))

    assert np.abs(found - [whole.mean(), np.square(whole).mean()]).max() < 1e-6
    assert steps.times.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.65]  # the last window holds the rest


@pytest.mark.parametrize("seconds", [0.003, 0.31])
def test_the_block_size_changes_nothing(averages: Any, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    config = torchscript.Config(str(averages[0]), window_s=0.5)
    whole = features.dumps(torchscript.extract(sound(), config))
    monkeypatch.setattr("mmcli.extractors.sound.BLOCK_S", seconds)

    assert features.dumps(torchscript.extract(sound(), config)) == whole


def test_the_shortest_sound_is_enough(averages: tuple[Path, Any]) -> None:
    clip = AudioClip.from_array([0.5], 16_000)
    assert torchscript.extract(clip, torchscript.Config(str(averages[0]))).values.shape == (1, 2)


def test_axes_are_put_in_the_order_that_the_model_wants(traced: Callable[..., Any]) -> None:
    import torch

    torch.manual_seed(0)
    path, module = traced(torch.nn.Conv1d(2, 5, 3), torch.zeros(1, 2, 40))
    values = np.random.default_rng(0).standard_normal((40, 2))
    config = torchscript.Config(str(path), axes="nft", window_s=100.0)

    found = torchscript.extract(SeriesClip.from_array(values, 10.0), config)

    with torch.no_grad():
        wanted = module(torch.tensor(values.T[None], dtype=torch.float32)).numpy()
    assert np.abs(found.values[0] - wanted.mean(axis=1)[0]).max() < 1e-5


def test_a_model_is_known_by_its_content_wherever_it_lies(averages: Any, tmp_path: Path) -> None:
    config = torchscript.Config(str(averages[0]))
    assert config.file == averages[0].name
    other = tmp_path / "deep" / averages[0].name
    other.parent.mkdir()
    other.write_bytes(averages[0].read_bytes())
    assert torchscript.Config(str(other)) == config

    meta = torchscript.extract(sound(), config).meta
    assert str(averages[0].parent) not in str(meta)
    assert meta["config"]["sha256"] == config.sha256
    assert configured(torchscript, meta["config"]) == config


def test_a_model_is_found_again_by_its_hash(averages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a batch or a prediction does that knows what the features' meta says."""
    config = torchscript.Config(str(averages[0]))
    monkeypatch.setattr(weights, "places", {})
    monkeypatch.setattr(weights, "folders", [])
    monkeypatch.chdir("/")
    torchscript._loaded.cache_clear()
    with pytest.raises(MissingError, match="is not here"):
        torchscript.ready(config)

    (tmp_path / "store").mkdir()
    (tmp_path / "store" / config.file).write_bytes(b"another model of that name")
    monkeypatch.setenv(weights.VARIABLE, f"{tmp_path / 'store'}")
    with pytest.raises(MissingError, match="is not here"):
        torchscript.ready(config)

    (tmp_path / "store" / config.file).write_bytes(averages[0].read_bytes())
    torchscript.ready(config)


def test_another_model_is_another_configuration(traced: Callable[..., Any]) -> None:
    import torch

    one, _ = traced(torch.nn.Linear(4, 2), torch.zeros(1, 4), "a.pt")
    two, _ = traced(torch.nn.Linear(4, 2), torch.zeros(1, 4), "b.pt")
    assert torchscript.Config(str(one)).sha256 != torchscript.Config(str(two)).sha256


@needs_onnx
@pytest.mark.parametrize("module", [onnx, torchscript], ids=["onnx", "torchscript"])
def test_what_is_no_model_is_refused_in_one_line(module: Any, tmp_path: Path) -> None:
    for content in (b"", b"no model", b"PK\x03\x04" + bytes(100), b"\x08\x08" * 50):
        path = tmp_path / "bad.bin"
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"bad\.bin.*no .*model|no .*model"):
            module.ready(module.Config(str(path)))


@needs_onnx
def test_a_damaged_model_ends_in_a_typed_error_or_a_result(onnx_steps: Callable[..., Any], tmp_path: Path) -> None:
    data = onnx_steps()[0].read_bytes()
    rng = np.random.default_rng(0)
    clip = sound(0.2)
    for n in range(60):
        broken = bytearray(data[: rng.integers(1, len(data))] if n % 2 else data)
        broken[rng.integers(len(broken))] ^= 1 << rng.integers(8)
        path = tmp_path / f"m{n}.onnx"
        path.write_bytes(broken)
        try:
            found = onnx.extract(clip, onnx.Config(str(path), of="logmel"))
            assert np.isfinite(found.values).all()
        except (ArtifactError, InputError):
            continue


def test_wrong_settings_say_what_would_be_right(averages: Any) -> None:
    path = str(averages[0])
    with pytest.raises(UsageError, match="needs a model"):
        onnx.Config()
    with pytest.raises(MissingError, match="no such file"):
        onnx.Config("nowhere.onnx")
    (averages[0].parent / "folder").mkdir()
    (averages[0].parent / "folder" / "a.bin").write_bytes(b"1")
    with pytest.raises(InputError, match="is a folder"):
        torchscript.ready(torchscript.Config(str(averages[0].parent / "folder")))
    with pytest.raises(MissingError, match="no regular file"):
        torchscript.Config("/dev/null")
    odd = ({"of": "onnx"}, {"of": "tokens"}, {"of": "mfcc", "settings": "coefficients=500"})
    for wrong in ({"axes": "xyz"}, {"pool": "max"}, {"batch": 0}, {"window_s": 0.0}, {"sha256": "12"}, *odd):
        with pytest.raises(UsageError):
            torchscript.Config(path, **wrong)
    with pytest.raises(UsageError, match="not text"):
        torchscript.extract(TextClip(name="t", text="a"), torchscript.Config(path))
    with pytest.raises(InputError, match=r"gave an array of shape \(1, 2, 201, 13\)"):
        torchscript.extract(sound(), torchscript.Config(path, of="mfcc", axes="n1tf"))


def test_a_model_that_wants_another_input_says_what_it_was_given(traced: Callable[..., Any]) -> None:
    import torch

    path, _ = traced(torch.nn.Linear(4, 2), torch.zeros(1, 4))
    with pytest.raises(InputError, match=r"cannot take an array of shape \(1, 32000\)"):
        torchscript.extract(sound(), torchscript.Config(str(path)))


def test_a_model_that_answers_with_nan_is_an_error(traced: Callable[..., Any]) -> None:
    import torch

    class Broken(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.log(x.mean(1, keepdim=True) - 100)

    path, _ = traced(Broken(), torch.zeros(1, 500))
    with pytest.raises(InputError, match="NaN"):
        torchscript.extract(sound(), torchscript.Config(str(path)))


def test_cuda_that_is_not_there_is_an_error(averages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    monkeypatch.setattr(weights, "device", "cuda")
    torchscript._loaded.cache_clear()
    with pytest.raises(MissingError, match="no CUDA"):
        torchscript.ready(torchscript.Config(str(averages[0])))
