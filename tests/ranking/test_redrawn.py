"""Intervals of new items come from draws of the catalogue that are ranked by scores of models that had not met them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from mmcli.ranking import metrics, redrawn
from mmcli.ranking.trials import Crossed


@pytest.fixture
def crossed():
    """200 users, 100 items of which a few are liked by many; scores that know something of it."""
    rng = np.random.default_rng(5)
    liked = rng.random((200, 100)) < 0.6 / np.arange(1, 101) ** 0.7
    scores = (liked + rng.normal(0, 1, liked.shape)).astype(np.float32)
    among = np.ones(100, bool)
    among[90:] = False
    return Crossed({}, scores, sp.csr_matrix(liked.astype(np.float32)), among)


def test_a_drawn_figure_is_that_of_lists_of_the_drawn_items(crossed):
    reached = redrawn.figures(crossed, 40, seed=7, draws=3)
    rng = np.random.default_rng(7)
    pool = np.flatnonzero(crossed.among)
    empty = sp.csr_matrix(crossed.wanted.shape, dtype=np.float32)
    slow = []
    for _ in range(3):
        drawn = np.zeros(100, bool)
        drawn[pool[rng.permutation(90)[:40]]] = True
        asked = np.flatnonzero((crossed.wanted @ drawn.astype(np.float32)) > 0)
        lists = metrics.rank(lambda rows, asked=asked: crossed.placed[asked].copy(), empty, crossed.wanted, drawn)
        slow.append(metrics.per_user(lists)["ndcg@20"].mean())
    assert reached == pytest.approx(slow, abs=1e-6)


def test_the_half_width_holds_the_difference_of_two_draws(crossed):
    reached = redrawn.figures(crossed, 20, seed=1, draws=200)
    half = redrawn.half_width(reached, 0.9)
    others = redrawn.figures(crossed, 20, seed=2, draws=200)
    held = np.abs(reached[:, None] - others[None]) <= half
    assert 0.86 < held.mean() < 0.94


def test_draws_of_more_than_half_are_told_from_halves(crossed):
    """Deviations shrink as those of samples without replacement do: of all 90 nothing is left."""
    spread = [redrawn.figures(crossed, size, seed=3, draws=200).std() for size in (20, 45, 80, 90)]
    assert spread[0] > spread[1] > spread[2] > 0
    assert spread[3] < 0.2 * spread[1]


def test_an_interval_is_never_made_narrower(crossed):
    wide = metrics.Spread({"ndcg@20": np.array([0.0, 1.0])}, {"ndcg@20": np.array([0.0, 1.0])})
    assert redrawn.wider(crossed, 40, wide, 0.9, 0) == 1.0
    narrow = metrics.Spread({"ndcg@20": np.array([0.4, 0.401])}, {"ndcg@20": np.array([0.4, 0.401])})
    assert redrawn.wider(crossed, 40, narrow, 0.9, 0) > 10
