"""Training on a folder of shards is training on the one file, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats import shards
from mmcli.errors import InputError
from mmcli.training import folds
from mmcli.training.config import CONTRASTIVE, TrainConfig
from mmcli.training.ensemble import auto
from mmcli.training.fit import predictor
from mmcli.training.use import run


@pytest.fixture
def both(planted, tmp_path):
    """Three classes, vectors and sequences of varying length: in memory, and in shards of a few items."""
    held = planted.noise_beside_signal(120)
    held.source = ["a" * 64] * held.items
    shards.save(tmp_path / "d", held, 20_000)
    found = shards.load(tmp_path / "d")
    assert len(list((tmp_path / "d").glob("shard-*.npz"))) > 3
    return held, found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fusion": "attention", "sampling": "balanced", "modulation": 0.5, "seed": 3},
        {"objective": CONTRASTIVE, "batch": 16},
        {"fusion": "auto", "candidates": "kernels"},
    ],
    ids=["concat", "attention", "contrastive", "auto"],
)
def test_the_checkpoint_has_the_same_bytes(both, tmp_path, options):
    config = TrainConfig(epochs=2, **options)
    for data, name in zip(both, ("file.pt", "folder.pt"), strict=True):
        run.train(data, config, tmp_path / name)

    assert (tmp_path / "folder.pt").read_bytes() == (tmp_path / "file.pt").read_bytes()


def test_folds_have_the_same_bytes_on_scales_of_their_own(both, tmp_path):
    for data, name in zip(both, ("file", "folder"), strict=True):
        for stream in data.streams.values():
            width = stream.values.shape[1]
            scale = {"method": "zscore", "center": [0.5] * width, "scale": [2.0] * width}
            stream.meta["normaliser"] = scale
        run.train_series(data, [TrainConfig(epochs=1)], tmp_path / name, cv=3)

    for path in (tmp_path / "file").glob("*.pt"):
        assert path.read_bytes() == (tmp_path / "folder" / path.name).read_bytes()


def test_answers_on_another_scale_are_the_same(both, tmp_path):
    held, found = both
    run.train(held, TrainConfig(epochs=1), tmp_path / "m.pt")
    for data in both:
        stream = data.streams["good"]
        moved = {"method": "zscore", "center": [1.0] * stream.width, "scale": [0.5] * stream.width}
        stream.meta["normaliser"] = moved
    model = predictor.load(tmp_path / "m.pt")

    assert np.array_equal(model.predict(found).logits, model.predict(held).logits)


def test_what_was_made_is_left_out_of_folds_without_reading_it(both):
    _, found = both
    found.streams["bad"].made = found.streams["bad"].present & (found.split == "train")

    real = folds.real(found)

    assert real.streams["bad"].is_lazy
    assert not real.streams["bad"].present[found.split == "train"].any()


def test_kernels_that_would_hold_too_much_of_a_folder_stay_away(both, monkeypatch):
    held, found = both
    assert auto.rounds(found, TrainConfig(fusion="auto")) == auto.rounds(held, TrainConfig(fusion="auto"))
    monkeypatch.setattr("mmcli.artifacts.io.lazy.HELD", 1000)

    assert auto.rounds(found, TrainConfig(fusion="auto")) < auto.rounds(held, TrainConfig(fusion="auto"))
    with pytest.raises(InputError, match="bytes of them together"):
        auto.rounds(found, TrainConfig(fusion="auto", candidates="kernels"))
