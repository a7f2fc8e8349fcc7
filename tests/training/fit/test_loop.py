"""What training finds in data whose answer is known."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from mmcli.errors import InputError, UsageError
from mmcli.training.config import TrainConfig
from mmcli.training.fit import loop
from mmcli.training.fit.predictor import Predictor
from mmcli.training.use import run


def trained(data, **options):
    config = TrainConfig(**{"epochs": 12, "width": 16, "rate": 1e-2, "batch": 20, **options})
    found = loop.fit(data, config)
    from mmcli.artifacts.formats.checkpoint import Checkpoint

    return found, Predictor(Checkpoint(found.tensors, run.describe(data, config, found, ())))


def accuracy(predictor, data, split="test"):
    rows = data.rows(split)
    return float((predictor.predict(data, rows).labels == data.label[rows]).mean())


@pytest.mark.parametrize("fusion", ["concat", "attention"])
def test_a_label_that_shows_only_in_the_pair_is_found(planted: ModuleType, fusion: str) -> None:
    data = planted.pair()
    _, both = trained(data, fusion=fusion)
    _, one = trained(data, modalities=("left",), epochs=8)

    assert accuracy(both, data) > 0.9
    assert accuracy(one, data) < 0.7


@pytest.mark.parametrize("fusion", ["mean", "late"])
def test_a_modality_of_noise_does_little_harm(planted: ModuleType, fusion: str) -> None:
    data = planted.noise_beside_signal()
    _, predictor = trained(data, fusion=fusion, epochs=8)

    assert accuracy(predictor, data) > 0.9
    assert predictor.classes == ["c", "a", "b"], "the order of the data set's meta is kept"


def test_regression_comes_back_on_the_scale_of_the_labels(planted: ModuleType) -> None:
    data = planted.slope()
    _, predictor = trained(data)
    rows = data.rows("test")
    found = predictor.predict(data, rows)

    assert found.probabilities is None
    assert np.corrcoef(found.values, data.label[rows])[0, 1] > 0.95
    assert np.abs(found.values - data.label[rows]).mean() < 8.0


def test_multilabel_answers_each_class_for_itself(planted: ModuleType) -> None:
    rng = np.random.default_rng(4)
    truth = rng.random((240, 3)) < 0.4
    rows = [(t * 2.0 - 1.0)[None] + rng.normal(0, 0.3, (1, 3)) for t in truth]
    data = planted.dataset({"x": planted.stream(rows, kind="vector")}, truth, "multilabel", ["p", "q", "r"])
    _, predictor = trained(data)
    test = data.rows("test")

    assert (predictor.predict(data, test).labels == truth[test]).mean() > 0.95


def test_the_weights_that_validate_best_are_kept(planted: ModuleType) -> None:
    found, _ = trained(planted.noise_beside_signal(), epochs=20, patience=2)
    losses = [row["val_loss"] for row in found.history]

    assert found.best_epoch == 1 + int(np.argmin(losses))
    assert len(losses) in (20, found.best_epoch + 2)


def test_two_runs_give_the_same_bits_and_another_seed_others(planted: ModuleType) -> None:
    data = planted.noise_beside_signal(80)
    first, second, other = (trained(data, epochs=3, seed=s)[0].tensors for s in (0, 0, 1))

    assert all(first[name].equal(second[name]) for name in first)
    assert not all(first[name].equal(other[name]) for name in first)


def test_without_labels_or_training_items_there_is_a_clear_refusal(planted: ModuleType) -> None:
    data = planted.noise_beside_signal(40)
    bare = planted.noise_beside_signal(40)
    bare.label, bare.meta["task"] = None, None
    with pytest.raises(InputError, match="no labels"):
        loop.fit(bare, TrainConfig())
    data.split = np.full(40, "test")
    with pytest.raises(InputError, match="training split"):
        loop.fit(data, TrainConfig())
    with pytest.raises(UsageError, match="no stream 'god'"):
        loop.fit(planted.noise_beside_signal(40), TrainConfig(modalities=("god",)))
    with pytest.raises(UsageError, match="does not fit the labels"):
        loop.fit(planted.noise_beside_signal(40), TrainConfig(task="regress"))


def test_values_of_an_absent_modality_are_never_read(planted: ModuleType) -> None:
    """A data set without one of the model's modalities answers as one where it is absent from every item."""
    data = planted.pair(80)
    _, predictor = trained(data, epochs=2)
    from mmcli.artifacts.formats.dataset import Dataset

    right = {"right": data.streams["right"]}
    meta = {"task": "classify", "classes": ["agree", "differ"]}
    lacking = Dataset(right, data.id, data.split, data.group, data.label, meta=meta)
    found = predictor.predict(lacking)

    assert not found.present["left"].any()
    assert found.present["right"].all()
    assert np.isfinite(found.probabilities).all()
    absent = ~data.streams["left"].present
    np.testing.assert_allclose(found.logits[absent], predictor.predict(data).logits[absent], atol=1e-5)
