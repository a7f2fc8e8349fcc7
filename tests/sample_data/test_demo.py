"""What demo.sh promises beside its results: it runs every stage, in any folder, and stops at the first that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_demo(sample_data: Path, folder: Path, failing: str) -> subprocess.CompletedProcess[str]:
    """The demo with a stand-in for mmcli that does nothing, and fails where its arguments hold ``failing``."""
    stand_in = folder / "mmcli"
    stand_in.write_text(f'#!/bin/sh\ncase "$*" in *"{failing}"*) exit 4 ;; esac\n', encoding="utf-8")
    stand_in.chmod(0o755)
    environment = {**os.environ, "MMCLI": str(stand_in), "PYTHON": sys.executable}
    command = ["sh", str(sample_data / "demo.sh"), "out"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "failing",
    ["digits/manifest.csv", "train * fused-0.pt", "evaluate * image.json", "fused-2.pt", "align", "--rate 25"],
)
def test_a_stage_that_fails_ends_the_demo(sample_data: Path, tmp_path: Path, failing: str) -> None:
    """Also one that runs in the background."""
    pattern = failing.replace(" * ", '"*"')
    done = run_demo(sample_data, tmp_path, pattern)
    assert done.returncode == 4, done.stderr
    assert "distance from the known map" not in done.stdout


def test_every_stage_is_shown_and_told_to_write_below_the_folder_asked_for(sample_data: Path, tmp_path: Path) -> None:
    """With nothing written, only the table at the end can fail."""
    done = run_demo(sample_data, tmp_path, "no such argument")
    shown = [line.split() for line in done.stdout.splitlines() if line.startswith("$ mmcli ")]
    assert {words[2] for words in shown} == {"extract", "fuse", "train", "evaluate", "align"}
    assert len([words for words in shown if words[2] == "train"]) == 6
    for words in shown:
        assert words[words.index("-o") + 1].startswith(f"{tmp_path}/out/")
    assert done.returncode == 1
    assert "Error: " in done.stderr
