"""`mmcli warp` over many files: each under its name in a folder, none stops another, and it can be run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app

SRT = "1\n00:00:0{n},000 --> 00:00:0{n},500\nline {n}\n\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A map that adds ten seconds, four subtitles, a recording, features, and a damaged features file."""
    import soundfile

    side = {"name": "x", "sha256": None, "duration_s": 60.0}
    knots = np.array([[10.0, 0.0], [70.0, 60.0]])
    found = Alignment(model="offset", knots=knots, offset_s=10.0, rate=1.0, ppm=0.0, reference=side, query=side)
    alignment.save(tmp_path / "map.json", found)
    for n in range(1, 5):
        (tmp_path / f"{n}.srt").write_text(SRT.format(n=n))
    soundfile.write(tmp_path / "a.flac", np.sin(np.arange(8000) * 0.1) * 0.3, 8000)
    features.save(tmp_path / "f.npz", Features(np.ones((5, 2), np.float32), np.arange(5.0), {}))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "f.npz").read_bytes()[:-100])
    return tmp_path


def warp(folder: Path, *names: str, more: tuple[str, ...] = ()) -> int:
    files = [str(folder / name) for name in names]
    return app.run(["warp", *files, "--map", str(folder / "map.json"), "-o", str(folder / "out"), "--jobs", "2", *more])


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / "out" / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_one_damaged_file_stops_no_other(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert warp(folder, "1.srt", "torn.npz", "a.flac", "f.npz", more=("--json",)) == 3

    out = folder / "out"
    assert "00:00:11,000" in (out / "1.srt").read_text()
    assert (out / "a.wav").exists()
    np.testing.assert_allclose(features.load(out / "f.npz").times, np.arange(5.0) + 10)
    assert not (out / "torn.npz").exists()
    assert [row["id"] for row in rows(folder, "failures.jsonl")] == ["torn.npz"]
    assert [row.get("file") for row in rows(folder, "manifest.jsonl")] == ["1.srt", None, "a.wav", "f.npz"]
    found = json.loads(capfd.readouterr().out)
    assert (found["schema"], found["done"], found["failed"]) == ("mmcli/warped@1", 3, 1)


def test_again_it_does_what_is_new_changed_or_lost(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = ("1.srt", "2.srt", "3.srt")
    assert warp(folder, *names) == 0
    (folder / "2.srt").write_text(SRT.format(n=7))
    (folder / "out" / "3.srt").unlink()
    capfd.readouterr()

    assert warp(folder, *names, "4.srt") == 0

    assert "done 3  skipped 1" in capfd.readouterr().err
    assert "line 7" in (folder / "out" / "2.srt").read_text()
    assert sorted(p.name for p in (folder / "out").iterdir()) == [
        ".mmcli-settled.json",
        *(f"{n}.srt" for n in range(1, 5)),
        "journal.jsonl",
        "manifest.jsonl",
    ]


def test_a_list_of_names_and_the_same_bytes_as_alone(folder: Path) -> None:
    (folder / "list").write_bytes(b"\0".join(str(folder / f"{n}.srt").encode() for n in (1, 2)))
    (folder / "out").mkdir()

    assert warp(folder, more=("--from", str(folder / "list"), "-0", "--inverse")) == 0
    one = [
        "warp",
        str(folder / "2.srt"),
        "--map",
        str(folder / "map.json"),
        "-o",
        str(folder / "alone.srt"),
        "--inverse",
    ]
    assert app.run(one) == 0

    assert (folder / "out" / "2.srt").read_bytes() == (folder / "alone.srt").read_bytes()


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        (("nothing.srt", "nowhere.srt"), (), "no such file"),
        ((), (), "nothing to warp"),
        (("1.srt", "2.srt"), ("-o", "{folder}"), "would replace itself"),
        (("1.srt", "2.srt"), ("-o", "{folder}/map.json"), "is no folder"),
        (("1.srt", "2.srt"), ("-o", "-"), "is no folder"),
        (("1.srt",), ("-o", "{folder}/x.srt", "--shard", "1/2"), "--shard is for several files"),
        (("1.srt", "2.srt"), ("--max-failures", "many"), "neither a number nor a share"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(
    folder: Path, capfd: pytest.CaptureFixture[str], names: tuple[str, ...], more: tuple[str, ...], said: str
) -> None:
    assert warp(folder, *names, more=tuple(m.format(folder=folder) for m in more)) == 2

    assert said in capfd.readouterr().err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [(("1.srt", "nothing.srt"), "no such file"), (("1.srt", "1.srt"), "is named twice"),
     (("a.flac", "a.ogg"), "would both be written to")],
)  # fmt: skip
def test_one_that_cannot_be_done_costs_itself(
    folder: Path, capfd: pytest.CaptureFixture[str], names: tuple[str, ...], said: str
) -> None:
    (folder / "a.ogg").write_bytes(b"")

    assert warp(folder, *names) == 3

    err = capfd.readouterr().err
    assert said in err
    assert "done 1  skipped 0  failed 1" in err
