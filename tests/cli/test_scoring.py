"""`mmcli evaluate MAP TRUTH` as a stranger uses it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from mmcli.artifacts.formats import report as reports
from mmcli.cli import app


@pytest.fixture
def ends(sample_data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The map of the shifted reading, and the truth about it."""
    folder, made = sample_data / "reading", tmp_path / "shift.json"
    assert (
        app.run(["align", str(folder / "reading.flac"), str(folder / "reading_shifted.ogg"), "-o", str(made), "-q"])
        == 0
    )
    return made, folder / "truth_shifted.json"


def test_the_known_shift_of_the_reading(
    ends: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["evaluate", *map(str, ends), "-o", str(tmp_path / "r.json"), "--json"]) == 0
    out, err = capsys.readouterr()
    found = reports.load(tmp_path / "r.json")
    assert found["metrics"]["max_s"]["value"] <= 0.002
    assert found["metrics"]["coverage"]["value"] == 1.0
    assert json.loads(out)["metrics"] == found["metrics"]
    assert found["reproduce"] == "mmcli evaluate shift.json truth_shifted.json -o r.json"
    assert [entry["name"] for entry in found["inputs"]] == ["shift.json", "truth_shifted.json"]
    assert "within 10 ms" in err
    assert str(tmp_path) not in (tmp_path / "r.json").read_text()


def test_the_map_comes_through_a_pipe_and_the_report_leaves_through_one(
    ends: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ends[0].read_bytes())))
    assert app.run(["evaluate", "-", str(ends[1]), "-o", "-", "-q"]) == 0
    out = capfdbinary.readouterr().out
    assert reports.loads(out, "pipe")["metrics"]["mean_s"]["value"] < 0.001


def test_what_cannot_be_judged_is_said(
    ends: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, true = map(str, ends)
    out = str(tmp_path / "r.json")
    folder = ends[1].parent
    for arguments, code, said in (
        ([made, true], 2, "-o REPORT.json"),
        ([made, "-o", out], 2, "TRUTH"),
        ([made, true, "-o", out, "--html", "x.html"], 2, "--html is for models"),
        ([made, str(tmp_path / "none.json"), "-o", out], 2, "no such file"),
        ([str(tmp_path / "none.json"), true, "-o", out], 2, "no such file"),
        ([true.replace("truth_shifted.json", "transcript.txt"), true, "-o", out, "--query", made], 2, "--query"),
        ([made, str(folder / "reading.flac"), "-o", out], 4, "reading.flac"),
        ([made, made + "x", "-o", "/dev/null/r.json"], 2, "no such file"),
        ([made, true, "-o", "/dev/null/r.json"], 5, "cannot"),
    ):
        assert app.run(["evaluate", *arguments]) == code, arguments
        assert said in capsys.readouterr().err
        assert not Path(out).exists()
