"""Every figure equals scikit-learn's, on random and on degenerate cases, weighted and not."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.errors import InputError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.metrics import classification

QUICK = interval.Config(resamples=100)


@st.composite
def cases(draw):
    """Labels, probabilities with ties, and integer weights; classes may be missing from labels or predictions."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    labels = rng.integers(0, draw(st.integers(1, k)), n)
    table = np.round(rng.random((n, k)), draw(st.sampled_from([1, 2, 9]))) + 1e-3
    return labels, table / table.sum(axis=1, keepdims=True), rng.integers(0, 4, n).astype(float)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=50)
@given(case=cases())
def test_every_figure_equals_scikit_learn(case):
    labels, table, weights = case
    if weights.sum() == 0:
        weights[0] = 1.0
    k = table.shape[1]
    guess = table.argmax(axis=1)
    metrics = classification.Metrics(labels, guess, table, [str(c) for c in range(k)])
    for w in (np.ones(len(labels)), weights):
        # scikit-learn's averages run over the classes that occur; items of weight 0 do not occur.
        there = w > 0
        y, p, t, v = labels[there], guess[there], table[there], w[there]
        found = {name: float(value[0]) for name, value in metrics(w[None]).items()}
        expected = {
            "accuracy": sk.accuracy_score(y, p, sample_weight=v),
            "balanced_accuracy": sk.recall_score(
                y, p, labels=np.unique(y), average="macro", sample_weight=v, zero_division=0
            ),
            "log_loss": sk.log_loss(y, t, labels=range(k), sample_weight=v),
            "brier": (((t - np.eye(k)[y]) ** 2).sum(axis=1) * v).sum() / v.sum() / (2 if k == 2 else 1),
        }
        for average in ("macro", "weighted"):
            scores = sk.precision_recall_fscore_support(y, p, average=average, sample_weight=v, zero_division=0)
            for name, value in zip(("precision", "recall", "f1"), scores[:3], strict=True):
                expected[f"{name}_{average}"] = value
        each = sk.precision_recall_fscore_support(y, p, labels=range(k), sample_weight=v, zero_division=0)
        for c in range(k):
            expected[f"precision/{c}"], expected[f"recall/{c}"], expected[f"f1/{c}"] = (each[i][c] for i in range(3))
            if 0 < (y == c).sum() < len(y):
                expected[f"auroc/{c}"] = sk.roc_auc_score(y == c, t[:, c], sample_weight=v)
            else:
                assert np.isnan(found[f"auroc/{c}"])
            if (y == c).any():
                expected[f"average_precision/{c}"] = sk.average_precision_score(y == c, t[:, c], sample_weight=v)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-9), name


def test_brier_equals_scikit_learn_for_two_and_more_classes():
    rng = np.random.default_rng(0)
    for k in (2, 4):
        table = rng.dirichlet(np.ones(k), 50)
        labels = rng.integers(0, k, 50)
        ours = classification.evaluate(labels, None, table, range(k), config=QUICK)["brier"]["value"]
        theirs = sk.brier_score_loss(labels, table if k > 2 else table[:, 1], labels=range(k))
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_auroc_of_all_classes_is_scikit_learns_one_versus_rest_mean():
    rng = np.random.default_rng(1)
    table = rng.dirichlet(np.ones(3), 200)
    labels = rng.integers(0, 3, 200)
    ours = classification.evaluate(labels, None, table, range(3), config=QUICK)["auroc_macro"]["value"]

    assert ours == pytest.approx(sk.roc_auc_score(labels, table, multi_class="ovr"), abs=1e-9)


def test_the_calibration_error_by_hand():
    """Two bins: confidence 0.9 with half right, confidence 0.6 with all right: (0.4 x 2 + 0.4 x 2) / 4."""
    table = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    found = classification.evaluate([0, 1, 0, 0], None, table, ["a", "b"], config=QUICK)

    assert found["ece"]["value"] == pytest.approx(0.4)
    assert classification.reliability(np.array([0, 1, 0, 0]), table) == [
        {"low": 8 / 15, "high": 9 / 15, "confidence": pytest.approx(0.6), "accuracy": 1.0, "n": 2},
        {"low": 13 / 15, "high": 14 / 15, "confidence": pytest.approx(0.9), "accuracy": 0.5, "n": 2},
    ]


@settings(max_examples=50)
@given(case=cases())
def test_the_calibration_error_lies_between_0_and_1_and_vanishes_for_certain_truth(case):
    labels, table, _ = case
    k = table.shape[1]
    found = classification.Metrics(labels, table.argmax(axis=1), table, [str(c) for c in range(k)])
    sure = np.eye(k)[labels]
    perfect = classification.Metrics(labels, labels, sure, [str(c) for c in range(k)])
    ones = np.ones((1, len(labels)))

    assert 0 <= found(ones)["ece"][0] <= 1
    assert perfect(ones)["ece"][0] == 0
    assert perfect(ones)["log_loss"][0] == 0


def test_one_class_only_is_scored_without_a_fuss():
    found = classification.evaluate(["a", "a"], ["a", "a"], [[1.0, 0.0], [1.0, 0.0]], ["a", "b"], config=QUICK)

    assert found["accuracy"]["value"] == found["balanced_accuracy"]["value"] == found["f1_macro"]["value"] == 1.0
    assert found["auroc_macro"]["value"] is found["auroc_macro"]["interval"] is None
    assert found["recall/b"]["n"] == 0


@pytest.mark.parametrize(
    ("labels", "guess", "table", "said"),
    [
        ([], [], None, "no items"),
        (["a"], ["a", "b"], None, "1 labels for 2 predictions"),
        (["a"], None, [[np.nan, 1.0]], "NaN"),
        (["a"], None, [[0.4, 0.4]], "sum to 0.8"),
        (["a"], None, [[1.5, -0.5]], "negative"),
        (["z"], None, [[0.5, 0.5]], "'z' is none of the classes"),
        (["a"], None, [[1.0]], "probabilities"),
        ([5], [0], None, "no class number"),
        (["a"], None, None, "neither"),
    ],
)
def test_what_cannot_be_scored_is_refused(labels, guess, table, said):
    with pytest.raises(InputError, match=said):
        classification.evaluate(labels, guess, table, ["a", "b"])


def test_confusion_has_labels_in_rows():
    counts = classification.confusion(np.array([0, 0, 1]), np.array([1, 0, 1]), 2)

    assert counts.tolist() == sk.confusion_matrix([0, 0, 1], [1, 0, 1]).tolist() == [[1, 1], [0, 1]]
