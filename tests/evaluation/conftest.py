"""Data sets and models with planted answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats.dataset import Dataset, Stream


@dataclass
class Answers:
    """What a predict callable returns."""

    probabilities: np.ndarray | None = None
    values: np.ndarray | None = None


def stream(values: np.ndarray, present: np.ndarray, kind: str = "vector") -> Stream:
    """One row of ``values`` ``(items, width)`` per present item."""
    offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int64)
    rows = np.ascontiguousarray(values[present], np.float32)
    return Stream(rows, offsets, np.zeros(len(rows)), present.astype(bool), meta={"kind": kind})


def made(
    items: int = 60,
    *,
    task: str = "classify",
    classes: tuple[str, ...] = ("a", "b", "c"),
    groups: int = 12,
    missing: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """Items whose modalities x and y each carry a part of the label: 3/5 train, 1/5 val, 1/5 test, whole groups."""
    rng = np.random.default_rng(seed)
    number = rng.integers(0, len(classes), items)
    score = rng.normal(size=items)
    one_hot = np.eye(len(classes))[number] if task != "regress" else score[:, None]
    streams = {}
    for name in ("x", "y"):
        present = rng.random(items) >= missing
        streams[name] = stream(one_hot + rng.normal(0, 0.5, one_hot.shape), present)
    neither = ~(streams["x"].present | streams["y"].present)
    if neither.any():
        streams["x"] = stream(one_hot, streams["x"].present | neither)
    group = np.arange(items) * groups // items
    split = np.array(["train", "val", "test"])[np.digitize(group / groups, [0.6, 0.8])]
    label: Any = np.array(classes)[number]
    if task == "regress":
        label = score
    elif task == "multilabel":
        label = one_hot.astype(bool) | (rng.random(one_hot.shape) < 0.2)
    meta = {"task": task} | ({} if task == "regress" else {"classes": list(classes)})
    ids = [f"i{k:04d}" for k in range(items)]
    return Dataset(streams, ids, split, [f"g{g}" for g in group], label, meta=meta)


def predict(dataset: Dataset, rows: np.ndarray) -> Answers:
    """Adds up what the present modalities say: a model with nothing to train."""
    total = None
    for name in dataset.modalities:
        part = np.stack([dataset.streams[name].item(i).values.sum(axis=0) for i in rows]).astype(float)
        total = part if total is None else total + part
    task = dataset.meta["task"]
    if task == "regress":
        return Answers(values=total[:, 0] / 2)
    if task == "multilabel":
        return Answers(probabilities=1 / (1 + np.exp(1.5 - 2 * total)))
    shifted = np.exp(2 * (total - total.max(axis=1, keepdims=True)))
    return Answers(probabilities=shifted / shifted.sum(axis=1, keepdims=True))


@pytest.fixture(params=["classify", "regress", "multilabel"])
def task(request) -> str:
    """Every task in turn."""
    return request.param
