"""Imbalance is mended in the training split only, what was made is marked, and the same seed makes the same."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.errors import InputError
from mmcli.fusion.dataset import augment, balance


def stream(values: list[np.ndarray | None], **meta) -> Stream:
    present = np.array([v is not None for v in values])
    there = [v for v in values if v is not None]
    lengths = [0 if v is None else len(v) for v in values]
    times = [np.arange(len(v), dtype=np.float64) for v in there]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Stream(np.concatenate(there).astype(np.float32), offsets, np.concatenate(times), present, None, meta)


@pytest.fixture
def data() -> Dataset:
    """60 items, class b three times rarer than a; audio says the class, video says nothing and lacks every fourth."""
    rng = np.random.default_rng(0)
    label = np.array(["b" if i % 4 == 0 else "a" for i in range(60)])
    split = np.array(["train"] * 40 + ["val"] * 10 + ["test"] * 10)
    audio = [(4.0 * (name == "b") + rng.normal(size=(3 + i % 2, 2))) for i, name in enumerate(label)]
    video = [None if i % 4 == 1 else rng.normal(size=(1, 3)) for i in range(60)]
    streams = {"audio": stream(audio, kind="spectrogram"), "video": stream(video, kind="vector")}
    ids = [f"i{i}" for i in range(60)]
    return Dataset(
        streams, ids, split, [f"g{i}" for i in range(60)], label, meta={"task": "classify", "classes": ["a", "b"]}
    )


@pytest.mark.parametrize("method", ["weight", "augment", "match"])
def test_validation_and_test_are_never_touched_and_the_result_is_a_data_set(data, method):
    before = data.select(np.concatenate([data.rows("val"), data.rows("test")]))

    found, notes = balance.apply(data, method, seed=1)

    dataset.loads(dataset.dumps(found), "balanced")
    after = found.select(np.concatenate([found.rows("val"), found.rows("test")]))
    assert after.id.tolist() == before.id.tolist()
    for name in before.streams:
        assert np.array_equal(after.streams[name].values, before.streams[name].values)
        assert after.streams[name].made is None or not after.streams[name].made.any()
    assert notes


def test_scarce_classes_get_as_many_training_items(data):
    found, _ = balance.apply(data, "augment", seed=1)

    train = found.rows("train")
    assert (found.label[train] == "a").sum() == (found.label[train] == "b").sum() == 30
    made = found.streams["audio"].made
    assert made.sum() == 20
    assert set(found.label[made].tolist()) == {"b"}
    assert len({found.source[i] for i in np.flatnonzero(made)}) == 20


def test_a_made_item_is_near_its_class_and_no_copy(data):
    found, _ = balance.apply(data, "augment", seed=1)

    audio = found.streams["audio"]
    real = {audio.item(i).values.tobytes() for i in np.flatnonzero(~audio.made)}
    for i in np.flatnonzero(audio.made):
        assert audio.item(int(i)).values.tobytes() not in real


def test_a_missing_modality_is_borrowed_from_the_same_class(data):
    owners = {data.streams["video"].item(int(i)).values.tobytes(): data.label[i] for i in data.rows("train")}

    found, _ = balance.apply(data, "match", seed=1)

    video = found.streams["video"]
    train = found.rows("train")
    assert video.present[train].all()
    for i in np.flatnonzero(video.made):
        assert owners[video.item(int(i)).values.tobytes()] == found.label[i]
    assert not video.present[found.rows("test")].all()


def test_weights_follow_reliability_and_amount(data):
    found, _ = balance.apply(data, "weight", seed=1)

    assert found.streams["audio"].meta["weight"] > 0.8
    assert found.streams["video"].meta["weight"] < 0.3


def test_the_same_seed_makes_the_same_and_another_seed_another(data):
    one, two, other = (dataset.dumps(balance.apply(data, "augment", seed)[0]) for seed in (1, 1, 2))

    assert one == two
    assert one != other


def test_numbers_have_no_scarce_class(data):
    data.label = np.linspace(0, 1, 60)

    with pytest.raises(InputError, match="scarce classes"):
        balance.apply(data, "augment", seed=0)


@pytest.mark.parametrize(
    ("kind", "shape"), [("spectrogram", (20, 8)), ("image", (1, 12, 10, 3)), ("tokens", (9, 1)), ("vector", (1, 5))]
)
def test_every_kind_is_changed_but_keeps_its_shape(kind, shape):
    rng = np.random.default_rng(3)
    values = (
        rng.integers(2, 9, shape).astype(np.float32) if kind == "tokens" else rng.normal(size=shape).astype(np.float32)
    )
    before = values.copy()

    found = [augment.sample(values, kind, None, np.random.default_rng(seed)) for seed in range(5)]

    assert all(f.shape == shape and f.dtype == np.float32 and np.isfinite(f).all() for f in found)
    assert any(not np.array_equal(f, values) for f in found)
    assert np.array_equal(values, before)
    if kind == "tokens":
        assert all(set(np.unique(f)) <= set(np.unique(values)) | {1.0} for f in found)


def test_pictures_are_mirrored_where_that_is_asked_for():
    """An arrow to the right stays one, but for half of those that may be mirrored."""
    arrow = np.zeros((1, 9, 9, 1), np.float32)
    arrow[:, 2:7, 5:8] = 1.0

    def points_left(flip: bool) -> list[bool]:
        config = augment.Config(flip=flip)
        made = [augment.sample(arrow, "image", None, np.random.default_rng(seed), config) for seed in range(40)]
        return [bool(m[..., :4, :].sum() > m[..., 5:, :].sum()) for m in made]

    assert not any(points_left(False))
    assert 8 < sum(points_left(True)) < 32
