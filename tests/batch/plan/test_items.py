"""One bad name or row costs itself: it becomes an item with a safe name and a reason, and the rest is done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import manifest
from mmcli.batch.plan import inputs, items
from mmcli.cli import app
from mmcli.errors import ArtifactError, MediaError, MissingError, UsageError

BAD = {
    "back\\slash": "back%5Cslash",
    "new\nline": "new%0Aline",
    "tab\there": "tab%09here",
    os.fsdecode(b"latin1_\xe9"): "latin1_%E9",
    "GOOD": None,
    "x" * 210: None,
    "caf\u00e9": None,
    "cafe\u0301": None,
}


def sound(path: Path) -> Path:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path.parent / "tmp.wav"), np.random.default_rng(1).uniform(-0.4, 0.4, 24_000), 8000)
    (path.parent / "tmp.wav").rename(path)
    return path


def refusals(gathered: inputs.Gathered) -> dict[str, str]:
    return {item.id: item.refusal.what for item in gathered.items if item.refusal is not None}


def test_bad_names_in_a_folder_cost_themselves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("good", *BAD):
        sound(tmp_path / "in" / f"{name}.wav")
    (tmp_path / "in" / "dangling.wav").symlink_to("nowhere.wav")
    (tmp_path / "in" / "self.wav").symlink_to("self.wav")
    (tmp_path / "in" / "empty.csv").touch()
    (tmp_path / "in" / "x.npz").mkdir()

    assert app.run(["extract", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--jobs", "1"]) == 3

    error = capfd.readouterr().err
    assert error.isascii() or error.isprintable() or "\n" in error
    rows = manifest.load(tmp_path / "out" / "manifest.jsonl").rows
    done = {row.id for row in rows if row.error is None}
    failed = {json.loads(line)["id"] for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()}
    assert len(done) == 2  # GOOD or good, and one form of the two cafes
    assert {name.casefold() for name in done if "g" in name.lower()} == {"good"}
    assert failed == {row.id for row in rows if row.error is not None}
    assert failed >= {safe for safe in BAD.values() if safe is not None} | {"dangling", "self", "empty", "good~2"}
    assert len(done | failed) == len(rows) == len(BAD) + 4
    assert all((tmp_path / "out" / f"{name}.audio.logmel.npz").exists() for name in done)

    assert app.run(["extract", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--jobs", "1"]) == 3
    assert "skipped 2  failed 10" in capfd.readouterr().err


@pytest.mark.parametrize("names", [("a.wav", "a.flac"), ("a.txt", "a.srt")])
def test_the_second_file_of_one_kind_under_one_id_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")

    gathered = inputs.gather([tmp_path])

    assert [item.id for item in gathered.items] == ["a", "a~2"]
    assert "both the" in refusals(gathered)["a~2"]


def test_equal_stems_from_two_folders_cost_the_second(tmp_path: Path) -> None:
    first, second = sound(tmp_path / "x" / "a.wav"), sound(tmp_path / "y" / "a.wav")
    listed = tmp_path / "list.txt"
    listed.write_text(f"{first}\n{second}\n{tmp_path / 'gone.wav'}\n")

    assert app.run(["extract", "--from", str(listed), "-o", str(tmp_path / "out"), "--jobs", "1"]) == 3

    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert {line["id"]: line["class"] for line in failures} == {"a~2": "UsageError", "gone": "MissingError"}
    assert [row.id for row in manifest.load(tmp_path / "out" / "manifest.jsonl").rows if row.error is None] == ["a"]


def test_ids_that_differ_in_case_or_form_only(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text(
        "".join(json.dumps({"id": name, "text_value": "x"}) + "\n" for name in ("a", "A", "\u00e9", "e\u0301", "a~2"))
    )

    gathered = inputs.gather([tmp_path / "m.jsonl"])

    assert [item.id for item in gathered.items] == ["a", "A~2", "\u00e9", "e\u0301~2", "a~2~2"]
    assert "case" in refusals(gathered)["A~2"]
    assert "NFC" in refusals(gathered)["e\u0301~2"]


def test_where_nothing_is_left_the_reason_ends_the_plan(tmp_path: Path) -> None:
    bad = tmp_path / "back\\slash.wav"
    bad.write_bytes(b"x")
    with pytest.raises(UsageError, match="backslash"):
        inputs.gather([bad])
    with pytest.raises(MissingError):
        inputs.gather([tmp_path / "gone.wav", tmp_path / "away.wav"])


ROWS = {
    "fields": "b,train,no,s,,",
    "path": "b,train,no,../s.wav,,",
    "split": "b,later,no,s.wav,,",
    "times": "b,train,no,s.wav,2,1",
    "id": "../b,train,no,s.wav,,",
    "twice": "a,train,no,s.wav,,",
    "leads out": "b,train,no,out/s.wav,,",
    "both texts": "b,train,no,s.wav,,",
}


@pytest.mark.parametrize("what", ROWS)
def test_a_row_of_a_table_costs_itself(tmp_path: Path, what: str) -> None:
    sound(tmp_path / "m" / "s.wav")
    sound(tmp_path / "elsewhere" / "s.wav")
    (tmp_path / "m" / "out").symlink_to(tmp_path / "elsewhere")
    row = ROWS[what] + (",x" if what == "fields" else "")
    text = f"id,split,label,audio,start,end\na,train,yes,s.wav,,\n{row}\nc,test,yes,s.wav,,\n"
    if what == "both texts":
        text = "id,text,text_value\na,,x\nb,t.txt,x\nc,,y\n"
    (tmp_path / "m" / "m.csv").write_text(text)

    gathered = inputs.gather([tmp_path / "m" / "m.csv"])

    assert len(gathered.items) == 3
    assert [item.refusal is None for item in gathered.items] == [True, False, True]
    assert gathered.items[1].error


def test_a_line_of_ndjson_costs_itself(tmp_path: Path) -> None:
    lines = [b'{"id": "a", "text_value": "x"}', b'{"id": "b"', b'{"id": "c", "num.": 1}', b'{"id": "d", "x": []}',
             b'{"id": "e", "text_value": "\xff"}', b'{"text_value": "y"}',
             b'{"id": "z", "text_value": "y"}']  # fmt: skip
    (tmp_path / "m.jsonl").write_bytes(b"\n".join(lines) + b"\n")

    gathered = inputs.gather([tmp_path / "m.jsonl"])

    assert list(refusals(gathered)) == ["line-2", "c", "d", "line-5", "line-6"]
    assert [item.id for item in gathered.items if item.refusal is None] == ["a", "z"]


def test_a_manifest_that_is_none_ends_the_plan(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"mmcli": {"schema": "mmcli/manifest@9"}}\n{"id": "a"}\n')
    with pytest.raises(ArtifactError):
        inputs.gather([tmp_path / "m.jsonl"])
    (tmp_path / "m.csv").write_text('id,audio\na,"s.wav\nb,s.wav\n')
    with pytest.raises(ArtifactError):
        inputs.gather([tmp_path / "m.csv"])


def test_a_folder_that_is_named_like_an_array_costs_its_row(tmp_path: Path) -> None:
    (tmp_path / "x.npz").mkdir()
    (tmp_path / "m.csv").write_text("id,series,text_value\na,x.npz,\nb,,words\n")

    gathered = inputs.gather([tmp_path / "m.csv"])

    assert isinstance(gathered.items[0].refusal, MediaError)
    assert gathered.items[1].refusal is None


@pytest.mark.parametrize(
    "name",
    [
        "a\nb",
        "\\",
        "..",
        "",
        "/etc",
        "a//b",
        chr(0xDCE9),
        chr(0xD800),
        "x" * 5000,
        "\u00e9" * 150,
        "/".join(["y" * 90] * 20),
    ],
)
def test_a_safe_name_is_an_id(name: str) -> None:
    assert manifest.id_problem(items.safe(name)) is None


def test_pairs_and_files_to_warp_cost_themselves(tmp_path: Path) -> None:
    a = sound(tmp_path / "a.wav")
    lines = [{"id": "bad", "reference": "../a.wav", "query": "a.wav"}, {"id": "none", "query": "a.wav"},
             {"id": "setting", "reference": "a.wav", "query": "a.wav", "rate": "fast"},
             {"id": "good", "reference": "a.wav", "query": "a.wav", "method": "offset"}]  # fmt: skip
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "maps"

    assert app.run(["align", "--pairs", str(tmp_path / "pairs.jsonl"), "-o", str(out), "--jobs", "1"]) == 3

    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows if "error" in row] == ["bad", "none", "setting"]
    sound(tmp_path / "back\\slash.wav")
    files = [str(a), str(tmp_path / "back\\slash.wav"), str(tmp_path / "gone.wav")]
    warped = ["warp", *files, "--map", str(out / "good.json"), "-o", f"{tmp_path / 'warped'}/", "--jobs", "1"]
    assert app.run(warped) == 3
    failures = (tmp_path / "warped" / "failures.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in failures] == ["back%5Cslash.wav", "gone.wav"]
    assert (tmp_path / "warped" / "a.wav").exists()
