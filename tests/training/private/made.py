"""Small data sets on no scale, whose classes can be told, and noise with a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmcli.artifacts.formats import dataset as datasets
from mmcli.artifacts.formats.dataset import Dataset, Stream


def stream(items: list[np.ndarray | None], kind: str, **meta: object) -> Stream:
    there = [np.asarray(a, np.float32) for a in items if a is not None]
    lengths = np.array([0 if a is None else len(a) for a in items])
    times = np.concatenate([np.arange(n) * 0.01 for n in lengths])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Stream(np.concatenate(there), offsets, times, lengths > 0, None, {"kind": kind, **meta})


def data(items: int = 240, groups: int = 12, seed: int = 0, task: str = "classify") -> Dataset:
    """Two streams, a third of whose items lack one; the last quarter is the test split."""
    rng = np.random.default_rng(seed)
    number = rng.integers(0, 3, items)
    vectors = [rng.normal(size=(1, 6)) + 2.0 * np.eye(3, 6)[k] for k in number]
    series = [rng.normal(size=(int(rng.integers(9, 20)), 4)) + 2.0 * np.eye(3, 4)[k] for k in number]
    lack = rng.random(items) < 0.15
    streams = {
        "text": stream([None if no else v for v, no in zip(vectors, lack, strict=True)], "vector"),
        "audio": stream([*series], "sequence"),
    }
    split = np.where(np.arange(items) < items * 3 // 4, "train", "test")
    group = [f"g{i * groups // items}" for i in range(items)]  # whole groups on one side
    label = np.array([f"c{k}" for k in number]) if task == "classify" else number.astype(np.float64)
    classes = ["c0", "c1", "c2"] if task == "classify" else None
    names = [f"item{i}" for i in range(items)]
    return Dataset(streams, names, split, group, label, meta={"task": task, "classes": classes})


def saved(path: Path, made: Dataset | None = None) -> Path:
    datasets.save(path, made or data())
    return path
