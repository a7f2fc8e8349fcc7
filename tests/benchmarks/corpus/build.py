"""Rebuilds the corpus into a cache folder: recordings unpacked, pairs made, pairs.jsonl written.

Usage: build.py [--cache FOLDER] [--repos FOLDER] [--shared FOLDER] [--kinds GLOB,...] [--splits NAME,...]
    [--limit N] [--sources]

CACHE (default: $MMCLI_CORPUS) must lie outside the project; REPOS holds bare clones as OWNER+NAME/repo ($MMCLI_REPOS).
Needs ffmpeg, fluidsynth with the FluidR3 sound font, apt-get and dpkg, and from PyPI mido, scipy, soundfile and soxr.
Every pair has its own seed: made again it is the same, alone or with the rest.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import captions
import copies
import cues
import films
import readings
import scores
import sensors
import strangers
import texts
from pool import KINDS, Made, Pool
from sources import EVERY, SPLITS, TAKEN_WHOLE, recordings

# Right pairs of a kind in splits with sources of their own, else 3; of strangers as many as elsewhere.
OWN_EACH = {"cut_long": 1}
OF_CUES = ("sub_", "imu_", "text_")  # in check2 and last3 as many as elsewhere
MADE_BY = (captions, copies, cues, films, readings, scores, sensors, strangers, texts)  # they register their kinds


def main() -> int:
    """Makes what is missing and lists all that is there."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--cache", type=Path, default=os.environ.get("MMCLI_CORPUS"))
    a.add_argument("--repos", type=Path, default=os.environ.get("MMCLI_REPOS"))
    a.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[4] / "shared" / "data")
    a.add_argument("--kinds", default="*")
    a.add_argument("--splits", default=",".join(SPLITS))
    a.add_argument("--limit", type=int, default=10**6, help="pairs a kind")
    a.add_argument("--sources", action="store_true", help="print the table of sources and stop")
    a = a.parse_args()
    if a.sources:
        for s in EVERY:
            print(f"| {s.origin} | {s.licence} | {s.what} |")
        return 0
    if a.cache is None or a.repos is None:
        raise SystemExit("name the folders: --cache and --repos, or MMCLI_CORPUS and MMCLI_REPOS")
    a.cache.mkdir(parents=True, exist_ok=True)
    every = recordings(a.cache, a.repos, a.shared)
    failed = 0
    wanted = [k for k in KINDS if any(fnmatch.fnmatch(k, p) for p in a.kinds.split(","))]
    for split in a.splits.split(","):
        for name in wanted:
            maker, each = KINDS[name]
            if split in TAKEN_WHOLE and not name.startswith(("no_", *(() if split == "last2" else OF_CUES))):
                each = OWN_EACH.get(name, 3)
            for i in range(min(each, a.limit)):
                folder = a.cache / "pairs" / split / f"{name}_{i:02}"
                if (folder / "pair.json").exists():
                    continue
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                pool = Pool(split, name, i, folder, every)
                try:
                    made = maker(pool)
                except (LookupError, ValueError, OSError) as error:
                    print(f"{split}/{name}_{i:02}: {type(error).__name__}: {error}", file=sys.stderr)
                    failed += 1
                    continue
                row = {"id": f"{split}/{name}_{i:02}", "kind": name, "split": split, "sources": sorted(pool.used)}
                row |= {**made, "digest": digest(folder, made)}
                (folder / "pair.json").write_text(json.dumps(row))
            print(f"{split} {name}", file=sys.stderr, flush=True)
        listed(a.cache)
    return 1 if failed else 0


def digest(folder: Path, made: Made) -> str:
    """Of both files and the truth: what a result is a result of."""
    h = hashlib.sha256(json.dumps(made["truth"], sort_keys=True).encode())
    for side in ("reference", "query"):
        h.update((folder / made[side]).read_bytes())
    return h.hexdigest()[:16]


def listed(cache: Path) -> None:
    """Writes pairs.jsonl, and checks that no recording stands on two sides."""
    rows = [json.loads(p.read_text()) for p in sorted(cache.glob("pairs/*/*/pair.json"))]
    side: dict[str, str] = {}
    rooms = {s.name for s in EVERY if s.kind in ("room", "noise")}
    for r in rows:
        for source in r["sources"]:
            if source.split("/")[0] not in rooms and side.setdefault(source, r["split"]) != r["split"]:
                raise SystemExit(f"{source} is in {r['split']} and {side[source]}")
    with (cache / "pairs.jsonl").open("w") as out:
        for r in rows:
            folder = f"pairs/{r['id']}"
            out.write(
                json.dumps({**r, "reference": f"{folder}/{r['reference']}", "query": f"{folder}/{r['query']}"}) + "\n"
            )
    right = sum(not r["truth"].get("refuse") for r in rows)
    print(f"{len(rows)} pairs: {right} right, {len(rows) - right} strangers; {len(side)} recordings")


if __name__ == "__main__":
    sys.exit(main())
