"""A promise that warns when its ground gives way: leaks of labels into features, choices on noise, what ships."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.cli import given
from mmcli.errors import InputError
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.report.report import Request, evaluate
from mmcli.training.config import TrainConfig
from mmcli.training.ensemble import trust
from mmcli.training.fit import predictor
from mmcli.training.use import run

CONFIG = TrainConfig(fusion="auto", candidates="kernels", device="cpu")


def made(planted: ModuleType, seed: int, leak: float, items: int = 400, signal: float = 0.8) -> Dataset:
    """Two classes; ``honest`` shows them weakly, and ``seen`` shows ``leak`` of them in the training split only."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, items)
    side = 2.0 * label - 1.0
    honest = rng.normal(size=(items, 1, 4))
    honest[:, 0, 0] += signal * side
    seen = rng.normal(size=(items, 1, 4))
    seen[:, 0, 0] += np.where(planted.splits(items) == "train", leak * side, 0.0)
    streams = {name: planted.stream(list(x), kind="vector") for name, x in (("honest", honest), ("seen", seen))}
    data: Dataset = planted.dataset(streams, np.array(["a", "b"])[label], classes=["a", "b"])
    return data


def trained(data: Dataset, path: Path, **settings: Any) -> dict[str, Any]:
    from dataclasses import replace

    return run.train(data, replace(CONFIG, **settings), path).config


def report(data: Dataset, path: Path) -> dict[str, Any]:
    judged = given.as_judged(predictor.load(path))
    return evaluate(judged, data, Request(explain=0), opponents=verdict.kept(judged))


def test_a_modality_that_saw_the_labels_is_told_and_set_back(planted: ModuleType, tmp_path: Path) -> None:
    data = made(planted, 0, leak=3.0)
    config = trained(data, tmp_path / "m.pt")
    promise = config["training"]["promise"]

    assert set(promise["collapsed"]) == {"seen"}
    assert promise["by"] == "validation"
    assert promise["value"] < 0.9, "what is promised is no longer the folds' score"
    weights = {m["title"]: m["weight"] for m in config["model"]["members"]}
    assert all(weight == 0 for title, weight in weights.items() if title.startswith("seen")), weights
    text = report(data, tmp_path / "m.pt")["verdict"]["text"]
    assert "seen answered the folds with accuracy 100.0 %" in text


def test_without_validation_the_report_says_that_the_promise_was_broken(planted: ModuleType, tmp_path: Path) -> None:
    data = made(planted, 0, leak=3.0)
    data.split[data.split == "val"] = "test"
    trained(data, tmp_path / "m.pt")
    told = report(data, tmp_path / "m.pt")["verdict"]

    assert told["promise"]["broken"]
    assert told["text"].startswith("Beware: folds of the training split promised accuracy 100.0 %, these items give")


def test_told_to_trust_the_folds_it_does_and_says_what_speaks_against_them(planted: ModuleType, tmp_path: Path) -> None:
    config = trained(made(planted, 0, leak=3.0), tmp_path / "m.pt", trust="folds")
    promise = config["training"]["promise"]

    assert promise["by"] == "folds"
    assert "seen" in promise["collapsed"]


@pytest.mark.parametrize("seed", [0, 2])
def test_clean_data_is_believed(planted: ModuleType, tmp_path: Path, seed: int) -> None:
    data = made(planted, seed, leak=0.0)
    promise = trained(data, tmp_path / "m.pt")["training"]["promise"]
    told = report(data, tmp_path / "m.pt")["verdict"]["promise"]

    assert promise["collapsed"] == {}
    assert promise["by"] == "folds"
    assert promise["unsure"] == {}
    assert not told["broken"]
    assert told["given"]["n"] == 100


@pytest.mark.parametrize("seed", range(2))
def test_where_nothing_separates_the_candidates_the_simplest_ships_and_answers_as_scored(
    planted: ModuleType, tmp_path: Path, seed: int
) -> None:
    data = made(planted, seed, leak=0.0, items=120, signal=0.0)
    config = trained(data, tmp_path / "m.pt", trust="val")
    kept = [row for row in config["candidates"] if row.get("weight")]
    rows = data.rows("val")
    labels = predictor.load(tmp_path / "m.pt").predict(data, rows).labels

    assert config["training"]["promise"]["simplest"]
    assert [len(row["modalities"]) for row in kept] == [1]
    assert kept[0]["weight"] == 1.0
    assert float((labels == data.label[rows]).mean()) == pytest.approx(kept[0]["accuracy"], abs=1e-12)
    assert config["training"]["promise"]["value"] == pytest.approx(kept[0]["accuracy"])


def test_what_ships_answers_as_the_table_scored_it_where_a_modality_is_missing(
    planted: ModuleType, tmp_path: Path
) -> None:
    """Items of which the kept candidate sees nothing are answered by the best of what they have, in the table too."""
    data = made(planted, 3, leak=0.0)
    gone = np.arange(400) % 3 == 0
    data.streams["honest"] = data.streams["honest"].without(gone)
    config = trained(data, tmp_path / "m.pt", trust="val")
    rows = data.rows("val")
    right = predictor.load(tmp_path / "m.pt").predict(data, rows).labels == data.label[rows]
    kept = [row for row in config["candidates"] if row.get("weight")]

    assert len(kept) == 1
    assert float(right.mean()) == pytest.approx(kept[0]["accuracy"], abs=1e-12)


def test_the_validation_split_cannot_be_trusted_where_there_is_none(planted: ModuleType, tmp_path: Path) -> None:
    data = made(planted, 0, leak=0.0, items=40)
    data.split[data.split == "val"] = "test"
    with pytest.raises(InputError, match="needs labelled items in the validation split"):
        trained(data, tmp_path / "m.pt", trust="val")


def test_a_leak_that_reached_the_validation_split_too_is_seen_in_unlabelled_test_items(
    planted: ModuleType, tmp_path: Path
) -> None:
    """Nothing that is labelled shows it: answers for the test items are less sure, and their labels are not needed."""
    data = made(planted, 0, leak=3.0)
    seen = data.streams["seen"]
    moved = np.array(seen.values)
    side = np.where(np.asarray(data.label) == "b", 1.0, -1.0)
    moved[data.split == "val", 0] += 3.0 * side[data.split == "val"]
    data.streams["seen"] = planted.stream([row[None] for row in moved], kind="vector")
    data.label[data.split == "test"] = "a"
    promise = trained(data, tmp_path / "m.pt")["training"]["promise"]

    assert promise["collapsed"] == {}
    assert set(promise["unsure"]) == {"seen", ""}
    assert "the answers of seen on the test split are less sure" in report(data, tmp_path / "m.pt")["verdict"]["text"]


@pytest.mark.parametrize("task", ["classify", "multilabel", "regress"])
def test_answers_shrunk_by_half_are_less_sure_and_the_same_answers_are_not(task: str) -> None:
    answers = torch.randn(300, 1 if task == "regress" else 3, generator=torch.Generator().manual_seed(0)).double()
    prior = torch.zeros(answers.shape[1]).double()
    units = np.arange(300)
    sure, half = (trust.sureness(task, said, prior) for said in (answers, answers / 2))

    assert trust.less_sure(sure, half, units, units) < 1e-4
    assert trust.less_sure(half, sure, units, units) > 0.99
    assert trust.less_sure(sure[:150], sure[150:], units[:150], units[:150]) > 0.01
