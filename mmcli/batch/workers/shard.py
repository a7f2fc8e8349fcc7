"""One batch over many machines: each takes the items whose id falls to it by a stable digest.

Adding items never moves others to another shard.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from mmcli.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """Shard ``index`` (from 1) of ``count``."""

    index: int
    count: int

    def holds(self, identifier: str) -> bool:
        """Whether an item belongs to this shard.

        >>> sum(Shard(i, 3).holds("a") for i in (1, 2, 3))
        1
        """
        digest = hashlib.sha256(identifier.encode("utf-8")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1


def parse(text: str, environment: Mapping[str, str] | None = None) -> Shard:
    """``i/n``, or ``auto`` for the place of this job in a Slurm array.

    >>> parse("2/8")
    Shard(index=2, count=8)
    >>> parse("auto", {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "0"})
    Shard(index=5, count=8)
    """
    if text == "auto":
        found = os.environ if environment is None else environment
        try:
            number, count = int(found["SLURM_ARRAY_TASK_ID"]), int(found["SLURM_ARRAY_TASK_COUNT"])
            index = number - int(found.get("SLURM_ARRAY_TASK_MIN", "0")) + 1
        except (KeyError, ValueError):
            raise UsageError("--shard auto: this is no job of a Slurm array", hint="say --shard I/N") from None
        if int(found.get("SLURM_ARRAY_TASK_STEP", "1")) != 1:
            raise UsageError("--shard auto needs an array whose numbers have no gaps")
    else:
        left, slash, right = text.partition("/")
        if not (slash and left.isdigit() and right.isdigit()):
            raise UsageError(f"--shard {text!r} is not I/N", hint="for example --shard 1/4, or auto under Slurm")
        index, count = int(left), int(right)
    if not 1 <= index <= count:
        raise UsageError(f"--shard {index}/{count}: shards are numbered 1 to {count}")
    return Shard(index, count)
