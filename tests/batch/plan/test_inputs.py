"""What the command line names becomes items, and what cannot be meant is refused before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmcli.batch.plan import inputs
from mmcli.batch.plan.items import Item
from mmcli.errors import ArtifactError, MissingError, MmcliError, UsageError


def made(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def shape(items: list[Item]) -> dict[str, list[str]]:
    return {i.id: [f"{c.column}={c.modality}" for c in i.cells] for i in items}


def test_a_folder_gives_relative_ids_and_joins_kinds(tmp_path: Path) -> None:
    made(tmp_path, "a/1.wav", "a/1.png", "a/1.txt", "b.mp4", "notes.unknown", ".hidden/c.wav", ".d.wav")
    found = inputs.gather([tmp_path])
    assert shape(found.items) == {
        "b": ["video=video"],
        "a/1": ["image=image", "text=text", "audio=audio"],
    }
    assert [Path(p).name for p in found.ignored] == ["notes.unknown"]


def test_a_link_to_a_folder_is_not_followed_and_said_to_be_there(tmp_path: Path) -> None:
    made(tmp_path, "in/a.wav", "in/notes.unknown", "else/b.wav")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "else")
    (tmp_path / "in" / "out").symlink_to(tmp_path / "else")
    found = inputs.gather([tmp_path / "in"], leave_out=tmp_path / "in" / "out")
    assert [i.id for i in found.items] == ["a"]
    (tmp_path / "in" / "out").unlink()
    found = inputs.gather([tmp_path / "in"])
    assert found.ignored == [f"{tmp_path}/in/linked, a link to a folder", f"{tmp_path}/in/notes.unknown"]


def test_the_output_folder_is_not_an_input(tmp_path: Path) -> None:
    made(tmp_path, "a.wav", "out/b.wav")
    assert shape(inputs.gather([tmp_path], leave_out=tmp_path / "out").items) == {"a": ["audio=audio"]}


def test_a_modality_filters_a_folder_and_reads_a_named_file(tmp_path: Path) -> None:
    made(tmp_path, "a.wav", "a.png", "b.mp4", "data.wav.bin")
    assert shape(inputs.gather([tmp_path], "audio").items) == {"a": ["audio=audio"], "b": ["video=video"]}
    assert shape(inputs.gather([tmp_path], "image").items) == {"a": ["image=image"]}


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such file"):
        inputs.gather([tmp_path / "gone.wav"])


def test_a_manifest_row_gives_a_cell_a_modality(tmp_path: Path) -> None:
    made(tmp_path, "a.wav", "b.png", "c.srt", "m.json")
    (tmp_path / "m.csv").write_text(
        "id,split,label,audio.mic,image,text,num.age,cat.sex,map.image,note,start\n"
        "one,train,yes,a.wav,b.png,c.srt,3,f,m.json,hello,0.5\n"
        "two,test,no,,,,,,,,\n"
    )
    found = inputs.gather([tmp_path / "m.csv"])
    assert shape(found.items) == {
        "one": ["audio.mic=audio", "image=image", "text=subtitle", "map.image=map", "table=table"],
        "two": [],
    }
    first = found.items[0]
    assert (first.split, first.label, first.start, first.extra) == ("train", "yes", 0.5, {"note": "hello"})
    assert first.cells[-1].numbers == {"age": "3"}
    assert first.cells[-1].categories == {"sex": "f"}


def test_a_csv_without_an_id_is_a_series(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("time,x\n0,1\n1,2\n")
    assert shape(inputs.gather([tmp_path / "s.csv"]).items) == {"s": ["series=series"]}


def test_rows_of_arrays_are_features_of_ones_own(tmp_path: Path) -> None:
    made(tmp_path, "all.npy")
    (tmp_path / "m.jsonl").write_text('{"id": "a", "audio.mine": "all.npy#3", "series.fac": "all.npy#4"}\n')
    cells = inputs.gather([tmp_path / "m.jsonl"]).items[0].cells
    assert [(c.column, c.modality, c.row) for c in cells] == [
        ("audio.mine", "features", 3),
        ("series.fac", "series", 4),
    ]


@pytest.mark.parametrize("bad", ['{"id": "../x", "audio": "a.wav"}', '{"id": "x", "audio": "../a.wav"}', '{"id": 3'])
def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path: Path, bad: str) -> None:
    (tmp_path / "m.jsonl").write_text(bad + "\n")
    with pytest.raises(MmcliError):
        inputs.gather([tmp_path / "m.jsonl"])


def test_text_twice_in_a_row_is_refused(tmp_path: Path) -> None:
    made(tmp_path, "a.txt")
    (tmp_path / "m.jsonl").write_text('{"id": "x", "text": "a.txt", "text_value": "hello"}\n')
    with pytest.raises(UsageError, match="both text and text_value"):
        inputs.gather([tmp_path / "m.jsonl"])


def test_a_store_whose_library_is_missing_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from mmcli.artifacts.io import remote
    from mmcli.batch.state import books

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingError) as raised:
        inputs.gather(["s3://bucket/folder"])
    assert raised.value.hint == "pip install 'mmcli[remote]'"
    with pytest.raises(MissingError), books.folder("s3://bucket/out"):
        pytest.fail("the batch began")
    with pytest.raises(UsageError, match="Protocol not known"):
        remote.listing("unknown://a")


def test_any_store_of_fsspec_serves(tmp_path: Path) -> None:
    """One in memory: no server, no network."""
    from mmcli.artifacts.io import remote

    remote.write("memory://voices/in/deep/a.wav", b"1")
    remote.write("memory://voices/in/b.txt", b"22")
    remote.write("memory://voices/in/.hidden/c.wav", b"3")
    remote.write("memory://voices/in/m.csv", b"id,audio,text\nx,deep/a.wav,b.txt\n")

    found = inputs.gather(["memory://voices/in"])
    assert {i.id: [c.column for c in i.cells] for i in found.items} == {
        "b": ["text"],
        "deep/a": ["audio"],
        "m": ["series"],
    }
    (row,) = inputs.gather(["memory://voices/in/m.csv"]).items
    assert [(c.column, c.path) for c in row.cells] == [
        ("audio", "memory://voices/in/deep/a.wav"),
        ("text", "memory://voices/in/b.txt"),
    ]
    assert row.cells[1].facts is not None
    assert row.cells[1].facts[0] == 2
    remote.write("memory://voices/in/bad.csv", b"id,audio\nx,../a.wav\n")
    with pytest.raises(MmcliError, match=r"'\.\.'"):
        inputs.gather(["memory://voices/in/bad.csv"])
    with pytest.raises(MissingError):
        inputs.gather(["memory://voices/nowhere"])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_with_ids_is_a_manifest_whatever_wrote_it(tmp_path, separator, encoding):
    (tmp_path / "rows.csv").write_bytes(f"id{separator}audio\na{separator}a.wav\n".encode(encoding))

    (item,) = inputs.gather([tmp_path / "rows.csv"]).items
    assert (item.id, [cell.modality for cell in item.cells]) == ("a", ["audio"])


def test_an_npz_of_ours_that_is_damaged_is_named_so(tmp_path):
    sound = {"values": np.zeros((3, 2), np.float32), "times": np.arange(3.0)}
    np.savez(tmp_path / "a.npz", **sound, meta=np.array("{}"), extra=np.zeros(1))

    with pytest.raises(ArtifactError, match="does not belong there") as caught:
        inputs.gather([tmp_path / "a.npz"])
    assert caught.value.exit_code == 4
