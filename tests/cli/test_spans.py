"""From an annotation to spans and their score: extract --segments --window, train, predict --window, evaluate."""

from __future__ import annotations

import csv
import io
import itertools
import json
import sys

import numpy as np
import pytest

from mmcli.cli.app import run

RATE = 8000


def sound(kind: str, count: int) -> np.ndarray:
    """A low or a high tone."""
    return 0.4 * np.sin(np.arange(count) * {"low": 0.2, "high": 1.3}[kind])


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Recordings r0 to r5 of ten seconds with tones, truth.tsv, and a model of windows of r0 to r3."""
    import soundfile

    folder = tmp_path_factory.mktemp("planted")
    rng = np.random.default_rng(0)
    rows, splits = [], ["train", "train", "train", "val", "test", "test"]
    for r in range(6):
        samples = 0.01 * rng.normal(size=10 * RATE)
        for k, kind in enumerate(rng.permutation(["low", "high", "low", "high"]).tolist()):
            start, length = 0.6 + 2.3 * k + round(float(rng.uniform(0, 0.4)), 2), round(float(rng.uniform(1.0, 1.6)), 2)
            first = int(start * RATE)
            count = int(length * RATE)
            samples[first : first + count] += sound(kind, count)
            rows.append([f"r{r}.wav", start, start + length, kind])
        soundfile.write(folder / f"r{r}.wav", samples, RATE)
    table(folder / "truth.tsv", rows)
    table(folder / "test.tsv", [row for row in rows if row[0] in ("r4.wav", "r5.wav")])
    with (folder / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "split", "audio"], *[[f"r{r}", splits[r], f"r{r}.wav"] for r in range(6)]])
    cut = ["--segments", str(folder / "truth.tsv"), "--window", "0.5", "--hop", "0.25"]
    kernels = ["--set", "train.candidates=kernels"]
    sizes = ["--set", "logmel.bands=16", "--jobs", "1", "-q"]
    steps = (
        ["extract", str(folder / "m.csv"), "-o", str(folder / "f"), "--audio", "logmel", *cut, *sizes],
        ["fuse", str(folder / "f" / "manifest.jsonl"), "-o", str(folder / "d.npz"), "-q"],
        ["train", str(folder / "d.npz"), "-o", str(folder / "m.pt"), "--fusion", "auto", *kernels, "-q"],
    )
    for step in steps:
        assert run(step) == 0
    return folder


def table(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([["filename", "onset", "offset", "event_label"], *rows])


def spans(capsys, *words):
    """The lines of one `predict`."""
    capsys.readouterr()
    assert run(["predict", *map(str, words), "--window", "0.5", "--hop", "0.25", "-q"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_was_planted_is_found(planted, capsys):
    capsys.readouterr()
    said = planted / "spans.jsonl"
    files = [str(planted / "r4.wav"), str(planted / "r5.wav")]
    words = ["predict", str(planted / "m.pt"), *files, "--window", "0.5", "--hop", "0.25", "-o", str(said), "-q"]
    assert run(words) == 0
    report = planted / "e.json"
    scored = ["evaluate", str(said), str(planted / "test.tsv"), "-o", str(report), "--set", "events.collar=0.3", "-q"]
    assert run(scored) == 0
    metrics = {name: entry["value"] for name, entry in json.loads(report.read_text())["metrics"].items()}
    assert metrics["event_f1"] == 1.0
    assert metrics["segment_f1"] > 0.9


def test_spans_of_a_recording_follow_each_other(planted, capsys):
    lines = spans(capsys, planted / "m.pt", planted / "r4.wav")
    assert lines[0]["start"] == 0.0
    assert lines[-1]["end"] == 10.0
    for before, after in itertools.pairwise(lines):
        assert before["end"] == after["start"]
        assert before["prediction"] != after["prediction"]


@pytest.mark.parametrize("kind", ["wav", "s16le"])
def test_a_pipe_is_answered_like_a_file(planted, capsys, monkeypatch, kind):
    content = (planted / "r4.wav").read_bytes()
    raw = ["--raw", "s16le", "--rate", RATE] if kind == "s16le" else []
    path = planted / f"pipe.{kind}"
    path.write_bytes(content[44:] if raw else content)
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        piped = spans(capsys, planted / "m.pt", "-", *raw)
    whole = spans(capsys, planted / "m.pt", planted / "r4.wav")
    keep = ("start", "end", "prediction")
    assert [[line[k] for k in keep] for line in piped] == [[line[k] for k in keep] for line in whole]


def test_options_that_mean_nothing_are_refused(planted, capsys):
    model, sound_ = str(planted / "m.pt"), str(planted / "r4.wav")
    refused = (
        (["predict", model, sound_, "--hop", "1"], "--hop goes with --window"),
        (["predict", model, sound_, "--window", "1", "--raw", "s16le", "--rate", "8000"], "are of a pipe"),
        (["predict", model, sound_, "--window", "-1"], "at least 0.001"),
        (["extract", sound_, "-o", str(planted / "x"), "--window", "1"], "--segments"),
        (["evaluate", str(planted / "test.tsv"), str(planted / "r4.wav"), "-o", str(planted / "y.json"), "--html",
          "z.html"], "holds spans"),
    )  # fmt: skip
    for words, message in refused:
        capsys.readouterr()
        assert run(words) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_recordings_that_the_annotation_does_not_name_are_told(planted, capsys):
    words = ["extract", str(planted / "m.csv"), "-o", str(planted / "z"), "--segments", str(planted / "test.tsv")]
    assert run(words) == 2
    assert "does not name 'r0'" in capsys.readouterr().err


def test_spans_of_other_recordings_are_no_score(planted, tmp_path, capsys):
    (tmp_path / "s.jsonl").write_text('{"id": "x", "start": 0, "end": 1, "prediction": "low"}\n')
    words = ["evaluate", str(tmp_path / "s.jsonl"), str(planted / "test.tsv"), "-o", str(tmp_path / "r.json")]
    assert run(words) != 0
    assert "share no recording" in capsys.readouterr().err
    (tmp_path / "s.jsonl").write_text('{"id": "r4", "start": 2, "end": 1, "prediction": "low"}\n')
    assert run(words) != 0
    assert "runs from 2 s to 1 s" in capsys.readouterr().err
