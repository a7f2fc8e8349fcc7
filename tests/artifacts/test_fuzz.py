"""No damage passes: mutants and truncations of sound files, in processes of their own, under the oracle of
fuzz_hunt.py."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fuzz_seeds
import pytest

HUNT = Path(__file__).parent / "fuzz_hunt.py"
SUITE = {
    "features": 20_000,
    "dataset": 20_000,
    "alignment": 20_000,
    "report": 20_000,
    "fitted": 5_000,
    "ndjson": 20_000,
    "csv": 20_000,
    "checkpoint": 5_000,
}
GROWTH_MB = 300


def hunt(form: str, mutants: int, seed: int, root: Path) -> dict[str, Any]:
    command = [sys.executable, str(HUNT), str(mutants), str(seed), form]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[-6000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("form", SUITE)
def test_a_mutant_is_refused_or_loads_unchanged(form: str, root: Path) -> None:
    """Also every truncation; and the process stays small."""
    found = hunt(form, SUITE[form], 1, root)

    assert found["refused"] + found["same"] + found["other"] == SUITE[form]
    assert found["refused"] > SUITE[form] / 2
    assert found["same"] > 0
    assert found["growth_mb"] < GROWTH_MB
    # What two processes write of one value has the same bytes.
    form_here = fuzz_seeds.checkpoint_format() if form == "checkpoint" else fuzz_seeds.formats()[form]
    assert found["seed_sha256"] == hashlib.sha256(form_here.seed).hexdigest()


@pytest.mark.hunt
@pytest.mark.parametrize("form", SUITE)
def test_a_hundred_thousand_mutants(form: str, root: Path) -> None:
    found = hunt(form, 120_000, int(os.environ.get("MMCLI_HUNT_SEED", "2")), root)

    assert found["growth_mb"] < GROWTH_MB
