"""Normalisers, labels, splits and summaries: what a column of the manifest becomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.fusion import labels, normalise
from mmcli.fusion.summary import summarise


@given(st.integers(2, 60), st.integers(1, 4), st.integers(0, 1000))
def test_zscore_gives_mean_zero_and_deviation_one(rows, width, seed):
    values = np.random.default_rng(seed).normal(3, 5, size=(rows, width))

    found = normalise.apply(values, normalise.fit(values, "zscore")).astype(np.float64)

    assert np.allclose(found.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(found.std(axis=0), 1, atol=1e-5)


def test_robust_ignores_an_outlier():
    values = np.concatenate([np.random.default_rng(0).normal(size=(999, 1)), [[1e9]]])

    state = normalise.fit(values, "robust")

    assert abs(state["center"][0]) < 0.1
    assert abs(state["scale"][0] - 1) < 0.1


def test_l2_gives_frames_of_length_one_and_leaves_zeros():
    found = normalise.apply(np.array([[3.0, 4.0], [0.0, 0.0]]), {"method": "l2"})

    assert np.allclose(found, [[0.6, 0.8], [0, 0]])


def test_a_constant_column_is_centred_not_blown_up():
    values = np.full((5, 1), 7.0)

    assert normalise.apply(values, normalise.fit(values, "zscore")).tolist() == [[0.0]] * 5


def test_image_statistics_are_per_channel():
    values = np.random.default_rng(0).random((10, 8, 8, 3))

    assert len(normalise.fit(values, "zscore")["center"]) == 3


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(UsageError, match="unknown normalisation"):
        normalise.fit(np.ones((2, 2)), "minmax")


def test_whole_numbers_are_classes_in_numeric_order():
    label, task, classes = labels.read(["10", "9", "10"])

    assert (task, classes, label.tolist()) == ("classify", ["9", "10"], ["10", "9", "10"])


def test_fractions_are_numbers():
    label, task, classes = labels.read(["1", "2.5"])

    assert (task, classes, label.dtype) == ("regress", None, np.float64)


def test_sets_become_one_column_per_class():
    label, task, classes = labels.read(["a|b", "b", None], "sets")

    assert (task, classes) == ("multilabel", ["a", "b"])
    assert label.tolist() == [[True, True], [False, True], [False, False]]


def test_no_labels_is_no_task():
    assert labels.read([None, None]) == (None, None, None)


@pytest.mark.parametrize(
    ("given_labels", "kind"), [(["a", None], "auto"), (["a", "1"], "numbers"), (["nan"], "numbers")]
)
def test_labels_that_do_not_fit_are_refused(given_labels, kind):
    with pytest.raises(InputError):
        labels.read(given_labels, kind)


def test_the_digest_split_is_near_60_20_20_and_keeps_groups_together():
    ids = [f"item-{i}" for i in range(5000)]

    found, rule = labels.assign(ids, [None] * 5000, [None] * 5000)

    assert rule == "60/20/20 by a digest of the id"
    assert abs(found.count("train") / 5000 - 0.6) < 0.03
    assert abs(found.count("test") / 5000 - 0.2) < 0.03
    grouped, _ = labels.assign(ids, [None] * 5000, [f"g{i % 50}" for i in range(5000)])
    assert len({(s, i % 50) for i, s in enumerate(grouped)}) == 50


def test_a_row_keeps_its_split_whatever_else_is_there():
    alone, _ = labels.assign(["x"], [None], [None])
    among, _ = labels.assign(["a", "x", "b"], [None] * 3, [None] * 3)

    assert alone[0] == among[1]


def test_a_group_on_two_sides_is_refused_by_name():
    with pytest.raises(MismatchError, match="'anna' is in 'train' and in 'test'"):
        labels.assign(["1", "2"], ["train", "test"], ["anna", "anna"])


def test_a_split_of_another_name_is_refused_with_the_nearest():
    with pytest.raises(InputError) as raised:
        labels.assign(["1"], ["tran"], [None])

    assert "did you mean 'train'" in str(raised.value)


def test_tokens_are_summarised_by_the_share_of_each_word():
    found = summarise(np.array([[1.0], [3.0], [3.0], [0.0]]), {"kind": "tokens", "vocabulary_size": 4})

    assert np.allclose(found, [1 / 3, 0, 2 / 3])


def test_frames_are_summarised_by_mean_and_deviation():
    assert summarise(np.array([[0.0, 1.0], [2.0, 1.0]]), {"kind": "spectrogram"}).tolist() == [1, 1, 1, 0]
