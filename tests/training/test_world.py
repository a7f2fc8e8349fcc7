"""Several processes train the model that one process trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from mmcli.artifacts.formats import dataset
from mmcli.training.world import World


def test_the_shares_of_a_batch_cover_it_once() -> None:
    for size in (1, 2, 3, 5):
        shares = [World(rank, size).share(17) for rank in range(size)]
        assert [i for start, stop in shares for i in range(start, stop)] == list(range(17))


def test_two_processes_follow_the_loss_curve_of_one(planted: ModuleType, tmp_path: Path) -> None:
    """Dropout, hidden modalities and lengths included: equal within 1e-4 at every epoch."""
    dataset.save(tmp_path / "d.npz", planted.noise_beside_signal(96))
    options = ["train", str(tmp_path / "d.npz"), "-q", "--epochs", "6", "--set", "train.width=16", "--device", "cpu"]
    command = [sys.executable, "-m", "mmcli", *options, "-o"]
    base = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(planted.free_port()), "WORLD_SIZE": "2"}
    children = [subprocess.Popen([*command, str(tmp_path / "two.pt")], env={**base, "RANK": str(r)}) for r in range(2)]
    children.append(subprocess.Popen([*command, str(tmp_path / "one.pt")]))
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]

    paths = [tmp_path / f"{name}.history.ndjson" for name in ("one", "two")]
    one, two = ([json.loads(line) for line in path.read_text().splitlines()] for path in paths)
    assert len(one) == len(two) == 6
    for name in ("train_loss", "val_loss"):
        np.testing.assert_allclose([r[name] for r in two], [r[name] for r in one], atol=1e-4)
    assert (tmp_path / "two.pt").exists()
