"""`mmcli extract` through the command line: what it takes, prints, writes, and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import features
from mmcli.cli import app


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    import soundfile

    t = np.arange(4000) / 8000
    soundfile.write(tmp_path / "a.wav", 0.3 * np.sin(2 * np.pi * 300 * t), 8000)
    return tmp_path / "a.wav"


def mmcli(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = app.run(["extract", *map(str, arguments)])
    out, err = capfd.readouterr()
    return code, out, err


def test_one_file_into_one_file(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = mmcli(capfd, wav, "-o", tmp_path / "x.npz")
    assert (code, out) == (0, "")
    assert "audio.logmel, 51 x 64" in err
    assert features.load(tmp_path / "x.npz").meta["rate_hz"] == 100.0


def test_fields_are_set_by_name(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    named = ["--audio", "mfcc", "--set", "mfcc.coefficients=7", "--set", "mfcc.sample_rate=native"]
    assert mmcli(capfd, wav, "-o", tmp_path / "x.npz", *named)[0] == 0
    found = features.load(tmp_path / "x.npz")
    assert found.values.shape == (51, 7)
    assert found.meta["sample_rate_hz"] == 8000


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--audio", "logmell"], 2, "did you mean 'logmel'"),
        (["--set", "logmel.band=3"], 2, "did you mean 'bands'"),
        (["--set", "logmel.bands=many"], 2, "whole number"),
        (["--set", "logmel.bands=0"], 2, "between 1 and 512"),
        (["--set", "mfcc.bands=3"], 2, "not in use"),
        (["--set", "logmel"], 2, "NAME.FIELD=VALUE"),
        (["--audio", "logmel,mfcc"], 2, "do not go into one file"),
        (["--modality", "sound"], 2, "unknown modality"),
        (["--modality", "image"], 4, "is named or used as image"),
        (["--modality", "image", "--audio", "mfcc"], 2, "no meaning"),
        (["--missing", "fill"], 2, "interpolate"),
        (["--shard", "3/2"], 2, "numbered"),
        (["--max-failures", "many"], 2, "neither a number"),
        (["--set", "logmel.high_hz=9000"], 2, "high_hz"),
        (["--engine", "ray", "--timeout", "5"], 2, "set limits on the cluster"),
        (["--engine", "ray", "--memory", "500"], 2, "set limits on the cluster"),
        (["--nonsense"], 2, "--nonsense"),
    ],
)
def test_what_cannot_be_meant_is_one_clear_error(
    wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    found, out, err = mmcli(capfd, wav, "-o", tmp_path / "x.npz", *arguments)
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err
    assert not (tmp_path / "x.npz").exists()


def test_a_folder_prints_rows_where_standard_output_is_no_terminal(
    wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.wav").write_bytes(b"nonsense")
    (tmp_path / "in" / "a.wav").write_bytes(wav.read_bytes())
    code, out, err = mmcli(capfd, tmp_path / "in", "-o", tmp_path / "out", "--jobs", 1)
    header, *rows = map(json.loads, out.splitlines())
    assert code == 3
    assert header["mmcli"]["root"] == str(tmp_path / "out")
    assert rows[0] == {"id": "a", "audio.logmel": "a.audio.logmel.npz"}
    assert rows[1]["error"].startswith("audio: ")
    assert err.splitlines()[-1].endswith(f"done 1  skipped 0  failed 1  -> {tmp_path / 'out' / 'failures.jsonl'}")


def test_json_is_one_object(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = mmcli(capfd, wav, "-o", tmp_path / "out", "--json", "--jobs", 1)
    assert code == 0
    assert json.loads(out)["done"] == 1


def test_a_dry_run_writes_nothing(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = mmcli(capfd, wav, "-o", tmp_path / "out", "--dry-run", "--json")
    assert code == 0
    assert json.loads(out)["todo"] == 1
    assert "1 to do" in err
    assert not (tmp_path / "out").exists()


def test_the_configuration_in_force_is_printed(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = mmcli(capfd, wav, "-o", tmp_path, "--print-config", "--set", "logmel.bands=20")
    assert code == 0
    assert "bands = 20" in out


def test_a_video_gives_pictures_and_sound(sample_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip = sample_data / "clip" / "bunny.mp4"
    assert mmcli(capfd, clip, "-o", tmp_path / "both", "--jobs", 1)[0] == 0
    assert sorted(p.name for p in (tmp_path / "both").glob("*.npz")) == [
        "bunny.audio.logmel.npz",
        "bunny.video.frames.npz",
    ]
    assert mmcli(capfd, clip, "-o", tmp_path / "x.npz")[0] == 2
    assert mmcli(capfd, clip, "-o", tmp_path / "x.npz", "--audio", "onset")[0] == 0
    assert mmcli(capfd, clip, "-o", tmp_path / "y.npz", "--modality", "video", "--video", "motion")[0] == 0
    assert features.load(tmp_path / "y.npz").values.shape[1] == 16


def test_a_series_without_times_needs_a_rate(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.csv").write_text("x,y\n1,2\n3,\n5,6\n")
    target = tmp_path / "x.npz"
    assert mmcli(capfd, tmp_path / "s.csv", "-o", target)[0] == 4
    assert mmcli(capfd, tmp_path / "s.csv", "-o", target, "--rate", "10")[0] == 4  # a gap
    assert mmcli(capfd, tmp_path / "s.csv", "-o", target, "--rate", "10", "--missing", "interpolate")[0] == 0
    found = features.load(target)
    assert found.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.times.tolist() == [0.0, 0.1, 0.2]
    assert found.meta["notes"] == ["missing values interpolated"]


def test_text_alone_learns_from_itself_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.txt").write_text("one two one")
    code, _, err = mmcli(capfd, tmp_path / "t.txt", "-o", tmp_path / "x.npz")
    assert code == 0
    assert "learned from this input alone" in err
    assert (tmp_path / "x.tokens.json").exists()
    again = ["-o", tmp_path / "y.npz", "--fitted", tmp_path / "x.tokens.json"]
    assert mmcli(capfd, tmp_path / "t.txt", *again)[0] == 0
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()


def test_inputs_come_from_a_list(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "with\nbreak.wav"
    other.write_bytes(wav.read_bytes())
    (tmp_path / "lines").write_text(f"{wav}\n\n")
    (tmp_path / "nuls").write_text(f"{wav}\0")
    assert mmcli(capfd, "--from", tmp_path / "lines", "-o", tmp_path / "x.npz")[0] == 0
    assert mmcli(capfd, "--from", tmp_path / "nuls", "-0", "-o", tmp_path / "y.npz")[0] == 0
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    assert mmcli(capfd, "-o", tmp_path / "z.npz")[0] == 2


def test_progress_for_supervisors_is_a_line_of_json_an_input(
    wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = mmcli(capfd, wav, "-o", tmp_path / "out", "--progress", "json", "--jobs", 1)
    events = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert code == 0
    assert [e["event"] for e in events] == ["begin", "input"]
    assert events[-1]["done"] == 1
    assert events[-1]["media_s"] == 0.5


SHORT = '''File type = "ooTextFile"
Object class = "TextGrid"

0
0.5
<exists>
2
"IntervalTier"
"words"
0
0.5
3
0
0.1
""
0.1
0.3
"say ""3"""
0.3
0.5
"two"
"TextTier"
"points"
0
0.5
1
0.2
"x"
'''
LONG = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.5
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = ""
        intervals [2]:
            xmin = 0.1
            xmax = 0.3
            text = "say ""3"""
        intervals [3]:
            xmin = 0.3
            xmax = 0.5
            text = "two"
'''
SRT = '1\n00:00:00,100 --> 00:00:00,300\nsay "3"\n\n2\n00:00:00,300 --> 00:00:00,500\ntwo\n'
CSV = 'start,end,label\n0,0.1,\n0.1,0.3,"say ""3"""\n0.3,0.5,two\n'


@pytest.mark.parametrize(
    ("name", "content"), [("s.TextGrid", SHORT), ("l.TextGrid", LONG), ("a.srt", SRT), ("a.csv", CSV)]
)
def test_the_intervals_of_an_annotation_become_items(
    wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    from mmcli.artifacts.formats import manifest

    (tmp_path / name).write_text(content)
    tier = "#words" if name.endswith("TextGrid") else ""
    out = tmp_path / "out"
    assert mmcli(capfd, wav, "-o", out, "--segments", f"{tmp_path / name}{tier}", "--jobs", 1)[0] == 0
    rows = manifest.load(out / "manifest.jsonl").rows
    assert [(r.id, r.label, r.group) for r in rows] == [("a/0001", 'say "3"', "a"), ("a/0002", "two", "a")]
    found = features.load(out / rows[0].cells["audio.logmel"])
    assert found.meta["segment"] == {"start": 0.1, "end": 0.3}
    assert found.frames == 21


@pytest.mark.parametrize(
    ("content", "code"), [(SHORT[:150], 4), ("nothing", 4), (SHORT.replace('"words"', '"sounds"'), 2), ("", 4)]
)
def test_an_annotation_that_cannot_be_used(
    wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str, code: int
) -> None:
    (tmp_path / "a.TextGrid").write_text(content)
    tier = f"{tmp_path / 'a.TextGrid'}#words"
    assert mmcli(capfd, wav, "-o", tmp_path / "out", "--segments", tier)[0] == code


def test_a_shard_names_its_own_list_of_failures(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wav.write_bytes(b"RIFF nonsense")
    code, _, err = mmcli(capfd, wav, "-o", tmp_path / "out", "--shard", "1/1", "--jobs", "1")
    assert code == 3
    assert f"-> {tmp_path}/out/failures.1-of-1.jsonl" in err
    assert (tmp_path / "out" / "failures.1-of-1.jsonl").exists()


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_output_that_is_no_folder_is_found_out_before_any_work(
    wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], more: list[str]
) -> None:
    (tmp_path / "taken").write_text("x")
    for out in ("taken", "taken/below"):
        code, _, err = mmcli(capfd, wav, "-o", f"{tmp_path}/{out}/", *more)
        assert code == 5
        assert "is no folder" in err or "Not a directory" in err


def test_a_folder_of_maps_is_not_written_over(wav: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"id": "p", "reference": wav.name, "query": wav.name}) + "\n")
    app.run(["align", "--pairs", str(pairs), "-o", str(tmp_path / "maps")])
    before = {p.name: p.read_bytes() for p in (tmp_path / "maps").iterdir()}
    for more in ([], ["--dry-run"]):
        code, _, err = mmcli(capfd, wav, "-o", tmp_path / "maps", *more)
        assert code == 2
        assert "holds the outputs of another command" in err
    assert {p.name: p.read_bytes() for p in (tmp_path / "maps").iterdir()} == before
