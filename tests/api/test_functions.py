"""``mmcli.align``, ``extract``, ``load``, ``train``, ``evaluate``: what the commands do, a line of Python each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import mmcli
from mmcli.artifacts.formats import dataset
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.formats.stream import Stream
from mmcli.cli import app
from mmcli.errors import InputError, MismatchError, UsageError

RATE = 8000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return (np.random.default_rng(1).standard_normal(RATE * 20) * 0.1).astype(np.float32)


@pytest.fixture
def files(tmp_path: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", noise, RATE)
    soundfile.write("b.wav", noise[3 * RATE :], RATE)
    return tmp_path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes that one stream tells apart."""
    random = np.random.default_rng(0)
    n = 80
    label = np.array(["no", "yes"])[np.arange(n) % 2]
    values = (random.standard_normal((n, 3)) + 3.0 * (label == "yes")[:, None]).astype(np.float32)
    stream = Stream(values, np.arange(n + 1), np.zeros(n), np.ones(n, bool))
    split = ["train"] * 40 + ["val"] * 16 + ["test"] * 24
    meta = {"task": "classify", "classes": ["no", "yes"]}
    items = [f"i{k}" for k in range(n)]
    dataset.save(tmp_path / "d.npz", Dataset({"x": stream}, items, split, items, label.tolist(), meta=meta))
    return tmp_path / "d.npz"


def test_importing_mmcli_loads_no_room() -> None:
    code = "import sys, mmcli; print([m for m in sys.modules if m.startswith(('mmcli.', 'numpy', 'torch'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mmcli._version']"


def test_files_and_arrays_are_aligned_alike_and_as_the_command_does(files: Path, noise: np.ndarray) -> None:
    of_files = mmcli.align("a.wav", "b.wav")
    of_arrays = mmcli.align((noise, RATE), (noise[3 * RATE :], RATE))
    mixed = mmcli.align("a.wav", (noise[3 * RATE :], RATE))
    assert app.run(["align", "a.wav", "b.wav", "-o", "map.json", "-q"]) == 0
    by_command = mmcli.load("map.json")
    for found in (of_files, of_arrays, mixed, by_command):
        assert found.offset_s == pytest.approx(3.0, abs=0.001)
    assert of_files.to_json() == by_command.to_json()


def test_data_frames_are_aligned_by_their_column_of_times() -> None:
    pandas = pytest.importorskip("pandas", reason="data frames need pandas")
    walk = np.random.default_rng(0).standard_normal((300, 3)).cumsum(axis=0)
    frames = [pandas.DataFrame(w, columns=["x", "y", "z"]) for w in (walk, walk[50:])]
    for frame in frames:
        frame.insert(0, "time", np.arange(len(frame)) / 100)
    found = mmcli.align(*frames)
    assert found.offset_s == pytest.approx(0.5, abs=0.005)
    table = found.to_pandas()
    assert list(table.columns) == ["t_reference", "t_query", "confidence_s"]
    assert (table.t_reference - table.t_query).tolist() == pytest.approx([0.5, 0.5], abs=0.005)


def test_strangers_are_refused_and_what_cannot_be_is_said(noise: np.ndarray) -> None:
    other = np.random.default_rng(9).standard_normal(RATE * 15).astype(np.float32)
    with pytest.raises(MismatchError) as caught:
        mmcli.align((noise, RATE), (other, RATE))
    assert caught.value.evidence is not None
    with pytest.raises(UsageError, match="without a clock"):
        mmcli.align(noise, noise)
    with pytest.raises(UsageError, match="no field 'windows'"):
        mmcli.align((noise, RATE), (noise, RATE), windows=3)
    with pytest.raises(UsageError, match="page= is for two files"):
        mmcli.align((noise, RATE), (noise, RATE), page="x.html")


def test_features_of_a_file_are_those_of_the_command(files: Path, noise: np.ndarray) -> None:
    assert app.run(["extract", "a.wav", "-o", "a.npz", "--audio", "mfcc", "-q"]) == 0
    by_command, by_file = mmcli.load("a.npz"), mmcli.extract("a.wav", "mfcc")
    assert np.array_equal(by_command.values, by_file.values)
    assert mmcli.extract(noise, rate=RATE).meta["extractor"] == "logmel"
    assert mmcli.extract(np.zeros((8, 8, 3), np.uint8), modality="image").values.shape[0] == 1
    assert mmcli.extract(np.eye(4), rate=10.0).values.shape == (4, 4)
    assert repr(by_file).startswith("<Features audio.mfcc: ")
    assert "audio" in by_file._repr_html_()
    assert by_file.to_torch().shape == by_file.values.shape
    with pytest.raises(UsageError, match="says not what it is"):
        mmcli.extract(np.eye(4))
    with pytest.raises(UsageError, match="learns from many rows"):
        mmcli.extract("a.txt", "tokens", modality="text")


def test_a_model_is_trained_judged_and_asked_in_a_line_each(data: Path) -> None:
    model = mmcli.train(data, epochs=3, seed=1)
    assert repr(model) == "<Model model.pt: classify, 2 classes, from x>"
    answers = model.predict(data)
    assert len(answers) == 80
    assert next(iter(answers))["id"] == "i0"
    report = mmcli.evaluate(model, data)
    assert report["metrics"]["accuracy"]["value"] > 0.7
    assert "<iframe" in report._repr_html_()
    report.save(data.with_name("r.json"))
    report.save(data.with_name("r.html"))
    Image.new("RGB", (8, 8)).save(data.with_name("a.png"))
    rows = [f"{item['id']},a.png" for item in report["items"]]
    data.with_name("m.csv").write_text("\n".join(["id,image", *rows]))
    report.save(data.with_name("seen.html"), media=data.with_name("m.csv"))
    assert data.with_name("seen.html").read_text().count('class="thumb"') == len(rows)
    assert mmcli.load(data.with_name("r.json")).verdict == report.verdict
    assert data.with_name("r.html").read_text().startswith("<!")
    kept = mmcli.train(data, data.with_name("m.pt"), epochs=3, seed=1)
    assert np.array_equal(kept.predict(data).probabilities, answers.probabilities)
    assert mmcli.load(data.with_name("m.pt")).classes == ["no", "yes"]
    with pytest.raises(UsageError, match="no field 'epoch'"):
        mmcli.train(data, epoch=3)


def test_a_data_set_as_tables_and_tensors(data: Path) -> None:
    held = mmcli.load(data)
    assert repr(held) == "<Dataset: 80 items, x, task classify>"
    assert "<table>" in held._repr_html_()
    assert [t.shape for t in held.to_torch("x")[:2]] == [(1, 3), (1, 3)]
    pytest.importorskip("pandas", reason="data frames need pandas")
    table = held.to_pandas()
    assert table.split.value_counts().to_dict() == {"train": 40, "test": 24, "val": 16}
    assert mmcli.train(held, epochs=2).predict(held).to_pandas().shape == (80, 4)


def test_names_in_tables_are_escaped_and_strangers_are_no_artifacts(tmp_path: Path) -> None:
    values = np.zeros((2, 1), np.float32)
    features = mmcli.artifacts.formats.features.Features(values, np.arange(2.0), {"modality": "<script>"})
    assert "<script>" not in features._repr_html_()
    (tmp_path / "x.bin").write_bytes(b"nothing")
    with pytest.raises(InputError):
        mmcli.load(tmp_path / "x.bin")
