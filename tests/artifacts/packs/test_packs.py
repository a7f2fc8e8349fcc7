"""Features packed for loaders of training data: read back by pyarrow, pandas, and the tar reader of Python."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile
from pyarrow import parquet

from mmcli.artifacts import packs
from mmcli.artifacts.formats import dataset, features, manifest, packed
from mmcli.artifacts.formats.packing import Packed
from mmcli.artifacts.packs import webdataset
from mmcli.cli import app
from mmcli.errors import UsageError

COUNT = 5


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    draw = np.random.default_rng(0)
    rows = ["id,split,label,audio"]
    for k in range(COUNT):
        soundfile.write(folder / f"a.{k}.wav", 0.1 * draw.standard_normal(2000 + 300 * k).astype(np.float32), 8000)
        rows.append(f"item.{k},{'test' if k == 4 else 'train'},{'odd' if k % 2 else 'even'},a.{k}.wav")
    (folder / "m.csv").write_text("\n".join(rows) + "\n")
    return folder / "m.csv"


@pytest.fixture(scope="module")
def packed_in(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with out.parquet, out.arrow and out-000000.tar of the same features."""
    folder = tmp_path_factory.mktemp("packed")
    for name in ("out.parquet", "out.arrow", "out-%06d.tar"):
        assert extract(sounds, folder / name) == 0
    return folder


def extract(source: Path, out: Path, *more: str) -> int:
    return app.run(["extract", str(source), "-o", str(out), "--audio", "mfcc", "--jobs", "1", "--quiet", *more])


def made(folder: Path) -> list[tuple[str, features.Features]]:
    content = manifest.load(folder / "out.parquet.parts/manifest.jsonl")
    return [(r.id, features.load(content.resolve(r.cells["audio.mfcc"])[0])) for r in content.rows]


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow"])
def test_pandas_reads_every_value(packed_in: Path, name: str) -> None:
    read = pandas.read_parquet if name.endswith("parquet") else pandas.read_feather
    table = read(packed_in / name)
    assert table["id"].tolist() == [f"item.{k}" for k in range(COUNT)]
    assert table["split"].tolist() == ["train"] * 4 + ["test"]
    for row, (_, one) in zip(table.to_dict("records"), made(packed_in), strict=True):
        values = np.asarray(row["audio.mfcc"], np.float32).reshape(row["audio.mfcc.shape"])
        assert np.array_equal(values, one.values)
        assert np.array_equal(row["audio.mfcc.times"], one.times)
        assert json.loads(row["audio.mfcc.meta"]) == json.loads(json.dumps(one.meta))


def test_tar_files_hold_an_item_under_one_key(packed_in: Path) -> None:
    with tarfile.open(packed_in / "out-000000.tar") as archive:
        names = archive.getnames()
        first = json.load(archive.extractfile("000000000.json"))
        values = np.load(io.BytesIO(archive.extractfile("000000003.audio.mfcc.npy").read()))
    assert len(names) == 3 * COUNT
    assert (first["id"], first["label"]) == ("item.0", "even")
    assert np.array_equal(values, made(packed_in)[3][1].values)


def test_webdataset_reads_them(packed_in: Path) -> None:
    reader = pytest.importorskip("webdataset", reason="the library webdataset is not installed")
    items = list(reader.WebDataset(str(packed_in / "out-000000.tar"), shardshuffle=False).decode())
    assert len(items) == COUNT
    assert np.array_equal(items[1]["audio.mfcc.npy"], made(packed_in)[1][1].values)


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "out-000000.tar"])
def test_our_own_reader_gives_the_features_that_went_in(packed_in: Path, name: str) -> None:
    assert packed.is_ours(packed_in / name)
    for row, (_, one) in enumerate(made(packed_in)):
        back = packed.read(packed_in / name, "audio.mfcc", row)
        assert np.array_equal(back.values, one.values)
        assert np.array_equal(back.times, one.times)
        assert back.meta == json.loads(json.dumps(one.meta))


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "out-000000.tar", "out-%06d.tar"])
def test_fuse_reads_a_pack_as_it_reads_the_folder(packed_in: Path, tmp_path: Path, name: str) -> None:
    for source, out in ((name, "a.npz"), ("out.parquet.parts/manifest.jsonl", "b.npz")):
        assert app.run(["fuse", str(packed_in / source), "-o", str(tmp_path / out), "--quiet"]) == 0
    a, b = (dataset.load(tmp_path / name) for name in ("a.npz", "b.npz"))
    assert a.id.tolist() == b.id.tolist()
    assert np.array_equal(a.streams["audio"].values, b.streams["audio"].values)


def test_the_same_command_continues_and_gives_the_same_bytes(sounds: Path, packed_in: Path, tmp_path: Path) -> None:
    for name in ("out.parquet", "out.arrow", "out-%06d.tar"):
        assert extract(sounds, tmp_path / name, "--shard", "1/2") == 0
        assert not list(tmp_path.glob(name.replace("%06d", "0*")))  # a shard packs nothing
        assert extract(sounds, tmp_path / name) == 0
        there = name.replace("%06d", "000000")
        assert (tmp_path / there).read_bytes() == (packed_in / there).read_bytes()
        before = (tmp_path / there).read_bytes()
        assert extract(sounds, tmp_path / name) == 0
        assert (tmp_path / there).read_bytes() == before


def test_an_item_that_failed_has_nothing_in_its_row(sounds: Path, tmp_path: Path) -> None:
    rows = sounds.read_text() + "bad,train,odd,bad.wav\n"
    for k in range(COUNT):
        (tmp_path / f"a.{k}.wav").write_bytes((sounds.parent / f"a.{k}.wav").read_bytes())
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    (tmp_path / "m.csv").write_text(rows)
    assert extract(tmp_path / "m.csv", tmp_path / "out.parquet") == 3
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["audio.mfcc"] is None for row in table] == [False] * COUNT + [True]


def test_where_the_failures_stand_is_said(sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.wav").write_bytes((sounds.parent / "a.0.wav").read_bytes())
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    files = [str(tmp_path / "good.wav"), str(tmp_path / "bad.wav")]
    assert app.run(["extract", *files, "-o", str(tmp_path / "o.parquet"), "--audio", "mfcc", "--jobs", "1"]) == 3
    said = "".join(capsys.readouterr().err.split())
    assert said.endswith(f"{tmp_path}/o.parquet;{tmp_path}/o.parquet.parts/failures.jsonl")


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "out-000000.tar", "out-%06d.tar"])
def test_info_shows_what_a_pack_holds(packed_in: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["info", str(packed_in / name), "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["files"]
    assert (shown["rows"], shown["splits"]) == (COUNT, {"test": 1, "train": 4})
    assert "audio.mfcc" in shown["columns"]


def test_many_files_and_those_that_a_longer_run_left(
    packed_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmcli.artifacts.formats.packing import Rows

    rows = Rows(packed_in / "out.parquet.parts")
    monkeypatch.setattr(webdataset, "AT_ONCE", 1)
    webdataset.write(tmp_path / "w-%03d.tar", rows)
    assert len(list(tmp_path.glob("w-*.tar"))) == COUNT
    monkeypatch.setattr(webdataset, "AT_ONCE", 3)
    webdataset.write(tmp_path / "w-%03d.tar", rows)
    assert sorted(p.name for p in tmp_path.glob("w-*.tar")) == ["w-000.tar", "w-001.tar"]
    with pytest.raises(UsageError, match="no place for the number"):
        webdataset.check(tmp_path / "w.tar")


def test_what_cannot_be_written_is_said_before_the_work(sounds: Path, tmp_path: Path) -> None:
    assert extract(sounds, tmp_path / "w.tar") == 2
    assert extract(sounds, tmp_path / "none" / "x" / "\0.parquet") == 2 or not list(tmp_path.iterdir())
    assert not list(tmp_path.glob("*.parts"))


def test_info_writes_one_features_file_as_parquet(packed_in: Path, tmp_path: Path) -> None:
    one = next((packed_in / "out.parquet.parts").glob("*.npz"))
    assert app.run(["info", str(one), "--to", str(tmp_path / "t.parquet"), "--quiet"]) == 0
    table, source = pandas.read_parquet(tmp_path / "t.parquet"), features.load(one)
    assert np.array_equal(table["time"], source.times)
    assert np.array_equal(table.iloc[:, 1:].to_numpy(np.float32), source.flat())


class Numbered:
    """As Rows of a folder of features would be: 20,000 items, each with its number as its values."""

    streams = ("series.raw",)

    def __iter__(self) -> Iterator[Packed]:
        meta = {"kind": "vector", "modality": "series"}
        for k in range(20_000):
            one = features.Features(np.full((1, 16), k, np.float32), np.zeros(1), meta)
            yield Packed(str(k), "", "", "", {"series.raw": one})


def test_twenty_thousand_features_are_read_by_pandas_polars_and_datasets(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    out = tmp_path / "out.parquet"
    packs.registry.load("parquet").write(out, Numbered())
    expected = np.arange(20_000)
    assert np.array_equal([v[0] for v in pandas.read_parquet(out)["series.raw"]], expected)
    assert np.array_equal([v[0] for v in polars.read_parquet(out)["series.raw"]], expected)
    loaded = datasets.Dataset.from_parquet(str(out), cache_dir=str(tmp_path / "cache"))
    assert np.array_equal([v[0] for v in loaded["series.raw"]], expected)
