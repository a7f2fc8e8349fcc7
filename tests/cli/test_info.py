"""`mmcli info`: any artifact, any media file, the engine, a table for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import features
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    values = np.array([[0.1, 2.0], [3.0, 4.0]], np.float32)
    features.save(
        tmp_path / "x.npz", Features(values, np.array([0.0, 0.5]), {"kind": "sequence", "columns": ["a", "b"]})
    )
    return tmp_path / "x.npz"


def mmcli(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = app.run(["info", *map(str, arguments)])
    out, err = capfd.readouterr()
    return code, out, err


def test_features_and_media_side_by_side(npz: Path, sample_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip = sample_data / "clip" / "bunny.mp4"
    code, out, _ = mmcli(capfd, npz, clip, "--json", "--validate")
    first, second = json.loads(out)["files"]
    assert code == 0
    assert (first["schema"], first["shape"], first["check"]) == ("mmcli/features@1", [2, 2], "valid")
    assert (second["modality"], second["check"].startswith("valid, ")) == ("video", True)


def test_the_length_that_comes_out_is_said_to_the_sample(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(12_345), 8000)
    code, out, _ = mmcli(capfd, tmp_path / "a.wav", "--validate")

    assert code == 0
    assert "check: valid, 12345 samples, 1.5431 s" in out.splitlines()


def test_people_get_lines(npz: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = mmcli(capfd, npz)
    assert code == 0
    assert "schema: mmcli/features@1" in out.splitlines()
    assert "shape: 2, 2" in out.splitlines()


def test_a_damaged_file_is_named_and_the_others_are_shown(
    npz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.npz").write_bytes(npz.read_bytes()[:100])
    code, out, err = mmcli(capfd, tmp_path / "bad.npz", npz, "--json")
    assert code == 4
    assert "bad.npz" in err
    bad, good = json.loads(out)["files"]
    assert "error" in bad
    assert good["frames"] == 2


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["no-such-file"], 2), (["--to", "x.csv"], 2)])
def test_what_cannot_be_shown(arguments: list[str], code: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert mmcli(capfd, *arguments)[0] == code


def test_the_engine(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = mmcli(capfd, "--engine", "--json")
    assert code == 0
    assert json.loads(out)["engine"]["name"] in ("dtw", "twin")


def test_a_table_for_other_programs(npz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert mmcli(capfd, npz, "--to", tmp_path / "x.csv")[0] == 0
    assert (tmp_path / "x.csv").read_text() == "time,a,b\n0.0,0.1,2.0\n0.5,3.0,4.0\n"
