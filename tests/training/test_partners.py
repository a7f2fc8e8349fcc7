"""Borrowed modalities are drawn anew every epoch, from items that the run trains on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.fusion.dataset import balance
from mmcli.training import folds
from mmcli.training.config import TrainConfig
from mmcli.training.data import Data, shape_of
from mmcli.training.ensemble import solved
from mmcli.training.fit import loop
from mmcli.training.use import run


@pytest.fixture
def matched(planted: ModuleType) -> Dataset:
    """Items whose audio says who they are; video of every third training item is borrowed."""
    label = np.array(["a", "b"] * 60)
    audio = [np.full((2 + i % 4, 1), float(i)) for i in range(120)]
    video = [None if i % 3 == 0 else np.full((1 + i % 5, 1), float(i)) for i in range(120)]
    streams = {"audio": planted.stream(audio, kind="sequence"), "video": planted.stream(video, kind="sequence")}
    return balance.apply(planted.dataset(streams, label, classes=["a", "b"]), "match", 0)[0]


def seen(data: Data, rows: np.ndarray) -> list[float | None]:
    """Whose video each item holds: values are the number of their owner."""
    video = data.batch(rows)["video"]
    return [float(v[0, 0]) if there else None for v, there in zip(video.values, video.present, strict=True)]


def test_every_epoch_draws_another_partner_of_the_pool_and_the_same_seed_the_same(matched: Dataset) -> None:
    shapes = [shape_of(name, matched.streams[name]) for name in matched.streams]
    data = Data(matched, shapes, torch.device("cpu"))
    train = matched.rows("train")
    stream = matched.streams["video"]
    needy = np.flatnonzero(stream.made)
    among = train[np.arange(len(train)) % 3 != 0]
    epochs = []
    for epoch in range(3):
        data.redraw(among, np.random.default_rng([0, epoch]))
        epochs.append(seen(data, needy))
        for item, owner in zip(needy, epochs[-1], strict=True):
            partners = stream.partners[stream.partner_offsets[item] : stream.partner_offsets[item + 1]]
            assert owner in set(partners) & set(among)
            assert data.lengths[item, 1] == 1 + int(owner) % 5
        rest = np.setdiff1d(train, needy)
        assert seen(data, rest) == rest.tolist()
    assert sum(a != b for a, b in zip(*epochs[:2], strict=True)) > len(needy) / 2
    data.redraw(among, np.random.default_rng([0, 1]))
    assert seen(data, needy) == epochs[1], "a draw does not depend on those before it"

    data.redraw(needy, np.random.default_rng(0))
    assert seen(data, needy) == [None] * len(needy), "nobody that the run trains on has it"
    data.redraw(among, np.random.default_rng([0, 1]))
    assert seen(data, needy) == epochs[1]


def test_a_stopped_run_draws_on_as_if_nothing_had_been(
    matched: Dataset, tmp_path: Path, stopped: Callable[..., None]
) -> None:
    config = TrainConfig(epochs=4, width=8, patience=0)
    run.train(matched, config, tmp_path / "whole.pt")

    stopped(matched, config, tmp_path / "cut.pt", 3)
    run.train(matched, config, tmp_path / "cut.pt", again=True)
    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()

    once = dataclasses.replace(matched, streams=dict(matched.streams))
    once.streams["video"] = dataclasses.replace(matched.streams["video"], partners=None, partner_offsets=None)
    still = loop.fit(once, config).tensors
    assert not all(value.equal(still[name]) for name, value in loop.fit(matched, config).tensors.items())


def test_candidates_are_compared_on_what_is_real(
    matched: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers on the folds see no borrowed video; the networks that train do."""
    judged: list[list[float | None]] = []
    plain = solved.logits_of
    needy = set(np.flatnonzero(matched.streams["video"].made).tolist())

    def looked(net: object, data: Data, rows: np.ndarray) -> torch.Tensor:
        if "video" in data.names:
            judged.append([v for item, v in zip(rows.tolist(), seen(data, rows), strict=True) if item in needy])
        return plain(net, data, rows)

    monkeypatch.setattr(solved, "logits_of", looked)
    config = TrainConfig(fusion="auto", candidates="networks", folds=2, epochs=1, width=8)
    run.train(matched, config, tmp_path / "m.pt")
    assert any(judged)
    assert {value for part in judged for value in part} == {None}


def test_pre_training_learns_from_real_pairs_only(matched: Dataset) -> None:
    config = TrainConfig(objective="contrastive", epochs=2, width=8)
    found, bare = loop.fit(matched, config), loop.fit(folds.real(matched), config)
    assert all(value.equal(bare.tensors[name]) for name, value in found.tensors.items())
