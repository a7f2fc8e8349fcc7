"""Vectors of items in a shared space: what the strategy fitted, by hand; what cannot share a space is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.errors import ArtifactError, MismatchError, UsageError
from mmcli.evaluation.judge import spaces
from mmcli.fusion.dataset import fused

from ..conftest import stream

NAMES = ("a", "b")


def twins(items: int = 60, width: tuple[int, int] = (6, 4), seed: int = 0) -> Dataset:
    """Two views of three hidden numbers; half of the items are for training, the others for testing."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(items, 3))
    streams = {
        name: stream(hidden @ rng.normal(size=(3, w)) + rng.normal(0, 0.05, (items, w)), np.ones(items, bool))
        for name, w in zip(NAMES, width, strict=True)
    }
    split = np.where(np.arange(items) % 2 == 0, "train", "test")
    label = np.where(hidden[:, 0] > 0, "up", "down")
    ids = [f"i{k:03d}" for k in range(items)]
    return Dataset(streams, ids, split, [""] * items, label, meta={"task": "classify", "classes": ["down", "up"]})


def shared(data: Dataset, reference: str = "a") -> Dataset:
    """The data set with the space that cca fits."""
    fused.add(data, "cca", None, reference)
    data.meta["reference"] = reference
    return data


def unscaled(monkeypatch):
    monkeypatch.setattr(spaces, "shares", lambda first, second: np.ones(first.shape[1]))


def test_vectors_are_the_centred_items_times_the_projection_scaled_by_what_is_shared():
    data = shared(twins())
    rows = data.rows("test")
    space = spaces.shared_space(data, NAMES, rows)
    state = data.meta["strategy"]["state"]["blocks"]
    train = [
        (data.streams[n].values[data.rows("train")] - state[n]["center"]) @ np.array(state[n]["projection"])
        for n in NAMES
    ]
    each = np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(train[0].T, train[1].T, strict=True)])
    scale = np.maximum(each, 0) ** 4

    for name in NAMES:
        block = data.meta["strategy"]["state"]["blocks"][name]
        expected = (data.streams[name].values[rows] - np.array(block["center"])) @ np.array(block["projection"])
        assert np.allclose(space.vectors[name], expected * scale, atol=1e-6)
    assert scale[0] > 0.99
    assert scale[-1] < 0.01  # the views share three directions, the space has four
    assert (space.name, space.note) == ("cca", None)


def test_directions_without_anything_in_common_or_nothing_to_see_it_by_leave_no_scale():
    ramp = np.arange(5.0)[:, None]

    assert spaces.shares(ramp, -ramp) is None
    assert spaces.shares(ramp[:2], ramp[:2]) is None
    assert spaces.shares(ramp, np.ones((5, 1))) is None
    data = shared(twins())
    data.split[:] = "test"
    assert "does not say which directions are shared" in spaces.shared_space(data, NAMES, np.arange(60)).note


def test_the_mean_of_both_vectors_is_what_fuse_wrote(monkeypatch):
    unscaled(monkeypatch)
    data = shared(twins())
    rows = np.arange(data.items)
    space = spaces.shared_space(data, NAMES, rows)

    assert np.allclose((space.vectors["a"] + space.vectors["b"]) / 2, data.streams["fused"].values, atol=1e-5)


def test_frames_are_read_on_the_clock_of_the_reference_and_averaged(monkeypatch):
    """b runs at half the rate of a; where a is absent b stands on its own clock."""
    unscaled(monkeypatch)
    rng = np.random.default_rng(1)
    parts = {}
    for name, rate in (("a", 10), ("b", 5)):
        there = np.ones(30, bool)
        there[4] = name == "b"
        lengths = np.where(there, 2 * rate, 0)
        times = np.concatenate([np.arange(n) / rate for n in lengths])
        values = rng.normal(size=(len(times), 3)).astype(np.float32)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        parts[name] = Stream(values, offsets, times, there, None, {"kind": "sequence"})
    ids = [f"i{k}" for k in range(30)]
    data = shared(Dataset(parts, ids, ["train"] * 20 + ["test"] * 10, [""] * 30, meta={"task": None}))
    space = spaces.shared_space(data, NAMES, np.arange(30))
    block = data.meta["strategy"]["state"]["blocks"]["b"]
    own = parts["b"].item(4).values.mean(axis=0)

    assert np.allclose(space.vectors["b"][4], (own - block["center"]) @ np.array(block["projection"]), atol=1e-6)
    assert space.present["a"].tolist() == parts["a"].present.tolist()
    assert space.present["b"].all()
    both = (space.vectors["a"][7] + space.vectors["b"][7]) / 2
    assert np.allclose(both, data.streams["fused"].item(7).values.mean(axis=0), atol=1e-5)


def test_many_items_are_the_same_as_few_at_a_time(monkeypatch):
    data = shared(twins())
    whole = spaces.shared_space(data, NAMES, np.arange(60))
    monkeypatch.setattr(spaces, "AT_ONCE", 7)
    parts = spaces.shared_space(data, NAMES, np.arange(60))

    assert all(np.array_equal(whole.vectors[n], parts.vectors[n]) for n in NAMES)


def test_streams_of_one_width_are_compared_as_they_are_and_that_is_said():
    space = spaces.shared_space(twins(width=(5, 5)), NAMES, np.arange(60))

    assert space.name == "none"
    assert "no shared space was fitted" in space.note
    with pytest.raises(MismatchError, match="6 numbers an item and b 4"):
        spaces.shared_space(twins(), NAMES, np.arange(60))
    with pytest.raises(UsageError, match="no modality 'c'"):
        spaces.shared_space(twins(), ("a", "c"), np.arange(60))


@pytest.mark.parametrize(
    "block",
    [
        None,
        {},
        {"center": [0.0] * 6},
        {"center": "x", "projection": [[1.0]]},
        {"center": [0.0] * 6, "projection": [[1.0], [2.0, 3.0]]},
        {"center": [0.0] * 5, "projection": [[1.0]] * 5},
        {"center": [0.0] * 6, "projection": [[float("nan")]] * 6},
    ],
)
def test_a_damaged_space_is_refused(block):
    data = shared(twins())
    data.meta["strategy"]["state"]["blocks"]["a"] = block
    with pytest.raises(ArtifactError, match=r"'a'|a: items"):
        spaces.shared_space(data, NAMES, np.arange(60))
