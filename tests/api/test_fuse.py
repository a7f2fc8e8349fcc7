"""``mmcli.fuse``: arrays, data frames and lists make the data set that the command makes of the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mmcli
from mmcli.artifacts.formats import dataset
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app
from mmcli.errors import UsageError

N = 40
LABEL = np.array(["no", "yes"])[np.arange(N) % 2]
SPLIT = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
VALUES = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)


def test_arrays_make_what_the_command_makes_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sequences = np.random.default_rng(1).normal(size=(N, 7, 3)).astype(np.float32)
    np.save("a.npy", VALUES)
    np.save("t.npy", sequences)
    rows = [f"i{k},{SPLIT[k]},{LABEL[k]},a.npy#{k},t.npy#{k}" for k in range(N)]
    Path("m.csv").write_text("\n".join(["id,split,label,audio,series", *rows]))
    assert app.run(["fuse", "m.csv", "-o", "d.npz", "--rate", "10", "-q"]) == 0
    by_command = dataset.load("d.npz")

    ids = [f"i{k}" for k in range(N)]
    streams = {"audio": VALUES, "series": sequences}
    made = mmcli.fuse(streams, "own.npz", label=LABEL, split=SPLIT, id=ids, rate=10.0)
    for name in streams:
        assert np.array_equal(made.streams[name].values, by_command.streams[name].values)
        assert np.array_equal(made.streams[name].times, by_command.streams[name].times)
    assert made.to_pandas().equals(by_command.to_pandas())
    assert mmcli.load("own.npz").to_pandas().equals(made.to_pandas())
    assert mmcli.fuse("m.csv").to_pandas().equals(made.to_pandas())


def test_frames_tensors_lists_and_absent_items() -> None:
    pandas = pytest.importorskip("pandas", reason="data frames need pandas")
    torch = pytest.importorskip("torch", reason="tensors need torch")
    random = np.random.default_rng(2)
    ragged = [None if k % 5 == 0 else random.normal(size=(1 + k % 3, 2)) for k in range(N)]
    made = mmcli.fuse(
        {"table": pandas.DataFrame(VALUES), "audio": torch.tensor(VALUES), "series": ragged},
        label=pandas.Series(random.normal(size=N)), normalise="none",
    )  # fmt: skip
    assert made.meta["task"] == "regress"
    assert np.allclose(made.streams["table"].values, VALUES)
    assert np.array_equal(made.streams["table"].values, made.streams["audio"].values)
    frames = made.to_pandas()["series"].tolist()
    assert frames[:4] == [0, 2, 3, 1]
    assert made.streams["series"].present.tolist() == [k % 5 != 0 for k in range(N)]


def test_a_data_set_of_arrays_is_trained_on_and_judged() -> None:
    values = VALUES + 4.0 * (LABEL == "yes")[:, None]
    data = mmcli.fuse({"audio": values}, label=LABEL, split=SPLIT)
    model = mmcli.train(data, seed=1)
    assert mmcli.evaluate(model, data)["metrics"]["accuracy"]["value"] == 1.0


def test_features_of_each_item_keep_their_clock() -> None:
    each = [Features(VALUES[: 2 + k % 3], np.arange(2 + k % 3) / 4, {"kind": "sequence"}) for k in range(N)]
    made = mmcli.fuse({"series": each}, label=LABEL, normalise="none")
    assert made.streams["series"].item(1)[1].tolist() == [0.0, 0.25, 0.5]


def test_new_arrays_are_answered_as_they_were_in_their_data_set(tmp_path: Path) -> None:
    values = 5.0 + 3.0 * VALUES + 4.0 * (LABEL == "yes")[:, None]
    data = mmcli.fuse({"audio": values}, label=LABEL, split=SPLIT)
    model = mmcli.train(data, seed=1, epochs=3)
    model.save(tmp_path / "m.pt")
    again = mmcli.load(tmp_path / "m.pt").predict({"audio": values[30:33]})
    assert np.allclose(again.probabilities, model.predict(data).probabilities[30:33], atol=1e-6)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mmcli.fuse({"sound": VALUES}), "'sound' is no modality"),
        (lambda: mmcli.fuse({"audio": VALUES}, label=LABEL[:3]), "label has 3 items where audio has 40"),
        (lambda: mmcli.fuse(VALUES), "neither a manifest nor arrays"),
        (lambda: mmcli.fuse({"audio": VALUES[:, 0]}), r"audio has shape \(40,\)"),
        (lambda: mmcli.fuse({"audio": VALUES}, id=["a"] * N), "an id stands twice"),
        (lambda: mmcli.fuse("m.csv", label=["x"]), "label= is for arrays"),
        (lambda: mmcli.fuse({"audio": VALUES}, normalize="none"), "no field 'normalize'"),
        (lambda: mmcli.train({"audio": VALUES}), "dict is no data set"),
        (lambda: mmcli.train("d.npz", fusion="autto"), "did you mean 'auto'"),
    ],
)
def test_what_makes_no_data_set_is_named(call, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call()
