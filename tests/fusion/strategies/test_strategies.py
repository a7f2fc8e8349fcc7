"""What each strategy computes, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.errors import InputError, UsageError
from mmcli.fusion import blocks
from mmcli.fusion.blocks import Blocks
from mmcli.fusion.strategies import concat, mean, weighted

BOTH = np.array([True, True])


def test_concat_keeps_every_column_in_order():
    data = Blocks({"a": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([[5.0], [6.0]])}, {"a": BOTH, "b": BOTH})

    assert concat.fuse(data, concat.Config(), concat.fit(data, concat.Config())).tolist() == [[1, 2, 5], [3, 4, 6]]


def test_concat_fills_with_the_training_mean_and_flags_it():
    there = np.array([True, False])
    data = Blocks({"a": np.array([[4.0], [99.0]]), "b": np.array([[1.0], [3.0]])}, {"a": there, "b": BOTH})

    fused = concat.fuse(data, concat.Config(), concat.fit(data, concat.Config()))

    assert fused.tolist() == [[4, 1, 1, 1], [4, 3, 0, 1]]


def test_weights_are_renormalised_over_what_is_there():
    there = np.array([True, False])
    data = Blocks({"a": np.array([[4.0], [99.0]]), "b": np.array([[0.0], [8.0]])}, {"a": there, "b": BOTH})
    config = weighted.Config({"a": 3.0, "b": 1.0})

    assert weighted.fuse(data, config, weighted.fit(data, config)).tolist() == [[3], [8]]


def test_mean_is_the_mean():
    data = Blocks({"a": np.array([[4.0], [1.0]]), "b": np.array([[0.0], [8.0]])}, {"a": BOTH, "b": BOTH})

    assert mean.fuse(data, mean.Config(), mean.fit(data, mean.Config())).tolist() == [[2], [4.5]]


@pytest.mark.parametrize("weights", [{"a": -1.0}, {"a": float("nan")}])
def test_weights_that_cannot_be_averaged_with_are_refused(weights):
    with pytest.raises(UsageError):
        weighted.Config(weights)


def test_a_weight_for_a_modality_that_is_not_there_names_the_nearest():
    data = Blocks({"audio": np.ones((2, 1))}, {"audio": BOTH})

    with pytest.raises(UsageError) as raised:
        weighted.fit(data, weighted.Config({"audo": 1.0}))

    assert "did you mean 'audio'" in str(raised.value)


def test_projection_keeps_the_directions_that_vary_most():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(200, 2))
    wide = hidden @ rng.normal(size=(2, 6)) + 1e-3 * rng.normal(size=(200, 6))
    data = Blocks({"wide": wide, "narrow": hidden}, {m: np.ones(200, bool) for m in ("wide", "narrow")})

    state = blocks.fit(data)

    assert state["width"] == 2
    found = blocks.apply(wide, state["blocks"]["wide"])
    rebuilt = np.linalg.lstsq(np.c_[found, np.ones(200)], hidden, rcond=None)[0]
    assert np.abs(np.c_[found, np.ones(200)] @ rebuilt - hidden).max() < 0.01


def test_projection_needs_two_training_rows():
    data = Blocks({"a": np.ones((2, 3)), "b": np.ones((2, 1))}, {"a": np.array([True, False]), "b": BOTH})

    with pytest.raises(InputError, match="has 1 training rows"):
        blocks.fit(data)
