"""Multi-label figures equal scikit-learn's, weighted and not."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.errors import InputError
from mmcli.evaluation.metrics import multilabel


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=50)
@given(n=st.integers(1, 30), k=st.integers(1, 5), seed=st.integers(0, 2**31), share=st.floats(0, 1))
def test_every_figure_equals_scikit_learn(n, k, seed, share):
    rng = np.random.default_rng(seed)
    truth, table = rng.random((n, k)) < share, np.round(rng.random((n, k)), 2)
    guess = table >= 0.5
    weights = rng.integers(1, 4, n).astype(float)
    metrics = multilabel.Metrics(truth, guess, table, [str(c) for c in range(k)])
    for w in (np.ones(n), weights):
        found = {name: float(value[0]) for name, value in metrics(w[None]).items()}
        expected = {
            "exact_match": np.average((truth == guess).all(axis=1), weights=w),
            "hamming_loss": np.average((truth != guess).mean(axis=1), weights=w),
            "brier": np.average(((table - truth) ** 2).mean(axis=1), weights=w),
        }
        if k > 1:  # scikit-learn takes one column for a binary task
            for average in ("micro", "macro", "weighted", "samples"):
                scores = sk.precision_recall_fscore_support(
                    truth, guess, average=average, sample_weight=w, zero_division=0
                )
                if average == "samples":
                    expected["f1_samples"] = scores[2]
                else:
                    for name, value in zip(("precision", "recall", "f1"), scores[:3], strict=True):
                        expected[f"{name}_{average}"] = value
        losses = []
        for c in range(k):
            losses.append(sk.log_loss(truth[:, c], table[:, c], labels=[False, True], sample_weight=w))
            if 0 < truth[:, c].sum() < n:
                expected[f"auroc/{c}"] = sk.roc_auc_score(truth[:, c], table[:, c], sample_weight=w)
            if truth[:, c].any():
                area = sk.average_precision_score(truth[:, c], table[:, c], sample_weight=w)
                expected[f"average_precision/{c}"] = area
        expected["log_loss"] = np.mean(losses)
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize(
    ("truth", "table"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2))),
        ([[1, 0]], [[0.5]]),
        ([[2, 0]], [[0.5, 0.5]]),
        ([[1, 0]], [[np.nan, 0.5]]),
        ([[1, 0]], [[1.2, 0.5]]),
        ([1, 0], [0.5, 0.5]),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, table):
    with pytest.raises(InputError):
        multilabel.evaluate(truth, table)
