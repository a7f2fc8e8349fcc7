"""Where the errors are: the planted bad slice comes first, chance is corrected for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mmcli.evaluation.judge import outcome
from mmcli.evaluation.judge.outcome import Outcome, outcome_of, truth_of

from ..conftest import made, predict


def test_the_worst_slice_comes_first():
    data = made(300, groups=6)
    truth, rows = truth_of(data, np.arange(300), "classify", ["a", "b", "c"])
    found = outcome_of(predict, data, rows, truth, "classify", ["a", "b", "c"])
    guess = found.guess.copy()
    bad = data.group == "g3"
    guess[bad] = (found.truth[bad] + 1) % 3
    found = Outcome("classify", found.classes, found.truth, guess, found.table)
    first = outcome.worst(data, rows, found)[0]

    assert (first["by"], first["slice"], first["value"], first["n"]) == ("group", "g3", 0.0, int(bad.sum()))
    assert first["p"] < 0.001
    assert first["interval"][0] == 0.0


def test_holms_correction_by_hand():
    rows = [{"p": 0.01}, {"p": 0.04}, {"p": 0.03}]
    outcome._holm(rows)

    assert [row["p"] for row in rows] == pytest.approx([0.03, 0.06, 0.06])


@given(a=st.integers(0, 12), b=st.integers(0, 12), c=st.integers(0, 40), d=st.integers(0, 40))
def test_the_exact_test_is_that_of_scipy(a, b, c, d):
    part, rest = np.r_[np.ones(a), np.zeros(b)], np.r_[np.ones(c), np.zeros(d)]
    if len(part) and len(rest):
        assert outcome._p(part, rest, "classify") == pytest.approx(
            scipy.stats.fisher_exact([[a, b], [c, d]]).pvalue, abs=1e-9
        )


@given(seed=st.integers(0, 200), n=st.integers(5, 30), m=st.integers(5, 30))
def test_welchs_test_is_that_of_scipy(seed, n, m):
    rng = np.random.default_rng(seed)
    part, rest = rng.normal(size=n), rng.normal(0.5, 2.0, m)

    expected = scipy.stats.ttest_ind(part, rest, equal_var=False).pvalue
    assert outcome._p(part, rest, "regress") == pytest.approx(expected, abs=1e-9)
