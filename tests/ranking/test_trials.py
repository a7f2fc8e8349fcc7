"""Items taken for new tell whether content places them: the test's moments are exact, and every item is taken once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import norm

from mmcli.ranking import trials


def test_the_moments_are_those_of_all_exchanges():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(7, 5)).astype(np.float32)
    wanted = sp.csr_matrix((rng.random((7, 5)) < 0.4).astype(np.float32))
    gain, variance = trials.agreement(scores, wanted)
    level = scores - scores.mean(1, keepdims=True)
    level /= level.std(1, keepdims=True)
    every = [float((wanted.toarray() * level[:, list(order)]).sum()) for order in itertools.permutations(range(5))]
    assert gain == pytest.approx(every[0] - np.mean(every), abs=1e-4)
    assert variance == pytest.approx(np.var(every), rel=1e-4)


def test_several_folds_count_with_twice_their_variance():
    assert trials.chance([(2.0, 1.0)]) == pytest.approx(norm.sf(2.0))
    assert trials.chance([(2.0, 1.0)] * 2) == pytest.approx(norm.sf(2.0))
    assert trials.chance([(0.0, 0.0)]) == 1.0


def test_every_known_item_is_taken_for_new_once():
    items = [f"i{n}" for n in range(23)]
    whole = sp.random(40, 23, 0.3, format="csr", random_state=1)
    whole.data[:] = 1
    known = np.asarray(whole.sum(0)).ravel() > 0
    folds = list(trials._folds(items, whole))
    assert len(folds) == trials.FOLDS
    assert (np.sum(folds, axis=0) == known).all()
