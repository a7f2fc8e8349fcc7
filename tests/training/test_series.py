"""Several runs into one folder."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mmcli.errors import MismatchError, UsageError
from mmcli.training import run, series
from mmcli.training.config import TrainConfig

CONFIG = TrainConfig(epochs=4, width=16, rate=1e-2, batch=20)


def test_folds_and_seeds_make_one_model_each(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.noise_beside_signal(90)
    data.group = np.array([f"speaker-{i % 15}" for i in range(90)])
    columns = series.splits(data, CONFIG, 3)
    for column in columns:
        for name in ("val", "test"):
            assert not set(data.group[column == name]) & set(data.group[column == "train"])
    assert np.array_equal(np.sum([c == "test" for c in columns], axis=0), np.ones(90)), "every item is tested once"

    configs = [TrainConfig(**{**vars(CONFIG), "seed": seed}) for seed in (5, 6)]
    found = series.train(data, configs, tmp_path / "runs", cv=3)
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
        series.train(data, [CONFIG], tmp_path / "runs", cv=2)
