"""`mmcli align` as a stranger uses it: what it writes, what it says, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two features files that differ by 0.5 s."""
    x = np.random.default_rng(0).standard_normal((300, 4)).cumsum(axis=0).astype(np.float32)
    for name, part in (("a.npz", x), ("b.npz", x[25:275])):
        values = np.ascontiguousarray(part)
        features.save(tmp_path / name, Features(values, np.arange(len(values)) / 50.0, {"extractor": "mine"}))
    return tmp_path / "a.npz", tmp_path / "b.npz"


def run(*arguments: object) -> int:
    return app.run(["align", *map(str, arguments)])


@pytest.mark.parametrize("method", ["auto", "offset", "affine", "dtw", "fastdtw", "hmm"])
def test_every_method_writes_a_map_of_the_two_files(pair: tuple[Path, Path], tmp_path: Path, method: str) -> None:
    assert run(*pair, "-o", tmp_path / "map.json", "--method", method, "-q") == 0
    found = alignment.load(tmp_path / "map.json")
    assert (found.reference["name"], found.query["name"]) == ("a.npz", "b.npz")
    assert found.query["sha256"] is not None
    assert (found.path is not None) == (method in ("dtw", "fastdtw", "hmm"))
    if found.offset_s is not None:
        assert found.offset_s == pytest.approx(0.5, abs=0.005)


def test_the_same_command_writes_the_same_bytes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("1.json", "2.json"):
        assert run(*pair, "-o", tmp_path / name, "--method", "dtw", "--plot", tmp_path / f"{name}.png", "-q") == 0
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert (tmp_path / "1.json.png").read_bytes() == (tmp_path / "2.json.png").read_bytes()
    assert (tmp_path / "1.json.png").read_bytes().startswith(b"\x89PNG")


def test_json_prints_one_object_without_the_path(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*pair, "-o", tmp_path / "map.json", "--method", "dtw", "--json", "--no-path") == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed["schema"] == "mmcli/align@1"
    assert "path" not in printed["alignment"]
    assert alignment.load(tmp_path / "map.json").path is None
    assert "dtw" in err


def test_a_pair_that_does_not_match_ends_with_4_and_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.npz", "b.npz"):
        values = rng.standard_normal((300, 4)).astype(np.float32)
        features.save(tmp_path / name, Features(values, np.arange(300) / 50.0, {}))
    ends = (tmp_path / "a.npz", tmp_path / "b.npz", "-o", tmp_path / "map.json")
    assert run(*ends) == 4
    assert not (tmp_path / "map.json").exists()
    assert "does not match" in capsys.readouterr().err
    assert run(*ends, "--force", "-q") == 0
    assert alignment.load(tmp_path / "map.json").quality["verdict"] == "no match (forced)"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--method", "dwt"], 2, "did you mean 'dtw'?"),
        (["--method", "hmm", "--metric", "cosine"], 2, "--metric has no meaning"),
        (["--method", "dtw", "--metric", "cosin"], 2, "cosin"),
        (["--method", "dtw", "--kind", "same"], 2, "--kind is for --method auto"),
        (["--feature", "logmel"], 2, "holds features already"),
        (["--set", "dtw.band=0.1"], 2, "not in use"),
        (["--set", "auto.window_s=-1"], 2, "must be above 0"),
        (["--plot", "map.bmp"], 2, "--plot writes png, not bmp"),
        (["--page", "map.pdf"], 2, "--page writes html, not pdf"),
    ],
)
def test_what_cannot_be_meant_is_said(
    pair: tuple[Path, Path],
    tmp_path: Path,
    options: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*pair, "-o", tmp_path / "map.json", *options) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "map.json").exists()


def test_what_is_read_is_not_written_over(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before = [p.read_bytes() for p in pair]
    assert run(*pair, "-o", pair[1], "--format", "json") == 2
    assert run(*pair, "-o", pair[0].with_suffix(".json"), "-q") == 0
    assert app.run(["warp", str(pair[1]), "--map", str(pair[0].with_suffix(".json")), "-o", str(pair[1])]) == 2
    assert capsys.readouterr().err.count("--output would write over the input") == 2
    assert [p.read_bytes() for p in pair] == before


def test_differing_widths_and_extractors_are_refused(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Features(np.ones((9, 4), np.float32), np.arange(9.0), {"extractor": "other"})
    features.save(tmp_path / "c.npz", other)
    assert run(pair[0], tmp_path / "c.npz", "-o", tmp_path / "map.json", "--method", "dtw") == 4
    assert "a.npz holds mine, c.npz holds other" in capsys.readouterr().err
    features.save(tmp_path / "d.npz", Features(np.ones((9, 3), np.float32), np.arange(9.0), {}))
    assert run(pair[0], tmp_path / "d.npz", "-o", tmp_path / "map.json", "--method", "dtw") == 4
    assert "4 values a frame" in capsys.readouterr().err


def test_two_features_files_load_nothing_heavy(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """No torch, no librosa, and with the compiled kernel no numba."""
    code = (
        "import sys; from mmcli.cli import app; from mmcli.aligners.kernels import engine; "
        f"rc = app.run(['align', {str(pair[0])!r}, {str(pair[1])!r}, '-o', {str(tmp_path / 'm.json')!r}, "
        "'--method', 'dtw', '-q']); "
        "heavy = {'torch', 'librosa'} | ({'numba'} if engine.describe()['compiled'] else set()); "
        "print(rc, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0 []"


def test_sound_is_aligned_through_its_default_features(sample_data: Path, tmp_path: Path) -> None:
    folder = sample_data / "reading"
    query = folder / "reading_retimed.ogg"
    assert run(folder / "reading.flac", query, "-o", tmp_path / "map.json", "--method", "dtw", "-q") == 0
    truth = np.array(json.loads((folder / "truth.json").read_text())["knots"])
    from mmcli.artifacts.formats.timemap import TimeMap

    t = np.arange(0.2, 26.5, 0.1)
    error = np.abs(TimeMap(alignment.load(tmp_path / "map.json")).to_query(t) - TimeMap(truth).to_query(t))
    assert error.mean() < 0.020


def test_a_text_is_written_in_the_formats_of_other_tools(sample_data: Path, tmp_path: Path) -> None:
    import pysubs2

    from mmcli.aligners.output import formats

    ends = (sample_data / "reading" / "reading.flac", sample_data / "reading" / "transcript.txt")
    lines = (sample_data / "reading" / "transcript.txt").read_text().splitlines()
    assert run(*ends, "-o", tmp_path / "t.json", "-q") == 0
    found = alignment.load(tmp_path / "t.json")
    assert found.segments is not None
    for form in ("srt", "vtt"):
        text = formats.render(found, form).decode()
        assert [e.plaintext for e in pysubs2.SSAFile.from_string(text)] == lines
    assert len(formats.render(found, "ctm").splitlines()) == len(" ".join(lines).split())
    assert formats.render(found, "textgrid").count(b'class = "IntervalTier"') == 2
    assert formats.render(found, "csv").startswith(b"kind,text,start,end,score,spoken\nline,")
    assert formats.render(found, "labels").count(b"\t") == 2 * len(" ".join(lines).split())


def test_a_map_without_a_text_has_no_cues(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert run(*pair, "-o", tmp_path / "m.srt", "-q") == 2
    assert run(*pair, "-o", tmp_path / "m.csv", "-q") == 0
    assert (tmp_path / "m.csv").read_text().startswith("t_reference,t_query,confidence_s\n")
    assert run(*pair, "-o", tmp_path / "m", "--format", "textgrid", "-q") == 0
    assert "query 0.000" in (tmp_path / "m").read_text()


def test_a_suffix_that_is_no_format_is_refused_before_the_work(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*pair, "-o", tmp_path / "m.xml") == 2
    assert "no map is written as .xml" in capsys.readouterr().err
    assert run(*pair, "-o", tmp_path / "m.xml", "--format", "json", "-q") == 0
    assert alignment.load(tmp_path / "m.xml").model == "offset"


def test_series_without_a_time_column_take_their_rate_from_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).standard_normal((600, 2)).cumsum(axis=0)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x[100:500])
    ends = (tmp_path / "x.npy", tmp_path / "y.npy", "-o", tmp_path / "m.json")
    assert run(*ends) == 4
    assert "--rate" in capsys.readouterr().err
    assert run(*ends, "--rate", "50", "-q") == 0
    assert alignment.load(tmp_path / "m.json").offset_s == pytest.approx(2.0, abs=0.005)
    (tmp_path / "p.csv").write_text("id,reference,query,rate\na,x.npy,y.npy,100\n")
    assert run("--pairs", tmp_path / "p.csv", "-o", tmp_path / "out", "--jobs", 1, "-q") == 0
    assert alignment.load(tmp_path / "out" / "a.json").offset_s == pytest.approx(1.0, abs=0.005)


def test_gaps_in_a_series_are_refused_or_filled_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).standard_normal((600, 2)).cumsum(axis=0)
    np.save(tmp_path / "x.npy", x)
    torn = x[100:500].copy()
    torn[50:55, 1] = np.nan
    np.save(tmp_path / "y.npy", torn)
    ends = (tmp_path / "x.npy", tmp_path / "y.npy", "-o", tmp_path / "m.json", "--rate", "50", "-q")
    assert run(*ends) == 4
    assert "--missing interpolate" in capsys.readouterr().err
    assert run(*ends, "--missing", "interpolate") == 0
    assert alignment.load(tmp_path / "m.json").offset_s == pytest.approx(2.0, abs=0.005)
    (tmp_path / "p.csv").write_text(
        "id,reference,query,rate,missing\na,x.npy,y.npy,50,interpolate\nb,x.npy,y.npy,50,\n"
    )
    assert run("--pairs", tmp_path / "p.csv", "-o", tmp_path / "out", "--jobs", 1, "-q") == 3
    assert alignment.load(tmp_path / "out" / "a.json").offset_s == pytest.approx(2.0, abs=0.005)
    assert run("--pairs", tmp_path / "p.csv", "-o", tmp_path / "out", "--jobs", 1, "-q", "--missing", "interp") == 2


def test_pairs_that_cannot_be_say_what_to_do(
    sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, text = sample_data / "reading" / "reading.flac", sample_data / "reading" / "transcript.txt"
    (tmp_path / "x.csv").write_text("time,a\n0,1\n1,2\n2,1\n")
    for ends, said in (
        ((text, reading), "the recording comes first"),
        ((text, text), "cannot be compared"),
        ((tmp_path / "x.csv", reading), "x.csv is a series"),
        ((sample_data, reading), "is a folder"),
    ):
        assert run(*ends, "-o", tmp_path / "m.json") == 4
        assert said in capsys.readouterr().err
