"""Streams that stand still, have one frame, say nothing or are half missing: trained, evaluated, explained, predicted.

What is promised is that all of it ends in finite numbers that can be written down, whatever the task.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.cli import given
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.report.report import Request, evaluate
from mmcli.fusion import normalise
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.use import run

ITEMS, WIDTH = 32, 3


def _still(rng: np.random.Generator, i: int) -> np.ndarray | None:
    return np.repeat(rng.normal(size=(1, WIDTH)), 5, axis=0)


def _one_frame(rng: np.random.Generator, i: int) -> np.ndarray | None:
    return rng.normal(size=(1 if i % 3 else 6, WIDTH))


def _zeros(rng: np.random.Generator, i: int) -> np.ndarray | None:
    return np.zeros((4, WIDTH))


def _constant_column(rng: np.random.Generator, i: int) -> np.ndarray | None:
    values = rng.normal(size=(4, WIDTH))
    values[:, 1] = 7.0
    return values


def _half_missing(rng: np.random.Generator, i: int) -> np.ndarray | None:
    return None if (i // 8) % 2 else rng.normal(size=(4, WIDTH))


def _never_in_training(rng: np.random.Generator, i: int) -> np.ndarray | None:
    return None if i % 4 < 2 else rng.normal(size=(1, WIDTH))


def _same_vector(rng: np.random.Generator, i: int) -> np.ndarray | None:
    return np.ones((1, WIDTH))


def _wakes_up_in_test(rng: np.random.Generator, i: int) -> np.ndarray | None:
    return np.zeros((4, WIDTH)) if i % 4 < 3 else 1e6 * rng.normal(size=(4, WIDTH))


# Two odd streams beside a plain one in each data set.
PAIRS = (
    (_still, _same_vector),
    (_one_frame, _zeros),
    (_constant_column, _half_missing),
    (_never_in_training, _wakes_up_in_test),
)


def _stream(items: list[np.ndarray | None], split: np.ndarray) -> Stream:
    lengths = [0 if a is None else len(a) for a in items]
    there = [np.asarray(a, np.float32) for a in items if a is not None]
    train = [a for a, s in zip(items, split, strict=True) if a is not None and s == "train"]
    normaliser = normalise.fit_items(train, "zscore")
    values = normalise.apply(np.concatenate(there), normaliser)
    times = np.concatenate([np.arange(n) * 0.1 for n in lengths])
    meta = {"kind": "vector" if max(lengths) == 1 else "sequence", "normaliser": normaliser}
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Stream(values, offsets, times, np.array([a is not None for a in items]), None, meta)


def _made(shapes: Any, task: str) -> Dataset:
    rng = np.random.default_rng(0)
    split = np.array(["train", "train", "val", "test"])[np.arange(ITEMS) % 4]
    kind = (np.arange(ITEMS) // 4) % 2
    plain: list[np.ndarray | None] = [rng.normal(size=(5, WIDTH)) + k for k in kind]
    streams = {"plain": _stream(plain, split)}
    for shape in shapes:
        streams[shape.__name__.strip("_")] = _stream([shape(rng, i) for i in range(ITEMS)], split)
    label: Any = np.array(["a", "b"])[kind]
    classes: list[str] | None = ["a", "b"]
    if task == "regress":
        label, classes = kind + rng.normal(0, 0.1, ITEMS), None
    elif task == "multilabel":
        label = np.stack([kind == 0, rng.random(ITEMS) < 0.3, np.zeros(ITEMS)], axis=1).astype(bool)
        classes = ["a", "b", "never"]
    meta = {"task": task, "classes": classes}
    return Dataset(streams, [f"i{i}" for i in range(ITEMS)], split, [""] * ITEMS, label, meta=meta)


@pytest.mark.parametrize("task", ["classify", "regress", "multilabel"])
@pytest.mark.parametrize("shapes", PAIRS, ids=lambda shapes: shapes[0].__name__.strip("_"))
def test_ends_in_finite_numbers(shapes: Any, task: str, tmp_path: Path) -> None:
    data = _made(shapes, task)
    config = TrainConfig(fusion="auto", folds=2, epochs=1, width=8, device="cpu")
    run.train(data, config, tmp_path / "m.pt")
    loaded = predictor.load(tmp_path / "m.pt")
    assert np.isfinite(loaded.predict(data).logits).all()

    judged = given.as_judged(loaded)
    request = Request(explain=4, robustness=task == "classify")
    report = evaluate(judged, data, request, opponents=verdict.kept(judged))
    text = json.dumps(report, allow_nan=False)
    assert "explanation" in text
    assert report["metrics"]
