"""``mmcli/cli/REFERENCE.md`` is what ``--help`` prints, for every command.

Run ``python tests/cli/test_reference.py`` to write it anew after a change of the options.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mmcli.cli.app import COMMANDS

REFERENCE = Path(__file__).resolve().parents[2] / "mmcli" / "cli" / "REFERENCE.md"


def render() -> str:
    parts = ["# The commands of mmcli\n\nWhat `--help` prints; a test holds this page to it.\n"]
    for words in [[], *([name] for name in COMMANDS)]:
        done = subprocess.run(
            [sys.executable, "-m", "mmcli", *words, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        )
        help_text = "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip()
        parts.append(f"## {' '.join(['mmcli', *words])}\n\n```text\n{help_text}\n```\n")
    return "\n".join(parts)


def test_the_reference_is_what_help_prints():
    assert REFERENCE.read_text() == render(), "run python tests/cli/test_reference.py and look at the difference"


if __name__ == "__main__":
    REFERENCE.write_text(render())
