"""From a manifest of features to a data set: kept apart, marked where missing, fitted on the training rows alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import alignment, dataset, features, manifest
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.cli import app
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.fusion.dataset import assemble
from mmcli.fusion.dataset.assemble import Plan

SPLITS = ["train"] * 6 + ["val"] * 2 + ["test"] * 2


def write(folder: Path, name: str, values, times=None, **meta) -> str:
    values = np.asarray(values, dtype=np.float32)
    times = np.arange(len(values)) * 0.1 if times is None else np.asarray(times, dtype=np.float64)
    features.save(folder / name, Features(values, times, meta))
    return name


@pytest.fixture
def rows(tmp_path):
    """Ten items: a spectrogram of 3 bands and a vector of 2; item 3 has no vector."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(10):
        row = {"id": f"i{i}", "split": SPLITS[i], "label": "ab"[i % 2], "group": f"g{i}"}
        frames = rng.normal(5 + i, 2, size=(4 + i, 3))
        row["audio.logmel"] = write(tmp_path, f"a{i}.npz", frames, kind="spectrogram", extractor="logmel")
        if i != 3:
            vector = rng.normal(-1, 3, size=(1, 2))
            row["series.raw"] = write(tmp_path, f"v{i}.npz", vector, kind="vector", extractor="raw")
        lines.append(row)
    return tmp_path, lines


def save(folder: Path, lines: list[dict]) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def build(folder: Path, lines: list[dict], **plan):
    return assemble.assemble(manifest.load(save(folder, lines)), Plan(**plan))


def test_every_modality_is_kept_apart_with_its_own_rows(rows):
    data = build(*rows).dataset

    assert data.modalities == ["audio", "series"]
    assert data.streams["audio"].values.shape == (sum(4 + i for i in range(10)), 3)
    assert data.streams["series"].present.tolist() == [i != 3 for i in range(10)]
    assert data.meta["task"] == "classify"
    assert data.meta["classes"] == ["a", "b"]


def test_the_normaliser_sees_the_training_rows_only(rows):
    folder, lines = rows
    data = build(folder, lines).dataset
    train = np.concatenate([features.load(folder / f"a{i}.npz").values for i in range(6)])

    state = data.streams["audio"].meta["normaliser"]

    assert np.allclose(state["center"], train.mean(axis=0, dtype=np.float64), atol=1e-5)
    expected = (features.load(folder / "a9.npz").values - state["center"]) / state["scale"]
    assert np.allclose(data.streams["audio"].item(9).values, expected, atol=1e-5)


def test_a_data_set_survives_its_file(rows, tmp_path):
    data = build(*rows, strategy="concat", strategy_config=None).dataset

    dataset.save(tmp_path / "d.npz", data)
    back = dataset.load(tmp_path / "d.npz")

    assert back.meta == data.meta
    for name, stream in data.streams.items():
        assert np.array_equal(back.streams[name].values, stream.values)


def test_the_fused_stream_has_the_frames_of_the_reference(rows):
    found = build(*rows, strategy="concat")

    fused = found.dataset.streams["fused"]
    assert np.array_equal(fused.offsets, found.dataset.streams["audio"].offsets)
    assert fused.values.shape[1] == 3 + 2 + 2  # both blocks, and a flag each, for one item lacks its vector
    assert any("training mean" in note for note in found.notes)


def test_a_static_reference_gives_one_fused_frame_an_item(rows):
    fused = build(*rows, strategy="concat", reference="series").dataset.streams["fused"]

    assert np.diff(fused.offsets).tolist() == [1] * 10
    assert fused.values.shape[1] == 2 * 3 + 2 + 2  # mean and deviation of the spectrogram, the vector, the flags


@pytest.mark.parametrize("strategy", ["block", "cca", "concat", "weighted"])
def test_a_strategy_without_a_configuration_takes_its_default(rows, strategy):
    assert "fused" in build(*rows, strategy=strategy, reference="series").dataset.streams


def test_different_widths_are_projected_and_it_is_said(rows):
    found = build(*rows, strategy="mean", reference="series")

    assert found.dataset.streams["fused"].values.shape[1] == 2
    assert any("projected onto 2 principal components" in note for note in found.notes)


def test_without_splits_the_digest_decides_and_it_is_said(rows):
    folder, lines = rows
    found = build(folder, [{k: v for k, v in line.items() if k != "split"} for line in lines])

    assert any("60/20/20" in note for note in found.notes)
    assert found.dataset.meta["split_rule"].startswith("60/20/20")


def test_a_damaged_file_costs_its_row_only(rows):
    folder, lines = rows
    (folder / "a2.npz").write_bytes((folder / "a2.npz").read_bytes()[:100])

    found = build(folder, lines)

    assert [item for item, _ in found.failed] == ["i2"]
    assert found.dataset.items == 9
    assert found.dataset.meta["errors"] == 1


def test_rows_that_failed_earlier_are_counted(rows):
    folder, lines = rows
    lines.append({"id": "bad", "split": "train", "label": "a", "error": "cannot be decoded"})

    assert build(folder, lines).dataset.meta["errors"] == 1


def test_items_made_differently_are_refused_by_name(rows):
    folder, lines = rows
    write(folder, "a7.npz", np.zeros((5, 4)), kind="spectrogram", extractor="logmel")

    with pytest.raises(MismatchError, match="'i7' has frames of shape"):
        build(folder, lines)


def test_media_in_a_column_is_answered_with_extract(rows):
    folder, lines = rows
    for line in lines:
        line["audio"] = "x.wav"

    with pytest.raises(InputError) as raised:
        build(folder, lines)

    assert "mmcli extract" in str(raised.value)


def test_an_unknown_reference_names_the_nearest(rows):
    with pytest.raises(UsageError) as raised:
        build(*rows, reference="serie")

    assert "did you mean 'series'" in str(raised.value)


def test_a_map_puts_a_modality_on_the_clock_of_the_reference(rows):
    folder, lines = rows
    source = {"name": "v.wav", "size": 1, "sha256": "a" * 64}
    for i, line in enumerate(lines):
        line["video.motion"] = write(folder, f"m{i}.npz", np.ones((5, 1)), kind="sequence", source=source)
        line["map.video"] = "map.json"
    alignment.save(folder / "map.json", line_map(2.0, source["sha256"]))

    data = build(folder, lines).dataset

    assert np.allclose(data.streams["video"].item(0).times, 2.0 + np.arange(5) * 0.1)


def test_a_map_for_another_file_is_refused(rows):
    folder, lines = rows
    for i, line in enumerate(lines):
        line["video.motion"] = write(
            folder, f"m{i}.npz", np.ones((5, 1)), source={"name": "v", "size": 1, "sha256": "b" * 64}
        )
        line["map.video"] = "map.json"
    alignment.save(folder / "map.json", line_map(2.0, "a" * 64))

    with pytest.raises(MismatchError, match="not for this file"):
        build(folder, lines)


def line_map(offset: float, query: str, reference: str | None = None) -> Alignment:
    return Alignment(
        model="offset",
        knots=np.array([[offset, 0.0], [offset + 1.0, 1.0]]),
        offset_s=offset,
        rate=1.0,
        ppm=0.0,
        reference={"name": "r", "sha256": reference, "duration_s": 10.0},
        query={"name": "v.wav", "sha256": query, "duration_s": 10.0},
        quality={"ratio": None, "verdict": "match", "reason": "by hand"},
        method={"name": "hand", "config": {}},
    )


def test_the_same_manifest_gives_the_same_bytes(rows):
    folder, lines = rows
    path = save(folder, lines)

    for name in ("one.npz", "two.npz"):
        assert app.run(["fuse", str(path), "-o", str(folder / name), "--strategy", "mean", "-q"]) == 0

    assert (folder / "one.npz").read_bytes() == (folder / "two.npz").read_bytes()


@pytest.mark.parametrize("option", [["--align", "m.json"], ["--rate", "5"], ["--pool", "max"], ["--spans", "m.json"]])
def test_an_option_for_single_items_is_refused_with_a_manifest(rows, option):
    path = save(*rows)

    assert app.run(["fuse", str(path), "-o", str(path.parent / "d.npz"), *option]) == 2


def test_own_arrays_take_part_row_by_row(tmp_path):
    values = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    np.save(tmp_path / "mine.npy", values)
    lines = [{"id": f"i{i}", "split": SPLITS[i], "label": "a", "series.mine": f"mine.npy#{i}"} for i in range(10)]

    data = build(tmp_path, lines, normalise="none").dataset

    assert np.array_equal(data.streams["series"].values, values)
