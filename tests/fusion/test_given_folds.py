"""Published folds are tested on as they were published, from the manifest's column or from a file."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset
from mmcli.cli.app import run
from mmcli.errors import InputError, UsageError
from mmcli.fusion import given_folds


@pytest.fixture
def fused(tmp_path):
    """Forty items of two classes in four folds, and two that are in none: data.npz with its manifest's folds."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(42, 4)).astype(np.float32) + np.arange(42)[:, None] % 2)
    rows = [[f"i{k}", "ab"[k % 2], f"{1 + k // 10}" if k < 40 else "", f"x.npy#{k}"] for k in range(42)]
    with (tmp_path / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "label", "fold", "series.x"], *rows])
    assert run(["fuse", str(tmp_path / "m.csv"), "-o", str(tmp_path / "data.npz"), "-q"]) == 0
    return tmp_path / "data.npz"


def test_each_published_fold_is_tested_once_and_nothing_else(fused, tmp_path, capsys):
    quick = ["--epochs", "1", "--set", "train.width=8", "-q", "--json"]
    assert run(["train", str(fused), "-o", str(tmp_path / "runs"), "--cv", "given", *quick]) == 0
    assert json.loads(capsys.readouterr().out)["folds"] == 4
    table = tmp_path / "folds.csv"
    table.write_text("id,fold\n" + "".join(f"i{k},{'abc'[k % 3]}\n" for k in range(30)))
    names, parts = given_folds.parts(dataset.load(fused), str(table))
    assert names == ["a", "b", "c"]
    assert [sorted(part.tolist()) for part in parts] == [list(range(k, 30, 3)) for k in range(3)]
    names, parts = given_folds.parts(dataset.load(fused), "given")
    assert names == ["1", "2", "3", "4"]
    assert np.concatenate(parts).tolist() == list(range(40))


def test_folds_that_cannot_be_are_refused_by_name(fused, tmp_path):
    data = dataset.load(fused)
    table = tmp_path / "folds.csv"
    table.write_text("id,fold\ni1,a\ni1,b\n")
    with pytest.raises(InputError, match="'i1' is in two folds"):
        given_folds.parts(data, str(table))
    table.write_text("x1,a\nx2,b\n")
    with pytest.raises(InputError, match="none of the data set's items"):
        given_folds.parts(data, str(table))
    table.write_text("i1,a\ni2,b\n")
    with pytest.raises(UsageError, match="too few"):
        given_folds.parts(data, str(table))
    with pytest.raises(UsageError, match="--cv 'nowhere'"):
        given_folds.parts(data, "nowhere")
    del data.meta["folds"]
    with pytest.raises(UsageError, match="no column 'fold'"):
        given_folds.parts(data, "given")
