"""The pool of candidates: not worse than its best part, and all of it rebuilt from one checkpoint."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from mmcli.artifacts.formats import checkpoint
from mmcli.errors import InputError, MismatchError
from mmcli.models.nets import described
from mmcli.models.parts import StreamShape
from mmcli.training import folds
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.use import run

CONFIG = TrainConfig(fusion="auto", effort="thorough", folds=2, epochs=6, width=16, rate=1e-2, batch=20)


def accuracy(found, data, split="test"):
    rows = data.rows(split)
    return float((found.predict(data, rows).labels == data.label[rows]).mean())


def test_noise_beside_a_signal_costs_nothing(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.noise_beside_signal(160)
    seen: list[dict] = []
    made = run.train(data, CONFIG, tmp_path / "m.pt", report=seen.append)
    found = predictor.load(tmp_path / "m.pt")

    assert accuracy(found, data) >= 0.95
    table = {row["title"]: row for row in made.config["candidates"]}
    assert [row["candidate"] for row in seen] == [t for t in table if t not in ("pool", "late")]
    assert {"good", "bad", "good (kernel)", "sum of kernels", "concat", "attention"} < set(table)
    assert table["bad"]["weight"] + table["bad (kernel)"]["weight"] < 0.1, "noise gets no say"
    assert table["bad"]["accuracy"] < 0.5, "answers on the folds are by models that did not see them"
    only = found.predict(planted.dataset({"bad": data.streams["bad"]}, data.label, classes=["c", "a", "b"]))
    assert np.isfinite(only.logits).all()


def test_the_pool_of_a_regression(planted: ModuleType, tmp_path: Path) -> None:
    data = planted.slope(160)
    run.train(data, CONFIG, tmp_path / "m.pt")
    rows = data.rows("test")
    values = predictor.load(tmp_path / "m.pt").predict(data, rows).values

    assert np.corrcoef(values, data.label[rows])[0, 1] > 0.93


def test_the_same_bytes_twice_and_a_damaged_member_is_refused(planted: ModuleType, tmp_path: Path) -> None:
    from dataclasses import replace

    from mmcli.errors import ArtifactError

    config = replace(CONFIG, epochs=1)
    for name in ("a.pt", "b.pt"):
        found = run.train(planted.noise_beside_signal(60), config, tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    for damage in ({"weight": -1.0}, {"gain": None}, {"model": {"name": "stack", "members": []}}, {"model": 3}):
        members = found.config["model"]["members"]
        found.config["model"]["members"] = [members[0] | damage, *members[1:]]
        checkpoint.save(tmp_path / "bad.pt", found)
        found.config["model"]["members"] = members
        with pytest.raises(ArtifactError):
            predictor.load(tmp_path / "bad.pt")


def test_folds_keep_groups_together_and_classes_even() -> None:
    rng = np.random.default_rng(0)
    rows = np.arange(10, 310)
    groups = np.array([f"g{g}" for g in rng.integers(0, 30, 300)])
    classes = rng.integers(0, 3, 300)
    parts = folds.make(rows, classes, groups, 5, seed=0)

    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()
    for part in parts:
        rest = np.setdiff1d(rows, part)
        folds.refuse_leak(np.concatenate([[""] * 10, groups]), part, rest)
        assert 40 <= len(part) <= 80
        assert np.bincount(classes[part - 10]).min() >= 8
    with pytest.raises(InputError, match="3 folds need as many groups; there are 2"):
        folds.make(np.arange(4), None, np.array(["a", "a", "b", "b"]), 3, 0)
    with pytest.raises(MismatchError, match="group 'a'"):
        folds.refuse_leak(np.array(["a", "a", "b"]), np.array([0]), np.array([1, 2]))


def test_statistics_do_not_depend_on_padding() -> None:
    stream = StreamShape("m", "sequence", (3,), 20)
    x = torch.randn(1, 13, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, 13, dtype=torch.bool)
    longer = torch.cat([x, torch.full((1, 7, 3), 9.0)], 1)
    covered = torch.cat([mask, torch.zeros(1, 7, dtype=torch.bool)], 1)
    plain = described.describe(x, mask, stream)

    assert plain.shape == (1, described.described_width(stream))
    torch.testing.assert_close(described.describe(longer, covered, stream), plain)
    torch.testing.assert_close(plain[0, -3:], x[0].std(0, correction=0))
    torch.testing.assert_close(plain[0, :3], x[0, :1].mean(0))


def test_items_that_share_a_recording_share_a_fold(planted: ModuleType) -> None:
    """Pictures drawn with replacement join their items; a stream of three stock values joins nothing."""
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(60, 1, 4))
    drawn = rng.integers(0, 60, 90)
    streams = {
        "picture": planted.stream([pictures[i] for i in drawn], kind="vector"),
        "stock": planted.stream([np.full((1, 2), float(i % 3)) for i in range(90)], kind="vector"),
    }
    data = planted.dataset(streams, np.array(["a", "b"] * 45), classes=["a", "b"])
    rows = np.arange(90)
    found = folds.joined_groups(data, rows, data.group, 3)

    assert [found[i] == found[j] for i in rows for j in rows] == [drawn[i] == drawn[j] for i in rows for j in rows]


def test_every_single_modality_every_pair_and_concatenation_stay_as_opponents(
    planted: ModuleType, tmp_path: Path
) -> None:
    """Three modalities of which one tells everything: the others are kept all the same, and change no answer."""
    from dataclasses import replace

    from mmcli.cli import given
    from mmcli.evaluation.judge import verdict

    data = planted.noise_beside_signal(60)
    rng = np.random.default_rng(4)
    streams = data.streams | {"more": planted.stream([rng.normal(size=(1, 3)) for _ in range(60)], kind="vector")}
    data = planted.dataset(streams, data.label, classes=["c", "a", "b"])
    for choice in ("all", "kernels"):
        run.train(data, replace(CONFIG, epochs=1, candidates=choice), tmp_path / "m.pt")
        judged = given.as_judged(predictor.load(tmp_path / "m.pt"))
        rivals = verdict.kept(judged)
        reads = {tuple(sorted(rival.modalities)) for rival in rivals}
        silent = [m["title"] for m in judged.facts["members"] if m["weight"] == 0]

        assert {("bad",), ("good",), ("more",)} <= reads
        assert {("bad", "good"), ("bad", "more"), ("good", "more")} <= reads
        assert any(len(rival.modalities) == 3 and rival.fusion == "concat" for rival in rivals)
        assert silent, "noise has no weight and is kept"
        for rival in rivals:
            assert np.isfinite(rival.predict(data, data.rows("test")).probabilities).all()
