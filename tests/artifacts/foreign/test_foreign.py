"""Data sets that other programs wrote, as manifests of extract and fuse: each is made by the library it belongs to."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import soundfile
from PIL import Image
from pyarrow import feather

from mmcli.artifacts import foreign
from mmcli.artifacts.formats import dataset, features, manifest
from mmcli.cli import app
from mmcli.errors import ArtifactError, MissingError

KINDS = {".wav": "audio", ".png": "image", ".txt": "text"}
TRAIN, VALIDATION = 5, 2


def sound(number: int) -> bytes:
    out = io.BytesIO()
    samples = 0.1 * np.random.default_rng(number).standard_normal(2000 + 100 * number)
    soundfile.write(out, samples.astype(np.float32), 8000, format="WAV")
    return out.getvalue()


def picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(out, "png")
    return out.getvalue()


def rows(first: int, count: int) -> dict[str, list[Any]]:
    numbers = range(first, first + count)
    return {
        "audio": [{"bytes": sound(k), "path": f"clips/{k}.wav"} for k in numbers],
        "image": [None if k == 1 else {"bytes": picture(k), "path": None} for k in numbers],
        "text": [f"number {k}" for k in numbers],
        "label": [k % 2 for k in numbers],
        "speaker_id": [k // 2 + first for k in numbers],
        "image_embedding": [[k, 1.0, 2.0] for k in numbers],
        "seconds": [1.5 for _ in numbers],
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``disk`` as save_to_disk writes it, ``hub`` as a repository has it, ``tars`` of WebDataset."""
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    webdataset = pytest.importorskip("webdataset", reason="the library webdataset is not installed")
    folder = tmp_path_factory.mktemp("saved")
    kind = datasets.Features(
        {
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "image": datasets.Image(),
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["even", "odd"]),
            "speaker_id": datasets.Value("int64"),
            "image_embedding": datasets.List(datasets.Value("float32")),
            "seconds": datasets.Value("float64"),
        }
    )
    both = datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_dict(rows(0, TRAIN), features=kind),
            "validation": datasets.Dataset.from_dict(rows(100, VALIDATION), features=kind),
        }
    ).cast_column("audio", datasets.Audio(decode=False))
    both.save_to_disk(str(folder / "disk"))
    (folder / "hub/data").mkdir(parents=True)
    (folder / "hub/README.md").write_text("about it\n")
    for split in both:
        both[split].to_parquet(str(folder / f"hub/data/{split}-00000-of-00001.parquet"))
    (folder / "tars").mkdir()
    with webdataset.ShardWriter(str(folder / "tars/train-%06d.tar"), maxcount=2, verbose=0) as out:
        for k in range(TRAIN):
            one = {
                "wav": sound(k),
                "png": picture(k),
                "txt": f"number {k}",
                "cls": k % 2,
                "emb.npy": np.arange(3.0) + k,
            }
            out.write({"__key__": f"part/s{k:04d}", **one, "json": {"speaker": f"p{k // 2}", "caption": "a caption"}})
    return folder


def extracted(source: Path | str, out: Path) -> list[manifest.Row]:
    assert app.run(["extract", str(source), "-o", str(out), "--audio", "mfcc", "--jobs", "1", "--quiet"]) == 0
    return manifest.load(out / "manifest.jsonl").rows


@pytest.mark.parametrize("name", ["disk", "hub"])
def test_a_folder_of_datasets_is_extracted(saved: Path, tmp_path: Path, name: str) -> None:
    made = extracted(saved / name, tmp_path / "out")
    assert [row.id for row in made] == [
        *(f"train/{k:08d}" for k in range(TRAIN)),
        "validation/00000000",
        "validation/00000001",
    ]
    assert [row.split for row in made] == ["train"] * TRAIN + ["val"] * VALIDATION
    assert [row.label for row in made[:2]] == ["even", "odd"]
    assert made[TRAIN].group == "150"
    assert "image.pixels" not in made[1].cells  # the picture that is not there
    assert set(made[0].cells) == {"audio.mfcc", "image.pixels", "image.embedding", "text.tokens"}
    one = features.load(tmp_path / "out" / made[3].cells["audio.mfcc"])
    (tmp_path / "3.wav").write_bytes(sound(3))
    alone = extracted(tmp_path / "3.wav", tmp_path / "alone")
    assert np.array_equal(one.values, features.load(tmp_path / "alone" / alone[0].cells["audio.mfcc"]).values)
    assert one.meta["source"]["name"] == "3.wav"


@pytest.mark.parametrize("name", ["tars", "tars/train-%06d.tar", "tars/train-{000000..000002}.tar"])
def test_tar_files_of_webdataset_are_extracted(saved: Path, tmp_path: Path, name: str) -> None:
    made = extracted(saved / name, tmp_path / "out")
    assert [row.id for row in made] == [f"part/s{k:04d}" for k in range(TRAIN)]
    assert [(row.split, row.label, row.group) for row in made[:3]] == [
        ("train", "0", "p0"),
        ("train", "1", "p0"),
        ("train", "0", "p1"),
    ]
    assert set(made[0].cells) >= {"audio.mfcc", "image.pixels", "text.tokens", "series.emb"}
    values = features.load(tmp_path / "out" / made[4].cells["series.emb"]).values
    assert np.array_equal(values, [[4.0, 5.0, 6.0]])


def test_the_same_command_goes_on_where_it_stopped(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected in (f"done {5 * TRAIN - 5}  skipped 0", f"done 0  skipped {5 * TRAIN - 5}"):
        command = ["extract", str(saved / "tars"), "-o", str(tmp_path / "out"), "--audio", "mfcc", "--jobs", "1"]
        assert app.run(command) == 0
        assert expected in capsys.readouterr().err


@pytest.mark.parametrize(("name", "stream"), [("disk", "image"), ("hub", "image"), ("tars", "series")])
def test_fuse_takes_the_arrays_of_a_data_set(saved: Path, tmp_path: Path, name: str, stream: str) -> None:
    assert app.run(["fuse", str(saved / name), "-o", str(tmp_path / "d.npz"), "--normalise", "none", "--quiet"]) == 0
    made = dataset.load(tmp_path / "d.npz")
    values = np.asarray(made.streams[stream].values)
    assert list(made.streams) == [stream]
    assert values.shape == (len(made.id), 3)
    assert set(np.asarray(made.label).tolist()) in ({"even", "odd"}, {"0", "1"})


def test_predict_reads_a_data_set_of_another_program(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    extracted(saved / "disk", out)
    assert app.run(["fuse", str(out / "manifest.jsonl"), "-o", str(tmp_path / "d.npz"), "--quiet"]) == 0
    model = ["--modalities", "audio", "--set", "train.epochs=1"]
    assert app.run(["train", str(tmp_path / "d.npz"), "-o", str(tmp_path / "m.pt"), *model, "--quiet"]) == 0
    capsys.readouterr()
    assert app.run(["predict", str(tmp_path / "m.pt"), str(saved / "tars"), "--quiet"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["id"] for one in said if "id" in one] == [f"part/s{k:04d}" for k in range(TRAIN)]


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return path


def test_a_tar_cut_short_loses_the_item_it_ends_in_and_says_so(tmp_path: Path) -> None:
    whole = tar_of(tmp_path / "x.tar", {f"{k}.wav": sound(k) for k in range(4)})
    whole.write_bytes(whole.read_bytes()[:13_000])
    assert app.run(["extract", str(whole), "-o", str(tmp_path / "o"), "--audio", "mfcc", "--jobs", "1", "--quiet"]) == 3
    made = manifest.load(tmp_path / "o/manifest.jsonl").rows
    assert [row.error is None for row in made] == [True] * (len(made) - 1) + [False]
    assert 1 < len(made) < 4
    assert "x.tar is" in str(made[-1].error)


def test_ids_that_begin_anew_in_every_file_are_told_apart(tmp_path: Path) -> None:
    for shard in "ab":
        tar_of(tmp_path / f"{shard}.tar", {"0.txt": b"word", "1.txt": b"word"})
    assert [row.id for row in manifest.load(tmp_path, kinds=KINDS).rows] == ["a/0", "a/1", "b/0", "b/1"]


def test_two_members_of_one_name_links_and_pickles(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {"a.txt": b"word", "b.pkl": b"\x80", "b.txt": b"word", "../c.txt": b"word"})
    with tarfile.open(path, "a") as archive:
        about = tarfile.TarInfo("a.txt")
        archive.addfile(about, io.BytesIO(b""))
        link = tarfile.TarInfo("d.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    content = manifest.load(path, lenient=True, kinds=KINDS)
    assert {row.id: set(row.cells) for row in content.rows if row.error is None} == {"b": {"text"}}
    assert "stands twice" in str(content.refused["a"])
    assert any("'..'" in str(why) for why in content.refused.values())


def test_what_is_no_such_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar" * 300)
    with pytest.raises(ArtifactError, match="is no tar"):
        manifest.load(tmp_path / "x.tar")
    (tmp_path / "x.arrow").write_bytes(b"no arrow" * 300)
    with pytest.raises(ArtifactError, match="is no table"):
        manifest.load(tmp_path / "x.arrow")
    with pytest.raises(MissingError, match="no such file"):
        manifest.load(tmp_path / "y-%06d.tar")
    tar_of(tmp_path / "y-0.tar", {"a.txt": b"word"})
    with pytest.raises(MissingError, match=r"y-1\.tar: no such file"):
        manifest.load(tmp_path / "y-{0..1}.tar")


def test_compressed_arrow_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    table = pyarrow.table({"id": ["a", "b"], "audio_emb": [[1.0, 2.0], [3.0, 4.0]]})
    for name, compression in (("plain", "uncompressed"), ("zstd", "zstd"), ("lz4", "lz4")):
        feather.write_feather(table, tmp_path / f"{name}.feather", compression=compression)
    assert [row.cells for row in manifest.load(tmp_path / "plain.feather").rows] == [
        {"audio.emb": f"plain.feather:audio_emb#{k}"} for k in range(2)
    ]
    for name in ("zstd", "lz4"):
        with pytest.raises(ArtifactError, match="compressed Arrow"):
            manifest.load(tmp_path / f"{name}.feather")
    words = pyarrow.table({"id": ["a", "b"], "label": pyarrow.array(["x", "y"]).dictionary_encode()})
    feather.write_feather(words, tmp_path / "words.feather", compression="zstd")
    with pytest.raises(ArtifactError, match="compressed Arrow"):
        manifest.load(tmp_path / "words.feather")


def test_a_file_that_a_row_only_names_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "near.wav").write_bytes(sound(1))
    here = str(tmp_path / "near.wav")
    table = pyarrow.table({"id": ["a"], "audio": [{"bytes": None, "path": here}]}, schema=pyarrow.schema(
        [("id", pyarrow.string()), ("audio", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))]
    ))  # fmt: skip
    feather.write_feather(table, tmp_path / "x.arrow", compression="uncompressed")
    with pytest.raises(ArtifactError, match="only names a file"), foreign.fetched(tmp_path / "x.arrow", "audio", 0):
        pass


def test_a_folder_of_media_with_a_table_beside_it_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(sound(1))
    tar_of(tmp_path / "old.tar", {"a.txt": b"word"})
    assert [row.id for row in extracted(tmp_path, tmp_path / "out")] == ["a"]
