"""A data set in shards is what was saved, or it is refused and the shard is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import fuzz_seeds
import numpy as np
import pytest

from mmcli.artifacts.formats import dataset, inspect, shards
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import jsonfile
from mmcli.errors import ArtifactError, OutputError, UsageError


def whole(task: str = "classify", items: int = 12) -> Dataset:
    """Sequences with gaps, and vectors of which some are made."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 5, items)
    count = int(lengths.sum())
    times = np.concatenate([np.arange(n) * 0.5 for n in lengths])
    values = rng.normal(size=(count, 3)).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    meta = {"kind": "sequence", "normaliser": {"method": "zscore", "center": [0.1, 1 / 3, 2e-9], "scale": [1.0] * 3}}
    audio = Stream(values, offsets, times, lengths > 0, meta=meta)
    made = np.arange(items) % 4 == 0
    every = np.ones(items, bool)
    vector = rng.normal(size=(items, 2)).astype(np.float32)
    table = Stream(vector, np.arange(items + 1), np.zeros(items), every, made, {"kind": "vector"})
    split = np.where(np.arange(items) % 4 == 3, "test", "train")
    label: object = {
        "classify": np.array(["no", "yes, long"])[np.arange(items) % 2],
        "regress": np.where(np.arange(items) == 5, np.nan, rng.normal(size=items)),
        "multilabel": rng.random((items, 2)) > 0.5,
    }[task]
    facts = {"task": task, "classes": None if task == "regress" else ["no", "yes, long"]}
    names = [f"item{'x' * i}" for i in range(items)]
    return Dataset({"audio": audio, "table": table}, names, split, ["g", ""] * (items // 2), label, meta=facts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shards.save(tmp_path / "d", whole(), 200)
    assert len(list((tmp_path / "d").glob("shard-*.npz"))) > 2
    return tmp_path / "d"


@pytest.mark.parametrize("task", ["classify", "regress", "multilabel"])
@pytest.mark.parametrize("size", [1, 200, 10**9])
def test_a_data_set_survives_its_folder_bit_for_bit(tmp_path, task, size):
    given = whole(task)
    shards.save(tmp_path / "d", given, size)

    found = shards.load(tmp_path / "d").held()

    assert dataset.dumps(found) == dataset.dumps(given)


def test_what_a_format_allows_survives(tmp_path):
    given = fuzz_seeds.dataset_value()
    shards.save(tmp_path / "d", given, 1)

    assert dataset.dumps(shards.load(tmp_path / "d").held()) == dataset.dumps(given)


def test_the_same_data_set_gives_the_same_bytes_and_a_shard_is_a_data_set(folder, tmp_path):
    digest = shards.save(tmp_path / "again", whole(), 200)

    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    assert digest == shards.source_of(folder)["sha256"]
    assert dataset.load(folder / "shard-00001.npz").meta == shards.load(folder).meta


def test_a_smaller_data_set_leaves_nothing_of_the_larger_one(folder):
    shards.save(folder, whole(), 10**9)

    assert sorted(path.name for path in folder.iterdir()) == ["index.json", "shard-00000.npz"]
    assert shards.load(folder).items == 12


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda f: (f / "shard-00001.npz").unlink(), "shard-00001.npz: is missing"),
        (lambda f: shutil.copy(f / "shard-00000.npz", f / "shard-00001.npz"), "shard-00001.npz: "),
        (lambda f: cut(f / "shard-00001.npz", 10), "shard-00001.npz: has .* bytes, the index says"),
        (lambda f: flip(f / "shard-00001.npz"), "shard-00001.npz: is not the shard"),
        (lambda f: (f / "index.json").unlink(), "not finished"),
        (lambda f: cut(f / "index.json", 40), "index.json: "),
        (lambda f: edit(f, sealed=False, items=11), "does not match its content_sha256"),
        (lambda f: edit(f, items=11), "other items"),
        (lambda f: edit(f, splits={"train": 12}), "other items"),
        (lambda f: edit(f, shards=[]), "names 0 shards"),
        (lambda f: entry(f, name="../d/shard-00001.npz"), "as shard 1"),
        (lambda f: entry(f, name="shard-00000.npz"), "as shard 1"),
        (lambda f: entry(f, sha256="0" * 64), "shard-00001.npz: is not the shard"),
        (lambda f: entry(f, items=99), "shard-00001.npz: has other items"),
        (lambda f: entry(f, rows={"audio": 1, "table": 1}), "shard-00001.npz: has other rows"),
        (lambda f: edit(f, meta={"schema": "mmcli/dataset@1"}), "shard-00000.npz: has another meta"),
    ],
)
def test_a_torn_folder_is_refused_by_the_shard(folder, harm, words):
    harm(folder)

    with pytest.raises(ArtifactError, match=words):
        shards.load(folder)
    assert shards.is_folder(folder)


def test_shards_that_share_an_id_are_refused(folder):
    """Each is sound and named by a sealed index; together they are no data set."""
    index = json.loads((folder / "index.json").read_text())
    first = dict(index["shards"][0], name="shard-00001.npz")
    shutil.copy(folder / "shard-00000.npz", folder / "shard-00001.npz")
    splits = {name: 2 * count for name, count in first["splits"].items()}
    edit(folder, shards=[index["shards"][0], first], items=2 * first["items"], splits=splits)

    with pytest.raises(ArtifactError, match="an id stands twice"):
        shards.load(folder)


def test_a_shard_that_changes_after_opening_is_not_believed(folder):
    found = shards.load(folder)
    path = folder / "shard-00000.npz"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[::-1])

    with pytest.raises(ArtifactError, match=r"shard-00000\.npz: was replaced"):
        found.streams["table"].item(0)


def test_an_unfinished_folder_can_be_written_again(folder):
    (folder / "index.json").unlink()
    (folder / ".mmcli-tmp-1-1.npz").write_bytes(b"left by a kill")

    shards.save(folder, whole(), 200)

    assert shards.load(folder).items == 12
    assert not list(folder.glob(".mmcli-tmp-*"))


def test_a_folder_with_anything_else_is_left_alone(folder):
    (folder / "notes.txt").write_text("mine")
    before = (folder / "index.json").read_bytes()

    with pytest.raises(OutputError, match=r"notes\.txt"):
        shards.save(folder, whole(), 200)

    assert (folder / "index.json").read_bytes() == before
    assert shards.load(folder).items == 12


def test_pools_of_partners_have_no_place_in_a_shard(tmp_path):
    given = whole()
    given.streams["table"].partners = np.zeros(0, np.int64)
    given.streams["table"].partner_offsets = np.zeros(given.items + 1, np.int64)

    with pytest.raises(UsageError, match="other shards"):
        shards.save(tmp_path / "d", given, 200)


def test_info_knows_a_folder_and_its_index(folder):
    found = inspect.validate(folder)

    assert found["schema"] == "mmcli/shards@1"
    assert found["summary"]["items"] == 12
    assert found["summary"]["shards"] == len(list(folder.glob("shard-*.npz")))
    with pytest.raises(ArtifactError, match="name its folder"):
        inspect.recognise(folder / "index.json")


def test_a_folder_of_anything_else_is_not_taken_for_one(tmp_path):
    (tmp_path / "index.json").write_text("{}")

    assert not shards.is_folder(tmp_path)


def cut(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def edit(folder: Path, *, sealed: bool = True, **change: object) -> None:
    path = folder / "index.json"
    index = json.loads(path.read_text()) | change
    if sealed:
        content = {key: value for key, value in index.items() if key != "content_sha256"}
        path.write_bytes(jsonfile.dumps_sealed(content))
    else:
        path.write_text(jsonfile.layout(index))


def entry(folder: Path, **change: object) -> None:
    index = json.loads((folder / "index.json").read_text())
    index["shards"][1] |= change
    edit(folder, shards=index["shards"])
