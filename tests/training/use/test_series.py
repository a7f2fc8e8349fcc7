"""Several runs into one folder."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import MismatchError, UsageError
from mmcli.fusion import normalise
from mmcli.training import folds
from mmcli.training.config import TrainConfig
from mmcli.training.use import run

CONFIG = TrainConfig(epochs=4, width=16, rate=1e-2, batch=20)


def test_folds_and_seeds_make_one_model_each(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.noise_beside_signal(90)
    data.group = np.array([f"speaker-{i % 15}" for i in range(90)])
    columns = run.splits(data, CONFIG, 3)
    for column in columns:
        for name in ("val", "test"):
            assert not set(data.group[column == name]) & set(data.group[column == "train"])
    assert np.array_equal(np.sum([c == "test" for c in columns], axis=0), np.ones(90)), "every item is tested once"

    configs = [TrainConfig(**{**vars(CONFIG), "seed": seed}) for seed in (5, 6)]
    found = run.train_series(data, configs, tmp_path / "runs", cv=3)
    names = {p.name for p in (tmp_path / "runs").iterdir()}
    models = {f"fold-{k}-seed-{s}.pt" for k in range(3) for s in (5, 6)}
    assert names == models | {m.replace(".pt", ".history.ndjson") for m in models} | {"history.ndjson", "run.json"}
    assert json.loads((tmp_path / "runs" / "run.json").read_text()) == found
    lines = (tmp_path / "runs" / "history.ndjson").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == [row["file"] for row in found["runs"]]
    assert found["scores"]["test_accuracy"]["n"] == 6
    assert found["scores"]["test_accuracy"]["mean"] > 0.8


def test_a_group_on_both_sides_is_refused_by_name(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.noise_beside_signal(40)
    data.group = np.array([f"speaker-{i // 4}" for i in range(40)])
    with pytest.raises(MismatchError, match="group 'speaker-0' has items on both sides"):
        run.train(data, CONFIG, tmp_path / "m.pt")
    with pytest.raises(UsageError, match="at least 3 folds"):
        run.train_series(data, [CONFIG], tmp_path / "runs", cv=2)


def _scaled(data: Dataset, rows: np.ndarray) -> Dataset:
    """The data set as ``fuse`` leaves it: every stream on a scale fitted on ``rows``."""
    for stream in data.streams.values():
        fitted = normalise.fit(stream.values[np.repeat(rows, stream.lengths)], "zscore")
        stream.values = normalise.apply(stream.values, fitted)
        stream.meta["normaliser"] = fitted
    return data


def test_a_fold_scales_by_its_own_training_rows(planted: ModuleType, tmp_path: Path) -> None:
    """Held-out rows far off leave no trace in the scale, and the scale kept leads back to the raw values."""
    raw = planted.noise_beside_signal(60)
    column = np.array(["test" if i < 20 else "val" if i < 30 else "train" for i in range(60)])
    for stream in raw.streams.values():
        stream.values[np.repeat(column != "train", stream.lengths)] += 1000.0
    kept = {name: stream.values.astype(np.float64) for name, stream in raw.streams.items()}
    found = folds.split(_scaled(raw, column != ""), column)
    for name, stream in found.streams.items():
        train = np.repeat(column == "train", stream.lengths)
        flat = stream.values[train].reshape(train.sum(), -1)
        np.testing.assert_allclose(flat.mean(0), 0.0, atol=1e-3)
        np.testing.assert_allclose(flat.std(0), 1.0, atol=1e-3)
        own = normalise.fit(kept[name][train], "zscore")
        np.testing.assert_allclose(stream.meta["normaliser"]["center"], own["center"], atol=1e-3)
        np.testing.assert_allclose(stream.meta["normaliser"]["scale"], own["scale"], rtol=1e-3)


def test_folds_never_see_what_was_made(planted: ModuleType) -> None:
    """A copy of one item in another's fold would be an answer given away."""
    data = planted.noise_beside_signal(60)
    items = data.items
    twice = data.select(np.concatenate([np.arange(items), np.arange(0, items, 3)]))
    made = np.arange(twice.items) >= items
    for stream in twice.streams.values():
        stream.made = made & stream.present
    whole = folds.real(twice)
    for column in run.splits(whole, CONFIG, 3):
        assert set(column[made]) == {""}
        assert set(column[:items]) == {"train", "val", "test"}
    for name, stream in whole.streams.items():
        np.testing.assert_array_equal(stream.values, data.streams[name].values)
