"""`train --context group` from a manifest of dialogues to answers and reports, and a pipe answered turn by turn."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest

from mmcli.cli.app import run

SAID = {0: "no never at all", 1: "yes always please"}


def rows_of(first: int, dialogues: int, seed: int) -> list[dict]:
    """Turns whose label is what the turn before said, in no order."""
    rng = np.random.default_rng(seed)
    rows = []
    for g in range(first, first + dialogues):
        signs = rng.integers(0, 2, int(rng.integers(4, 9))).tolist()
        for t, (sign, before) in enumerate(zip(signs, [0, *signs], strict=False)):
            row = {"id": f"d{g}-{t}", "group": f"d{g}", "order": t + 1, "text_value": SAID[sign]}
            rows.append(row | {"label": ("no", "yes")[before], "split": ("train", "train", "val", "test")[g % 4]})
    return [rows[i] for i in rng.permutation(len(rows))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Texts as tf-idf, data.npz, and a causal model of them."""
    folder = tmp_path_factory.mktemp("dialogues")
    rows = rows_of(0, 32, 0)
    with (folder / "m.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for step in (
        ["extract", str(folder / "m.csv"), "-o", str(folder / "f"), "--text", "tfidf", "--jobs", "1", "-q"],
        ["fuse", str(folder / "f" / "manifest.jsonl"), "-o", str(folder / "d.npz"), "-q"],
        ["train", str(folder / "d.npz"), "-o", str(folder / "m.pt"), "--context", "group", "--causal",
         "--epochs", "12", "-q"],
    ):  # fmt: skip
        assert run(step) == 0
    return folder


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_it_answers_judges_and_explains(folder, capsys):
    report = folder / "report.json"
    assert run(["evaluate", str(folder / "m.pt"), str(folder / "d.npz"), "-o", str(report), "--explain", "2"]) == 0
    said = json.loads(report.read_text())
    assert said["metrics"]["accuracy"]["value"] > 0.9
    assert said["model"]["context"] == {"reader": "bilstm", "causal": True}
    added = said["modalities"]["each"]["text"]["shapley"]["value"]
    assert added == pytest.approx(said["modalities"]["all"] - said["modalities"]["prior"], abs=1e-9)
    assert added > 0.3  # were only the item's own text left out, its neighbours would answer for it
    assert sum("explanation" in item for item in said["items"]) == 2

    capsys.readouterr()
    assert run(["predict", str(folder / "m.pt"), str(folder / "d.npz"), "--split", "test", "--explain"]) == 0
    answered = lines(capsys)
    assert {a["id"]: a["prediction"] for a in answered} == {i["id"]: i["prediction"] for i in said["items"]}
    assert all(abs(a["explanation"]["gap"]) < 0.5 for a in answered)

    assert run(["info", str(folder / "m.pt")]) == 0
    assert "reads: the turns of a group, none later than the item's own (bilstm)" in capsys.readouterr().out


def test_a_pipe_is_answered_turn_by_turn_as_the_whole_manifest_is(folder, capsys):
    new = [{k: r[k] for k in ("id", "group", "order", "text_value")} for r in rows_of(100, 3, 7)]
    (folder / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in new))
    assert run(["predict", str(folder / "m.pt"), str(folder / "new.jsonl")]) == 0
    whole = {line["id"]: line for line in lines(capsys)}
    live = sorted(new, key=lambda row: row["order"])
    command = [sys.executable, "-m", "mmcli", "predict", str(folder / "m.pt"), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        for row in live:
            child.stdin.write(json.dumps(row) + "\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())  # before the next turn is there
            assert answer["id"] == row["id"]
            for name, chance in answer["probabilities"].items():
                assert chance == pytest.approx(whole[row["id"]]["probabilities"][name], abs=2e-6)
        child.stdin.close()
        assert child.wait(30) == 0


def test_a_turn_that_comes_behind_a_later_one_is_named(folder, capsys, monkeypatch):
    rows = [{"id": f"x{i}", "group": "x", "order": i, "text_value": "yes always"} for i in (2, 1, 3)]
    stdin = io.TextIOWrapper(io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run(["predict", str(folder / "m.pt"), "-"]) == 3
    out, err = capsys.readouterr()
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["x2", "x3"]
    assert "x1: left out: stands at 1 of its group, and 'x2' at 2 was answered before it" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "{m}", "-", "--stream"], "which --stream does not join"),
        (["predict", "{m}", "new.jsonl", "-o", "{f}/out/"], "each is predicted on its own"),
        (["predict", "{m}", "-", "--window", "1"], "windows of a recording are none"),
        (["train", "{d}", "-o", "x.pt", "--causal"], "--causal goes with --context group"),
        (["train", "{d}", "-o", "x.pt", "--context", "dialogue"], "context must be one of group, not 'dialogue'"),
        (["train", "{d}", "-o", "x.pt", "--context", "group", "--fusion", "auto"], "groups are read whole"),
        (["train", "{d}", "-o", "x.pt", "--context", "group", "--private", "epsilon=1,delta=1e-5"], "--private"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(folder, arguments, words, capsys):
    named = {"m": folder / "m.pt", "d": folder / "d.npz", "f": folder}
    assert run([a.format(**named) for a in arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_without_an_order_the_column_is_named(folder, tmp_path, capsys):
    lines_ = [json.loads(line) for line in (folder / "f" / "manifest.jsonl").read_text().splitlines()]
    bare = [{k: v for k, v in line.items() if k != "order"} for line in lines_]
    (folder / "f" / "bare.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bare))
    assert run(["fuse", str(folder / "f" / "bare.jsonl"), "-o", str(tmp_path / "d.npz"), "-q"]) == 0
    capsys.readouterr()
    assert run(["train", str(tmp_path / "d.npz"), "-o", str(tmp_path / "m.pt"), "--context", "group"]) == 4
    assert "give the manifest a column order (a number) or start (seconds)" in " ".join(capsys.readouterr().err.split())
    assert run(["predict", str(folder / "m.pt"), str(tmp_path / "d.npz")]) == 4
