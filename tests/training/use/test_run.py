"""A run with its files: what stands beside the model, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mmcli.artifacts.formats import checkpoint, dataset
from mmcli.errors import ArtifactError, MismatchError
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.use import run

CONFIG = TrainConfig(epochs=6, width=16, patience=0)


def test_the_model_its_history_and_nothing_else(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.noise_beside_signal(60)
    seen: list[dict] = []
    run.train(data, CONFIG, tmp_path / "m.pt", report=seen.append, save_every_s=0.0)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.history.ndjson", "m.pt"]
    lines = [json.loads(line) for line in (tmp_path / "m.history.ndjson").read_text().splitlines()]
    assert lines == seen
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    stored = checkpoint.load(tmp_path / "m.pt", predictor.expected).config
    assert stored["training"]["history"] == lines
    assert stored["modalities"]["good"]["kind"] == "vector"


def test_two_runs_give_the_same_file(planted: ModuleType, tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        run.train(planted.noise_beside_signal(60), CONFIG, tmp_path / name)

    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    planted: ModuleType, tmp_path: Path, stopped: Callable[..., None], epoch: int
) -> None:
    data = planted.noise_beside_signal(60)
    run.train(data, CONFIG, tmp_path / "whole.pt")

    stopped(data, CONFIG, tmp_path / "cut.pt", epoch + 1)
    assert (tmp_path / "cut.resume.pt").exists()
    with pytest.raises(MismatchError, match="another config"):
        run.train(data, TrainConfig(epochs=7, width=16, patience=0), tmp_path / "cut.pt", again=True)
    run.train(data, CONFIG, tmp_path / "cut.pt", again=True)

    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()
    assert (tmp_path / "cut.history.ndjson").read_bytes() == (tmp_path / "whole.history.ndjson").read_bytes()
    assert not (tmp_path / "cut.resume.pt").exists()


def test_a_killed_process_is_continued_by_the_command(planted: ModuleType, tmp_path: Path) -> None:
    """SIGKILL after the first saved state; `--resume` ends in the bytes of an undisturbed run."""
    dataset.save(tmp_path / "d.npz", planted.noise_beside_signal(60))
    options = ["--set", "train.width=16", "--set", "train.patience=0", "--epochs", "30", "-q"]
    script = (
        "import mmcli.training.use.run as r, sys; r.SAVE_EVERY_S = 0.0; r.train.__kwdefaults__['save_every_s'] = 0.0;"
    )
    script += "from mmcli.cli.app import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "train", str(tmp_path / "d.npz"), *options]
    child = subprocess.Popen([*command, "-o", str(tmp_path / "cut.pt")])
    try:
        while not (tmp_path / "cut.resume.pt").exists() and child.poll() is None:
            os.sched_yield()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not (tmp_path / "cut.pt").exists()

    fast = [sys.executable, "-m", "mmcli", "train", str(tmp_path / "d.npz"), *options]
    children = [
        subprocess.Popen([*fast, "-o", str(tmp_path / "cut.pt"), "--resume"]),
        subprocess.Popen([*fast, "-o", str(tmp_path / "whole.pt")]),
    ]
    assert [c.wait() for c in children] == [0, 0]
    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_a_checkpoint_whose_tensors_do_not_fit_its_config_is_refused(planted: ModuleType, tmp_path: Path) -> None:
    found = run.train(planted.noise_beside_signal(60), TrainConfig(epochs=1, width=16), tmp_path / "m.pt")
    found.config["model"]["head"]["outputs"] = 7
    checkpoint.save(tmp_path / "bad.pt", found)
    with pytest.raises(ArtifactError, match="its config makes it"):
        predictor.load(tmp_path / "bad.pt")
    found.config["model"]["modalities"][0]["config"] = {"inputs": "9"}
    checkpoint.save(tmp_path / "bad.pt", found)
    with pytest.raises(ArtifactError):
        predictor.load(tmp_path / "bad.pt")


def test_a_data_set_on_another_scale_is_put_on_the_models(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.noise_beside_signal(60)
    good = data.streams["good"]
    good.meta["normaliser"] = {"method": "zscore", "center": [0.0] * 8, "scale": [1.0] * 8}
    run.train(data, TrainConfig(epochs=1, width=16), tmp_path / "m.pt")
    found = predictor.load(tmp_path / "m.pt")
    before = found.predict(data).logits

    moved = {"method": "zscore", "center": [1.0] * 8, "scale": [2.0] * 8}
    good.values = ((good.values - 1.0) / 2.0).astype(np.float32)
    good.meta["normaliser"] = moved
    np.testing.assert_allclose(found.predict(data).logits, before, atol=1e-5)
    good.meta["normaliser"] = {"method": "l2"}
    with pytest.raises(MismatchError, match="normalised by l2"):
        found.predict(data)


def test_features_of_another_extractor_are_refused(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.noise_beside_signal(60)
    data.streams["good"].meta["extractor"] = "one"
    run.train(data, TrainConfig(epochs=1, width=16), tmp_path / "m.pt")
    found = predictor.load(tmp_path / "m.pt")
    data.streams["good"].meta["extractor"] = "two"
    with pytest.raises(MismatchError, match="another extractor"):
        found.predict(data)
