"""The recipes of mmcli/docs/recipes do what they say: the array, the Makefile and the nightly command are run."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "mmcli" / "docs" / "recipes"
DIGITS = ROOT / "sample_data" / "digits"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Some recordings with their labels, two damaged ones among them, and `mmcli` on the path."""
    (tmp_path / "recordings").mkdir()
    rows = [r for r in csv.DictReader((DIGITS / "manifest.csv").open()) if r["label"] in ("one", "two") and r["audio"]]
    kept = [r for split in ("train", "test") for r in [r for r in rows if r["split"] == split][:14]]
    assert len(kept) == 28
    lines = ["id,audio,label,split"]
    for row in kept:
        name = f"{row['id']}{Path(row['audio']).suffix}"
        (tmp_path / "recordings" / name).write_bytes((DIGITS / row["audio"]).read_bytes())
        lines.append(f"{row['id']},recordings/{name},{row['label']},{row['split']}")
    for name in ("broken1", "broken2"):
        (tmp_path / "recordings" / f"{name}.wav").write_bytes(b"RIFF")
        lines.append(f"{name},recordings/{name}.wav,one,train")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "mmcli"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mmcli "$@"\n')
    program.chmod(0o755)
    return tmp_path


def run(place: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_the_tasks_of_an_array_make_every_file_once(place: Path) -> None:
    for task in ("1", "2", "3"):
        array = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1"}
        done = run(place, "sh", str(RECIPES / "slurm.sh"), **array)
        assert done.returncode == 0, done.stderr
    made = {p.name.partition(".")[0] for p in (place / "features").glob("*.audio.mfcc.npz")}
    assert made == {p.stem for p in (place / "recordings").iterdir() if not p.stem.startswith("broken")}
    failed = [json.loads(line) for p in (place / "features").glob("failures*.jsonl") for line in p.open()]
    assert {f["id"] for f in failed} == {"broken1", "broken2"}


@pytest.mark.needs("make")
def test_make_goes_from_recordings_to_a_report_and_does_nothing_twice(place: Path) -> None:
    first = run(place, "make", "-s", "-f", str(RECIPES / "Makefile"))
    assert first.returncode == 0, first.stderr
    report = json.loads((place / "report.json").read_text())
    assert report["task"] == "classify"
    assert (place / "report.html").stat().st_size > 10_000
    before = (place / "model.pt").stat().st_mtime_ns
    again = run(place, "make", "-s", "-f", str(RECIPES / "Makefile"))
    assert again.returncode == 0, again.stderr
    assert "skipped 28" in again.stderr
    assert (place / "model.pt").stat().st_mtime_ns == before


def test_the_nightly_command_ends_with_3_where_the_service_takes_that_for_done(place: Path) -> None:
    text = (RECIPES / "mmcli-extract.service").read_text()
    command = re.search(r"^ExecStart=/usr/bin/env (.+)$", text, re.M)
    accepted = re.search(r"^SuccessExitStatus=(\d+)$", text, re.M)
    assert command is not None
    assert accepted is not None
    done = run(place, *shlex.split(command[1].replace("--jobs 4", "--jobs 1")))
    assert done.returncode == int(accepted[1]), done.stderr


@pytest.mark.parametrize("recipe", sorted(p.name for p in RECIPES.iterdir()))
def test_every_command_in_a_recipe_has_the_options_it_uses(recipe: str) -> None:
    text = (RECIPES / recipe).read_text().replace("\\\n", " ").replace("$(MMCLI)", "mmcli")
    reference = (ROOT / "mmcli" / "cli" / "REFERENCE.md").read_text()
    for command, rest in re.findall(r"\bmmcli (extract|fuse|train|evaluate|align|doctor)\b([^\n|>`]*)", text):
        section = reference.split(f"mmcli {command} ", 1)[1].split("\n## ", 1)[0]
        for option in re.findall(r"(?<!\S)(--[a-z-]+)", rest):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", section), f"{command} has no {option}"
