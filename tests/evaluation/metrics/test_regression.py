"""Regression figures equal scikit-learn's and scipy's, weighted and not; constants are undefined, not zero."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.errors import InputError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.metrics import regression

QUICK = interval.Config(resamples=100)


@settings(max_examples=50)
@given(
    n=st.integers(2, 40),
    seed=st.integers(0, 2**31),
    digits=st.sampled_from([0, 1, 9]),
    shift=st.sampled_from([0.0, 1e6]),
)
def test_every_figure_equals_scikit_learn_and_scipy(n, seed, digits, shift):
    rng = np.random.default_rng(seed)
    truth = np.round(rng.normal(size=n) * 3, digits) + shift
    guess = np.round(truth + rng.normal(size=n), digits)
    counts = rng.integers(0, 4, n)
    counts[0] += 1
    metrics = regression.Metrics(truth, guess)
    for w in (np.ones(n, int), counts):
        y, p = np.repeat(truth, w), np.repeat(guess, w)
        found = {name: float(value[0]) for name, value in metrics(w[None].astype(float)).items()}
        expected = {
            "mae": sk.mean_absolute_error(y, p),
            "rmse": sk.root_mean_squared_error(y, p),
        }
        if len(set(y)) > 1:
            expected["r2"] = sk.r2_score(y, p, force_finite=False)
        if len(set(y)) > 1 and len(set(p)) > 1:
            expected["pearson"] = scipy.stats.pearsonr(y, p).statistic
            expected["spearman"] = scipy.stats.spearmanr(y, p).statistic
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, abs=1e-9, rel=1e-7 if name == "r2" else 1e-9), name
        for name in {"r2", "pearson", "spearman"} - set(expected):
            assert np.isnan(found[name])


def test_sentiment_accuracies_by_hand():
    truth, guess = [-2.0, -0.2, 0.0, 1.4, 3.0], [-1.6, 0.1, -0.4, 1.6, 4.2]
    found = regression.evaluate(truth, guess, config=QUICK)

    assert found["acc2_nonnegative"]["value"] == pytest.approx(3 / 5)  # the second and third are wrong
    assert found["acc2_positive"]["value"] == pytest.approx(3 / 4)  # the third is left out
    assert found["acc2_positive"]["n"] == 4
    assert found["acc7"]["value"] == pytest.approx(4 / 5)  # the fourth rounds to 2 instead of 1
    assert found["acc7"]["method"] == "wilson"


def test_other_scales_have_no_sentiment_accuracies():
    assert "acc7" not in regression.evaluate([1.0, 2.0, 30.0], [1.0, 2.0, 29.0], config=QUICK)


def test_a_constant_has_no_correlation():
    found = regression.evaluate([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], config=QUICK)

    assert found["pearson"]["value"] is None
    assert found["r2"]["value"] is None
    assert found["mae"]["value"] == 1.0


@pytest.mark.parametrize(
    ("truth", "guess"),
    [([], []), ([1.0], [1.0, 2.0]), ([np.nan], [1.0]), ([1.0], [np.inf]), (["a"], [1.0]), ([[1.0]], [[1.0]])],
)
def test_what_cannot_be_scored_is_refused(truth, guess):
    with pytest.raises(InputError):
        regression.evaluate(truth, guess)
