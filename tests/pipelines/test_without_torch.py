"""`extract`, `align`, `warp`, `info`, `follow` and `doctor` run where torch is not installed, in workers too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

ABSENT = 'raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of one event, and a torch that cannot be imported."""
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "torch.py").write_text(ABSENT)
    (tmp_path / "sounds").mkdir()
    noise = np.random.default_rng(1).standard_normal(8000 * 20).astype(np.float32) * 0.1
    soundfile.write(tmp_path / "sounds" / "a.wav", noise, 8000)
    soundfile.write(tmp_path / "sounds" / "b.wav", noise[8000 * 3 :], 8000)
    return tmp_path


def mmcli(folder: Path, *arguments: str) -> str:
    paths = [str(folder / "absent"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "mmcli", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_needs_no_network_runs_without_torch(folder: Path) -> None:
    mmcli(folder, "extract", "sounds", "-o", "features", "--audio", "logmel,mfcc", "--jobs", "2")
    rows = [json.loads(line) for line in (folder / "features" / "manifest.jsonl").read_text().splitlines()]
    assert [r["id"] for r in rows if "id" in r] == ["a", "b"]
    printed = json.loads(mmcli(folder, "align", "sounds/a.wav", "sounds/b.wav", "-o", "map.json", "--json"))
    assert printed["alignment"]["offset_s"] == pytest.approx(3.0, abs=0.002)
    mmcli(folder, "warp", "sounds/b.wav", "--map", "map.json", "-o", "warped.wav")
    shown = json.loads(mmcli(folder, "info", "map.json", "sounds/a.wav", "features/a.audio.logmel.npz", "--json"))
    assert len(shown["files"]) == 3
    mmcli(folder, "follow", "sounds/a.wav", "sounds/b.wav", "-o", "followed.json")


def test_doctor_names_torch_where_it_cannot_be_imported(folder: Path) -> None:
    facts = json.loads(mmcli(folder, "doctor", "--json"))
    assert facts["machine"]["cuda"] is None
