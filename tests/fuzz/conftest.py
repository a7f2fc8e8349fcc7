"""The programs of this folder import each other by name, and the mutations of tests/artifacts."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "artifacts")]
