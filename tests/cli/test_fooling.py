"""Warnings where a person is about to fool themselves: too few items to learn from, too few to judge by."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.cli import app


def saved(path, train: int, test: int):
    n = train + 8 + test
    label = np.array(["no", "yes"])[np.arange(n) % 2]
    values = (np.random.default_rng(0).normal(size=(n, 3)) + 3.0 * (label == "yes")[:, None]).astype(np.float32)
    stream = Stream(values, np.arange(n + 1), np.zeros(n), np.ones(n, bool), meta={"kind": "vector"})
    split = ["train"] * train + ["val"] * 8 + ["test"] * test
    ids = [f"i{k}" for k in range(n)]
    meta = {"task": "classify", "classes": ["no", "yes"]}
    dataset.save(path, Dataset({"x": stream}, ids, split, ids, label.tolist(), meta=meta))
    return str(path)


@pytest.mark.parametrize(("train", "test", "warned"), [(2, 8, True), (40, 40, False)])
def test_few_items_are_named_beside_what_they_cannot_tell(tmp_path, capsys, train, test, warned):
    data, model, report = saved(tmp_path / "d.npz", train, test), str(tmp_path / "m.pt"), str(tmp_path / "r.json")
    assert app.run(["train", data, "-o", model, "--epochs", "1"]) == 0
    told = capsys.readouterr().err
    assert (f"{train} training items for" in told) == warned
    assert app.run(["evaluate", model, data, "-o", report]) == 0
    told = capsys.readouterr().err
    assert (f"{test} items judge" in told) == warned
    text = json.loads((tmp_path / "r.json").read_text())["verdict"]["text"]
    assert text.startswith("accuracy ")
    assert f"on {test} items; not compared" in text
