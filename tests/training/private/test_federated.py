"""Clients in several processes train what one process trains, and one entry is made in one ledger."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmcli.artifacts.formats import checkpoint

pytest.importorskip("dp_accounting", reason="needs the extra private")
sys.path.insert(0, str(Path(__file__).parent))
import made

QUIET = """
import sys
from dataclasses import replace
from mmcli.cli.app import run
from mmcli.training.private import steps
scheduled = steps.scheduled
def quiet(*given):
    schedule, releases = scheduled(*given)
    return replace(schedule, noise=0.0), releases
steps.scheduled = quiet
sys.exit(run(sys.argv[1:]))
"""


def started(folder: Path, *words: str, port: int | None = None, rank: int = 0) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    if not (folder / "d.npz").exists():
        made.saved(folder / "d.npz")
    asked = ["--private", "epsilon=8,delta=0.01,steps=6", "--clients", "group", "--items", "9", *words]
    command = [sys.executable, "-c", QUIET, "train", str(folder / "d.npz"), "-o", str(folder / "m.pt"), *asked]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": str(rank)}
    env = {**os.environ, "OMP_NUM_THREADS": "1", **(place if port else {})}
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


def ended(*children: subprocess.Popen[str]) -> tuple[list[int], list[str]]:
    said = [child.communicate(timeout=120)[1] for child in children]
    return [child.returncode for child in children], said


def test_two_processes_train_the_clients_of_one(tmp_path, planted):
    port = planted.free_port()
    two = [started(tmp_path / "two", port=port, rank=rank) for rank in range(2)]
    codes, said = ended(*two, started(tmp_path / "one"))
    assert codes == [0, 0, 0]
    assert "for each group" in said[0]
    assert said[1] == ""
    one, both = (checkpoint.load(tmp_path / name / "m.pt").tensors for name in ("one", "two"))
    assert all(torch.allclose(one[name], both[name], atol=1e-6) for name in one)
    assert len((tmp_path / "two" / "d.privacy.ndjson").read_text().splitlines()) == 1


def test_a_spent_budget_ends_every_process(tmp_path, planted):
    port = planted.free_port()
    words = ("--budget", "epsilon=1,delta=0.01")
    codes, said = ended(*(started(tmp_path / "d", *words, port=port, rank=rank) for rank in range(2)))
    assert codes == [4, 4]
    assert "the budget is epsilon 1" in said[0]
    assert not (tmp_path / "d" / "m.pt").exists()
