"""Warnings where a person is about to fool themselves: too few items to learn from or to judge by, one class, a picture
that stands for a film."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset, features
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app


def saved(path, train: int, test: int, labels: str = ""):
    """A data set of two classes in turn; ``labels``: those of the split that is named have one."""
    n = train + 8 + test
    label = np.array(["no", "yes"])[np.arange(n) % 2]
    if labels:
        label[:train] = "yes" if labels == "train" else label[:train]
        label[train + 8 :] = "yes" if labels == "test" else label[train + 8 :]
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


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_class_is_named(tmp_path, capsys, split):
    data, model = saved(tmp_path / "d.npz", 40, 40, split), str(tmp_path / "m.pt")
    assert app.run(["train", data, "-o", model, "--epochs", "1"]) == 0
    assert ("all training items are 'yes'" in capsys.readouterr().err) == (split == "train")
    assert app.run(["evaluate", model, data, "-o", str(tmp_path / "r.json")]) == 0
    assert ("all 40 items are 'yes'" in capsys.readouterr().err) == (split == "test")


def test_a_script_is_warned_as_well(tmp_path):
    import mmcli

    with pytest.warns(UserWarning, match="2 training items for"):
        mmcli.train(saved(tmp_path / "d.npz", 2, 8), epochs=1)


def features_of(path, frames: int) -> str:
    values = np.random.default_rng(frames).normal(size=(frames, 3)).astype(np.float32)
    kind = "vector" if frames == 1 else "sequence"
    features.save(path, Features(values, np.arange(frames) * 0.1, {"kind": kind}))
    return str(path)


def test_a_picture_that_is_repeated_over_a_sound_is_named(tmp_path, capsys):
    sound, picture = features_of(tmp_path / "sound.npz", 81), features_of(tmp_path / "picture.npz", 1)
    assert app.run(["fuse", sound, picture, "-o", str(tmp_path / "f.npz")]) == 0
    assert "picture has one frame, repeated in all 81: it tells no moment from another" in capsys.readouterr().err
    assert app.run(["fuse", picture, sound, "-o", str(tmp_path / "g.npz")]) == 0
    assert "of the 81 frames of sound one is used, for picture has but one" in capsys.readouterr().err
    assert app.run(["fuse", sound, features_of(tmp_path / "other.npz", 80), "-o", str(tmp_path / "h.npz")]) == 0
    assert "one" not in capsys.readouterr().err


def test_a_still_stream_beside_one_that_moves_is_named(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.normal(size=(20, 4)).astype(np.float32))
    np.save(tmp_path / "b.npy", rng.normal(size=(20, 9, 4)).astype(np.float32))
    rows = [f"i{k},{'yes' if k % 2 else 'no'},a.npy#{k},b.npy#{k}" for k in range(20)]
    (tmp_path / "m.csv").write_text("\n".join(["id,label,image,audio", *rows]))
    arguments = [str(tmp_path / "m.csv"), "--rate", "2", "--strategy", "concat", "-o", str(tmp_path / "d.npz")]
    assert app.run(["fuse", *arguments, "--reference", "audio"]) == 0
    assert "image has one frame an item, repeated in every frame of audio" in capsys.readouterr().err
    assert app.run(["fuse", *arguments]) == 0
    assert "repeated" not in capsys.readouterr().err
