"""Each method against a slow obvious twin; every scorer is linear in the history."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from mmcli.ranking import content, metrics, registry, splits
from mmcli.ranking.methods import ease, ials, knn, two_tower
from mmcli.ranking.scorer import Sum, cut, top


@pytest.fixture(scope="module")
def histories():
    rng = np.random.default_rng(3)
    return sp.csr_matrix((rng.random((60, 25)) < 0.2).astype(np.float32))


CLOSED = list(registry.names())


@pytest.mark.parametrize("name", CLOSED)
def test_a_method_scores_every_item_and_gives_the_same_twice(name, histories):
    module = registry.load(name)
    first, second = (module.fit(histories, module.GRID[0], 1) for _ in range(2))
    scores = first.scores(histories[:7])
    assert scores.shape == (7, 25)
    assert scores.dtype == np.float32
    assert np.array_equal(scores, second.scores(histories[:7]))
    assert np.array_equal(first.popularity, np.asarray(histories.sum(0)).ravel())


@pytest.mark.parametrize("name", [name for name in CLOSED if name != "pop"])
def test_the_shares_of_a_history_sum_to_the_score(name, histories):
    module = registry.load(name)
    scorer = module.fit(histories, module.GRID[0], 1)
    both = Sum([scorer, ease.fit(histories, ease.Config())], [0.5, 2.0])
    row = histories[4]
    for one in (scorer, both):
        scores = one.scores(row)[0]
        for item in (0, 11, 24):
            target = np.eye(25, dtype=np.float32)[item]
            assert one.shares(row.indices, target).sum() == pytest.approx(scores[item], abs=1e-4)


def test_two_towers_learn_from_content_what_events_alone_do_not_tell(planted):
    """Lists of held-out events are better by the modality that carries taste, and by no other."""
    events, data = planted
    whole = splits.histories(events)
    late = splits.last_of_each(events, np.ones(len(events), bool), 0.3)
    early, later = splits.histories(events, ~late), splits.histories(events, late)
    every = np.ones(whole.shape[1], bool)

    def reached(raw):
        scorer = two_tower.fit(early, two_tower.Config(width=16, passes=15), 0, raw)
        return metrics.per_user(metrics.rank(scorer.scores, early, later, every))[metrics.PRIMARY].mean()

    raw = content.raw_of(data)
    assert reached({"text": raw["text"]}) > reached({}) + 0.03
    assert reached({"text": raw["text"]}) > reached({"image": raw["image"]}) + 0.03


def test_ease_is_the_constrained_ridge_regression_of_each_item_on_all_others(histories):
    dense, reg = histories.toarray().astype(float), 3.0
    matrix = ease.of_gram(dense.T @ dense, reg)
    for item in (0, 7, 24):
        others = np.delete(np.arange(25), item)
        X = dense[:, others]
        weights = np.linalg.solve(X.T @ X + reg * np.eye(24), X.T @ dense[:, item])
        assert matrix[others, item] == pytest.approx(weights, abs=1e-4)
        assert matrix[item, item] == 0


def test_neighbours_are_shrunk_cosines(histories):
    dense = histories.toarray()
    scorer = knn.fit(histories, knn.Config(neighbours=100, shrink=5.0))
    both = (dense[:, 2] * dense[:, 9]).sum()
    expected = both / (np.sqrt(dense[:, 2].sum() * dense[:, 9].sum()) + 5)
    assert scorer.matrix[2, 9] == pytest.approx(expected, rel=1e-5)


def test_conjugate_gradients_reach_the_solution_of_the_systems(histories):
    rng = np.random.default_rng(0)
    other, config = rng.normal(size=(25, 6)).astype(np.float32), ials.Config(6, 0.3, 2.0)
    exact = ials._half(histories, other, np.zeros((60, 6), np.float32), config, None, 1)
    near = np.zeros((60, 6), np.float32)
    ials.descend(
        histories.indptr.astype(np.int64), histories.indices.astype(np.int32), other, near,
        other.T @ other, np.float32(2.0), np.float32(0.3), 12, 0, 60,
    )  # fmt: skip
    assert near == pytest.approx(exact, abs=1e-3)


def test_fold_in_minimises_the_loss_of_implicit_least_squares(histories):
    """Slow twin: the gradient of the loss over all items is zero at the factors of a user."""
    scorer = ials.fit(histories, ials.Config(5, 0.5, 3.0, 2))
    user = scorer.users(histories[8:9])[0].astype(float)
    V, x = scorer.factors.astype(float), histories[8].toarray()[0]
    weight = 1 + 3.0 * x
    gradient = V.T @ (weight * (V @ user - x)) + 0.5 * (x.sum() + 1) * user
    assert np.abs(gradient).max() < 1e-3


def test_top_is_a_stable_sort():
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 4, (20, 30)).astype(np.float32)
    assert np.array_equal(top(scores, 9), np.argsort(-scores, axis=1, kind="stable")[:, :9])


def test_cutting_keeps_the_largest_of_each_column():
    matrix = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    kept = cut(matrix, 5).toarray()
    assert ((kept != 0).sum(0) == 5).all()
    assert np.abs(kept).max(0) == pytest.approx(np.abs(matrix).max(0))
