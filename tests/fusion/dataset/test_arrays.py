"""Arrays that people bring, straight into a data set: rows of a table, sequences of one frame."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset, manifest, shards
from mmcli.cli import app
from mmcli.errors import InputError, MismatchError
from mmcli.fusion.dataset.assemble import Assembled, Plan, assemble
from mmcli.fusion.dataset.survey import Arrays


def write(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def fused(path: Path, plan: Plan | None = None) -> Assembled:
    return assemble(manifest.load(path), plan or Plan())


def test_a_sequence_of_one_frame_is_a_sequence(tmp_path: Path) -> None:
    rows: list[list[object]] = []
    for i, frames in enumerate((1, 5, 1, 3)):
        np.save(tmp_path / f"{i}.npy", np.full((frames, 2), i, np.float32))
        rows.append([f"i{i}", "train", "ab"[i % 2], f"{i}.npy"])
    data = fused(write(tmp_path / "m.csv", ["id", "split", "label", "series"], rows)).dataset

    assert data.streams["series"].meta["kind"] == "sequence"
    assert data.streams["series"].lengths.tolist() == [1, 5, 1, 3]


def test_kinds_that_really_differ_name_both_files_and_the_option(tmp_path: Path) -> None:
    from mmcli.artifacts.formats import features
    from mmcli.artifacts.formats.features import Features

    for name, kind in (("a.npz", "sequence"), ("b.npz", "spectrogram")):
        meta = {"modality": "audio", "kind": kind}
        features.save(tmp_path / name, Features(np.ones((2, 3), np.float32), np.arange(2.0), meta))
    path = write(tmp_path / "m.csv", ["id", "split", "audio"], [["a", "train", "a.npz"], ["b", "train", "b.npz"]])

    with pytest.raises(MismatchError, match=r"spectrogram in b\.npz, sequence in a\.npz") as told:
        fused(path)
    assert "--audio" in str(told.value)


def test_rows_of_three_dimensions_and_members_are_sequences(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips, vectors = rng.normal(size=(4, 5, 3)).astype("f"), rng.normal(size=(4, 6)).astype("f")
    np.save(tmp_path / "clips.npy", clips)
    np.savez(tmp_path / "two.npz", vision=clips, text=vectors)
    header = ["id", "split", "label", "series", "audio", "text"]
    rows = [
        [f"i{i}", "train", "ab"[i % 2], f"clips.npy#{i}", f"two.npz:vision#{i}", f"two.npz:text#{i}"] for i in range(4)
    ]
    data = fused(write(tmp_path / "m.csv", header, rows), Plan(normalise="none")).dataset

    assert [(s.meta["kind"], s.values.shape) for s in data.streams.values()] == [
        ("sequence", (20, 3)),
        ("sequence", (20, 3)),
        ("vector", (4, 6)),
    ]
    assert np.array_equal(data.streams["audio"].item(2).values, clips[2])
    assert np.array_equal(data.streams["text"].item(3).values[0], vectors[3])


def test_rows_of_hdf5_are_read_by_their_place(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    values = np.random.default_rng(0).normal(size=(3, 4)).astype("f")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["train/text"] = values
    rows: list[list[object]] = [[f"i{i}", "train", "ab"[i % 2], f"x.h5:/train/text#{i}"] for i in range(3)]
    data = fused(write(tmp_path / "m.csv", ["id", "split", "label", "text"], rows), Plan(normalise="none")).dataset

    assert np.array_equal(data.streams["text"].values, values)
    wrong = write(tmp_path / "w.csv", ["id", "split", "label", "text"], [["i", "train", "a", "x.h5:/test#0"]])
    with pytest.raises(InputError, match="holds no array of numbers /test; it holds /train/text"):
        fused(wrong)


def test_an_array_is_opened_once_however_many_of_its_rows_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmcli.media import npy

    opened = 0
    plain = npy.mapped

    def counted(*args: object) -> object:
        nonlocal opened
        opened += 1
        return plain(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(npy, "mapped", counted)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 2)))
    rows: list[list[object]] = [[f"i{i}", "train", "ab"[i % 2], f"x.npy#{i}"] for i in range(50)]
    assert fused(write(tmp_path / "m.csv", ["id", "split", "label", "series"], rows)).dataset.items == 50
    assert opened == 1


def test_a_row_that_is_not_there_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 2)))
    rows: list[list[object]] = [["a", "train", "x", "x.npy#1"], ["b", "train", "y", "x.npy#7"]]
    failed = fused(write(tmp_path / "m.csv", ["id", "split", "label", "series"], rows)).failed

    assert failed == [("b", f"{tmp_path / 'x.npy'}: has 2 rows, counted from 0: there is no row 7")]


def test_missing_values_are_refused_or_stand_at_the_training_mean(tmp_path: Path) -> None:
    values = np.array([[1.0, 10.0], [3.0, np.nan], [np.inf, 99.0]], np.float32)
    np.save(tmp_path / "x.npy", values)
    rows: list[list[object]] = [
        [f"i{i}", s, "ab"[i % 2], f"x.npy#{i}"] for i, s in enumerate(("train", "train", "test"))
    ]
    path = write(tmp_path / "m.csv", ["id", "split", "label", "series"], rows)

    assert [name for name, _ in fused(path).failed] == ["i1", "i2"]
    made = fused(path, Plan(normalise="none", arrays=Arrays(missing="mean")))
    assert made.dataset.streams["series"].values.tolist() == [[1.0, 10.0], [3.0, 10.0], [2.0, 99.0]]
    assert "series: 2 missing values stand at the mean of the training rows" in made.notes
    scaled = fused(path, Plan(arrays=Arrays(missing="mean"))).dataset.streams["series"]
    assert np.isfinite(scaled.values).all()
    assert scaled.values[1, 1] == 0.0


def test_frames_without_a_clock_count_as_seconds_and_that_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 4, 3), np.float32))
    rows: list[list[object]] = [["a", "train", "x", "x.npy#0"], ["b", "train", "y", "x.npy#1"]]
    path = write(tmp_path / "m.csv", ["id", "split", "label", "series"], rows)

    said = fused(path)
    assert said.dataset.streams["series"].item(0).times.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert any("count as seconds" in note for note in said.notes)
    timed = fused(path, Plan(arrays=Arrays(rate=10.0)))
    assert timed.dataset.streams["series"].item(1).times.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert not any("count as seconds" in note for note in timed.notes)


def test_missing_values_of_sequences_and_in_folders_stand_at_the_training_mean(tmp_path: Path) -> None:
    """Whole arrays (no #ROW) too; a folder of shards holds the bytes of the file."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = []
    known = []
    for i in range(9):
        values = rng.normal(size=(4, 2)).astype(np.float32)
        values[i % 4, i % 2] = np.nan if i % 3 else np.inf
        np.save(tmp_path / f"x{i}.npy", values)
        known += values.tolist() if i < 6 else []
        rows.append([f"i{i}", "train" if i < 6 else "test", "ab"[i % 2], f"x{i}.npy"])
    path = write(tmp_path / "m.csv", ["id", "split", "label", "series"], rows)

    with pytest.raises(InputError, match="none of the 9 rows"):
        fused(path)
    made = fused(path, Plan(normalise="none", arrays=Arrays(missing="mean")))
    column = np.array(known)[:, 0]
    mean = column[np.isfinite(column)].mean()
    assert made.dataset.streams["series"].values[0, 0] == np.float32(mean)
    assert "series: 9 missing values stand at the mean of the training rows" in made.notes
    for target in ("d.npz", "d/"):
        assert app.run(["fuse", str(path), "-o", f"{tmp_path}/{target}", "--missing", "mean", "-q"]) == 0
    one, several = dataset.load(tmp_path / "d.npz"), shards.load(tmp_path / "d").held()
    assert dataset.dumps(several) == dataset.dumps(one)
