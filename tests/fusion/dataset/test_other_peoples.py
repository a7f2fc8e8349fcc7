"""Manifests as other people write them: names of splits, test rows without labels, ratings, sets, pickles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmcli.errors import ArtifactError, InputError
from mmcli.fusion.dataset.assemble import Plan
from mmcli.training.config import TrainConfig
from mmcli.training.data import read, task_of

from .test_arrays import fused, write


def rows(tmp_path: Path, labels: list[str], splits: list[str]) -> Path:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(len(labels), 2)))
    lines: list[list[object]] = [
        [f"i{i}", split, label, f"x.npy#{i}"] for i, (label, split) in enumerate(zip(labels, splits, strict=True))
    ]
    return write(tmp_path / "m.csv", ["id", "split", "label", "series"], lines)


@pytest.mark.parametrize("name", ["valid", "validation", "dev", "devel", "Val"])
def test_validation_by_any_name(tmp_path: Path, name: str) -> None:
    data = fused(rows(tmp_path, ["a", "b"], ["train", name])).dataset
    assert data.split.tolist() == ["train", "val"]


def test_a_split_of_no_known_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="split 'holdout' is none of train, val, test"):
        fused(rows(tmp_path, ["a"], ["holdout"]))


def test_test_rows_may_lack_a_label_and_others_not(tmp_path: Path) -> None:
    made = fused(rows(tmp_path, ["a", "b", ""], ["train", "train", "test"]))
    assert made.dataset.label is not None
    assert made.dataset.label.tolist() == ["a", "b", ""]
    assert "1 test items have no label: they are predicted, and not scored" in made.notes
    with pytest.raises(InputError, match=r"1 of 3 rows have no label \(1 in train\)"):
        fused(rows(tmp_path, ["a", "", "b"], ["train", "train", "test"]))


def test_labels_with_a_bar_are_sets_and_an_empty_one_is_named(tmp_path: Path) -> None:
    made = fused(rows(tmp_path, ["a", "", "b", "a|b"], ["train", "train", "train", "val"]))
    assert made.dataset.meta["task"] == "multilabel"
    assert made.dataset.label is not None
    assert made.dataset.label.tolist() == [[True, False], [False, False], [False, True], [True, True]]
    assert any("1 of 4 items have no label and count as having none" in note for note in made.notes)


def test_whole_number_ratings_are_regressed_where_that_is_asked_for(tmp_path: Path) -> None:
    import torch

    data = fused(rows(tmp_path, ["1", "5", "3"], ["train", "train", "test"])).dataset
    assert task_of(data, "auto") == "classify"
    target = read(data, TrainConfig(task="regress").task, data.rows("train"), torch.device("cpu"))
    assert target.task == "regress"
    assert (target.center, target.scale) == (3.0, 2.0)


def test_what_is_left_out_is_counted_by_split_and_reason(tmp_path: Path) -> None:
    path = rows(tmp_path, ["a", "b", "a"], ["train", "test", "test"])
    path.write_text(path.read_text().replace("x.npy#2", "x.npy#7"))
    assert fused(path).left_out == {"test": {"has 3 rows, counted from 0: there is no row 7": 1}}


def test_more_than_a_tenth_gone_before_is_exit_3(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((8, 2)))
    lines = ["id,split,label,series,error", *(f"i{i},train,{'ab'[i % 2]},x.npy#{i}," for i in range(8))]
    (tmp_path / "m.csv").write_text("\n".join([*lines, "i8,test,a,,no sound"]) + "\n")
    command = [sys.executable, "-m", "mmcli", "fuse", str(tmp_path / "m.csv"), "-o", str(tmp_path / "d.npz")]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 3, done.stderr
    assert "left out of test: 1 because: no sound" in done.stderr
    assert "1 of 9 rows are not in" in done.stderr
    assert (tmp_path / "d.npz").exists()


def test_a_pickle_is_never_opened_and_the_lines_that_convert_it_are_given(tmp_path: Path) -> None:
    (tmp_path / "mosi.pkl").write_bytes(b"\x80\x04.")
    path = write(tmp_path / "m.csv", ["id", "split", "label", "text"], [["i", "train", "a", "mosi.pkl"]])
    with pytest.raises(InputError, match="pickle, which can run programs") as told:
        fused(path, Plan())
    assert "np.savez('mosi.npz'" in str(told.value)


def test_one_of_several_targets_is_trained_on_and_judged(tmp_path: Path) -> None:
    """Ages and moods beside each other; one item lacks a mood, which leaves it out where moods are trained on."""
    import json

    from mmcli.errors import UsageError
    from mmcli.fusion import targets

    rng = np.random.default_rng(0)
    age, mood = rng.uniform(20, 60, 60), rng.integers(0, 2, 60)
    np.save(tmp_path / "x.npy", np.stack([age, mood + rng.normal(0, 0.1, 60)], axis=1))
    lines: list[list[object]] = [
        [
            f"i{i}",
            ("train", "train", "val", "test")[i % 4],
            f"{age[i]:.2f}",
            "" if i == 3 else "ab"[mood[i]],
            f"x.npy#{i}",
        ]
        for i in range(60)
    ]
    data = tmp_path / "d.npz"
    table = write(tmp_path / "m.csv", ["id", "split", "label.age", "label.mood", "series"], lines)

    def mmcli(*arguments: object) -> None:
        subprocess.run([sys.executable, "-m", "mmcli", *map(str, arguments), "-q"], check=True, cwd=tmp_path)

    mmcli("fuse", table, "-o", data)
    how = ("--fusion", "auto", "--effort", "quick", "--set", "train.candidates=kernels")
    mmcli("train", data, "-o", "mood.pt", "--target", "mood", *how)
    mmcli("evaluate", "mood.pt", data, "-o", "mood.json", "--explain", 0)
    report = json.loads((tmp_path / "mood.json").read_text())
    assert report["task"] == "classify"
    assert report["metrics"]["accuracy"]["n"] == 14
    assert report["metrics"]["accuracy"]["value"] > 0.9

    loaded = fused(table).dataset
    assert loaded.label is None
    assert task_of(targets.chosen(loaded, "age"), "auto") == "regress"
    with pytest.raises(UsageError, match="no target 'weight'"):
        targets.chosen(loaded, "weight")


def test_a_manifest_may_be_a_parquet_table(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    columns = {
        "id": ["a", "b", "c"],
        "split": ["train", "dev", "test"],
        "label": ["x", "y", None],
        "num.age": [40.5, float("nan"), 12.0],
        "series": ["x.npy#0", "x.npy#1", "x.npy#2"],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "m.parquet")
    data = fused(tmp_path / "m.parquet").dataset
    assert data.label is not None
    assert (data.split.tolist(), data.label.tolist()) == (["train", "val", "test"], ["x", "y", ""])

    parquet.write_table(pyarrow.table({"id": ["a"], "series": [[1.0, 2.0]]}), tmp_path / "lists.parquet")
    assert np.asarray(fused(tmp_path / "lists.parquet").dataset.streams["series"].values).shape == (1, 2)
    parquet.write_table(pyarrow.table({"id": ["a"], "series": [{"x": 1.0}]}), tmp_path / "wrong.parquet")
    with pytest.raises(InputError, match="no column holds features"):
        fused(tmp_path / "wrong.parquet")
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "m.parquet").read_bytes()[:-40])
    with pytest.raises(ArtifactError, match="is no table"):
        fused(tmp_path / "torn.parquet")


def test_a_model_of_rows_answers_the_manifest_that_it_was_fused_from(tmp_path: Path) -> None:
    import json

    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 40)
    np.save(tmp_path / "a.npy", (rng.normal(size=(40, 3)) + 3 * label[:, None]).astype("f"))
    np.savez(tmp_path / "b.npz", vision=rng.normal(size=(40, 4, 2)).astype("f"))
    lines: list[list[object]] = [
        [f"i{i}", ("train", "train", "val", "test")[i % 4], "ab"[label[i]], f"a.npy#{i}", f"b.npz:vision#{i}"]
        for i in range(40)
    ]
    table = write(tmp_path / "m.csv", ["id", "split", "label", "series.a", "video"], lines)

    def mmcli(*arguments: object) -> str:
        command = [sys.executable, "-m", "mmcli", *map(str, arguments), "-q"]
        return subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True).stdout

    mmcli("fuse", table, "-o", "d.npz")
    mmcli("train", "d.npz", "-o", "m.pt", "--fusion", "auto", "--set", "train.candidates=kernels")
    fused_answers, own = (
        {row["id"]: row["probabilities"] for row in map(json.loads, mmcli("predict", "m.pt", given).splitlines())}
        for given in ("d.npz", table)
    )
    assert len(own) == 40
    for name, chances in fused_answers.items():
        assert own[name] == pytest.approx(chances, abs=1e-4)
