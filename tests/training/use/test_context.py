"""Models that read an item among the others of its group, in their order."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from mmcli.artifacts.formats import dataset as datasets
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError, MismatchError, MmcliError, UsageError
from mmcli.models.nets.network import Network
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.fit.predictor import Predictor
from mmcli.training.use import run

FAST = {"epochs": 14, "patience": 0, "dropout": 0.0, "modality_dropout": 0.0}
CAUSAL = TrainConfig(context="group", causal=True, **FAST)


@pytest.fixture(scope="module")
def data(planted: ModuleType) -> Dataset:
    return planted.dialogues()


@pytest.fixture(scope="module")
def causal(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = tmp_path_factory.mktemp("context") / "causal.pt"
    run.train(data, CAUSAL, path)
    return predictor.load(path)


def accuracy(model: Predictor, data: Dataset, split: str = "test") -> float:
    rows = data.rows(split)
    return float((model.predict(data, rows).labels == data.label[rows]).mean())


def by_id(model: Predictor, data: Dataset, rows: Any = None) -> dict[str, np.ndarray]:
    said = model.predict(data, rows)
    return dict(zip(said.id.tolist(), said.logits, strict=True))


def close(some: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.allclose(some[name], other[name], rtol=1e-5, atol=1e-5) for name in some)


def test_the_turn_before_is_read_and_items_alone_know_nothing(data: Dataset, causal: Predictor, tmp_path: Path) -> None:
    run.train(data, dataclasses.replace(CAUSAL, context="", causal=False), tmp_path / "alone.pt")
    assert accuracy(predictor.load(tmp_path / "alone.pt"), data) < 0.65
    assert accuracy(causal, data) > 0.95
    run.train(data, dataclasses.replace(CAUSAL, causal=False), tmp_path / "both.pt")
    assert accuracy(predictor.load(tmp_path / "both.pt"), data) > 0.95


def test_answers_are_those_of_a_slow_twin(data: Dataset, causal: Predictor) -> None:
    """One item and one turn at a time: the gates of an LSTM written out (S. Hochreiter, J. Schmidhuber 1997)."""
    net: Network = causal.net  # type: ignore[assignment]
    cell = net.context.forwards  # type: ignore[union-attr]
    w, u = cell.weight_ih_l0.detach().numpy(), cell.weight_hh_l0.detach().numpy()
    b = (cell.bias_ih_l0 + cell.bias_hh_l0).detach().numpy()
    packed, order = causal.packed(data), data.meta["order"]
    said = by_id(causal, data)
    for group in ("d03", "d07", "d08"):
        members = sorted(np.flatnonzero(data.group == group), key=lambda i: order[str(data.id[i])])
        h = c = np.zeros(len(u) // 4)
        for i in members:
            with torch.no_grad():
                fused = net.fusion(*net.encode(packed.alone(np.array([i]))))
            gates = w @ fused[0].numpy() + u @ h + b
            enter, forget, cand, leave = np.split(gates, 4)
            sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
            c = sigmoid(forget) * c + sigmoid(enter) * np.tanh(cand)
            h = sigmoid(leave) * np.tanh(c)
            with torch.no_grad():
                logits = net.head(torch.cat([fused, torch.from_numpy(h[None]).float()], 1))[0]
            assert np.allclose(logits.numpy(), said[str(data.id[i])], atol=1e-5)


def test_what_is_asked_together_changes_nothing(
    data: Dataset, causal: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = by_id(causal, data)
    rows = data.rows("test")
    assert close(by_id(causal, data, rows[::-3]), whole)
    monkeypatch.setattr("mmcli.training.fit.objective.AT_ONCE", 7)
    assert close(by_id(causal, data), whole)


def test_later_turns_never_change_an_earlier_answer(data: Dataset, causal: Predictor) -> None:
    whole = by_id(causal, data)
    place = np.array([data.meta["order"][name] for name in data.id.tolist()])
    early = data.select(np.flatnonzero(place < 3))
    assert close(by_id(causal, early), whole)


def test_the_order_of_items_in_the_file_changes_nothing(
    planted: ModuleType, data: Dataset, causal: Predictor, tmp_path: Path
) -> None:
    other = planted.dialogues(shuffled=9)
    assert other.id.tolist() != data.id.tolist()
    assert close(by_id(causal, other), by_id(causal, data))
    config = dataclasses.replace(CAUSAL, epochs=2)
    for name, some in {"one": data, "other": other}.items():
        run.train(some, config, tmp_path / f"{name}.pt")
    one, two = (predictor.load(tmp_path / f"{name}.pt") for name in ("one", "other"))
    for name, values in one.net.state_dict().items():
        assert torch.equal(values, two.net.state_dict()[name]), name


def test_groups_of_one_of_none_and_longer_than_any_are_answered(planted: ModuleType, causal: Predictor) -> None:
    new = planted.dialogues(groups=4, seed=8, longest=120)
    assert max(np.unique(new.group, return_counts=True)[1]) > 40
    assert float((causal.predict(new).labels == new.label).mean()) > 0.95
    one = new.select(np.flatnonzero(np.char.endswith(new.id, "/0")))
    assert set(causal.predict(one).labels) == {"no"}  # nothing was said before
    nothing = Dataset(new.streams, new.id, new.split, [""] * new.items, new.label, meta={"task": "classify"} | {
        "classes": ["no", "yes"]
    })  # fmt: skip
    assert set(causal.predict(nothing).labels) == {"no"}


def test_unlabelled_turns_are_context(data: Dataset, causal: Predictor, tmp_path: Path) -> None:
    odd = np.array([data.meta["order"][name] % 2 == 1 for name in data.id.tolist()])
    assert data.label is not None
    some = dataclasses.replace(data, label=np.where(odd, data.label, ""))
    run.train(some, dataclasses.replace(CAUSAL, epochs=20), tmp_path / "m.pt")
    model = predictor.load(tmp_path / "m.pt")
    rows = data.rows("test")[odd[data.rows("test")]]
    assert float((model.predict(some, rows).labels == data.label[rows]).mean()) > 0.9


@pytest.mark.parametrize(
    ("change", "config", "error", "words"),
    [
        ({"group": [""] * 200}, CAUSAL, InputError, "no item has a group"),
        ({"group": "ids"}, CAUSAL, InputError, "every group has one item"),
        ({"meta": {"order": {}}}, CAUSAL, InputError, "no item of a group says where it stands"),
        ({"meta": {"order": {"d01/0": 0}}}, CAUSAL, InputError, "do not say where they stand"),
        ({"meta": {"order": "same"}}, CAUSAL, InputError, "have one place in group"),
        ({"split": "mixed"}, CAUSAL, MismatchError, "has items on both sides"),
        ({}, dataclasses.replace(CAUSAL, fusion="late"), UsageError, "has no vector"),
        ({}, dataclasses.replace(CAUSAL, reader="gru"), UsageError, "unknown reader of turns"),
    ],
)
def test_what_is_missing_is_said(
    data: Dataset, change: dict[str, Any], config: TrainConfig, error: type[MmcliError], words: str, tmp_path: Path
) -> None:
    given = dict(change)
    if "group" in given:
        given["group"] = data.id if given["group"] == "ids" else np.array([""] * data.items)
    if "split" in given:
        given["split"] = np.where(np.arange(data.items) % 2, "train", "test")
    if "meta" in given:
        order = given["meta"]["order"]
        given["meta"] = data.meta | {"order": dict.fromkeys(data.id.tolist(), 1) if order == "same" else order}
    with pytest.raises(error, match=words):
        run.train(dataclasses.replace(data, **given), config, tmp_path / "m.pt")


@pytest.mark.parametrize("change", [{"fusion": "auto"}, {"objective": "contrastive"}, {"sampling": "balanced"}])
def test_what_does_not_go_with_groups_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="does not go with --context"):
        dataclasses.replace(CAUSAL, **change)


def test_folds_keep_groups_together(data: Dataset, tmp_path: Path) -> None:
    summary = run.train_series(data, [dataclasses.replace(CAUSAL, epochs=8)], tmp_path, cv=3)
    assert [row["test_accuracy"] > 0.9 for row in summary["runs"]] == [True] * 3
    for column in run.splits(data, CAUSAL, 3):
        for group in set(data.group.tolist()):
            assert len(set(column[data.group == group].tolist())) == 1


def test_a_killed_run_goes_on_to_the_same_weights(data: Dataset, stopped: Any, tmp_path: Path) -> None:
    config = dataclasses.replace(CAUSAL, epochs=4)
    run.train(data, config, tmp_path / "whole.pt")
    stopped(data, config, tmp_path / "m.pt", 2)
    run.train(data, config, tmp_path / "m.pt", again=True)
    assert (tmp_path / "m.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_the_plan_and_the_file_name_the_reader(data: Dataset, tmp_path: Path) -> None:
    config = dataclasses.replace(CAUSAL, reader="transformer", epochs=1)
    planned = run.planned(data, config)
    made = run.train(data, config, tmp_path / "m.pt")
    assert planned["model"]["context"] == made.config["model"]["context"]
    assert planned["model"]["context"]["config"]["causal"] is True
    groups = len(set(data.group[data.rows("train")].tolist()))
    assert planned["steps"] <= groups
    datasets.save(tmp_path / "d.npz", data)
    assert json.loads(json.dumps(datasets.load(tmp_path / "d.npz").meta["order"])) == data.meta["order"]
