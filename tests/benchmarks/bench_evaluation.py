"""What a report costs: 10,000 items with three modalities, and the explanation of 100 items.

    python tests/benchmarks/bench_evaluation.py            # bars: 60 s, 3 MB of page; 30 s for 100 explanations

Items are made (a vector, a sequence, a text of numbers), 500 to train on for one epoch and 10,000 to evaluate.
Seconds are wall time and CPU time of all threads: of the whole command with start-up and import for the report, of the
integrated gradients for the explanation.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mmcli.artifacts.formats import dataset
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.cli import given
from mmcli.evaluation.explain import gradients
from mmcli.training.fit import predictor


def made(items: int, train: int) -> Dataset:
    """Ten classes; each modality tells a part of the class, and is absent from a tenth of the items."""
    rng = np.random.default_rng(0)
    count = items + train
    number = rng.integers(0, 10, count)
    centre = rng.normal(size=(10, 32))
    streams = {}
    for name, steps, kind in (("vector", 1, "vector"), ("sequence", 20, "sequence"), ("text", 12, "tokens")):
        present = rng.random(count) >= 0.1 if name != "vector" else np.ones(count, bool)
        lengths = np.where(present, steps, 0)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        classes = np.repeat(number, lengths)
        values = centre[classes] + rng.normal(0, 3.0, (len(classes), 32))
        meta: dict[str, object] = {"kind": kind}
        if kind == "tokens":
            values = np.where(rng.random((len(classes), 1)) < 0.2, classes[:, None] + 2, rng.integers(2, 50, (1, 1)))
            meta["vocabulary_size"] = 64
        times = np.concatenate([np.arange(n, dtype=np.float64) for n in lengths])
        streams[name] = Stream(values.astype(np.float32), offsets, times, present, None, meta)
    names = [f"c{k}" for k in range(10)]
    split = np.where(np.arange(count) < train, "train", "test")
    ids = np.array([f"i{k:05d}" for k in range(count)])
    label = np.array(names)[number]
    return Dataset(streams, ids, split, np.full(count, "", np.str_), label, meta={"task": "classify", "classes": names})


def mmcli(*words: object) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mmcli", *map(str, words), "-q"], check=True)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Make, train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data, model, report, page = (Path(name) / part for part in ("d.npz", "m.pt", "r.json", "r.html"))
        dataset.save(data, made(arguments.items, 500))
        mmcli("train", data, "-o", model, "--epochs", 1)
        wall, cpu = mmcli("evaluate", model, data, "-o", report, "--html", page)
        size = page.stat().st_size / 1e6
        print(f"report and page of {arguments.items} items: {wall:.1f} s, CPU {cpu:.1f} s, page {size:.2f} MB")
        judged, items = given.as_judged(predictor.load(model)), dataset.load(data)
        rows = items.rows("test")[:100]
        begin, busy = time.perf_counter(), time.process_time()
        spoken = gradients.explain(judged.access, items, rows, np.zeros(len(rows), np.int64), items.rows("train"))
        wall, cpu = time.perf_counter() - begin, time.process_time() - busy
        gap = max(abs(entry["gap"]) for entry in spoken)
        print(f"explanation of {len(rows)} items: {wall:.1f} s, CPU {cpu:.1f} s, shares miss at most {gap:.3f} logits")


if __name__ == "__main__":
    main()
