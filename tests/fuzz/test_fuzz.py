"""No file does what no file may do: what searches kept, mutants of sound files, and, in hunts, the search itself.

In processes of their own: a decoder that takes its process along must be noticed, not join the tests.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import corpus
import pages
import pytest
import targets

HERE = Path(__file__).parent
NAMES = sorted(targets.TARGETS)
SEARCHED = ("ass", "csv", "lines", "manifest", "map", "midi", "npy", "npz", "png", "srt", "textgrid", "vtt", "wav")


def mutants(count: int, seed: int, folder: Path, root: Path, *names: str) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-W", "ignore", str(HERE / "mutants.py"), str(count), str(seed), str(folder), *names]
    child = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(root)}
    )
    left = "".join(f"\n{path}: {path.read_bytes()[:4000].hex()}" for path in folder.iterdir())
    assert child.returncode == 0, f"{child.stderr[-6000:]}{left}"
    return {line["target"]: line for line in map(json.loads, child.stdout.splitlines())}


def test_a_few_mutants_of_every_format(tmp_path: Path, root: Path) -> None:
    counts = mutants(40, 3, tmp_path, root, ".*")

    assert sorted(counts) == NAMES
    assert all(one["read"] + one["refused"] == 40 for one in counts.values())
    assert sum(one["refused"] for one in counts.values()) > 10 * len(NAMES)
    assert sum(one["read"] for one in counts.values()) > 5 * len(NAMES)


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_pages_are_sealed_as_their_writer_seals_them(kind: str) -> None:
    made, _ = targets.TARGETS[kind].seeds()
    broken = bytearray(made)
    broken[22:26] = b"none"

    assert pages.sealed(bytes(broken)) == made == pages.sealed(made)


@pytest.mark.parametrize("name", SEARCHED)
def test_what_earlier_searches_kept_is_read_or_refused(name: str, tmp_path: Path) -> None:
    kept = corpus.entries(name)
    assert kept, "nothing is kept of this target"
    outcomes = {targets.TARGETS[name].attempt(data, tmp_path) for _, data in kept}
    assert outcomes == {"read", "refused"}


@pytest.mark.hunt
@pytest.mark.parametrize("name", NAMES)
def test_many_mutants(name: str, tmp_path: Path, root: Path) -> None:
    """100,000 of a text format, 20,000 of a media format, without an untyped error, a hang or growth."""
    count = 100_000 if targets.TARGETS[name].text else 20_000
    counts = mutants(count, int(os.environ.get("MMCLI_HUNT_SEED", "2")), tmp_path, root, name)
    assert counts[name]["read"] + counts[name]["refused"] == count


@pytest.mark.hunt
@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_by_coverage_breaks_nothing(name: str, tmp_path: Path, root: Path) -> None:
    """``MMCLI_SEARCH_S`` seconds a target; ten minutes each are two hours in all."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs atheris: pip install atheris")
    seconds = int(os.environ.get("MMCLI_SEARCH_S", "60"))
    command = [sys.executable, "-W", "ignore", str(HERE / "search.py"), name, str(tmp_path / "corpus"), str(seconds)]
    child = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(root)}
    )
    findings = list((tmp_path / "corpus.findings").iterdir())
    assert child.returncode == 0, f"{child.stderr[-4000:]}\n{[path.read_bytes().hex() for path in findings]}"
    assert findings == []
