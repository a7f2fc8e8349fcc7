"""What each modality adds: values that add up, equal the mean over orders, and call noise noise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmcli.evaluation.explain import modalities as parts
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge.outcome import Outcome
from mmcli.evaluation.model import Model
from mmcli.evaluation.report.report import evaluate

from ..conftest import made, predict


@given(count=st.integers(1, 5), seed=st.integers(0, 1000))
def test_shapley_values_add_up_and_equal_the_mean_over_orders(count, seed):
    worth = np.random.default_rng(seed).normal(size=(2**count, 3))
    found = parts.shapley_values(worth, count)
    place = {s: i for i, s in enumerate(parts.subsets(count))}
    slow = np.zeros((count, 3))
    for order in itertools.permutations(range(count)):
        for i, m in enumerate(order):
            slow[m] += worth[place[tuple(sorted(order[: i + 1]))]] - worth[place[tuple(sorted(order[:i]))]]
    slow /= math.factorial(count)

    assert np.abs(found.sum(axis=0) - (worth[-1] - worth[0])).max() < 1e-9
    assert found == pytest.approx(slow, abs=1e-12)


def test_the_report_gives_values_that_add_up_to_the_figure_minus_the_prior(task):
    data = made(200, task=task, missing=0.25)
    classes = None if task == "regress" else ["a", "b", "c"]
    found = evaluate(Model(predict=predict, task=task, classes=classes), data)
    modalities = found["modalities"]
    total = sum(entry["shapley"]["value"] for entry in modalities["each"].values())

    assert total == pytest.approx(modalities["all"] - modalities["prior"], abs=1e-9)
    figure = found["metrics"][modalities["primary"]]["value"]
    assert modalities["all"] == pytest.approx(-figure if task == "regress" else figure, abs=1e-9)
    assert all(set(item["shapley"]) == {"x", "y"} for item in found["items"])


class Fitted:
    """Logistic regression on x and y, trained on other items than it is asked about; an absent modality counts as 0."""

    fast = True

    def __init__(self, x: np.ndarray, y: np.ndarray, truth: np.ndarray, train: int) -> None:
        from sklearn.linear_model import LogisticRegression

        self.names = ["x", "y"]
        self._model = LogisticRegression().fit(np.column_stack([x, y])[:train], truth[:train])
        self._inputs = np.column_stack([x, y])[train:]
        self.present = np.ones((len(x) - train, 2), bool)

    def scores(self, source, keep):
        return self._model.predict_proba(np.where(keep, self._inputs[source, [0, 1]], 0.0))


def test_a_modality_of_noise_has_an_interval_with_zero_in_at_least_93_percent_of_200_runs():
    """A model trained on x, which tells something, and y, which is noise; 200 training and 200 test items each."""
    held = informative = 0
    config = interval.Config(resamples=200)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 400)
        mixer = Fitted(truth - 0.5 + rng.normal(0, 0.8, 400), rng.normal(0, 1, 400), truth, 200)
        whole = Outcome("classify", ["n", "y"], truth[200:], truth[200:], None)
        prior = np.array([1 - truth[:200].mean(), truth[:200].mean()])

        def gains(answers, whole=whole):
            return whole.answered(answers).gains()

        found, _ = parts.shapley(mixer, prior, gains, whole.agreement, config=config)
        low, high = found["values"]["y"]["interval"]
        held += low <= 0 <= high
        informative += found["values"]["x"]["interval"][0] > 0

    assert held / 200 >= 0.93
    assert informative == 200
