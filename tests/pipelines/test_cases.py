"""Small inputs that went wrong once (../shared/cases/attack and batch): each ends as its line there says is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmcli.artifacts.formats import manifest
from mmcli.cli import app

MOST_MB = 300
# The peak is the kernel's for this program: ru_maxrss starts at what the test process held when it forked.
CHILD = """
import sys, time
from mmcli.cli import app
code = app.run(sys.argv[1:])
peak = next(row for row in open("/proc/self/status") if row.startswith("VmHWM"))
print(code, int(peak.split()[1]) // 1024, round(time.process_time(), 1))
"""


@pytest.fixture
def cases(shared: Path) -> Path:
    return shared / "cases"


def measured(*arguments: str) -> tuple[int, int, float, str]:
    """Exit code, MB at most, seconds of CPU, and what was said, of a command in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    code, memory, cpu = child.stdout.split()[-3:]
    return int(code), int(memory), float(cpu), child.stderr


BOMBS = {
    "grey1bit.png": "image",
    "rgb8000.png": "image",
    "int8.npz": "series",
    "lim.mov": "video",
    "braces40k.srt": "text",
}


@pytest.mark.parametrize("name", [*BOMBS, "newlines40k.srt"])
def test_a_file_made_to_fill_memory_or_time(cases: Path, tmp_path: Path, name: str) -> None:
    kind, file, out = BOMBS.get(name, "text"), str(cases / "attack" / name), str(tmp_path / "a.npz")
    own = {"series": ["--rate", "10"], "text": ["--text", "hash"]}.get(kind, [])
    code, memory, cpu, said = measured("extract", file, "-o", out, "--modality", kind, *own)
    assert memory < MOST_MB
    assert cpu < 20
    assert code in (0, 4), said


def test_a_map_that_makes_hours_of_seconds(cases: Path, tmp_path: Path) -> None:
    sound, clock = cases / "inputs" / "b20.wav", cases / "attack" / "off5.json"
    code, memory, _, said = measured("warp", str(sound), "--map", str(clock), "-o", str(tmp_path / "a.wav"))
    assert (code, memory < MOST_MB) == (4, True)
    assert "b20.wav" in said


def test_texts_beside_a_good_one_end_in_time(cases: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "good.txt").write_text("some good words\n")
    for name in ("newlines40k.srt", "braces40k.srt"):
        (source / name).write_bytes((cases / "attack" / name).read_bytes())
    assert app.run(["extract", str(source), "-o", str(tmp_path / "out"), "--jobs", "1", "--timeout", "60"]) == 3
    assert (tmp_path / "out" / "good.text.tokens.npz").exists()


@pytest.mark.hunt
def test_classes_and_names_that_look_like_mathematics(
    cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps: list[list[str]] = [
        ["extract", str(cases / "attack" / "labels_mathtext.jsonl"), "-o", "f", "--jobs", "1"],
        ["fuse", "f/manifest.jsonl", "-o", "d.npz"],
        ["train", "d.npz", "-o", "m.pt", "--epochs", "2"],
        ["evaluate", "m.pt", "d.npz", "-o", "r.json", "--html", "r.html", "--plot", "plots/", "--predictions", "p.csv"],
    ]
    assert [app.run(step) for step in steps] == [0] * len(steps)
    page = Path("r.html").read_text()
    assert "$\\frac$" in page
    assert "<script>alert" not in page
    assert "Content-Security-Policy" in page
    assert ",=cmd" not in Path("p.csv").read_text()
    for name in ("a$\\frac$.wav", "b$\\frac$.wav"):
        Path(name).write_bytes((cases / "inputs" / "b20.wav").read_bytes())
    names = ["a$\\frac$.wav", "b$\\frac$.wav"]
    assert app.run(["align", *names, "-o", "m.json", "--plot", "m.png", "--method", "offset"]) == 0


def test_manifests_of_other_forms_are_read_or_told_what_is_missing(
    cases: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = {}
    for path in sorted((cases / "batch" / "manifest").iterdir()):
        assert app.run(["extract", str(path), "-o", str(tmp_path / path.stem), "--jobs", "1"]) in (2, 3, 4)
        told[path.name] = capfd.readouterr().err
    # Read as manifests, their files are looked for; the one without ids is told what it lacks.
    assert "id" in told["noid.csv"]
    for name in ("semi.csv", "m.tsv", "u16.csv"):
        assert "no such file" in told[name] or "manifest" in told[name], name


@pytest.fixture
def names(cases: Path, tmp_path: Path) -> Callable[[str], tuple[int, set[str]]]:
    """A folder with a good file and one of a bad name: the exit code, and which items were done."""

    def run(name: str) -> tuple[int, set[str]]:
        data = (cases / "inputs" / "stereo_inverted" / "left_only.wav").read_bytes()
        source, out = tmp_path / "in", tmp_path / "out"
        source.mkdir()
        (source / "good.wav").write_bytes(data)
        if name == "dangling":
            (source / "dangling.wav").symlink_to("nowhere.wav")
        else:
            (source / f"{name}.wav").write_bytes(data)
        code = app.run(["extract", str(source), "-o", str(out), "--jobs", "1"])
        rows = manifest.load(out / "manifest.jsonl").rows
        assert len((out / "failures.jsonl").read_text().splitlines()) == 1
        return code, {row.id for row in rows if row.error is None}

    return run


@pytest.mark.parametrize(
    "name", ["back\\slash", "new\nline", os.fsdecode(b"latin1_\xe9"), "GOOD", "x" * 210, "dangling"]
)
def test_one_bad_name_costs_itself(names: Callable[[str], tuple[int, set[str]]], name: str) -> None:
    code, done = names(name)
    assert code == 3
    assert len(done) == 1
    assert {one.lower() for one in done} == {"good"}


def test_old_failures_do_not_stop_a_resumed_batch(cases: Path, sample_data: Path, tmp_path: Path) -> None:
    """cases/batch/resume/repro.sh, with texts in place of most sounds."""
    sound = next((sample_data / "digits" / "audio").glob("*.ogg")).read_bytes()
    source = tmp_path / "in"
    source.mkdir()
    for k in range(10):
        (source / f"a{k}.txt").write_text("good\n")
    for k in range(50):
        (source / f"n_broken{k}.ogg").write_bytes(sound[:300])
    run = ["extract", str(source), "-o", str(tmp_path / "out"), "--jobs", "1"]
    assert app.run(run) == 3
    for k in range(60):
        (source / f"z{k}.txt").write_text("new\n")
    assert app.run(run) == 3
    done = [json.loads(line)["id"] for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert sum(one.startswith("z") for one in done) == 60
    assert len(list((tmp_path / "out").glob("z*.npz"))) == 60
