"""From whom an item borrows what it lacks: real training items, by label, in time, or by what both have."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats import dataset
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.errors import ArtifactError, InputError, UsageError
from mmcli.fusion.dataset import balance


def vectors(rows: np.ndarray, present: np.ndarray) -> Stream:
    offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int64)
    return Stream(rows[present].astype(np.float32), offsets, np.zeros(present.sum()), present, None, {"kind": "vector"})


@pytest.fixture
def data() -> Dataset:
    """80 items on a line: item i stands at place i in its audio; every third lacks video, and every tenth is a test."""
    places = np.arange(80.0)
    audio = np.stack([places, np.sin(places)], axis=1)
    video = np.random.default_rng(0).normal(size=(80, 3))
    split = np.where(np.arange(80) % 10 == 9, "test", "train")
    label = np.where(np.arange(80) < 40, "low", "high")
    streams = {"audio": vectors(audio, np.ones(80, bool)), "video": vectors(video, np.arange(80) % 3 != 0)}
    group = [f"film{i // 20}" for i in range(80)]
    ids = [f"i{i}" for i in range(80)]
    return Dataset(streams, ids, split, group, label, meta={"task": "classify", "classes": ["high", "low"]})


def pools(found: Dataset) -> dict[int, np.ndarray]:
    video = found.streams["video"]
    spans = zip(video.partner_offsets[:-1], video.partner_offsets[1:], strict=True)
    return {i: video.partners[a:b] for i, (a, b) in enumerate(spans) if b > a}


@pytest.mark.parametrize("by", balance.WAYS)
def test_a_pool_holds_real_training_items_of_the_class_and_nobody_else_borrows(data: Dataset, by: str) -> None:
    before = data.streams["video"].present
    found, notes = balance.apply(data, "match", 1, by, np.arange(80.0) % 20)
    needy = set(np.flatnonzero((data.split == "train") & ~before).tolist())

    assert set(pools(found)) == needy
    assert f"by {by}" in notes[0]
    for item, pool in pools(found).items():
        assert before[pool].all()
        assert (data.split[pool] == "train").all()
        assert (data.label[pool] == data.label[item]).all()
        drawn = found.streams["video"].item(item).values
        assert any(np.array_equal(drawn, data.streams["video"].item(int(p)).values) for p in pool)
    again = dataset.loads(dataset.dumps(found), "matched").streams["video"]
    assert np.array_equal(again.partners, found.streams["video"].partners)
    assert np.array_equal(again.partner_offsets, found.streams["video"].partner_offsets)


def test_in_time_the_nearest_of_the_same_recording(data: Dataset) -> None:
    found, _ = balance.apply(data, "match", 1, "time", np.arange(80.0) % 20)
    for item, pool in pools(found).items():
        assert len(pool) == 8
        assert set(data.group[pool]) == {data.group[item]}
    assert pools(found)[30].tolist() == [23, 25, 26, 28, 31, 32, 34, 35]


def test_the_nearest_neighbours_are_those_of_a_slow_search(data: Dataset) -> None:
    found, _ = balance.apply(data, "match", 1, "neighbour")
    audio = data.streams["audio"].values.astype(np.float64)
    train = data.rows("train")
    scaled = (audio - audio[train].mean(0)) / audio[train].std(0)
    for item, pool in pools(found).items():
        own = [i for i in train if data.streams["video"].present[i] and data.label[i] == data.label[item]]
        nearest = sorted(own, key=lambda i: ((scaled[i] - scaled[item]) ** 2).mean())[:8]
        assert pool.tolist() == sorted(nearest)


def test_numbers_and_no_labels(data: Dataset) -> None:
    data.label, data.meta = np.arange(80.0), data.meta | {"task": "regress", "classes": None}
    found, _ = balance.apply(data, "match", 1)
    assert pools(found)[30].tolist() == [23, 25, 26, 28, 31, 32, 34, 35]
    data.label, data.meta = None, data.meta | {"task": None}
    found, _ = balance.apply(data, "match", 1, "neighbour")
    assert len(pools(found)[30]) == 8
    with pytest.raises(InputError, match="one label an item"):
        balance.apply(data, "match", 1)
    with pytest.raises(InputError, match="needs a start column"):
        balance.apply(data, "match", 1, "time")
    with pytest.raises(UsageError, match="unknown way to match 'near'"):
        balance.apply(data, "match", 1, "near")


def test_a_selection_keeps_the_partners_that_are_in_it(data: Dataset) -> None:
    found, _ = balance.apply(data, "match", 1, "time", np.arange(80.0) % 20)
    part = found.select([35, 30, 25, 26])
    part.check()
    assert {i: pool.tolist() for i, pool in pools(part).items()} == {1: [2, 3, 0]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.partners.__setitem__(0, 9), "outside the training split"),
        (lambda s: s.partners.__setitem__(0, 800), "not there"),
        (lambda s: s.made.__setitem__(30, False), "borrows nothing"),
        (lambda s: s.partner_offsets.__setitem__(-1, 3), "do not go with the pool"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(data: Dataset, change: object, words: str) -> None:
    found, _ = balance.apply(data, "match", 1, "time", np.arange(80.0) % 20)
    change(found.streams["video"])
    with pytest.raises(ArtifactError, match=words):
        found.check()
