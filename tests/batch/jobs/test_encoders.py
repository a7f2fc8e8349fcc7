"""Encoders from files in batches: their weights are part of the configuration, and a model finds them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import features
from mmcli.batch.jobs import extract
from mmcli.batch.plan import plan, raw
from mmcli.errors import ArtifactError, MissingError, UsageError
from mmcli.extractors import weights
from mmcli.extractors.learned import torchscript


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """A file with a traced module of samples to two numbers, scaled by ``gain``."""

    def make(gain: float = 1.0, name: str = "encoder.pt") -> Path:
        import warnings

        import torch

        class Averages(torch.nn.Module):
            def forward(self, x: Any) -> Any:
                return gain * torch.stack([x.mean(1), x.square().mean(1)], dim=1)

        path = tmp_path / "models" / name
        path.parent.mkdir(exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.trace(Averages(), torch.zeros(1, 500)), str(path))
        return path

    return make


def chosen(path: Path) -> dict[str, list[plan.Stream]]:
    return {"audio": [plan.stream("audio", "torchscript", torchscript.Config(str(path)))]}


def run(source: Path, out: Path, path: Path, heard: Any, **fields: Any) -> extract.Summary:
    return extract.extract([source], out, chosen(path), extract.Options(modality="audio", **fields), heard)


def test_workers_load_the_model_and_give_the_same_bytes_at_any_number_of_jobs(
    tones: Callable[..., Path], model: Callable[..., Path], heard: Any, tree: Any, tmp_path: Path
) -> None:
    source, path = tones(5), model()
    assert run(source, tmp_path / "one", path, heard, jobs=1).made == 5
    assert run(source, tmp_path / "two", path, heard, jobs=2).made == 5
    assert tree(tmp_path / "one") == tree(tmp_path / "two")

    found = features.load(tmp_path / "one" / "tone0000.audio.torchscript.npz")
    assert found.meta["config"]["sha256"] == weights.identified(str(path))[1]


def test_another_model_under_the_same_name_makes_everything_anew(
    tones: Callable[..., Path], model: Callable[..., Path], heard: Any, tmp_path: Path
) -> None:
    source, out = tones(3), tmp_path / "out"
    inside = {"executor": ThreadPoolExecutor(1)}
    run(source, out, model(), heard, **inside)
    before = features.load(out / "tone0000.audio.torchscript.npz").values
    again = run(source, out, model(gain=2.0), heard, **inside)

    assert again.made == 3
    after = features.load(out / "tone0000.audio.torchscript.npz").values
    assert np.abs(after - 2.0 * before).max() < 1e-6


def test_a_model_that_cannot_be_loaded_stops_the_batch_at_once(
    tones: Callable[..., Path], heard: Any, tmp_path: Path
) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(b"no model at all")
    with pytest.raises(ArtifactError, match="no TorchScript model"):
        run(tones(3), tmp_path / "out", path, heard, jobs=1)


def test_an_encoder_for_a_modality_that_it_cannot_read_is_refused_before_work(model: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="torchscript reads audio, image, video, series, not text"):
        plan.stream("text", "torchscript", torchscript.Config(str(model())))


def test_a_trained_model_finds_the_encoder_it_was_trained_on(
    tones: Callable[..., Path], model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its hash: beside the trained model, or in a folder of MMCLI_MODELS."""
    path = model()
    source = tones(2)
    config = torchscript.Config(str(path))
    meta = {
        "modality": "audio",
        "extractor": "torchscript",
        "config": json.loads(json.dumps({"file": config.file, "sha256": config.sha256})),
        "shape": [2],
        "kind": "vector",
    }
    monkeypatch.setattr(weights, "places", {})
    monkeypatch.setattr(weights, "folders", [])
    monkeypatch.chdir("/")
    torchscript._loaded.cache_clear()

    lost = list(raw.chunks([str(source)], {"audio": meta}, str(tmp_path / "run" / "trained.pt")))
    assert lost[0].failed[0][1].startswith("encoder.pt: the model with SHA-256")

    (found,) = raw.chunks([str(source)], {"audio": meta}, str(path.parent / "trained.pt"))
    assert found.dataset is not None
    assert found.dataset.streams["audio"].values.shape == (2, 2)


def test_a_missing_model_is_found_out_before_anything_is_read() -> None:
    with pytest.raises(MissingError, match=r"nowhere\.pt: no such file"):
        torchscript.Config("nowhere.pt")
