"""A data set in shards costs memory by the shard and the batch: its size costs time only."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Two classes that are easily told apart, in a large modality and a small one; no file waits for the disk.
MAKE = """
import json, sys
from pathlib import Path
import numpy as np
from mmcli.artifacts.formats import features
from mmcli.artifacts.io import atomic
from mmcli.artifacts.formats.features import Features
atomic.without_flushing()
folder, items, frames, width = Path(sys.argv[1]), *map(int, sys.argv[2:])
rng = np.random.default_rng(0)
with (folder / "manifest.jsonl").open("w") as rows:
    for i in range(items):
        values = rng.standard_normal((frames, width), np.float32) + i % 2
        features.save(folder / f"s{i}.npz", Features(values, np.arange(frames) * 0.01, {"kind": "sequence"}))
        features.save(folder / f"v{i}.npz", Features(values[:1, :8].copy(), np.zeros(1), {"kind": "vector"}))
        split = ("train", "train", "train", "val", "test")[i % 5]
        row = {"id": f"i{i}", "split": split, "label": "ab"[i % 2], "series.s": f"s{i}.npz", "video.v": f"v{i}.npz"}
        print(json.dumps(row), file=rows)
"""
# Every command first on a handful of items, so that what is imported and built is there, and then on all.
WORK = """
import sys
import torch
from mmcli.cli import app
torch.set_num_threads(1)
def peak():
    # Not ru_maxrss: that starts at what the test process held when it forked, and would hide growth below it.
    return int(next(row for row in open("/proc/self/status") if row.startswith("VmHWM")).split()[1])
def work(folder):
    for words in (
        ["fuse", f"{folder}/manifest.jsonl", "-o", f"{folder}/shards/", "--shard-size", sys.argv[3]],
        ["train", f"{folder}/shards", "-o", f"{folder}/m.pt", "--epochs", "1", "--set", "train.batch=8"],
        ["evaluate", f"{folder}/m.pt", f"{folder}/shards", "-o", f"{folder}/r.json"],
        ["predict", f"{folder}/m.pt", f"{folder}/shards", "-o", f"{folder}/p.jsonl"],
        ["info", f"{folder}/shards"],
    ):
        assert app.run([*words, "-q"]) == 0, words
        print(words[0], peak(), file=sys.stderr)
work(sys.argv[1])
before = peak()
work(sys.argv[2])
print("grown", peak() - before)
"""


@pytest.mark.parametrize(
    ("items", "frames", "width", "shard", "times_larger"),
    [
        pytest.param(800, 32, 1024, "4MB", 2.0, id="100MB"),
        pytest.param(4096, 512, 128, "64MB", 2.5, id="1GB", marks=pytest.mark.hunt),
    ],
)
def test_the_memory_does_not_grow_with_the_data_set(tmp_path, items, frames, width, shard, times_larger):
    for name, count in (("few", 20), ("many", items)):
        (tmp_path / name).mkdir()
        run(MAKE, tmp_path / name, count, frames, width)
    size = 4 * items * frames * width

    done = run(WORK, tmp_path / "few", tmp_path / "many", shard)

    grown = int(done.stdout.split("grown")[1]) * (1 if sys.platform == "darwin" else 1024)
    print(f"{size / 1e6:.0f} MB of values, {grown / 1e6:.0f} MB grown", done.stderr)
    assert grown * times_larger < size, done.stderr
    report = json.loads((tmp_path / "many" / "r.json").read_text())
    assert report["metrics"]["accuracy"]["value"] > 0.9


def run(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=1800, check=True)
