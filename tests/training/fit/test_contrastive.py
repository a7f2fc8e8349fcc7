"""Pre-training on pairs without labels, and training on from it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from mmcli.artifacts.formats import checkpoint, dataset, inspect
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.training.config import TrainConfig
from mmcli.training.fit import initial, predictor
from mmcli.training.fit.contrastive import info_nce, recall
from mmcli.training.use import run

CONFIG = TrainConfig(objective="contrastive", epochs=24, rate=1e-2, width=16)


def test_pairs_without_labels_help_where_labels_are_few(planted: ModuleType, tmp_path: Path) -> None:
    data, label = planted.shared_in_pairs()
    pre = run.train(data, CONFIG, tmp_path / "pre.pt")
    best = pre.config["training"]["history"][pre.config["training"]["best_epoch"] - 1]
    assert best["val_recall_at_1"] > 0.1, "one of 256 by chance"

    test = data.rows("test")
    right: dict[str, list[float]] = {"fresh": [], "init": []}
    for seed, (name, scores) in itertools.product((0, 1), right.items()):
        start = initial.load(tmp_path / "pre.pt") if name == "init" else None
        run.train(data, TrainConfig(epochs=40, width=16, seed=seed), tmp_path / "m.pt", initial=start)
        found = predictor.load(tmp_path / "m.pt").predict(data, test)
        scores.append(float((found.labels == label[test]).mean()))
    assert np.mean(right["init"]) > np.mean(right["fresh"]) + 0.06


def test_labels_are_not_needed_and_change_nothing(planted: ModuleType, tmp_path: Path) -> None:
    data, _ = planted.shared_in_pairs(80)
    config = replace(CONFIG, epochs=2)
    run.train(data, config, tmp_path / "a.pt")
    data.label, data.meta["task"], data.meta["classes"] = None, None, None
    run.train(data, config, tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def slow_info_nce(points: np.ndarray, present: np.ndarray, scale: float, content: np.ndarray) -> float:
    """One item and one direction at a time."""
    pairs = []
    for a, b in itertools.combinations(range(points.shape[1]), 2):
        items = [i for i in range(len(points)) if present[i, a] and present[i, b]]
        losses = []
        for i, (m, k) in itertools.product(items, [(a, b), (b, a)]):
            others = [j for j in items if j == i or not (content[i] == content[j])[[a, b]].any()]
            scores = np.array([scale * points[i, m] @ points[j, k] for j in others])
            losses.append(np.log(np.exp(scores).sum()) - scores[others.index(i)])
        if len(items) > 1:
            pairs.append(np.mean(losses))
    return float(np.mean(pairs))


@pytest.mark.parametrize("modalities", [2, 3])
def test_the_loss_is_that_of_its_plain_definition(modalities: int) -> None:
    """Absent modalities and equal content included."""
    rng = np.random.default_rng(modalities)
    points = rng.normal(size=(9, modalities, 4))
    points /= np.linalg.norm(points, axis=2, keepdims=True)
    present = rng.random((9, modalities)) < 0.8
    content = rng.integers(0, 12, (9, modalities))
    found = info_nce(*map(torch.from_numpy, (points, present)), torch.tensor(5.0), torch.from_numpy(content))
    assert float(found) == pytest.approx(slow_info_nce(points, present, 5.0, content), rel=1e-6)


def test_recall_counts_the_nearest_partner() -> None:
    points = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]])
    there = torch.ones(2, 2, dtype=torch.bool)
    content = torch.arange(4).reshape(2, 2)
    assert recall(points, there, torch.tensor(1.0), content) == pytest.approx(0.5)


def test_a_pre_trained_model_says_that_it_has_no_answers(planted: ModuleType, tmp_path: Path) -> None:
    data, _ = planted.shared_in_pairs(80)
    run.train(data, replace(CONFIG, epochs=1), tmp_path / "pre.pt")
    with pytest.raises(MismatchError, match=r"no classifier.*\n.*--init pre\.pt"):
        predictor.load(tmp_path / "pre.pt")
    shown = inspect.validate(tmp_path / "pre.pt")["summary"]
    assert (shown["task"], shown["objective"]) == ("contrastive", "contrastive")


def test_what_cannot_be_pre_trained_is_refused(planted: ModuleType, tmp_path: Path) -> None:
    data, _ = planted.shared_in_pairs(80)
    with pytest.raises(InputError, match="two modalities"):
        run.train(data, replace(CONFIG, modalities=("left",)), tmp_path / "m.pt")
    for options in ({"fusion": "attention"}, {"class_weights": "inverse"}, {"modulation": 0.3}):
        with pytest.raises(UsageError, match="gives encoders and no answer"):
            replace(CONFIG, **options)


def test_encoders_are_taken_where_they_fit(planted: ModuleType, tmp_path: Path) -> None:
    data, _ = planted.shared_in_pairs(80)
    for stream in data.streams.values():
        stream.meta["normaliser"] = {"method": "zscore", "center": [0.0] * 15, "scale": [1.0] * 15}
    pre = run.train(data, replace(CONFIG, epochs=1), tmp_path / "pre.pt")
    start = initial.load(tmp_path / "pre.pt")
    alone = planted.dataset({"left": data.streams["left"], "new": data.streams["right"]}, data.label, classes=["a"])
    alone.meta["classes"] = list("abcd")

    still = TrainConfig(epochs=1, rate=1e-8, average=0.0, decay=0.0)
    found = run.train(alone, still, tmp_path / "m.pt", initial=start)
    assert found.config["training"]["init"] == {"taken": ["left"], "fresh": ["new"]}
    assert found.config["training"]["config"]["width"] == 16, "as wide as what it starts from"
    for name, value in pre.tensors.items():
        if name.startswith("encoders.0."):
            torch.testing.assert_close(found.tensors[name], value, atol=1e-5, rtol=0)

    pool = replace(still, fusion="auto", candidates="networks", folds=2, modalities=("left",))
    pooled = run.train(data, pool, tmp_path / "pool.pt", initial=start)
    for name, value in pre.tensors.items():
        if name.startswith("encoders.0."):
            torch.testing.assert_close(pooled.tensors[f"members.0.{name}"], value, atol=1e-5, rtol=0)

    again = initial.load(tmp_path / "m.pt")  # an ordinary model's encoders do as well
    assert sorted(again.known) == ["left", "new"]
    with pytest.raises(MismatchError, match=r"train\.width asks for 24"):
        run.train(data, TrainConfig(width=24), tmp_path / "n.pt", initial=start)
    with pytest.raises(MismatchError, match="no encoder for any stream"):
        run.train(planted.noise_beside_signal(40), TrainConfig(), tmp_path / "n.pt", initial=start)
    narrow = planted.dataset({"left": planted.stream([np.ones((1, 3))] * 80)}, data.label, classes=list("abcd"))
    with pytest.raises(MismatchError, match="frames of 3 numbers; the model was trained on vector frames of 15"):
        run.train(narrow, TrainConfig(), tmp_path / "n.pt", initial=start)


def test_values_on_another_scale_are_put_on_the_encoders(planted: ModuleType, tmp_path: Path) -> None:
    data, _ = planted.shared_in_pairs(80)
    left = data.streams["left"]
    left.meta["normaliser"] = {"method": "zscore", "center": [0.0] * 15, "scale": [1.0] * 15}
    run.train(data, replace(CONFIG, epochs=1), tmp_path / "pre.pt")
    start, before = initial.load(tmp_path / "pre.pt"), left.values.copy()
    left.values = (left.values - 1.0) / 2.0
    left.meta["normaliser"] = {"method": "zscore", "center": [1.0] * 15, "scale": [2.0] * 15}

    found = run.train(data, TrainConfig(epochs=1), tmp_path / "m.pt", initial=start)
    assert found.config["modalities"]["left"]["normaliser"]["scale"] == [1.0] * 15
    np.testing.assert_allclose(start.rescaled(data, ()).streams["left"].values, before, atol=1e-5)


def test_a_stopped_run_goes_on_to_the_same_bytes(
    planted: ModuleType, tmp_path: Path, stopped: Callable[..., None]
) -> None:
    data, _ = planted.shared_in_pairs(80)
    config = replace(CONFIG, epochs=4)
    run.train(data, config, tmp_path / "whole.pt")

    stopped(data, config, tmp_path / "cut.pt", 3)
    run.train(data, config, tmp_path / "cut.pt", again=True)
    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_the_shell_goes_from_pairs_to_a_model(planted: ModuleType, tmp_path: Path) -> None:
    """Two processes pre-train what one does, a third trains on, and a model without answers is refused in words."""
    data, _ = planted.shared_in_pairs(160)
    dataset.save(tmp_path / "d.npz", data)
    mmcli = [sys.executable, "-m", "mmcli"]
    train = [*mmcli, "train", str(tmp_path / "d.npz"), "-q", "--device", "cpu"]
    pre = [*train, "--objective", "contrastive", "--epochs", "4", "--set", "train.width=16", "-o"]
    base = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(planted.free_port()), "WORLD_SIZE": "2"}
    children = [subprocess.Popen([*pre, str(tmp_path / "two.pt")], env={**base, "RANK": str(r)}) for r in range(2)]
    children.append(subprocess.Popen([*pre, str(tmp_path / "one.pt")]))
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    paths = [tmp_path / f"{name}.history.ndjson" for name in ("one", "two")]
    one, two = ([json.loads(line) for line in path.read_text().splitlines()] for path in paths)
    np.testing.assert_allclose([r["train_loss"] for r in two], [r["train_loss"] for r in one], atol=1e-4)

    on = [*train, "--init", str(tmp_path / "one.pt"), "--epochs", "1", "-o", str(tmp_path / "m.pt")]
    refused = [*mmcli, "predict", str(tmp_path / "one.pt"), str(tmp_path / "d.npz")]
    children = [subprocess.Popen(on), subprocess.Popen(refused, stderr=subprocess.PIPE, text=True)]
    said = children[1].communicate(timeout=120)[1]
    assert [child.wait(timeout=120) for child in children] == [0, 4]
    assert "no classifier" in said
    assert "--init one.pt" in said
    facts = checkpoint.load(tmp_path / "m.pt").config
    assert facts["training"]["init"]["taken"] == ["left", "right"]
    assert [entry["name"] for entry in facts["inputs"]] == ["d.npz", "one.pt"]
