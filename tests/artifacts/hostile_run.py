"""Loads files one after another in a process of its own and prints, for each, what came of it, how long it took and how
much the process grew.

    python hostile_run.py FILE...

A file's name starts with its format.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from fuzz_hunt import peak_mb

from mmcli.artifacts.formats import inspect
from mmcli.errors import InputError


def outcome(load: Any, path: Path) -> tuple[str, str]:
    """The kind of what came of it, and the words."""
    try:
        load(path)
    except InputError as problem:
        return "refused", str(problem)
    except Exception as problem:  # noqa: BLE001 - the point is to see which
        return type(problem).__name__, str(problem)[:300]
    return "loads", ""


def main(files: list[str]) -> None:
    """See the module."""
    for name in ("features", "dataset", "alignment", "report", "fitted", "manifest", "checkpoint"):
        importlib.import_module(f"mmcli.artifacts.formats.{name}")
    if any("checkpoint" in file for file in files):
        importlib.import_module("torch")
    before = peak_mb()  # the peak of all files so far counts against each
    for file in map(Path, files):
        form = importlib.import_module(f"mmcli.artifacts.formats.{file.name.partition('-')[0]}")
        start = time.process_time()
        kind, words = outcome(form.load, file)
        seconds, growth = time.process_time() - start, peak_mb() - before
        by_content = outcome(inspect.validate, file)[0] if file.stat().st_size < 100_000 else kind
        found = {"file": file.name, "outcome": kind, "words": words, "by_content": by_content}
        print(json.dumps(found | {"seconds": round(seconds, 3), "growth_mb": round(growth, 1)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
