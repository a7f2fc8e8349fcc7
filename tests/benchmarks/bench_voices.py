"""`train --fusion auto` on the digits of sample_data, the voices divided anew: one test set of 80 items says little.

    python tests/benchmarks/bench_voices.py FOLDER [--units 0 1 2 3 4 5] [--effort usual quick]

Of the ten voices two test, two validate and six train, drawn by the unit; unit -1 is the division of the manifest. One
line a unit and effort: accuracy, log loss, processor time of the training, and the networks that take part.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

DIGITS = Path(__file__).resolve().parents[2] / "sample_data" / "digits" / "manifest.csv"
PIXELS = ("pixels.width=32", "pixels.height=32", "pixels.color=grey")


def mmcli(*arguments: object) -> float:
    """One command; its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "mmcli", *map(str, arguments), "-q"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def divided(manifest: Path, unit: int) -> Path:
    """A manifest beside this one in which the unit's voices test."""
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    if unit >= 0:
        voices = np.random.default_rng(unit).permutation(sorted({row["group"] for row in rows})).tolist()
        for row in rows:
            place = voices.index(row["group"])
            row["split"] = "test" if place < 2 else "val" if place < 4 else "train"
    new = manifest.with_name(f"unit{unit}.jsonl")
    new.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return new


def measure(folder: Path, unit: int, effort: str) -> tuple[float, float]:
    """Train, evaluate, print; accuracy and log loss on the test voices."""
    data, model, report = folder / "d.npz", folder / "m.pt", folder / "r.json"
    mmcli("fuse", divided(folder / "features" / "manifest.jsonl", unit), "-o", data)
    seconds = mmcli("train", data, "-o", model, "--fusion", "auto", "--effort", effort)
    mmcli("evaluate", model, data, "-o", report, "--explain", 0)
    read = json.loads(report.read_text())
    networks = [c["title"] for c in read["model"]["candidates"] if "gain" in c and "(" not in c["title"]]
    accuracy, loss = (read["metrics"][name]["value"] for name in ("accuracy", "log_loss"))
    said = ", ".join(title for title in networks if " of " not in title) or "none"
    print(f"{unit} {effort}: {accuracy:.1%}, log loss {loss:.3f}, {seconds:.1f} s; networks: {said}", flush=True)
    return accuracy, loss


def main() -> None:
    """Every unit with every effort, and their means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", nargs="+", type=int, default=[-1, 0, 1, 2, 3, 4, 5])
    parser.add_argument("--effort", nargs="+", default=["usual"])
    arguments = parser.parse_args()
    how = ["--image", "pixels", "--audio", "mfcc", "--text", "tokens"]
    sizes = [word for setting in PIXELS for word in ("--set", setting)]
    mmcli("extract", DIGITS, "-o", arguments.folder / "features", *how, *sizes)
    for effort in arguments.effort:
        accuracy, loss = np.mean([measure(arguments.folder, unit, effort) for unit in arguments.units], axis=0)
        print(f"mean {effort}: {accuracy:.1%}, log loss {loss:.3f}")


if __name__ == "__main__":
    main()
