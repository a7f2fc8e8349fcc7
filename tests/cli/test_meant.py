"""Who names an option as other programs do, or a file of another kind, is told what comes next."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmcli.cli import app

from ..ranking.conftest import world


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    from mmcli.artifacts.formats import dataset

    folder = tmp_path_factory.mktemp("files")
    dataset.save(folder / "data.npz", world(0, items=20)[1])
    (folder / "media.csv").write_text("id,audio\na,a.wav\n")
    (folder / "made.jsonl").write_text('{"id": "a", "audio.logmel": "a.npz"}\n')
    (folder / "events.csv").write_text("user,item\nu,a\nu,b\n")
    (folder / "report.json").write_text(json.dumps({"schema": "mmcli/report@1"}))
    (folder / "notes.txt").write_text("words\n")
    (folder / "clips.csv").write_text("clip,label,audio\na,x,rows.npy#0\n")
    (folder / "rows.csv").write_text("id,label,audio\na,x,rows.npy#0\n")
    (folder / "made").mkdir()
    (folder / "made" / "manifest.jsonl").write_text('{"id": "a", "audio.logmel": "a.npz"}\n')
    np.save(folder / "rows.npy", np.zeros((4, 2)))
    return folder


@pytest.mark.parametrize(
    ("words", "said", "following"),
    [
        ("train media.csv -o m.pt", "is a manifest of media files; a data set", "mmcli extract"),
        ("train made.jsonl -o m.pt", "is a manifest of features; a data set", "mmcli fuse"),
        ("train notes.txt -o m.pt", "is a text; a data set", "mmcli extract"),
        ("train clips.csv -o m.pt", "is a table without a column id; a data set", "mmcli help fusing"),
        ("train rows.csv -o m.pt", "is a manifest of features; a data set", "mmcli fuse"),
        ("fuse clips.csv -o d.npz", "it has no column id", "(clip, label, audio) the one that names the items"),
        ("train made -o m.pt", "is a folder; a data set", "made/manifest.jsonl -o data.npz"),
        ("train events.csv -o m.pt", "is a list of events", "--task rank --events"),
        ("train -o data.npz rows.npy", "rows.npy: is a series; a data set", "mmcli extract"),
        ("evaluate made.jsonl data.npz -o r.json", "a model is needed here", "mmcli fuse"),
        ("predict data.npz data.npz", "is a data set; a model", "mmcli train"),
        ("predict report.json data.npz", "is a report; a model", "mmcli info"),
        ("fuse data.npz -o d.npz", "is a data set; a manifest of features", "mmcli train"),
        ("fuse media.csv -o d.npz", "is a manifest of media files", "mmcli extract"),
    ],
)
def test_a_file_of_another_kind_is_named_with_the_next_command(files, monkeypatch, capsys, words, said, following):
    monkeypatch.chdir(files)
    assert app.run(words.split()) == 4
    shown = capsys.readouterr().err
    assert said in shown
    assert following in shown.splitlines()[-1]


def test_arrays_in_place_of_a_manifest_are_told_how_one_names_them(files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    assert app.run(["fuse", "rows.npy", "other.npy", "-o", "d.npz"]) == 2
    assert "a column audio with rows.npy#0" in capsys.readouterr().err


def test_a_damaged_file_of_the_right_kind_keeps_its_own_words(files, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(files)
    (tmp_path / "cut.npz").write_bytes((files / "data.npz").read_bytes()[:-200])
    assert app.run(["train", str(tmp_path / "cut.npz"), "-o", str(tmp_path / "m.pt")]) == 4
    assert "needed here" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("train d.npz -o m.pt --lr 0.1", "--set train.rate="),
        ("train d.npz -o m.pt --batch-size 3", "--set train.batch="),
        ("train d.npz -o m.pt --patience 3", "--set train.patience="),
        ("extract a.wav -o a.npz --n-mels 40", "--set logmel.bands="),
        ("align a b --band-s 3", "--set dtw.band_s="),
        ("train d.npz -o m.pt --colour red", "see `mmcli train --help`"),
    ],
)
def test_an_option_that_is_a_field_is_answered_with_set(capsys, words, answer):
    assert app.run(words.split()) == 2
    assert answer in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.npy", "x.PT"])
def test_features_are_not_written_under_the_name_of_another_format(tmp_path, capsys, name):
    (tmp_path / "a.txt").write_text("words\n")
    assert app.run(["extract", str(tmp_path / "a.txt"), "-o", str(tmp_path / name)]) == 2
    assert "npz" in capsys.readouterr().err
    assert not (tmp_path / name).exists()
