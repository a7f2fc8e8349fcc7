"""A folder of shards holds what the one file would hold; what needs everything at once is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset, features, manifest, shards
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app
from mmcli.errors import InputError, UsageError
from mmcli.fusion import normalise
from mmcli.fusion.dataset import assemble, fused
from mmcli.fusion.dataset.assemble import Plan


@pytest.fixture
def source(tmp_path) -> Path:
    """Thirty items of sequences and vectors, some without one of them, one damaged; classes 2 : 1; no split column."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(30):
        row = {"id": f"i{i}", "label": "aab"[i % 3]}
        if i % 7 != 3:
            frames = rng.normal(5 + i % 3, 2, size=(4 + i, 3)).astype(np.float32)
            row["audio.own"] = save(tmp_path, f"a{i}.npz", frames, kind="sequence")
        if i % 5 != 1 or "audio.own" not in row:
            vector = rng.normal(-1 - i % 3, 3, size=(1, 2)).astype(np.float32)
            row["series.own"] = save(tmp_path, f"v{i}.npz", vector, kind="vector")
        lines.append(row)
    (tmp_path / "a9.npz").write_bytes((tmp_path / "a9.npz").read_bytes()[:-50])
    path = tmp_path / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def save(folder: Path, name: str, values: np.ndarray, **meta: object) -> str:
    features.save(folder / name, Features(values, np.arange(len(values)) * 0.1, meta))
    return name


def both(source: Path, *options: str) -> tuple[dataset.Dataset, dataset.Dataset]:
    """The data set in one file, and in shards of a few items."""
    one, several = source.parent / "d.npz", source.parent / "d"
    assert app.run(["fuse", str(source), "-o", str(one), "-q", *options]) == 3  # one row is damaged
    assert app.run(["fuse", str(source), "-o", f"{several}/", "--shard-size", "1kB", "-q", *options]) == 3
    assert len(list(several.glob("shard-*.npz"))) > 3
    return dataset.load(one), shards.load(several).held()


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--normalise", "l2"],
        ["--normalise", "none"],
        ["--balance", "weight"],
        ["--balance", "augment", "--seed", "2", "--set", "augment.flip=true"],
        ["--strategy", "concat"],
        ["--strategy", "block", "--reference", "series"],
        ["--balance", "augment", "--strategy", "concat"],
    ],
)
def test_the_folder_holds_the_bytes_of_the_file(source, options):
    one, several = both(source, *options)

    assert dataset.dumps(several) == dataset.dumps(one)


@pytest.mark.parametrize("options", [["--strategy", "cca"], ["--strategy", "mean", "--reference", "series"]])
def test_fitted_projections_agree_to_rounding(source, options):
    """A product of matrices of one row may be summed in another order than that of many."""
    one, several = both(source, *options)

    assert one.meta == several.meta
    assert np.allclose(one.streams["fused"].values, several.streams["fused"].values, rtol=0, atol=1e-6)
    del one.streams["fused"], several.streams["fused"]
    assert dataset.dumps(several) == dataset.dumps(one)


@pytest.mark.parametrize("options", [["--normalise", "robust"], ["--balance", "match"]])
def test_what_needs_everything_at_once_is_refused_before_anything_is_written(source, options, capsys):
    assert app.run(["fuse", str(source), "-o", f"{source.parent}/d/", *options]) == 2

    assert "-o DATASET.npz" in capsys.readouterr().err
    assert not (source.parent / "d").exists()


def test_a_fit_or_a_growth_that_does_not_fit_into_memory_is_refused(source, monkeypatch):
    monkeypatch.setattr("mmcli.artifacts.io.lazy.HELD", 100)

    for plan, words in ((Plan(strategy="cca"), "--strategy cca is fitted"), (Plan(balance="augment"), "augment makes")):
        with pytest.raises(UsageError, match=words):
            assemble.assemble(manifest.load(source), plan, lazily=True)


@pytest.mark.parametrize("options", [[], ["--strategy", "concat"], ["--balance", "weight"]])
def test_settings_of_what_is_not_done_are_refused(source, options):
    assert app.run(["fuse", str(source), "-o", f"{source.parent}/d/", "--set", "augment.flip=true", *options]) == 2


@pytest.mark.parametrize("size", ["0", "big", "-1MB", "1TB"])
def test_a_size_that_is_none_is_refused(source, size):
    assert app.run(["fuse", str(source), "-o", f"{source.parent}/d/", "--shard-size", size]) == 2


def test_the_size_of_shards_needs_a_folder(source):
    assert app.run(["fuse", str(source), "-o", str(source.parent / "d.npz"), "--shard-size", "1MB"]) == 2


def test_features_that_change_meanwhile_are_noticed(source):
    found = assemble.assemble(manifest.load(source), Plan(), lazily=True).dataset
    save(source.parent, "v0.npz", np.ones((1, 2), np.float32), kind="vector")

    with pytest.raises(InputError, match="i0: series changed"):
        found.held()


def test_one_item_lacking_a_modality_is_fused_as_wide_as_the_others(source):
    found = assemble.assemble(manifest.load(source), Plan(strategy="concat"), lazily=True).dataset
    stream = found.streams[fused.NAME]

    lacking = np.flatnonzero(stream.present & ~found.streams["series"].present)
    assert len(lacking)
    assert all(stream.item(int(i)).values.shape[1] == stream.width for i in lacking)


def test_moments_of_items_are_those_of_all_their_rows():
    """Far from zero, where a sum of squares would have lost everything."""
    rng = np.random.default_rng(1)
    items = [1e8 + rng.normal(size=(int(n), 3)) for n in rng.integers(1, 9, 50)]
    rows = np.concatenate(items)

    found = normalise.fit_items(items, "zscore")

    assert np.allclose(found["center"], rows.mean(axis=0), rtol=1e-15)
    assert np.allclose(found["scale"], rows.std(axis=0), rtol=1e-9)
