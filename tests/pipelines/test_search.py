"""From recordings to a search across modalities, in a real shell."""

from __future__ import annotations

import json


def test_pictures_and_sentences_are_found_by_one_another(sh, small_digits, tmp_path):
    done = sh(
        f"set -o pipefail; mmcli extract {small_digits}/manifest.csv -o out --jobs 1"
        " | mmcli fuse - -o d.npz --strategy cca --reference text"
        " && mmcli evaluate d.npz --retrieve image,text --relevant label --split all --html s.html -o - -q > s.json"
    )

    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["task"] == "retrieval"
    assert report["metrics"]["image to text/hit_rate@1"]["n"] == len(report["items"])
    # most of the items are those that the space was fitted on, which the report says
    assert report["metrics"]["image to text/hit_rate@1"]["value"] > report["baselines"]["chance"]["hit_rate@1"]
    assert any("fitted on the training split" in note for note in report["notes"])
    assert "of its label" in (tmp_path / "s.html").read_text()
