"""`mmcli align -o`: the suffix says whether the map, a timeline or QUERY on the other clock is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import soundfile

from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app

SHIFT_S = 7.0
STARTS_S = np.cumsum(np.random.default_rng(5).uniform(1.2, 4.0, 60))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reference and queries of several kinds, all late by ``SHIFT_S``."""
    monkeypatch.chdir(tmp_path)
    for name, late in (("film.srt", 0.0), ("late.srt", SHIFT_S)):
        subtitle = pysubs2.SSAFile()
        for k, start in enumerate(STARTS_S + late):
            event = pysubs2.SSAEvent(start=round(start * 1000), end=round(start * 1000) + 900, text=f"{{\\i1}}line {k}")
            subtitle.append(event)
        subtitle.save(name)
    noise = np.random.default_rng(1).standard_normal(8000 * 25).astype(np.float32) * 0.1
    soundfile.write("ref.wav", noise, 8000)
    soundfile.write("part.wav", noise[8000 * 5 :], 8000)
    x = np.random.default_rng(0).standard_normal((300, 4)).cumsum(axis=0).astype(np.float32)
    for name, values in (("a.npz", x), ("b.npz", np.ascontiguousarray(x[25:275]))):
        features.save(Path(name), Features(values, np.arange(len(values)) / 50.0, {"extractor": "mine"}))
    for name, rows in (("a.csv", x), ("b.csv", x[25:275])):
        lines = ["time,v0,v1,v2,v3", *(f"{k / 50:.3f}," + ",".join(f"{v:.5f}" for v in r) for k, r in enumerate(rows))]
        Path(name).write_text("\n".join(lines) + "\n")
    return tmp_path


def run(*arguments: object) -> int:
    return app.run(["align", *map(str, arguments)])


@pytest.mark.parametrize("suffix", ["srt", "vtt", "ass", "ssa"])
def test_a_late_subtitle_comes_out_on_time_in_any_format(folder: Path, suffix: str) -> None:
    assert run("film.srt", "late.srt", "-o", f"fixed.{suffix}", "-q") == 0
    read = pysubs2.load(f"fixed.{suffix}")
    assert [e.plaintext for e in read] == [f"line {k}" for k in range(len(STARTS_S))]
    assert np.abs(np.array([e.start for e in read]) / 1000 - STARTS_S).max() < 0.02


def test_sound_features_and_tables_come_out_on_the_clock_of_the_reference(folder: Path) -> None:
    assert run("ref.wav", "part.wav", "-o", "fixed.wav", "-q") == 0
    whole, cut = (soundfile.read(name)[0] for name in ("ref.wav", "fixed.wav"))
    assert np.abs(whole[8000 * 6 : 8000 * 24] - cut[8000 * 6 : 8000 * 24]).max() < 1e-3
    assert run("a.npz", "b.npz", "-o", "fixed.npz", "-q") == 0
    assert features.load(Path("fixed.npz")).times[0] == pytest.approx(0.5, abs=0.005)
    assert run("a.csv", "b.csv", "-o", "fixed.csv", "-q") == 0
    assert float(Path("fixed.csv").read_text().splitlines()[1].split(",")[0]) == pytest.approx(0.5, abs=0.005)


def test_format_map_forces_the_map_and_csv_of_features_is_a_table_of_knots(folder: Path) -> None:
    assert run("film.srt", "late.srt", "-o", "fixed.srt", "--format", "map", "-q") == 0
    assert alignment.load(Path("fixed.srt")).offset_s == pytest.approx(-SHIFT_S, abs=0.02)
    assert run("a.npz", "b.npz", "-o", "knots.csv", "-q") == 0
    assert Path("knots.csv").read_text().startswith("t_reference,t_query")


def test_without_an_output_the_result_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.iterdir())
    assert run("a.npz", "b.npz") == 0
    out, err = capsys.readouterr()
    lines = dict(line.split("  ", 1) for line in out.splitlines())
    assert float(lines["offset"].split()[0]) == pytest.approx(0.5, abs=0.005)
    assert lines["match"].split()[0] == "match"
    assert err == ""
    assert run("a.npz", "b.npz", "--json") == 0
    assert json.loads(capsys.readouterr().out)["output"] is None
    assert sorted(folder.iterdir()) == before


def test_a_refusal_is_an_object_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(3).standard_normal((250, 4)).astype(np.float32)
    features.save(Path("other.npz"), Features(values, np.arange(250) / 50.0, {"extractor": "mine"}))
    assert run("a.npz", "other.npz", "-o", "map.json", "--json") == 4
    printed = json.loads(capsys.readouterr().out)
    assert printed["alignment"] is None
    assert printed["refused"]["evidence"]["statistic"] == "probability"
    assert not Path("map.json").exists()


@pytest.mark.parametrize(
    ("query", "output", "code", "said"),
    [
        ("part.wav", "x.srt", 2, "part.wav is sound, which is not written as srt"),
        ("part.wav", "x.mp4", 2, "part.wav is sound, which is not written as mp4"),
        ("late.srt", "x.wav", 2, "late.srt is a subtitle, which is not written as wav"),
        ("b.npz", "x.vtt", 2, "b.npz is features, which is not written as vtt"),
        ("late.srt", "x.xml", 2, "no map is written as .xml"),
        ("late.srt", "ref.wav/x.srt", 5, "is no folder"),
        ("late.srt", ".", 5, "is a folder"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    output: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr("mmcli.aligners.pair.align_files", lambda *_, **__: pytest.fail("the work was begun"))
    assert run("ref.wav", query, "-o", output) == code
    assert said in capsys.readouterr().err
