"""`mmcli align --pairs`: every pair is mapped or recorded with its reason, and the command can be run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app

# A worker that does what the file says: pairs whose query is called KILL end it, SLOW ones last.
STUB = """
import os, time
from mmcli.batch.jobs import pairs

def prepare(setup):
    do = pairs.prepare(setup)
    def trapped(payload):
        name = os.path.basename(payload["query"])
        if "kill" in name:
            os.kill(os.getpid(), 9)
        if "slow" in name:
            time.sleep(float(os.environ.get("SLOW", "60")))
        with open(os.environ["COUNT"], "a") as file:
            file.write(name + "\\n")
        return do(payload)
    return trapped
"""
RUN = """
import sys
from mmcli.batch.jobs import pairs
pairs.CALL = "pairs_stub:prepare"
from mmcli.cli.app import run
sys.exit(run())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reference, five queries cut from it, a stranger and a damaged file."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 4)).cumsum(axis=0).astype(np.float32)

    def save(name: str, values: Any) -> None:
        values = np.ascontiguousarray(values, dtype=np.float32)
        features.save(tmp_path / f"{name}.npz", Features(values, np.arange(len(values)) / 50.0, {}))

    save("ref", x)
    for k in range(5):
        save(f"q{k}", x[10 * k : 300 + 10 * k])
    for name in ("kill", "slow"):
        save(name, x[50:350])
    save("stranger", rng.standard_normal((400, 4)))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "q1.npz").read_bytes()[:-500])
    return tmp_path


def listed(folder: Path, *queries: str, **settings: Any) -> str:
    rows = [{"id": f"p/{q}", "reference": "ref.npz", "query": f"{q}.npz", **settings} for q in queries]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / "pairs.jsonl")


def run(folder: Path, *arguments: object) -> int:
    return app.run(["align", "-o", str(folder / "out"), *map(str, arguments)])


def failures(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "out" / "failures.jsonl"
    return {e["id"]: e for e in map(json.loads, path.read_text().splitlines())} if path.exists() else {}


def test_a_refused_a_damaged_and_a_missing_pair_stop_nobody(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = ("stranger", "torn", "none", "q1", "q2", "q3")
    assert run(folder, "--pairs", listed(folder, *names, label="yes"), "--jobs", 2) == 3
    out, err = capfd.readouterr()
    for k in (1, 2, 3):
        found = alignment.load(folder / "out" / "p" / f"q{k}.json")
        assert found.offset_s == pytest.approx(0.2 * k, abs=1e-3)
    bad = failures(folder)
    assert {k: e["class"] for k, e in bad.items()} == {
        "p/stranger": "MismatchError",
        "p/torn": "MediaError",
        "p/none": "MissingError",
    }
    assert "does not match" in bad["p/stranger"]["message"]
    evidence = bad["p/stranger"]["evidence"]
    assert evidence["statistic"] == "probability"
    assert evidence["value"] < evidence["limit"]
    assert "torn.npz" in bad["p/torn"]["message"]
    assert "done 3  skipped 0  failed 3 (1 of them refused)" in err
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows[0]["mmcli"]["root"] == str(folder / "out")
    assert [row["id"] for row in rows[1:]] == [f"p/{n}" for n in names]
    assert rows[4] == {
        "id": "p/q1",
        "label": "yes",
        "map": "p/q1.json",
        "model": "offset",
        "offset_s": rows[4]["offset_s"],
        "rate": "1.0",
        "verdict": "match",
    }
    assert not (folder / "out" / "p" / "stranger.json").exists()
    assert "".join(out.splitlines(keepends=True)[1:]) == (folder / "out" / "manifest.jsonl").read_text()


def test_run_again_it_does_what_is_new_changed_or_lost(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = listed(folder, "q1", "q2", "q3", "q4", "stranger")

    def counts(*more: object) -> dict[str, int]:
        run(folder, "--pairs", pairs, "--jobs", 1, "--json", *more)
        content = json.loads(capsys.readouterr().out)
        return {name: content[name] for name in ("done", "skipped", "failed", "refused")}

    def planned() -> list[str]:
        assert run(folder, "--pairs", pairs, "--json", "--dry-run") == 0
        return [p["state"] for p in json.loads(capsys.readouterr().out)["pairs"]]

    assert planned() == ["new"] * 5
    assert not (folder / "out").exists()
    assert counts() == {"done": 4, "skipped": 0, "failed": 1, "refused": 1}
    before = {p: p.read_bytes() for p in (folder / "out").rglob("*") if p.is_file()}
    assert planned() == ["known"] * 4 + ["failed"]
    assert counts() == {"done": 0, "skipped": 4, "failed": 1, "refused": 1}
    assert {p: p.read_bytes() for p in (folder / "out").rglob("*") if p.is_file()} == before
    os.utime(folder / "q1.npz", (1, 1))  # another time, the same content
    (folder / "q2.npz").write_bytes((folder / "q3.npz").read_bytes())
    (folder / "out" / "p" / "q3.json").unlink()
    (folder / "out" / "p" / "q4.json").write_text("{}")
    assert planned() == ["known", "stale", "stale", "stale", "failed"]
    assert counts("--retry-failed") == {"done": 3, "skipped": 1, "failed": 1, "refused": 1}
    assert alignment.load(folder / "out" / "p" / "q2.json").offset_s == pytest.approx(0.6, abs=1e-3)
    assert counts("--method", "dtw") == {"done": 5, "skipped": 0, "failed": 0, "refused": 0}
    assert failures(folder) == {}


def trapped(folder: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    (folder / "pairs_stub.py").write_text(STUB)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "align", "-o", str(folder / "out"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(folder), "COUNT": str(folder / "count"), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_pair_that_takes_its_worker_with_it_is_tried_once_more_and_recorded(folder: Path) -> None:
    done = trapped(folder, "--pairs", listed(folder, "q1", "kill", "q2", "q3"), "--jobs", 2)
    assert "failed 1" in done.communicate(timeout=120)[1]
    assert done.returncode == 3
    bad = failures(folder)["p/kill"]
    assert (bad["class"], bad["attempts"], bad["stage"]) == ("WorkerDied", 2, "worker")
    assert "SIGKILL" in bad["message"]
    assert sorted(p.name for p in (folder / "out" / "p").iterdir()) == ["q1.json", "q2.json", "q3.json"]


def test_a_pair_over_its_time_is_recorded(folder: Path) -> None:
    done = trapped(folder, "--pairs", listed(folder, "slow", "q1"), "--jobs", 1, "--timeout", 3)
    done.communicate(timeout=120)
    assert done.returncode == 3
    assert failures(folder)["p/slow"]["class"] == "Timeout"
    assert (folder / "out" / "p" / "q1.json").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_it_was(folder: Path, number: int) -> None:
    pairs = listed(folder, "q1", "q2", "slow", "q3")
    first = trapped(folder, "--pairs", pairs, "--jobs", 1)
    end = time.monotonic() + 60
    while not (folder / "out" / "p" / "q2.json").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.3)
    first.send_signal(number)
    first.communicate(timeout=60)
    assert first.returncode != 0
    second = trapped(folder, "--pairs", pairs, "--jobs", 1, SLOW="0")
    second.communicate(timeout=120)
    assert second.returncode == 0
    assert (folder / "count").read_text().split() == ["q1.npz", "q2.npz", "slow.npz", "q3.npz"]
    assert len((folder / "out" / "manifest.jsonl").read_text().splitlines()) == 4
    assert not [p for p in (folder / "out").rglob("*") if ".tmp" in p.name]


def test_settings_of_a_line_win_over_the_command(folder: Path) -> None:
    rows = """
        id,reference,query,method,metric,dtw.open_end
        a,ref.npz,q1.npz,,,
        b,ref.npz,q1.npz,dtw,manhattan,reference
        c,ref.npz,stranger.npz,,,
    """
    (folder / "pairs.csv").write_text(textwrap.dedent(rows).lstrip())
    assert run(folder, "--pairs", folder / "pairs.csv", "--set", "auto.force=true", "-q", "--jobs", 1) == 0
    a, b, c = (alignment.load(folder / "out" / f"{k}.json") for k in "abc")
    assert a.method["config"]["force"] is True
    assert (b.method["name"], b.method["config"]["metric"]) == ("dtw", "manhattan")
    assert c.quality["verdict"] == "no match (forced)"


def test_other_formats_and_shards(folder: Path) -> None:
    pairs = listed(folder, "q1", "q2", "q3")
    for part in (1, 2):
        assert run(folder, "--pairs", pairs, "--format", "csv", "--shard", f"{part}/2", "-q", "--jobs", 1) == 0
    assert run(folder, "--pairs", pairs, "--format", "csv", "-q", "--jobs", 1) == 0
    names = sorted(p.name for p in (folder / "out").rglob("*") if p.is_file())
    assert names == [".mmcli-settled.json", "journal.jsonl", "manifest.jsonl", "q1.csv", "q2.csv", "q3.csv"]


@pytest.mark.parametrize(
    ("row", "more", "code", "said"),
    [
        ({"query": None}, [], 2, "pair 'a': has no query"),
        ({"method": "dwt"}, [], 2, "pair 'a': "),
        ({"dtw.band": "0.1"}, [], 2, "'dtw' is not in use"),
        ({"force": "maybe"}, [], 2, "true or false"),
        ({"query": "../q1.npz"}, [], 4, "'..'"),
        ({"id": "../a"}, [], 4, "'..'"),
        ({}, ["ref.npz"], 2, "takes no REFERENCE"),
        ({}, ["--plot", "x.png"], 2, "takes no --plot"),
        ({}, ["--shard", "3/2"], 2, "shards are numbered"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(
    folder: Path, row: dict[str, Any], more: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {"id": "a", "reference": "ref.npz", "query": "q1.npz"} | row
    (folder / "pairs.jsonl").write_text(json.dumps(whole) + "\n")
    assert run(folder, "--pairs", folder / "pairs.jsonl", *more) == code
    assert said in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_options_of_lists_and_of_pairs_are_kept_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, folder / "ref.npz") == 2
    assert "REFERENCE and QUERY are needed" in capsys.readouterr().err
    assert run(folder, folder / "ref.npz", folder / "q1.npz", "--retry-failed") == 2
    assert "--retry-failed is for --pairs" in capsys.readouterr().err
    pairs = listed(folder, "q1")
    assert run(folder, "--pairs", pairs, "-q", "--jobs", 1) == 0
    (folder / "out" / "journal.jsonl").write_text('{"id": "a", "task": "audio", "key": "", "status": "done"}\n')
    assert run(folder, "--pairs", pairs) == 2
    assert "outputs of another command" in capsys.readouterr().err


def test_a_list_may_say_where_maps_lie_already_and_a_list_of_maps_is_called_one(folder, capfd):
    """The manifest of an earlier run has a column ``map``, and so has a list that was made of it."""
    assert run(folder, "--pairs", listed(folder, "q1", map="old/q1.json", take="2")) == 0
    told = capfd.readouterr().out
    row = json.loads(told.splitlines()[1])
    assert (row["map"], row["take"]) == ("p/q1.json", "2")

    (folder / "out" / "maps.jsonl").write_text(told)
    assert app.run(["align", "--pairs", str(folder / "out" / "maps.jsonl"), "-o", str(folder / "again")]) == 2
    assert "tells of a map that was made already" in capfd.readouterr().err
