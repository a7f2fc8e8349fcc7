"""A real shell, and a small copy of the digits to run it on."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sh(tmp_path: Path) -> Shell:
    """Run a line of shell in ``tmp_path`` with this environment's ``mmcli`` first on the path."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def run(line: str, *, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout
        )

    return run


@pytest.fixture(scope="session")
def small_digits(tmp_path_factory: pytest.TempPathFactory, sample_data: Path) -> Path:
    """40 items of sample_data/digits: 24 to train on, 8 to choose with, 8 to judge on."""
    folder = tmp_path_factory.mktemp("digits")
    source = sample_data / "digits"
    with (source / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    chosen: list[dict[str, str]] = []
    for split, count in (("train", 24), ("val", 8), ("test", 8)):
        chosen += [row for row in rows if row["split"] == split][:count]
    for row in chosen:
        for modality in ("image", "audio"):
            if row[modality]:
                (folder / row[modality]).parent.mkdir(exist_ok=True)
                shutil.copy(source / row[modality], folder / row[modality])
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(chosen)
    return folder
