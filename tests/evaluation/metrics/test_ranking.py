"""Ranking figures equal scikit-learn's or a hand computation; ties never favour the model."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.errors import InputError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.metrics import ranking

QUICK = interval.Config(resamples=100)


@settings(max_examples=50)
@given(q=st.integers(1, 12), c=st.integers(2, 15), seed=st.integers(0, 2**31), graded=st.booleans())
def test_figures_equal_scikit_learn_where_it_has_them_and_plain_loops_elsewhere(q, c, seed, graded):
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(c), (q, 1)), axis=1) / 7.0  # no ties
    relevance = rng.integers(0, 4 if graded else 2, (q, c))
    relevance[np.arange(q), rng.integers(0, c, q)] = 1
    found = {name: e["value"] for name, e in ranking.evaluate(scores, relevance, ks=(1, 3), config=QUICK).items()}

    average = np.mean([sk.average_precision_score(relevance[i] > 0, scores[i]) for i in range(q)])
    assert found["map"] == pytest.approx(average, abs=1e-9)
    for k in (k for k in (1, 3) if k <= c):
        assert found[f"ndcg@{k}"] == pytest.approx(sk.ndcg_score(2.0**relevance - 1, scores, k=k), abs=1e-9)
        hits, recall, first = [], [], []
        for i in range(q):
            order = np.argsort(-scores[i])
            top = relevance[i][order[:k]] > 0
            hits.append(top.sum() / k)
            recall.append(top.sum() / (relevance[i] > 0).sum())
            first.append(1 + int(np.argmax(relevance[i][order] > 0)))
        assert found[f"precision@{k}"] == pytest.approx(np.mean(hits), abs=1e-9)
        assert found[f"recall@{k}"] == pytest.approx(np.mean(recall), abs=1e-9)
        assert found[f"hit_rate@{k}"] == pytest.approx(np.mean(np.array(hits) > 0), abs=1e-9)
        assert found["mrr"] == pytest.approx(np.mean(1 / np.array(first)), abs=1e-9)
        assert found["median_rank"] == np.median(first)


def test_a_constant_score_is_worth_the_worst_rank():
    found = ranking.evaluate(np.zeros((3, 5)), np.eye(3, 5), ks=(1, 5), config=QUICK)

    assert found["median_rank"]["value"] == 5.0
    assert found["recall@1"]["value"] == 0.0
    assert found["recall@5"]["value"] == 1.0


def test_the_median_of_weighted_queries_is_that_of_the_repeated_ones():
    rng = np.random.default_rng(0)
    values, counts = rng.integers(1, 9, 20).astype(float), rng.integers(0, 4, (5, 20))

    expected = [np.median(np.repeat(values, row)) for row in counts]
    assert ranking._median(values, counts.astype(float)).tolist() == expected


def test_retrieval_by_cosine():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(30, 8))
    scores, relevance = ranking.retrieval(a, a * 3 + rng.normal(0, 0.01, a.shape))

    assert ranking.evaluate(scores, relevance, config=QUICK)["recall@1"]["value"] == 1.0
    for bad in ((a, a[:, :3]), (a, a[:5]), (a * 0, a)):
        with pytest.raises(InputError):
            ranking.retrieval(*bad)


@pytest.mark.parametrize(
    ("scores", "relevance"),
    [([], []), ([[1.0]], [[0]]), ([[np.nan]], [[1]]), ([[1.0]], [[-1]]), ([[1.0, 2.0]], [[1]])],
)
def test_what_cannot_be_ranked_is_refused(scores, relevance):
    with pytest.raises(InputError):
        ranking.evaluate(scores, relevance)
