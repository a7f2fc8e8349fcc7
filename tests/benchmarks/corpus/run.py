"""Aligns the pairs of a split with the code of this checkout, judges every map, and prints a table a kind.

Usage: run.py choose|check|last|last2|check2|last3 [--kinds GLOB,...] [--limit N] [--jobs N] [--forced] [--table]
    [--worst N]

Results go to CACHE/results/CODE.jsonl, where CODE is the digest of what aligns; a run resumes where it stopped, and one
with --table only prints. `last` and `last2` have been opened and are material to choose on, as check2 is; `last3` is
opened once: it asks for --open-last. --limit takes the first N of each kind; --forced maps refused pairs too (their
class stays "refused", what the map is stands in "forced").
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from judge import Row, judged  # noqa: E402
from tables import report  # noqa: E402

ALIGNS = ("aligners", "media", "extractors", "artifacts/formats")  # what a result depends on


def code() -> str:
    """A digest of the sources that align."""
    h = hashlib.sha256()
    for room in ALIGNS:
        for p in sorted((ROOT / "mmcli" / room).rglob("*")):
            if p.suffix in (".py", ".c", ".h"):
                h.update(str(p.relative_to(ROOT)).encode() + p.read_bytes())
    return h.hexdigest()[:12]


def aligned(pair: Row, cache: str, timeout: int, forced: bool) -> Row:
    """One pair's outcome and figures."""
    from mmcli.aligners.methods import auto
    from mmcli.aligners.pair import align_files
    from mmcli.errors import MismatchError, MmcliError

    def late(*_: object) -> None:
        raise TimeoutError(f"over {timeout} s")

    signal.signal(signal.SIGALRM, late)
    options: dict[str, Any] = dict(pair["truth"].get("options") or {})
    files = (Path(cache) / pair["reference"], Path(cache) / pair["query"])

    def once(**more: Any) -> Row:
        return align_files(*files, **options, **more).to_json()

    row: Row = {k: pair[k] for k in ("id", "kind", "digest")} | {"stranger": bool(pair["truth"].get("refuse"))}
    start, cpu = time.perf_counter(), time.process_time()
    signal.alarm(timeout)
    try:
        m = once()
        said = "unsure" if m["quality"].get("verdict") == "unsure" else None
        row |= judged(pair, m if said is None else None, said)
        row |= {
            "reason": m["quality"].get("reason", ""),
            "knots": len(m["knots"]),
            "offset_s": m["offset_s"],
            "rate": m["rate"],
            "breaks": (m.get("breaks") or [])[:6],
            "runner_up": m.get("runner_up"),
            "quality": m["quality"],
        }
    except MismatchError as error:
        evidence = dict(error.evidence or {})
        row |= judged(
            pair, None, "unsure" if evidence.get("verdict") == "unsure" or " unsure" in str(error) else "refused"
        )
        row |= {"reason": str(error), "evidence": evidence, "probability": evidence.get("probability")}
        if forced:
            try:
                m = once(config=auto.Config(force=True))
                row["forced"] = judged({**pair, "truth": {"points": [[0, 0]], **pair["truth"]}}, m, None)
                row["probability"] = m["quality"].get("probability", row["probability"])
            except MmcliError as again:
                row["forced"] = {"class": "failed", "reason": str(again)}
    except (MmcliError, TimeoutError, ValueError, ArithmeticError, LookupError, MemoryError, TypeError) as error:
        row |= {"class": "failed", "ok": False, "reason": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)
    return row | {"wall_s": round(time.perf_counter() - start, 2), "cpu_s": round(time.process_time() - cpu, 2)}


def main() -> int:
    """Runs what is missing, prints the table."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("split", choices=("choose", "check", "last", "last2", "check2", "last3"))
    a.add_argument("--cache", type=Path, default=os.environ.get("MMCLI_CORPUS"))
    a.add_argument("--kinds", default="*")
    a.add_argument("--limit", type=int, default=10**6, help="pairs a kind")
    a.add_argument("--jobs", type=int, default=1)
    a.add_argument("--timeout", type=int, default=300)
    a.add_argument("--forced", action="store_true")
    a.add_argument("--table", action="store_true", help="run nothing")
    a.add_argument("--worst", type=int, default=0, help="list so many failures")
    a.add_argument("--open-last", action="store_true")
    a = a.parse_args()
    if a.cache is None:
        raise SystemExit("name the folder: --cache, or MMCLI_CORPUS")
    if a.split == "last3" and not a.open_last:
        raise SystemExit("last3 is opened once, when everything is decided: --open-last")
    pairs = [json.loads(line) for line in (a.cache / "pairs.jsonl").open()]
    number = {p["id"]: int(p["id"].rsplit("_", 1)[1]) for p in pairs}
    pairs = [
        p
        for p in pairs
        if p["split"] == a.split
        and number[p["id"]] < a.limit
        and any(fnmatch.fnmatch(p["kind"], k) for k in a.kinds.split(","))
    ]
    out = a.cache / "results" / f"{code()}.jsonl"
    out.parent.mkdir(exist_ok=True)
    done = {r["digest"]: r for r in map(json.loads, out.open())} if out.exists() else {}
    todo = [p for p in pairs if p["digest"] not in done and not a.table]
    todo.sort(key=lambda p: (number[p["id"]], p["kind"]))
    with ProcessPoolExecutor(a.jobs, mp_context=get_context("spawn")) as pool, out.open("a") as file:
        running = [pool.submit(aligned, p, str(a.cache), a.timeout, a.forced) for p in todo]
        for k, task in enumerate(as_completed(running), 1):
            row = task.result()
            done[row["digest"]] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{k}/{len(todo)} {row['id']} {row['class']} {row['wall_s']} s", file=sys.stderr, flush=True)
    print(f"code {code()}, split {a.split}")
    report([done[p["digest"]] for p in pairs if p["digest"] in done], a.worst)
    return 0


if __name__ == "__main__":
    sys.exit(main())
