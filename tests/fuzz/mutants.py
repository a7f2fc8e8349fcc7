"""Mutants of sound files, one after another: none may do what no file may do.

    python mutants.py COUNT SEED SCRATCH TARGET...      one JSON line a target; exit 1 with the mutant on a finding

SCRATCH holds the mutant at hand, so that it can be looked at where a decoder takes the process along.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "artifacts")]

import fuzz_mutants  # noqa: E402
import targets  # noqa: E402
from targets import Target  # noqa: E402

GROWTH_MB = 300
HANG_S = 20.0  # of CPU


class FindingError(AssertionError):
    """A mutant that did what no file may do."""


def mutant(seed: bytes, rng: random.Random, target: Target) -> bytes:
    """A seed with one to three changes, some of which put a word of the format somewhere."""
    data = fuzz_mutants.mutant(seed, rng, archive=target.name == "npz")
    if target.words and rng.random() < 0.3:
        word = rng.choice(target.words).encode("utf-8" if target.text else "latin-1")
        at = rng.randrange(len(data) + 1)
        data = data[:at] + word + data[at + rng.choice((0, len(word))) :]
    return target.sensible(data)


def hunt(target: Target, count: int, seed: int, folder: Path) -> dict[str, Any]:
    """What came of ``count`` mutants; raises :class:`FindingError`."""
    rng = random.Random(f"{target.name} {seed}")
    starts = target.seeds()
    for start in starts:
        if target.attempt(start, folder) != "read":
            raise FindingError(f"{target.name}: a sound file is refused")
    tally = {"read": 0, "refused": 0}
    before, began = _peak_mb(), time.process_time()
    slowest = 0.0
    signal.signal(signal.SIGPROF, _too_long)
    for _ in range(count):
        data = mutant(rng.choice(starts), rng, target)
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        start = time.process_time()
        try:
            tally[target.attempt(data, folder)] += 1
        except Exception as problem:
            raise FindingError(f"{target.name}: {type(problem).__name__}: {problem}\n{data.hex()}") from problem
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        slowest = max(slowest, time.process_time() - start)
        if _peak_mb() - before > GROWTH_MB:
            raise FindingError(f"{target.name}: {_peak_mb() - before:.0f} MB\n{data.hex()}")
    seconds = time.process_time() - began
    grown = round(_peak_mb() - before, 1)
    return {
        "target": target.name, **tally, "growth_mb": grown, "slowest_s": round(slowest, 3), "cpu_s": round(seconds, 1)
    }  # fmt: skip


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _too_long(number: int, frame: Any) -> None:
    raise FindingError(f"longer than {HANG_S:g} s")


if __name__ == "__main__":
    for name in sys.argv[4:]:
        for one in targets.matching(name):
            print(json.dumps(hunt(one, int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))), flush=True)
