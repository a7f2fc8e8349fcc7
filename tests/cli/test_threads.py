"""The digits of a result do not depend on the threads that the shell gives to numpy and torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmcli import threads

METHODS = ("dtw", "ctw")  # of canonical time warping two threads of OpenBLAS changed cost, path and SHA-256


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk, and its frames with some left out or doubled, and noise: wide enough for OpenBLAS to share its sums."""
    folder = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(7)
    walk = np.cumsum(rng.normal(size=(1200, 48)), axis=0)
    np.save(folder / "reference.npy", walk)
    np.save(folder / "query.npy", walk[np.sort(rng.integers(0, 1200, 1100))] + rng.normal(size=(1100, 48)))
    rows = [{"id": m, "reference": "reference.npy", "query": "query.npy", "rate": 100, "method": m} for m in METHODS]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def align(folder: Path, count: int, *words: str) -> None:
    environment = {**os.environ, **dict.fromkeys(threads.VARIABLES, str(count))}
    done = subprocess.run(
        [sys.executable, "-m", "mmcli", "align", *words], cwd=folder, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_a_map_is_the_same_alone_and_in_a_list_under_any_number_of_threads(pair: Path) -> None:
    align(pair, 3, "--pairs", "pairs.jsonl", "-o", "maps")
    for method in METHODS:
        listed = (pair / "maps" / f"{method}.json").read_bytes()
        for count in (1, 2):
            align(pair, count, "reference.npy", "query.npy", "--rate", "100", "--method", method, "-o", "alone.json")
            assert (pair / "alone.json").read_bytes() == listed, (method, count)


def test_the_number_is_set_before_a_library_reads_it() -> None:
    program = (
        "import os, sys; sys.argv = ['mmcli', '--version']\n"
        "from mmcli.__main__ import main\n"
        "assert 'numpy' not in sys.modules\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "from mmcli import threads\n"
        "print([os.environ[name] for name in threads.VARIABLES])"
    )
    environment = {**os.environ, **dict.fromkeys(threads.VARIABLES, "7")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == str(["1"] * len(threads.VARIABLES))
