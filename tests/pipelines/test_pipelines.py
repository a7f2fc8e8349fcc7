"""The commands as a person runs them: through a shell, in pipes, onto full disks, interrupted, with damaged files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmcli.artifacts.formats import dataset, features
from mmcli.artifacts.formats.features import Features


def tones(folder: Path, count: int, seconds: float = 0.5) -> Path:
    """A folder of short sounds."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        t = np.arange(int(8000 * seconds)) / 8000
        soundfile.write(folder / f"tone{i:03d}.wav", 0.3 * np.sin(2 * np.pi * (200 + 20 * i) * t), 8000)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; journals tell of one run and are left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and "journal" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def npz(path: Path, frames: int, seed: int) -> Path:
    values = np.random.default_rng(seed).normal(size=(frames, 4)).astype(np.float32)
    features.save(path, Features(values, np.arange(frames) * 0.1, {}))
    return path


def test_extract_pipes_its_rows_into_fuse(sh, small_digits, tmp_path):
    done = sh(f"set -o pipefail; mmcli extract {small_digits}/manifest.csv -o out --jobs 1 | mmcli fuse - -o d.npz")

    assert done.returncode == 0, done.stderr
    data = dataset.load(tmp_path / "d.npz")
    assert data.items == 40
    assert sorted(data.modalities) == ["audio", "image", "text"]
    assert {name: len(data.rows(name)) for name in ("train", "val", "test")} == {"train": 24, "val": 8, "test": 8}


@pytest.fixture(scope="session")
def ready(tmp_path_factory, small_digits):
    """The small digits as a data set, made once."""
    folder = tmp_path_factory.mktemp("ready")
    mmcli = [sys.executable, "-m", "mmcli"]
    subprocess.run(
        [*mmcli, "extract", small_digits / "manifest.csv", "-o", folder / "out", "--jobs", "1", "-q"], check=True
    )
    subprocess.run([*mmcli, "fuse", folder / "out" / "manifest.jsonl", "-o", folder / "d.npz", "-q"], check=True)
    return folder


def test_from_a_data_set_to_a_scored_report(sh, ready, tmp_path):
    done = sh(
        f"mmcli train {ready}/d.npz -o m.pt --epochs 3 --seed 1 -q"
        f" && mmcli evaluate m.pt {ready}/d.npz -o report.json --plot confusion.png --predictions p.csv -q"
        f" && mmcli predict m.pt {ready}/d.npz -o p.jsonl -q"
    )

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert 0 <= report["metrics"]["accuracy"]["interval"][0] <= report["metrics"]["accuracy"]["value"]
    assert report["metrics"]["accuracy"]["n"] == 8
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert len(lines) == 40
    assert all(abs(sum(line["probabilities"].values()) - 1) < 1e-5 for line in lines)
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 9


def test_the_same_commands_give_the_same_bytes_with_one_job_and_with_two(sh, small_digits, tmp_path):
    for jobs, out in ((1, "one"), (2, "two")):
        done = sh(
            f"mmcli extract {small_digits}/manifest.csv -o {out} --jobs {jobs} -q"
            f" && mmcli fuse {out}/manifest.jsonl -o {out}/d.npz --strategy mean -q"
            f" && mmcli train {out}/d.npz -o {out}/m.pt --epochs 2 --seed 3 -q"
        )
        assert done.returncode == 0, done.stderr

    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_a_damaged_file_costs_itself_and_nothing_else(sh, tmp_path):
    tones(tmp_path / "in", 5)
    (tmp_path / "in" / "tone002.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt torn")

    done = sh("mmcli extract in -o out --jobs 1")

    assert done.returncode == 3
    assert done.stderr.strip().splitlines()[-1].count("1") >= 1
    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert [f["id"] for f in failures] == ["tone002"]
    assert len(list((tmp_path / "out").glob("*.npz"))) == 4
    rows = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows if row.get("error")] == ["tone002"]
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_ends_the_writer_quietly(sh, tmp_path):
    tones(tmp_path / "in", 60, seconds=0.1)

    done = sh("mmcli extract in -o out --jobs 1 -q | true; echo ${PIPESTATUS[0]}")

    assert done.stdout.strip() in ("141", "0")  # 0 where all rows were written before the reader left
    assert done.stderr == ""
    for i in range(200):
        npz(tmp_path / f"f{i}.npz", 2, i)
    done = sh("mmcli info f*.npz --json | head -c 1 > /dev/null; echo ${PIPESTATUS[0]}")
    assert done.stdout.strip() in ("141", "0")
    assert "Traceback" not in done.stderr


def test_a_full_disk_under_standard_output_is_exit_5(sh, tmp_path):
    npz(tmp_path / "a.npz", 5, 0)

    done = sh("mmcli info a.npz --json > /dev/full")

    assert done.returncode == 5
    assert done.stderr.strip() == "mmcli info: cannot write: No space left on device"


def test_an_output_that_cannot_be_written_is_exit_5_and_names_it(sh, tmp_path):
    npz(tmp_path / "a.npz", 5, 0)
    npz(tmp_path / "b.npz", 5, 1)

    done = sh("mmcli fuse a.npz b.npz -o a.npz/below.npz")

    assert done.returncode == 5
    assert "a.npz/below.npz" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_batch_and_a_rerun_completes_it(tmp_path, number, code):
    tones(tmp_path / "in", 400, seconds=1.0)
    command = [
        sys.executable,
        "-m",
        "mmcli",
        "extract",
        str(tmp_path / "in"),
        "-o",
        str(tmp_path / "out"),
        "--jobs",
        "2",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "out").glob("*.npz")) and time.monotonic() < deadline and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(number)
        sent = time.monotonic()
        _, said = running.communicate(timeout=30)

    assert running.returncode == code, said
    assert time.monotonic() - sent < 10  # the promise is 5 s; the rest is for a loaded machine
    assert "Traceback" not in said
    for path in (tmp_path / "out").glob("*.npz"):
        features.load(path)
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert len(list((tmp_path / "out").glob("*.npz"))) == 400


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mmcli extract in -o out --audo logmel", "--audio"),
        ("mmcli extract in -o out --audio logmell", "logmel"),
        ("mmcli extract in -o out --set logmel.hop=1", "hop"),
        ("mmcli align a.npz b.npz -o m.json --method dwt", "dtw"),
        ("mmcli fusse", "fuse"),
        ("mmcli info nowhere.npz", "nowhere.npz"),
    ],
)
def test_a_wrong_word_is_a_usage_error_that_offers_the_right_one(sh, tmp_path, line, offered):
    tones(tmp_path / "in", 1)
    npz(tmp_path / "a.npz", 5, 0)
    npz(tmp_path / "b.npz", 5, 1)

    done = sh(line)

    assert done.returncode == 2, done.stderr
    assert offered in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
    assert "Traceback" not in done.stderr


def test_a_torn_artifact_is_exit_4_in_one_line(sh, tmp_path):
    whole = npz(tmp_path / "a.npz", 50, 0).read_bytes()
    (tmp_path / "b.npz").write_bytes(whole[: len(whole) // 2])

    done = sh("mmcli align a.npz b.npz -o m.json --method dtw")

    assert done.returncode == 4
    assert "b.npz" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert not (tmp_path / "m.json").exists()


def test_aligning_features_loads_neither_torch_nor_librosa(tmp_path):
    npz(tmp_path / "a.npz", 50, 0)
    npz(tmp_path / "b.npz", 60, 1)
    arguments = ["align", f"{tmp_path}/a.npz", f"{tmp_path}/b.npz", "-o", f"{tmp_path}/m.json", "--method", "dtw", "-q"]
    script = (
        "import sys; from mmcli.cli.app import run\n"
        f"code = run({arguments})\n"
        "import mmcli.aligners.kernels.engine as engine\n"
        "banned = ['torch', 'librosa'] + (['numba'] if engine.describe()['compiled'] else [])\n"
        "print(code, [m for m in banned if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.strip() == "0 []", done.stderr


def test_standard_input_is_read_only_when_asked_for(sh, tmp_path):
    npz(tmp_path / "a.npz", 5, 0)

    done = sh("printf 'one\\ntwo\\n' | { mmcli info a.npz -q > /dev/null; cat; }")

    assert done.stdout == "one\ntwo\n"


def test_no_colour_reaches_a_file(sh, tmp_path):
    npz(tmp_path / "a.npz", 5, 0)

    done = sh("mmcli info a.npz 2> said.txt > data.txt")

    assert done.returncode == 0
    assert b"\x1b" not in (tmp_path / "said.txt").read_bytes() + (tmp_path / "data.txt").read_bytes()
