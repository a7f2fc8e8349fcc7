"""How often models that were really trained are said to be helped by fusion where it cannot help.

The data: two classes, one modality that tells them, and one of pure noise, or a copy of the first. What a fused model
gains there is luck of the training, which the population shows: every claim is checked on 20,000 fresh items.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.cli import given
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.judge import verdict as verdicts
from mmcli.evaluation.model import Model
from mmcli.evaluation.report.report import kind_of_opponent, outcome_on
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.use import run

TRAIN, VAL, TEST, FRESH = 120, 60, 200, 20_000
CLASSES = ["a", "b"]


def items(seed: int, second: str, counts: dict[str, int]) -> Dataset:
    """Items in four dimensions a modality; the classes lie 1.12 standard deviations either side of zero in one."""
    rng = np.random.default_rng(seed)
    n = sum(counts.values())
    label = rng.integers(0, 2, n)
    x = rng.normal(size=(n, 4))
    x[:, 0] += 1.12 * (2 * label - 1)
    y = x if second == "copy" else rng.normal(size=(n, 4))
    streams = {
        name: Stream(v.astype(np.float32), np.arange(n + 1), np.zeros(n), np.ones(n, bool), None, {"kind": "vector"})
        for name, v in (("x", x), ("y", y))
    }
    split = np.repeat(list(counts), list(counts.values()))
    meta = {"task": "classify", "classes": CLASSES}
    return Dataset(streams, [f"i{k}" for k in range(n)], split, [""] * n, np.array(CLASSES)[label], meta=meta)


def models(data: Dataset, recipe: str, seed: int, folder: Path) -> list[Model]:
    """The fused model and its opponents: a pool of kernel machines with what it kept, or networks trained apart."""

    def trained(name: str, **settings: Any) -> Model:
        path = folder / f"{name}.pt"
        run.train(data, TrainConfig(seed=seed, device="cpu", **settings), path)
        return given.as_judged(predictor.load(path))

    if recipe == "pool":
        fused = trained("pool", fusion="auto", candidates="kernels")
        return [fused, *verdict.kept(fused)]
    return [trained("both"), *(trained(name, modalities=(name,)) for name in ("x", "y"))]


@dataclass
class Claim:
    """``said`` that it helps, and by how much the fused model is better than the best single one on fresh items."""

    said: bool
    truly: float


def judge(seed: int, recipe: str, second: str, folder: Path, fresh_items: int = FRESH) -> Claim:
    """One training and its verdict."""
    data = items(seed, second, {"train": TRAIN, "val": VAL, "test": TEST})
    fresh = items(seed + 1_000_000, second, {"test": fresh_items})
    fused, *others = models(data, recipe, seed, folder)

    def right(model: Model, where: Dataset, split: str) -> Any:
        found = outcome_on(model, where, where.rows(split))
        assert found is not None
        return found

    rivals = [
        verdicts.Opponent(
            m.name, kind_of_opponent(m, fused, data), m.modalities, right(m, data, "test"), right(m, data, "val")
        )
        for m in others
    ]
    config = interval.Config(resamples=500, seed=seed % 8)
    found = verdicts.verdict(right(fused, data, "test"), rivals, modalities=["x", "y"], config=config)
    singles = [m for m in others if len(m.modalities) == 1]
    best = max(float(right(m, fresh, "test").gains().mean()) for m in singles)
    return Claim(found["helps"] == "yes", float(right(fused, fresh, "test").gains().mean()) - best)


@pytest.mark.hunt
@pytest.mark.parametrize("recipe", ["pool", "networks"])
@pytest.mark.parametrize("second", ["noise", "copy"])
def test_help_is_claimed_in_at_most_5_percent_of_200_trainings_where_there_is_none(tmp_path, recipe, second):
    claims = [judge(seed, recipe, second, tmp_path) for seed in range(200)]
    said = np.mean([claim.said for claim in claims])
    false = np.mean([claim.said and claim.truly <= 0 for claim in claims])
    print(f"{recipe}, {second}: helps in {said:.1%}, {false:.1%} of them where the fused model is no better;")
    print(f"the fused model against the best single one: {100 * np.mean([c.truly for c in claims]):+.2f} points")

    assert said <= 0.05


def test_no_help_is_claimed_of_a_modality_of_noise_in_a_few_trainings(tmp_path):
    """The small version of the hunt."""
    assert sum(judge(seed, "pool", "noise", tmp_path, 500).said for seed in range(4)) <= 1


def test_help_is_claimed_where_there_is_some(tmp_path):
    """The same machinery sees what there is: two modalities that each tell half."""
    data = items(5, "noise", {"train": TRAIN, "val": VAL, "test": TEST})
    label = np.array([CLASSES.index(str(name)) for name in data.label])
    data.streams["y"].values[:, 0] += (1.12 * (2 * label - 1)).astype(np.float32)
    fused, *others = models(data, "pool", 5, tmp_path)
    found = outcome_on(fused, data, data.rows("test"))
    rivals = [
        verdicts.Opponent(m.name, "single", m.modalities, outcome_on(m, data, data.rows("test")), None)
        for m in others
        if len(m.modalities) == 1
    ]

    assert verdicts.verdict(found, rivals, modalities=["x", "y"])["helps"] == "yes"
