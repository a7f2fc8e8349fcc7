"""Manifests: both syntaxes mean the same, streams are read as they come, and no path leads out."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from mmcli.artifacts.formats import inspect, manifest
from mmcli.artifacts.formats.manifest import Row
from mmcli.artifacts.io.paths import id_problem, split_row
from mmcli.errors import ArtifactError, InputError

ROWS = [
    Row("s1/a", {"audio": "wav/a.wav", "num.age": "41"}, "train", "yes", "s1", extra={"city": "Köln"}),
    Row("s2/b", {"text_value": "hello, world"}, "test", "no", "s2", 0.5, 2.0),
]


def test_csv_tsv_and_ndjson_mean_the_same(tmp_path: Path) -> None:
    columns = ["id", "split", "label", "group", "start", "end", "audio", "num.age", "text_value", "city"]
    cells = [
        ["s1/a", "train", "yes", "s1", "", "", "wav/a.wav", "41", "", "Köln"],
        ["s2/b", "test", "no", "s2", "0.5", "2.0", "", "", "hello, world", ""],
    ]
    (tmp_path / "m.tsv").write_text("".join("\t".join(line) + "\n" for line in [columns, *cells]))
    manifest.save(tmp_path / "m.csv", ROWS)
    manifest.save(tmp_path / "m.jsonl", ROWS)
    (tmp_path / "csv-without-suffix").write_bytes((tmp_path / "m.csv").read_bytes())
    (tmp_path / "ndjson-without-suffix").write_bytes((tmp_path / "m.jsonl").read_bytes())

    for path in tmp_path.iterdir():
        found = manifest.load(path)
        assert found.rows == ROWS, path
        assert found.root == tmp_path
        assert set(found.columns) == set(columns)


def test_ndjson_may_write_numbers_as_numbers() -> None:
    line = b'{"id": 7, "num.x": 1.5, "start": 0, "end": 2, "label": 3, "flag": true, "audio": null, "image": ""}\n'

    (row,) = manifest.loads(line, "m.jsonl").rows

    assert row == Row("7", {"num.x": "1.5"}, label="3", start=0.0, end=2.0, extra={"flag": "true"})


def test_rows_of_a_pipe_come_as_they_are_written() -> None:
    """The first row is there before the second is written; the header line names the root."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as pipe:
        pipe.write(manifest.header_line("/data/out").encode() + manifest.dump_row(ROWS[0]).encode())
        rows = manifest.iter_rows(stream)
        assert rows.root == Path("/data/out")
        assert next(rows) == ROWS[0]
        pipe.write(manifest.dump_row(ROWS[1]).encode())
        assert next(rows) == ROWS[1]


def test_standard_input_is_relative_to_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b"id,audio\na,x.wav\n")

    monkeypatch.setattr(sys, "stdin", Stdin)

    found = manifest.load("-")

    assert found.root == Path()
    assert found.source == "standard input"


def test_a_header_in_a_file_may_name_its_own_folder_only(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    for root in (str(tmp_path), ""):
        path.write_text(manifest.header_line(root) + manifest.dump_row(ROWS[0]))
        assert manifest.load(path).rows == ROWS[:1]
    path.write_text(manifest.header_line(tmp_path.parent) + manifest.dump_row(ROWS[0]))
    with pytest.raises(ArtifactError, match="names the root"):
        manifest.load(path)


def test_a_row_with_an_error_keeps_it() -> None:
    row = Row("a", {}, error="a.wav: is damaged\x1b[31m")

    assert manifest.loads(manifest.dumps([row]), "m.jsonl").rows == [row]


def test_a_missing_last_newline_is_told() -> None:
    """A csv cut short within its last cell cannot be told from one that lacks the newline."""
    assert not manifest.loads(b"id,label\na,yes\n", "m.csv").unterminated
    assert manifest.loads(b"id,label\na,ye", "m.csv").unterminated
    assert manifest.loads(b'{"id": "a"}', "m.jsonl").unterminated


def test_a_line_cut_short_says_so() -> None:
    with pytest.raises(ArtifactError, match=r"line 2 is not JSON .*the file was cut short"):
        manifest.loads(b'{"id": "a"}\n{"id": "b', "m.jsonl")


def test_what_cannot_be_read_back_is_not_written() -> None:
    for row in (
        Row("../a"),
        Row(""),
        Row("a", {"audio": "/x"}),
        Row("a", split="holdout"),
        Row("a", start=2.0, end=1.0),
    ):
        with pytest.raises(ArtifactError):
            manifest.dump_row(row)


@pytest.mark.parametrize("text", ["a", "a/b/c", "take 7.2", "-", "ünïcödé/ß", "日本", "a..b", "...", "x" * 200, "a#1"])
def test_safe_ids(text: str) -> None:
    assert id_problem(text) is None


def test_rows_of_array_files() -> None:
    assert split_row("a/b.npy#0") == ("a/b.npy", 0)
    assert split_row("a.NPZ#12") == ("a.NPZ", 12)
    assert split_row("a#3.npy#4") == ("a#3.npy", 4)
    assert split_row("take#3") == ("take#3", None)
    assert split_row("take.npy#x") == ("take.npy#x", None)
    assert split_row("take.npy#-1") == ("take.npy#-1", None)


def test_paths_stay_below_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "in").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.wav").write_bytes(b"x")
    (root / "link-out").symlink_to(outside)
    (root / "link-file").symlink_to(outside / "secret.wav")
    (root / "in" / "link-up").symlink_to("../../outside")
    (root / "link-in").symlink_to(root / "in")
    (root / "loop").symlink_to("loop")
    rows = manifest.Manifest([], root)

    for cell in ("a.wav", "in/a.wav", "link-in/a.wav", "in/not/there/yet.wav", "./a.wav"):
        assert rows.resolve(cell) == (root / cell, None)
    assert rows.resolve("in/a.npy#3") == (root / "in" / "a.npy", 3)
    for cell in ("link-out/secret.wav", "link-file", "in/link-up/secret.wav", "in/link-up"):
        for _ in range(2):  # what is known of a folder is remembered
            with pytest.raises(InputError, match="symbolic link"):
                rows.resolve(cell)
            with pytest.raises(InputError, match="symbolic link"):
                manifest.resolve(root, cell)
    for cell in ("../outside/secret.wav", "/etc/passwd", "in/../../outside/x", "", "a\0b", "a\nb", "../x.npy#1"):
        with pytest.raises(InputError):
            rows.resolve(cell)


def test_a_root_that_is_itself_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")

    assert manifest.resolve(tmp_path / "root", "a.wav")[0] == tmp_path / "root" / "a.wav"
    assert manifest.Manifest([], Path("/")).resolve("etc/passwd")[0] == Path("/etc/passwd")


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_nothing_at_all_is_said_to_be_empty(content: bytes) -> None:
    """Of a pipe whose first command failed it was said that a column is missing."""
    with pytest.raises(ArtifactError, match="it is empty") as refused:
        list(manifest.iter_rows(io.BytesIO(content)))
    assert "the command before it" in (refused.value.hint or "")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_table_as_a_spreadsheet_writes_it_is_read(tmp_path, separator, encoding, suffix):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    lines = ["id|audio|label", '"a"|a.wav|größer, kleiner; 一', "b|b.wav|x"]
    text = "\r\n".join(lines).replace(", kleiner; ", " ").replace("|", separator) + "\r\n"
    path = tmp_path / f"rows{suffix}"
    path.write_bytes((mark + text).encode(encoding))

    rows = manifest.load(path).rows
    assert [(row.id, row.cells, row.label) for row in rows] == [
        ("a", {"audio": "a.wav"}, "größer 一"),
        ("b", {"audio": "b.wav"}, "x"),
    ]
    assert inspect.recognise(path) == manifest.SCHEMA


@pytest.mark.parametrize("data", ["id,audio\na,".encode("utf-16")[:-1], b"\xff\xfe\x00\xd8a\x00,\x00"])
def test_broken_utf_16_is_refused(tmp_path, data):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ArtifactError, match="UTF-16"):
        manifest.load(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "name;audio;label\nx;x.wav;a\n", "looks like a manifest, but it has no column id"),
        ("a.jsonl", '{"audio": "x.wav"}\n{"audio": "y.wav"}\n', "looks like a manifest, but its first line has no id"),
    ],
)
def test_a_manifest_without_ids_is_called_one(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ArtifactError, match=said):
        inspect.recognise(tmp_path / name)


@pytest.mark.parametrize("cells", [{"audio": "a.wav"}, {"num.age": "41"}])
def test_a_map_of_no_modality_is_kept_of_pairs_and_refused_of_files(cells: dict[str, str]) -> None:
    pair = Row("p", {}, extra={"map": "p.json", "reference": "a.wav", "query": "b.wav"})
    assert manifest.loads(manifest.dumps([pair]), "pairs.jsonl").rows == [pair]

    with pytest.raises(ArtifactError, match=r"does not say whose times it moves: map\.audio"):
        manifest.loads(manifest.dumps([Row("p", cells, extra={"map": "p.json"})]), "m.jsonl")
