"""`mmcli predict MODEL - --stream` through real pipes: answers as rows arrive, finals equal to `predict`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, dataset
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.cli.app import run
from mmcli.training.fit import predictor

from .rows import ITEMS, rows_of


def command(model, *options: str) -> list[str]:
    return [sys.executable, "-m", "mmcli", "predict", str(model), "-", "--stream", *options]


def streamed(model, rows, *options: str, code: int = 0):
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    done = subprocess.run(command(model, *options), input=text.encode(), capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_finals_equal_predict_on_the_whole_items_in_any_order(folder, model):
    chosen = predictor.load(model("vector.concat"))
    data = dataset.load(folder / "vector.npz")
    expected = {line["id"]: line for line in predictor.lines(chosen.predict(data))}
    rows = rows_of(data)
    shuffled = [rows[k] for k in np.random.default_rng(1).permutation(len(rows))]
    lines, said = streamed(model("vector.concat"), shuffled, "--lateness", "1000", "--ahead", "1000")
    finals = [line for line in lines if line["final"]]
    assert sorted(line["id"] for line in finals) == sorted(expected)
    for line in finals:
        wanted = expected[line["id"]]
        assert line["prediction"] == wanted["prediction"]
        assert line["present"] == wanted["present"]
        assert line["probabilities"] == pytest.approx(wanted["probabilities"], abs=2e-6)
    assert f"{ITEMS} final answers, 0 late, 0 double, 0 bad" in said
    first = next(line for line in lines if line["id"] == shuffled[0]["id"])
    assert (first["revision"], first["final"], len(first["present"])) == (1, False, 1)


def test_late_double_and_bad_rows_are_told_and_the_stream_goes_on(folder, model, tmp_path):
    rows = rows_of(dataset.load(folder / "vector.npz"))
    bad = [
        "no json\n",
        '{"id": "x", "modality": "smell", "t": 1, "values": [1]}\n',
        '{"id": "x", "modality": "audio", "t": NaN, "values": [1]}\n',
        '{"id": "x", "modality": "audio", "t": 1e12, "values": [1, 2, 3, 4]}\n',
        '{"id": "x", "modality": "audio", "t": 20, "values": [1, 2]}\n',
        '{"id": "x", "modality": "audio", "t": 20, "values": [1, 2, 3, null]}\n',
    ]
    stream = [*rows[:40], *bad, rows[0], *rows[40:], rows[-1], '{"id": "half'][: len(rows) + 9]
    lines, said = streamed(model("vector.concat"), stream, "--final-only", "--lateness", "2", code=3)
    assert said.count("left out") == len(bad) + 1 + 1  # and the half line; the last says how many
    assert [line for line in lines if "late" in line] == [
        {"id": "i00", "late": "audio", "t": 0.0, "behind": lines[[("late" in x) for x in lines].index(True)]["behind"]}
    ]
    assert [line["id"] for line in lines if "duplicate" in line] == [rows[-1]["id"]]
    finals = [line["id"] for line in lines if line.get("final")]
    assert sorted(finals) == sorted({row["id"] for row in rows})
    streamed(model("vector.concat"), [*rows, rows[0]], "--late", str(tmp_path / "late.jsonl"))
    assert json.loads((tmp_path / "late.jsonl").read_text())["late"] == "audio"


def test_every_row_is_acknowledged_once_after_its_answer(folder, model):
    rows = rows_of(dataset.load(folder / "vector.npz"))[:30]
    given = [*({**row, "ack": f"n{k}"} for k, row in enumerate(rows)), "bad\n", {**rows[3], "ack": "again"}]
    lines, _ = streamed(model("vector.concat"), given, "--ack", code=3)
    acknowledged = [line["ack"] for line in lines if "ack" in line]
    assert sorted(map(str, acknowledged)) == sorted([*(f"n{k}" for k in range(30)), "31", "again"])
    for k, row in enumerate(rows):
        final = next(i for i, line in enumerate(lines) if line.get("final") and line["id"] == row["id"])
        assert final < lines.index({"ack": f"n{k}"})


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_gives_the_finals_of_what_is_open(folder, model, number, code):
    rows = rows_of(dataset.load(folder / "vector.npz"))[:2]
    process = subprocess.Popen(
        command(model("vector.concat")), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdin.write((json.dumps(rows[0]) + "\n").encode())
    process.stdin.flush()
    first = json.loads(process.stdout.readline())
    assert first["final"] is False  # an answer is there while the stream is open
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert [json.loads(line)["why"] for line in out.splitlines()] == ["end"]


def test_input_that_stalls_is_waited_for_and_a_source_that_dies_holds_nobody(folder, model):
    """Images stop; sound goes on and then stalls: finals come without another row, and what comes later is answered."""
    rows = [row for row in rows_of(dataset.load(folder / "vector.npz")) if row["modality"] == "audio"][:3]
    process = subprocess.Popen(
        command(model("vector.concat"), "--final-only", "--idle", "0.2", "--lateness", "0"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    for row in rows[:2]:
        process.stdin.write((json.dumps(row) + "\n").encode())
    first = json.loads(process.stdout.readline())  # the pipe is open and nothing more comes
    assert (first["id"], first["why"], first["present"]) == ("i00", "watermark", ["audio"])
    process.stdin.write((json.dumps(rows[2]) + "\n" + json.dumps(rows[2])[:30]).encode())
    out, err = process.communicate(timeout=30)  # the source dies inside a line
    assert process.returncode == 3, err
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["i01", "i02"]
    assert b"ends inside a line" in err


def test_a_closed_pipe_is_quiet(folder, model):
    rows = rows_of(dataset.load(folder / "vector.npz")) * 40
    read, write = os.pipe()
    process = subprocess.Popen(
        command(model("vector.concat")), stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    process.stdin.write((json.dumps(rows[0]) + "\n").encode())
    process.stdin.flush()
    os.read(read, 10)
    os.close(read)
    try:
        for row in rows:
            process.stdin.write((json.dumps(row) + "\n").encode())
        process.stdin.flush()
    except BrokenPipeError:
        time.sleep(0)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, b"")


def test_a_model_says_what_it_must_compute_anew(folder, model, tmp_path, monkeypatch, capsys):
    rows = rows_of(dataset.load(folder / "sequence.npz"))[:4]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (tmp_path / "rows.jsonl").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run(["predict", str(model("sequence.crossmodal")), "-", "--stream"]) == 0
    out, said = capsys.readouterr()
    assert "computed anew" in said
    assert json.loads(out.splitlines()[-1])["final"]


def test_options_of_the_stream_need_it(folder, model, capsys):
    assert run(["predict", str(model("vector.concat")), "-", "--lateness", "1"]) == 2
    assert "--lateness is for --stream" in capsys.readouterr().err
    assert run(["predict", str(model("vector.concat")), "x.wav", "--stream"]) == 2


def test_a_map_puts_the_times_of_a_modality_on_the_other_clock(folder, model, tmp_path):
    line = {
        "model": "affine",
        "offset_s": 100.0,
        "rate": 1.0,
        "ppm": 0.0,
        "knots": np.array([[100.0, 0.0], [200.0, 100.0]]),
    }
    alignment.save(tmp_path / "map.json", Alignment(**line))
    rows = [row for row in rows_of(dataset.load(folder / "vector.npz")) if row["id"] != "i99"]
    moved = [{**row, "t": row["t"] + 100} if row["modality"] == "image" else row for row in rows]
    lines, said = streamed(model("vector.concat"), moved, "--map", f"audio={tmp_path / 'map.json'}", "--final-only")
    assert "0 late, 0 double" in said
    assert [x["t"] for x in lines if x["id"] == "i00"] == [100.0]
    straight, _ = streamed(model("vector.concat"), rows, "--final-only")
    assert [(x["id"], x["probabilities"]) for x in lines] == [(x["id"], x["probabilities"]) for x in straight]
    assert run(["predict", str(model("vector.concat")), "-", "--stream", "--map", "audio"]) == 2
