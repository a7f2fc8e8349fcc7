"""Ranking from the command line: train, evaluate, predict, info, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset
from mmcli.cli.app import run


@pytest.fixture(scope="module")
def folder(planted, tmp_path_factory):
    out = tmp_path_factory.mktemp("rank")
    events, data = planted
    dataset.save(out / "items.npz", data)
    with (out / "events.csv").open("w") as file:
        file.write("user,item,time\n")
        for user, item, time in zip(events.user, events.item, events.time, strict=True):
            file.write(f"{events.users[user]},{events.items[item]},{int(time)}\n")
    command = ["train", f"{out}/items.npz", "--task", "rank", "--events", f"{out}/events.csv", "--method", "ease", "-q"]
    assert run([*command, "-o", f"{out}/rec.pt"]) == 0
    (out / "h.jsonl").write_text('{"user": "a", "history": ["i001", "i002", "zzz"]}\n{"user": "b", "history": []}\n')
    return out


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_lists_leave_out_the_history_and_say_why(folder, capsys):
    assert run(["predict", f"{folder}/rec.pt", f"{folder}/h.jsonl", "-k", "5", "--explain"]) == 0
    first, second = lines(capsys)
    assert first["unknown"] == 1
    assert len(first["items"]) == len(second["items"]) == 5
    assert not {"i001", "i002"} & {entry["item"] for entry in first["items"]}
    for entry in first["items"]:
        assert sum(entry["because"]["history"].values()) == pytest.approx(entry["score"], abs=1e-4)


def test_a_new_item_takes_its_place(folder, planted, capsys):
    _, data = planted
    fresh = data.select([7])
    fresh.id = np.array(["fresh"])
    dataset.save(folder / "fresh.npz", fresh)
    assert run(["predict", f"{folder}/rec.pt", f"{folder}/h.jsonl", "--new", f"{folder}/fresh.npz", "-k", "200"]) == 0
    (line, _) = lines(capsys)
    order = [entry["item"] for entry in line["items"]]
    assert order[line["places"]["fresh"] - 1] == "fresh"
    assert run(["predict", f"{folder}/rec.pt", "--similar", f"{folder}/fresh.npz", "-k", "1"]) == 0
    assert lines(capsys)[0]["similar"][0]["item"] == "i007"


def test_histories_through_a_pipe_are_answered_one_by_one(folder):
    command = [
        sys.executable,
        "-m",
        "mmcli",
        "predict",
        f"{folder}/rec.pt",
        "-",
        "-k",
        "2",
        "--among",
        "i003,i004,i005",
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for user in ("x", "y"):
        process.stdin.write(json.dumps({"user": user, "history": ["i001"]}) + "\n")
        process.stdin.flush()
        line = json.loads(process.stdout.readline())
        assert line["user"] == user
        assert {entry["item"] for entry in line["items"]} <= {"i003", "i004", "i005"}
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_line_that_is_no_history_is_named_and_the_others_are_answered(folder, capsys):
    (folder / "bad.jsonl").write_text('{"user": "a", "history": ["i001"]}\nnonsense\n{"user": "c"}\n')
    assert run(["predict", f"{folder}/rec.pt", f"{folder}/bad.jsonl"]) == 3
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1
    assert "line 2" in said.err
    assert "line 3" in said.err


def test_a_report_has_its_tables_and_says_its_command(folder, capsys):
    command = ["evaluate", f"{folder}/rec.pt", f"{folder}/items.npz", "--events", f"{folder}/events.csv", "-q"]
    assert run([*command, "-o", f"{folder}/r.json", "--html", f"{folder}/r.html", "--json"]) == 0
    told = json.loads((folder / "r.json").read_text())
    assert lines(capsys)[0]["verdict"]["carried_by"] == ["text"]
    assert told["reproduce"] == "mmcli evaluate rec.pt items.npz --events events.csv -o r.json"
    assert run(["info", f"{folder}/rec.pt", f"{folder}/events.csv", f"{folder}/r.json", "--json"]) == 0
    files = lines(capsys)[0]["files"]
    assert [file["schema"] for file in files] == ["mmcli/checkpoint@1", "mmcli/events@1", "mmcli/report@1"]
    assert run(["info", f"{folder}/rec.pt", "--vectors", f"{folder}/v.npz"]) == 0
    with np.load(folder / "v.npz") as arrays:
        assert arrays["vectors"].shape[0] == len(arrays["id"]) == 120


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train", "-o", "x.pt", "--task", "rank"], 2, "--events"),
        (["train", "{d}/items.npz", "-o", "x.pt", "--events", "{d}/events.csv", "--fusion", "gated"], 2, "--fusion"),
        (["train", "{d}/items.npz", "-o", "x.pt", "--events", "{d}/events.csv", "--method", "eas"], 2, "'ease'"),
        (["train", "-o", "x.pt", "--events", "{d}/events.csv", "--positive", "rating>=4"], 2, "neither ratings"),
        (["train", "-o", "x.pt", "--events", "{d}/events.csv", "--private", "epsilon=3"], 2, "--private"),
        (["train", "-o", "x.pt"], 2, "DATASET is missing"),
        (["evaluate", "{d}/rec.pt", "-o", "x.json"], 2, "--events"),
        (["predict", "{d}/rec.pt", "{d}/h.jsonl", "--among", "nobody"], 4, "--among"),
        (["predict", "{d}/rec.pt", "--similar", "nothing"], 2, "neither an item"),
        (["predict", "{d}/items.npz", "{d}/h.jsonl", "-k", "3"], 2, "-k is for a recommender"),
    ],
)
def test_what_cannot_be_done_is_said(folder, capsys, arguments, code, said):
    assert run([word.replace("{d}", str(folder)) for word in arguments]) == code
    assert said in capsys.readouterr().err


def test_a_handful_of_events_still_gives_a_model(tmp_path, capsys):
    (tmp_path / "e.csv").write_text("user,item,rating,time\nu1,m1,5,1\nu1,m2,4,2\nu2,m1,5,3\nu2,m3,2,4\n")
    (tmp_path / "items.csv").write_text("id,title\nm1,One\nm2,Two\nm3,Three\n")
    command = ["train", f"{tmp_path}/items.csv", "--task", "rank", "--events", f"{tmp_path}/e.csv"]
    assert run([*command, "-o", f"{tmp_path}/r.pt"]) == 0
    assert "too few; pop" in capsys.readouterr().err


def test_a_split_that_knows_the_future_is_trained_on_unless_strict(tmp_path, capsys):
    lines = [
        f"u{user},i{(user * 3 + n) % 7},{1000 + n},{'test' if n == 0 else 'train'}"
        for user in range(9)
        for n in range(5)
    ]
    (tmp_path / "e.csv").write_text("user,item,time,split\n" + "\n".join(lines) + "\n")
    command = ["train", "--task", "rank", "--events", f"{tmp_path}/e.csv", "-o", f"{tmp_path}/r.pt"]
    assert run(command) == 0
    assert run([*command, "--strict"]) == 4
    assert "older than a training event" in capsys.readouterr().err
    assert run(["train", "x.npz", "-o", "x.pt", "--strict"]) == 2
