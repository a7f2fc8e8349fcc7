"""A pool of candidates that was killed goes on to the same bytes, and does not train again what it had."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mmcli.artifacts.formats import checkpoint, dataset
from mmcli.errors import ArtifactError, MismatchError
from mmcli.training.config import TrainConfig
from mmcli.training.ensemble import networks
from mmcli.training.use import run

CONFIG = TrainConfig(fusion="auto", candidates="networks", effort="thorough", folds=2, epochs=1, width=8, batch=20)
FITS = 4 * 3  # two modalities alone, two blocks of both; two folds and the whole


class StoppedError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("after", [0, 4, FITS - 1])
def test_a_pool_that_was_stopped_goes_on_to_the_same_bytes(
    planted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Stopped while network number ``after`` trains."""
    data = planted.noise_beside_signal(60)
    run.train(data, CONFIG, tmp_path / "whole.pt")
    plain, calls = networks.fit, 0

    def counted(*args: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if stop and calls > after:
            raise StoppedError
        return plain(*args, **named)

    monkeypatch.setattr(networks, "fit", counted)
    stop = True
    with pytest.raises(StoppedError):
        run.train(data, CONFIG, tmp_path / "cut.pt", save_every_s=0.0)
    stop, calls = False, 0
    if after:
        with pytest.raises(MismatchError, match="another config"):
            run.train(data, TrainConfig(fusion="auto", seed=3), tmp_path / "cut.pt", again=True)
    run.train(data, CONFIG, tmp_path / "cut.pt", again=True, save_every_s=0.0)

    assert calls == FITS - after
    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()
    assert (tmp_path / "cut.history.ndjson").read_bytes() == (tmp_path / "whole.history.ndjson").read_bytes()
    assert not (tmp_path / "cut.resume.pt").exists()


def test_a_state_that_lacks_a_part_is_refused(planted: ModuleType, tmp_path: Path) -> None:
    facts = {"config": run._plain(CONFIG), "inputs": []}
    training = {"run": facts, "parts": [{"key": "good 0", "model": {}}]}
    config = {"task": "resume", "model": {}, "classes": None, "modalities": {}, "training": training}
    checkpoint.save(tmp_path / "m.resume.pt", checkpoint.Checkpoint({}, config))
    with pytest.raises(ArtifactError, match="not the state of an unfinished pool"):
        run.train(planted.noise_beside_signal(60), CONFIG, tmp_path / "m.pt", again=True)


@pytest.mark.hunt
@pytest.mark.parametrize("seed", range(5))
def test_a_pool_killed_at_a_random_moment_is_continued_by_the_command(
    planted: ModuleType, tmp_path: Path, seed: int
) -> None:
    """SIGKILL three times, at moments drawn over the whole of an undisturbed run."""
    dataset.save(tmp_path / "d.npz", planted.noise_beside_signal(120))
    command = [sys.executable, "-m", "mmcli", "train", str(tmp_path / "d.npz"), "-q", "--fusion", "auto"]
    command += ["--set", "train.width=16", "--epochs", "20", "-o"]
    start = time.monotonic()
    assert subprocess.run([*command, str(tmp_path / "whole.pt")], check=True).returncode == 0
    took = time.monotonic() - start
    for moment in np.random.default_rng(seed).uniform(0.2, 1.0, 3):
        child = subprocess.Popen([*command, str(tmp_path / "cut.pt"), "--resume"])
        time.sleep(took * moment)
        child.send_signal(signal.SIGKILL)
        child.wait()
    subprocess.run([*command, str(tmp_path / "cut.pt"), "--resume"], check=True)
    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()
