"""What fuse, train and evaluate cost with the number of items: time and memory, and how they grow.

    python tests/benchmarks/bench_scale.py [1000 10000 100000 1000000] [--auto 100000] [--sharded 100000]

Items are rows of two arrays of 8 numbers in four classes, 60/20/20. ``auto`` is asked up to --auto items, with
``--effort quick``; from --sharded items on the data set is a folder of shards. One line a command: processor time of
all its threads in seconds, and the most memory it held. The exponent is that of time against the size before.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

WIDTH = 8


def manifest(folder: Path, items: int) -> Path:
    """Two arrays, and a row of each for every item."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, items)
    centre = rng.normal(size=(2, 4, WIDTH))
    for name, places in zip("ab", centre, strict=True):
        np.save(folder / f"{name}.npy", (places[label] + 1.5 * rng.normal(size=(items, WIDTH))).astype(np.float32))
    split = np.array(["train", "train", "train", "val", "test"])
    with (folder / "m.csv").open("w") as file:
        file.write("id,split,label,series.a,series.b\n")
        file.writelines(f"i{i},{split[i % 5]},c{label[i]},a.npy#{i},b.npy#{i}\n" for i in range(items))
    return folder / "m.csv"


def mmcli(*arguments: object) -> tuple[float, float]:
    """Seconds of processor time and MB of memory of one command."""
    child = subprocess.Popen([sys.executable, "-m", "mmcli", *map(str, arguments), "-q"])
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{arguments[0]} ended with {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """One line a command and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", nargs="*", type=int, default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--auto", type=int, default=100_000, help="most items that auto is asked for")
    parser.add_argument("--sharded", type=int, default=100_000, help="fewest items of a folder of shards")
    parser.add_argument("--epochs", type=int, default=3, help="of concat")
    arguments = parser.parse_args()
    before: dict[str, tuple[int, float]] = {}
    for items in arguments.items:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            data = folder / ("d/" if items >= arguments.sharded else "d.npz")
            target = f"{data}/" if items >= arguments.sharded else data
            steps = {
                "fuse": ("fuse", manifest(folder, items), "-o", target),
                "concat": ("train", target, "-o", folder / "c.pt", "--epochs", arguments.epochs),
                "evaluate": ("evaluate", folder / "c.pt", target, "--explain", 0, "-o", folder / "r.json"),
            }
            if items <= arguments.auto:
                how = ("--fusion", "auto", "--effort", "quick")
                steps["auto"] = ("train", target, "-o", folder / "a.pt", *how)
                steps["evaluate auto"] = ("evaluate", folder / "a.pt", target, "--explain", 0, "-o", folder / "r.json")
            for name, step in steps.items():
                seconds, memory = mmcli(*step)
                known = before.get(name)
                grown = f", exponent {math.log(seconds / known[1], items / known[0]):.2f}" if known else ""
                print(f"{items:>9,} {name:14} {seconds:8.1f} s {memory:7.0f} MB{grown}", flush=True)
                before[name] = items, seconds


if __name__ == "__main__":
    main()
