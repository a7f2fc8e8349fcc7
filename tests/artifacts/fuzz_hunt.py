"""The mutation loops and their oracle. Runs in the tests' process or, as a program, in one of its own.

    python fuzz_hunt.py MUTANTS SEED FORMAT...      prints one JSON line a format; exit 1 and the mutant on a finding

Oracle: a typed error, or what loads is the seed, value for value (of a manifest, which has no checksum: what loads is
what stands in the file, and safe). Below the checksums: a typed error, or what loads can be written and read again
unchanged. Never another exception, a hang, or memory.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_mutants
import fuzz_seeds
from fuzz_seeds import Format

from mmcli.artifacts.formats.manifest_lines import SPLIT_NAMES
from mmcli.artifacts.io.paths import id_problem
from mmcli.artifacts.io.provenance import canonical_json
from mmcli.errors import ArtifactError, InputError

LONGEST_S = 20.0  # of CPU: a hang, on a machine however busy
ARCHIVES = ("features", "dataset", "checkpoint")
MANIFESTS = ("ndjson", "csv")


class FindingError(AssertionError):
    """A mutant that did what no file may do."""


def hunt(form: Format, mutants: int, seed: int) -> dict[str, Any]:
    """Load mutants of a format's seed; raises :class:`FindingError` with the mutant in hexadecimal."""
    rng = random.Random(f"{form.name} {seed}")
    judge = _judge_manifest if form.name in MANIFESTS else _judge_sealed
    tally = {"refused": 0, "same": 0, "other": 0}
    form.loads(form.seed, "seed")
    before = peak_mb()
    start = time.process_time()
    for number in range(mutants):
        deep = form.name not in MANIFESTS and number % 3 == 0
        if not deep:
            data, check = fuzz_mutants.mutant(form.seed, rng, archive=form.name in ARCHIVES), judge
        elif form.name in ARCHIVES:
            data, check = fuzz_mutants.deep_archive(form.seed, rng), _judge_unsealed
        else:
            data, check = fuzz_mutants.deep_json(form.seed, rng), _judge_unsealed
        tally[_try(form, data, check)] += 1
    seconds = time.process_time() - start
    digest = hashlib.sha256(form.seed).hexdigest()
    return {
        "format": form.name,
        "seed_sha256": digest,
        **tally,
        "growth_mb": round(peak_mb() - before, 1),
        "seconds": round(seconds, 2),
    }


def _try(form: Format, data: bytes, judge: Callable[[Format, bytes, Any], str]) -> str:
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        try:
            found = form.loads(data, "mutant")
        except InputError:
            return "refused"
        return judge(form, data, found)
    except Exception as problem:
        raise FindingError(f"{form.name}: {type(problem).__name__}: {problem}\n{data.hex()}") from problem
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {LONGEST_S} s")


def _judge_sealed(form: Format, data: bytes, found: Any) -> str:
    if form.name == "alignment" and b"content_sha256" not in data:
        return _judge_unsealed(form, data, found)  # the seal's line was lost: a map may be written by hand, without one
    if _values(form, found) != _sound(form):
        raise FindingError("loaded with another value")
    return "same"


def _judge_unsealed(form: Format, data: bytes, found: Any) -> str:
    again = form.dumps(found)
    if form.dumps(form.loads(again, "again")) != again:
        raise FindingError("written and read again, it is another value")
    return "same" if again == form.seed else "other"


def _judge_manifest(form: Format, data: bytes, found: Any) -> str:
    """Each row holds what a reader that checks nothing finds in its line, and its id is safe."""
    rows = [json.loads(line) for line in form.dumps(found).splitlines()]
    plain = _plain_ndjson(data) if form.name == "ndjson" else _plain_csv(data)
    if [_comparable(row) for row in rows] != [_comparable(row) for row in plain]:
        raise FindingError(f"rows are {rows}, the file says {plain}")
    ids = [row["id"] for row in rows]
    if len(set(ids)) < len(ids) or any(id_problem(item) for item in ids):
        raise FindingError(f"unsafe ids {ids}")
    return "same" if found.rows == _sound(form) else "other"


def _plain_ndjson(data: bytes) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in data.decode("utf-8-sig").split("\n") if line.strip()]
    return rows[1:] if "mmcli" in rows[0] and "id" not in rows[0] else rows


def _plain_csv(data: bytes) -> list[dict[str, Any]]:
    lines = [cells for cells in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) if cells]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]]


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers as numbers, absent cells away."""
    full = {key: value for key, value in row.items() if value not in ("", None)}
    times = {key: float(full[key]) for key in ("start", "end") if key in full}
    if str(full.get("split")).lower() in SPLIT_NAMES:
        full["split"] = SPLIT_NAMES[full["split"].lower()]
    return {key: _word(value) for key, value in full.items()} | times


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def truncations(form: Format) -> int:
    """Load every truncation; none may pass for another value. Returns how many loaded."""
    loaded = 0
    whole = _sound(form)
    for length in range(len(form.seed)):
        data = form.seed[:length]
        try:
            found = _values(form, form.loads(data, "cut"))
        except ArtifactError:
            continue
        except Exception as problem:
            raise FindingError(f"{form.name}[:{length}]: {type(problem).__name__}: {problem}") from problem
        loaded += 1
        if form.name == "csv" and not data.endswith(b"\n"):
            found = found[:-1]  # nothing tells a csv cut short from one that lacks its last newline; the reader says so
        if found != whole and not (form.name in MANIFESTS and found == whole[: len(found)]):
            raise FindingError(f"{form.name}[:{length}] loaded with another value")
    return loaded


@functools.cache
def _sound(form: Format) -> Any:
    return _values(form, form.loads(form.seed, "seed"))


def _values(form: Format, found: Any) -> Any:
    if form.name in MANIFESTS:
        return found.rows
    return canonical_json(found) if isinstance(found, dict) else form.dumps(found)


def peak_mb() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str]) -> int:
    """See the module."""
    mutants, seed = int(arguments[0]), int(arguments[1])
    for name in arguments[2:]:
        form = fuzz_seeds.checkpoint_format() if name == "checkpoint" else fuzz_seeds.formats()[name]
        print(json.dumps(hunt(form, mutants, seed) | {"truncations_loaded": truncations(form)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main(sys.argv[1:]))
