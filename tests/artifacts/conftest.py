"""Lets tests, and the processes they start, share the seeds and the mutation loops in this folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
