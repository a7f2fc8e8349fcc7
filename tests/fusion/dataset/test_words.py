"""Frames that are words: for every row of a manifest the words of its own transcript."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, dataset, features, manifest
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app
from mmcli.errors import MismatchError, UsageError
from mmcli.fusion.dataset import assemble
from mmcli.fusion.dataset.assemble import Plan
from mmcli.fusion.dataset.words import Words
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.use import run

SAID = [("one", 0.5, 1.0), ("two", 1.0, 2.0), ("three", 4.0, 4.4)]


def transcript(path: Path, spoken: list[tuple[str, float, float]], sha256: str) -> str:
    segments = [
        {"kind": "word", "text": text, "start": start, "end": end, "score": 0.0, "spoken": True}
        for text, start, end in spoken
    ]
    whole = {"kind": "line", "text": "all", "start": spoken[0][1], "end": spoken[-1][2], "score": 0.0, "spoken": True}
    found = Alignment(
        model="warp",
        knots=np.zeros((0, 2)),
        segments=[whole, *segments],
        reference={"name": "r.wav", "sha256": sha256, "duration_s": 6.0},
        quality={"ratio": None, "verdict": "match", "reason": "by hand"},
        method={"name": "hand", "config": {}},
    )
    alignment.save(path, found)
    return path.name


def ramp(path: Path, hop: float, seconds: float, sha256: str) -> str:
    """Every frame's value is its time."""
    times = np.arange(0.0, seconds, hop)
    source = {"name": "r.wav", "size": 1, "sha256": sha256}
    values = np.stack([times, -times], axis=1).astype(np.float32)
    features.save(path, Features(values, times, {"kind": "sequence", "rate_hz": 1 / hop, "source": source}))
    return path.name


@pytest.fixture
def rows(tmp_path) -> tuple[Path, list[dict[str, str]]]:
    """Ten items: sound at 20 Hz, video at 10 Hz on the same clock, tokens; item i says its words i / 10 s later."""
    lines = []
    for i in range(10):
        sha256 = f"{i:064x}"
        said = [(text, start + i / 10, end + i / 10) for text, start, end in SAID]
        tokens = Features(np.ones((3, 1), np.float32), np.arange(3.0), {"kind": "tokens", "vocabulary_size": 9})
        features.save(tmp_path / f"t{i}.npz", tokens)
        lines.append(
            {
                "id": f"i{i}",
                "split": ("train", "train", "train", "val", "test")[i % 5],
                "label": "ab"[i // 5],
                "audio.own": ramp(tmp_path / f"a{i}.npz", 0.05, 6.0, sha256),
                "video.own": ramp(tmp_path / f"v{i}.npz", 0.1, 6.0, sha256),
                "text.own": f"t{i}.npz",
                "map.text": transcript(tmp_path / f"m{i}.json", said, sha256),
            }
        )
    return tmp_path, lines


def save(folder: Path, lines: list[dict[str, str]]) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def build(folder: Path, lines: list[dict[str, str]], words: Words, **plan: str) -> assemble.Assembled:
    return assemble.assemble(manifest.load(save(folder, lines)), Plan(normalise="none", words=words, **plan))


def test_every_stream_has_a_frame_for_every_word_of_its_row(rows):
    data = build(*rows, Words("text")).dataset

    for name in ("audio", "video"):
        stream = data.streams[name]
        assert stream.lengths.tolist() == [3] * 10
        assert stream.meta["spans"] == {"kind": "word", "pool": "mean", "modality": "text", "reference": "audio"}
        assert "rate_hz" not in stream.meta
        for i in range(10):
            middles = [(start + end) / 2 + i / 10 for _, start, end in SAID]
            assert np.allclose(stream.item(i).times, middles)
            assert np.allclose(stream.item(i).values[:, 0], middles, atol=0.06)
    assert data.streams["text"].meta["kind"] == "tokens"
    assert "spans" not in data.streams["text"].meta


def test_lines_and_other_ways_to_pool(rows):
    last = build(*rows, Words("text", "line", "last")).dataset.streams["audio"]

    assert last.lengths.tolist() == [1] * 10
    assert np.allclose(last.values[:, 0], [4.4 + i / 10 for i in range(10)], atol=0.051)


def test_a_word_outside_a_stream_has_no_frame_there(rows):
    folder, lines = rows
    lines[2]["video.own"] = ramp(folder / "short.npz", 0.1, 3.0, f"{2:064x}")

    data = build(folder, lines, Words("text")).dataset

    assert data.streams["video"].lengths.tolist() == [3, 3, 2, 3, 3, 3, 3, 3, 3, 3]
    assert data.streams["audio"].lengths.tolist() == [3] * 10


def test_a_row_without_a_transcript_is_left_out_by_name(rows):
    folder, lines = rows
    del lines[4]["map.text"]

    found = build(folder, lines, Words("text"))

    assert [item for item, _ in found.failed] == ["i4"]
    assert "map.text" in found.failed[0][1]


def test_a_transcript_of_another_recording_is_refused(rows):
    folder, lines = rows
    lines[1]["map.text"] = lines[0]["map.text"]

    with pytest.raises(MismatchError, match=r"'i1': the transcript in m0\.json was aligned with"):
        build(folder, lines, Words("text"))


@pytest.mark.parametrize(
    ("words", "plan", "said"),
    [
        (lambda: Words("txt"), {}, "did you mean 'text'"),
        (lambda: Words("text"), {"reference": "text"}, "--reference MODALITY"),
        (lambda: Words("text", "letter"), {}, "word, line"),
        (lambda: Words("text", "word", "linear"), {}, "mean, max, last"),
    ],
)
def test_spans_that_cannot_be_are_refused(rows, words, plan, said):
    with pytest.raises(UsageError) as raised:
        build(*rows, words(), **plan)

    assert said in str(raised.value)


def test_the_command_makes_the_same_in_shards_and_a_model_knows_what_it_read(rows):
    folder, lines = rows
    path = save(folder, lines)
    options = ["--spans", "text", "--pool", "max", "-q"]
    assert app.run(["fuse", str(path), "-o", str(folder / "d.npz"), *options]) == 0
    assert app.run(["fuse", str(path), "-o", f"{folder}/shards/", "--shard-size", "300", *options]) == 0
    aligned = path.rename(folder / f"aligned{path.suffix}")
    for line in lines:
        del line["map.text"]
    assert app.run(["fuse", str(save(folder, lines)), "-o", str(folder / "frames.npz"), "-q"]) == 0
    data = dataset.load(folder / "d.npz")

    run.train(data, TrainConfig(epochs=1), folder / "m.pt")

    assert data.meta["config"]["spans"] == "text"
    assert np.allclose(np.diff(data.streams["audio"].times[:3]), [0.75, 2.7])
    predict = ["predict", str(folder / "m.pt"), "-o", str(folder / "p.jsonl"), "-q"]
    assert app.run([*predict, f"{folder}/shards"]) == 0
    in_shards = (folder / "p.jsonl").read_bytes()
    assert app.run([*predict, str(folder / "d.npz")]) == 0
    assert (folder / "p.jsonl").read_bytes() == in_shards
    assert app.run([*predict, str(aligned)]) == 0  # its manifest of features, whose maps name the words
    assert (folder / "p.jsonl").read_bytes() == in_shards
    with pytest.raises(MismatchError, match="no spans, the model was trained on spans"):
        predictor.load(folder / "m.pt").predict(dataset.load(folder / "frames.npz"))
