"""From a recording and its transcript to a model that looks across modalities word by word, and its answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, dataset, features
from mmcli.cli.app import run

READING = Path(__file__).parents[2] / "sample_data" / "reading"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four talks, which are one recording with its transcript; the map, the features and the data set of them."""
    folder = tmp_path_factory.mktemp("words")
    recording, transcript = (Path(shutil.copy(READING / name, folder)) for name in ("reading.flac", "transcript.txt"))
    assert run(["align", str(recording), str(transcript), "-o", str(folder / "map.json"), "-q"]) == 0
    rows = [
        {"id": f"t{i}", "split": ("train", "train", "train", "test")[i], "label": "ab"[i % 2], "audio": recording.name,
         "text": transcript.name, "map.text": "map.json"}
        for i in range(4)
    ]  # fmt: skip
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    extract = ["extract", str(folder / "m.jsonl"), "-o", str(folder / "f"), "--audio", "logmel", "--text", "tokens"]
    assert run([*extract, "--set", "tokens.punctuation=false", "--jobs", "1", "-q"]) == 0
    fuse = ["fuse", str(folder / "f" / "manifest.jsonl"), "-o", str(folder / "d.npz"), "--normalise", "none"]
    assert run([*fuse, "--spans", "text", "--reference", "audio", "-q"]) == 0
    return folder


def test_frames_are_means_over_the_times_of_the_words(folder):
    said = [s for s in alignment.load(folder / "map.json").segments if s["kind"] == "word" and s.get("spoken", True)]
    data = dataset.load(folder / "d.npz")
    heard = features.load(folder / "f" / "t0.audio.logmel.npz")
    values = data.streams["audio"].item(0).values
    assert len(values) == len(said) == int(data.streams["text"].lengths[0])  # token k is word k
    for word, frame in zip(said, values, strict=True):
        inside = (heard.times >= word["start"]) & (heard.times <= word["end"])
        assert np.allclose(frame, heard.values[inside].mean(axis=0), atol=1e-4)


def test_a_model_of_words_answers_a_manifest_of_features_as_its_data_set(folder, capsys):
    model = str(folder / "m.pt")
    assert run(["train", str(folder / "d.npz"), "-o", model, "--fusion", "crossmodal", "--epochs", "1", "-q"]) == 0
    said = []
    for source in ("d.npz", "f/manifest.jsonl"):
        capsys.readouterr()
        assert run(["predict", model, str(folder / source)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert run(["predict", model, str(READING / "reading.flac")]) == 4
    assert "name a manifest of features with a column map.MODALITY" in capsys.readouterr().err
