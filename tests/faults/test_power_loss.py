"""After a power cut at any step of a batch the same command leaves what an undisturbed one leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mmcli.artifacts.io import append

SCRIPT = Path(__file__).parent / "power_loss.py"


def test_a_power_cut_at_any_step_is_mended_by_the_same_command(tmp_path: Path, root: Path) -> None:
    """All steps, each with five disks: data that was not flushed are zeros, missing, torn, a hole; or all is lost."""
    child = subprocess.run(
        [sys.executable, str(SCRIPT), "1", str(tmp_path)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert child.returncode == 0, child.stderr[-3000:]
    counts = json.loads(child.stdout)
    assert counts["cuts"] == 5 * (counts["steps"] + 1) > 150
    assert counts["unreadable"] > 50  # of such states outputs were made again that the journal called done


def test_lines_that_a_power_cut_left_are_passed_over_where_they_may_be(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"a": 1}\n' + bytes(20) + b'": 2}\n{"a": 3}\n{"a"')
    assert list(append.read(path, holes=True)) == [{"a": 1}, {"a": 3}]
