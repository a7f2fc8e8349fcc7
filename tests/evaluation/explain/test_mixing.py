"""Items encoded once and combined at will give the answers of data sets combined at will."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.evaluation.explain import mixing

from ..conftest import made
from ..networks import access_to, net, predict_with, stack


@pytest.mark.parametrize("fusion", ["concat", "mean", "weighted", "attention"])
def test_mixing_vectors_gives_the_answers_of_mixing_data(fusion):
    data = made(40, missing=0.3)
    access = access_to(net(fusion))
    rows = data.rows("train")
    fast = mixing.mixer(predict_with(access), access, data, rows)
    slow = mixing.OfDatasets(predict_with(access), data, rows)
    rng = np.random.default_rng(0)
    source = rng.integers(0, len(rows), (60, 2))
    keep = rng.random((60, 2)) < 0.7
    asked = (keep & fast.present[source, [0, 1]]).any(axis=1)

    assert isinstance(fast, mixing.OfParts)
    assert np.array_equal(fast.present, slow.present)
    assert fast.scores(source, keep)[asked] == pytest.approx(slow.scores(source, keep)[asked], abs=1e-5)


@pytest.mark.parametrize("fallback", [False, True])
def test_a_pool_is_taken_apart_without_changing_its_answers(fallback):
    data = made(40, missing=0.3)
    access = access_to(stack(fallback=fallback))
    rows = data.rows("train")
    fast = mixing.mixer(predict_with(access), access, data, rows)
    slow = mixing.OfDatasets(predict_with(access), data, rows, ["x", "y"])
    order = [slow.names.index(name) for name in fast.names]
    rng = np.random.default_rng(0)
    source, keep = rng.integers(0, len(rows), (60, 2)), rng.random((60, 2)) < 0.7

    assert isinstance(fast, mixing.OfParts)
    assert np.array_equal(fast.present, slow.present[:, order])
    back = np.argsort(order)
    assert fast.scores(source, keep) == pytest.approx(slow.scores(source[:, back], keep[:, back]), abs=1e-5)
