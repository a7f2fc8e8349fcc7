"""A copy of the package to change: what one more file does to the command line, seen from another process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copied(folder: Path) -> Path:
    """The package without what was compiled, in ``folder``; gives the copy of ``mmcli``."""
    return Path(
        shutil.copytree(ROOT / "mmcli", folder / "mmcli", ignore=shutil.ignore_patterns("__pycache__", "*.so", "csrc"))
    )


def mmcli(copy: Path, *arguments: str) -> str:
    """What the command line of a copy prints on standard output; it has to end well."""
    done = subprocess.run(
        [sys.executable, "-m", "mmcli", *arguments],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": str(copy.parent), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
