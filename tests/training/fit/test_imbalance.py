"""Remedies for classes and modalities that do not pull their equal share."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import UsageError
from mmcli.training.config import TrainConfig
from mmcli.training.data import Target
from mmcli.training.fit import imbalance, loop

CONFIG = TrainConfig(epochs=6, width=16, rate=1e-2, batch=20, average=0.0, modality_dropout=0.0, dropout=0.0)


def _target(kinds: list[int]) -> Target:
    names = [str(k) for k in range(max(kinds) + 1)]
    return Target("classify", names, torch.tensor(kinds), np.ones(len(kinds), bool))


def test_class_weights_are_the_papers() -> None:
    target = _target([0, 0, 0, 1])
    rows = np.arange(4)
    assert imbalance.item_weights(target, rows, "none") is None
    inverse = imbalance.item_weights(target, rows, "inverse")
    np.testing.assert_allclose(inverse, [4 / 6, 4 / 6, 4 / 6, 2.0], rtol=1e-6)
    effective = imbalance.item_weights(target, rows, "effective")
    raw = np.array([(1 - 0.999) / (1 - 0.999**3)] * 3 + [1.0])
    np.testing.assert_allclose(effective, raw * 4 / raw.sum(), rtol=1e-5)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), st.integers(0, 9))
def test_balanced_draws_every_class_equally_often(kinds: list[int], seed: int) -> None:
    rows = np.arange(len(kinds))
    drawn = imbalance.balanced(_target(kinds), rows, np.random.default_rng(seed))
    per_class = np.unique(np.array(kinds)[drawn], return_counts=True)[1]
    assert len(drawn) == len(kinds)
    assert per_class.max() - per_class.min() <= 1
    for kind in set(kinds):
        times = [int((drawn == i).sum()) for i in rows if kinds[i] == kind]
        assert max(times) - min(times) <= 1, "all items of a class come once before one comes again"


def _scarce(planted: ModuleType) -> Dataset:
    """The planted three classes, one of them with an eighth of its training items, all of them hard to tell."""
    data = planted.noise_beside_signal(480)
    rng = np.random.default_rng(0)
    good = data.streams["good"]
    good.values = (good.values + rng.normal(0, 2.5, good.values.shape)).astype(np.float32)
    scarce = np.flatnonzero((data.split == "train") & (data.label == "a"))
    data.split[scarce[len(scarce) // 8 :]] = ""
    return data


@pytest.mark.parametrize(
    "remedy", [{"class_weights": "inverse"}, {"class_weights": "effective"}, {"sampling": "balanced"}]
)
def test_a_scarce_class_is_found_more_often(planted: ModuleType, remedy: dict[str, str]) -> None:
    from mmcli.artifacts.formats.checkpoint import Checkpoint
    from mmcli.training.fit.predictor import Predictor
    from mmcli.training.use import run

    data = _scarce(planted)
    rows = np.flatnonzero((data.split == "test") & (data.label == "a"))
    recall = {}
    for name, options in {"plain": {}, "remedy": remedy}.items():
        config = dataclasses.replace(CONFIG, modalities=("good",), **options)
        found = loop.fit(data, config)
        predictor = Predictor(Checkpoint(found.tensors, run.describe(data, config, found, ())))
        recall[name] = float((predictor.predict(data, rows).labels == "a").mean())
    assert recall["remedy"] > recall["plain"] + 0.05


def test_the_leading_modality_learns_slower(planted: ModuleType) -> None:
    """Its encoder goes a shorter way, once it leads (at once at this rate); the other's way is not held back."""
    data = planted.noise_beside_signal(240)
    way = {}
    for alpha in (0.0, 1.0):
        ends = []
        for epochs in (1, 4):
            config = dataclasses.replace(CONFIG, epochs=epochs, warmup=0.0, modulation=alpha, patience=0)
            ends.append(loop.fit(data, config).tensors)
        moved = {name: ends[1][name] - ends[0][name] for name in ends[0] if name.startswith("encoders.")}
        way[alpha] = [
            float(torch.sqrt(sum(d.float().square().sum() for n, d in moved.items() if n.startswith(f"encoders.{m}."))))
            for m in range(2)
        ]
    assert way[1.0][0] < 0.5 * way[0.0][0]
    assert way[1.0][1] > 0.8 * way[0.0][1]


def test_confidence_counts_only_what_is_there() -> None:
    alone = torch.log(torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.5, 0.5]]]))
    present = torch.tensor([[True, True], [True, False]])
    summed = imbalance.confidence(alone, present, torch.tensor([0, 1]))
    np.testing.assert_allclose(summed, [[1.3, 0.2], [2.0, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(imbalance.factors(summed, 0.5), [1 - np.tanh(0.5 * 0.65 / 0.2), 1.0], rtol=1e-6)


def test_what_does_not_apply_is_refused(planted: ModuleType) -> None:
    slope = planted.slope(40)
    for options in ({"class_weights": "inverse"}, {"sampling": "balanced"}, {"modulation": 0.5}):
        with pytest.raises(UsageError, match=r"need(s)? (one class|classes)"):
            loop.fit(slope, dataclasses.replace(CONFIG, **options))
    with pytest.raises(UsageError, match="auxiliary above 0"):
        loop.fit(planted.pair(40), dataclasses.replace(CONFIG, modulation=0.5, auxiliary=0.0))
