"""A folder of shards through a real shell: in place of the one file, and refused where it is torn."""

from __future__ import annotations

import json
from pathlib import Path

from mmcli.cli.app import run


def test_from_recordings_to_a_report_through_shards(sh, small_digits, tmp_path: Path, monkeypatch, capsys):
    """The folder through a real pipe, into a report in a process of its own; its twin and what is torn in this one."""
    monkeypatch.chdir(tmp_path)
    done = sh(
        f"set -o pipefail; mmcli extract {small_digits}/manifest.csv -o out --jobs 1 -q"
        " | mmcli fuse - -o shards/ --shard-size 500kB && mmcli fuse out/manifest.jsonl -o d.npz -q"
        " && mmcli train shards -o shards.pt --epochs 2 --seed 1 -q"
        " && mmcli evaluate shards.pt shards -o shards.json -q",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert run(["train", "d.npz", "-o", "d.npz.pt", "--epochs", "2", "--seed", "1", "-q"]) == 0
    assert run(["evaluate", "d.npz.pt", "d.npz", "-o", "d.npz.json", "-q"]) == 0
    for data in ("shards", "d.npz"):
        assert run(["predict", f"{data}.pt", data, "-o", f"{data}.jsonl", "--split", "test", "-q"]) == 0
    capsys.readouterr()
    assert run(["info", "shards", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["files"][0]
    assert shown["schema"] == "mmcli/shards@1"
    assert shown["shards"] == len(list((tmp_path / "shards").glob("shard-*.npz"))) > 2
    assert shown["items"] == 40
    one, several = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("d.npz", "shards"))
    assert several["items"] == one["items"]
    assert several["metrics"] == one["metrics"]
    assert (tmp_path / "shards.jsonl").read_bytes() == (tmp_path / "d.npz.jsonl").read_bytes()

    shard = tmp_path / "shards" / "shard-00001.npz"
    shard.write_bytes(shard.read_bytes()[:-100])
    for command in ("train shards -o x.pt", "evaluate d.npz.pt shards -o x.json", "predict d.npz.pt shards"):
        assert run(command.split()) == 4
        assert "shard-00001.npz: has" in capsys.readouterr().err


def test_a_killed_fuse_leaves_a_folder_that_is_refused_and_can_be_made_again(sh, small_digits, tmp_path: Path):
    made = sh(
        f"mmcli extract {small_digits}/manifest.csv -o out --jobs 1 -q > /dev/null"
        " && mmcli fuse out/manifest.jsonl -o shards/ -q && rm shards/index.json"
    )
    assert made.returncode == 0, made.stderr

    unfinished = sh("mmcli train shards -o m.pt")
    again = sh("mmcli fuse out/manifest.jsonl -o shards -q && mmcli info shards -q")

    assert unfinished.returncode == 4
    assert "was not finished" in unfinished.stderr
    assert again.returncode == 0, again.stderr
