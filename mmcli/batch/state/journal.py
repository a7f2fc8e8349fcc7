"""What a folder of outputs remembers: for each input what it looked like, what was made of it, or why it failed.

``journal.jsonl`` grows by a line as inputs are done and is put in order when a run ends; a shard has its own,
``journal.I-of-N.jsonl``, and every run reads all of them. A later line about an input replaces an earlier one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.artifacts.io import append, atomic, provenance
from mmcli.batch.workers.shard import Shard

Key = tuple[str, str]
ROWS = ("manifest", "predictions")  # what a batch leaves a line an input in, beside its journal and failures


def path_of(out: Path, name: str, shard: Shard | None) -> Path:
    """The file of a run: ``NAME.jsonl``, or ``NAME.I-of-N.jsonl`` for a shard."""
    return out / (f"{name}.jsonl" if shard is None else f"{name}.{shard.index}-of-{shard.count}.jsonl")


def shard_files(out: Path) -> list[Path]:
    """What shards left in a folder, to be merged by a run without ``--shard``."""
    return sorted(p for name in ("journal", *ROWS, "failures") for p in out.glob(f"{name}.*-of-*.jsonl") if p.is_file())


def read(out: Path) -> dict[Key, dict[str, Any]]:
    """The newest entry for every (id, task), from all journals of a folder."""
    found: dict[Key, dict[str, Any]] = {}
    for path in [*sorted(out.glob("journal.*-of-*.jsonl")), out / "journal.jsonl"]:
        if path.exists():
            for entry in append.read(path):
                found[(entry["id"], entry["task"])] = entry
    return found


def rewrite(path: Path, entries: list[dict[str, Any]]) -> None:
    """Put a journal in order: the same inputs give the same file, whatever happened on the way."""
    atomic.write_text(path, "".join(provenance.canonical_json(entry) + "\n" for entry in entries))
