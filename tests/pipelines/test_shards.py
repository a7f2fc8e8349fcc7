"""A folder of shards through a real shell: in place of the one file, and refused where it is torn."""

from __future__ import annotations

import json
from pathlib import Path


def test_from_recordings_to_a_report_through_shards(sh, small_digits, tmp_path: Path):
    done = sh(
        f"set -o pipefail; mmcli extract {small_digits}/manifest.csv -o out --jobs 1 -q"
        " | mmcli fuse - -o shards/ --shard-size 500kB"
        " && mmcli fuse out/manifest.jsonl -o d.npz -q"
        " && for data in shards d.npz; do"
        "   mmcli train $data -o $data.pt --epochs 2 --seed 1 -q"
        "   && mmcli predict $data.pt $data -o $data.jsonl --split test -q"
        "   && mmcli evaluate $data.pt $data -o $data.json -q; done"
        " && mmcli info shards --json",
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])["files"][0]
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
        torn = sh(f"mmcli {command}")
        assert torn.returncode == 4, torn.stderr
        assert "shard-00001.npz: has" in torn.stderr


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
