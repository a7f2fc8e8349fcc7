"""The interval of the calibration error: it holds the truth, of calibrated models too, and groups widen it."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.evaluation.intervals import calibration, interval
from mmcli.evaluation.metrics import classification

# Classes, accuracy, and how much more sure than right a model is (1: calibrated).
MODELS = [(3, 0.75, 1.0), (3, 0.95, 1.0), (3, 0.9, 2.0), (3, 0.6, 2.0), (10, 0.7, 2.0), (3, 0.75, 0.5), (2, 0.9, 1.15)]


class Simulated:
    """A softmax over classes with equal shares, of a known accuracy, and its error on ``known`` times 100,000 items."""

    def __init__(self, classes: int, accuracy: float, heat: float, seed: int = 1, known: int = 3) -> None:
        self.classes, self.heat = classes, heat
        self.rng = np.random.default_rng(seed)
        low, high = 0.0, 8.0
        for _ in range(22):
            self.margin = (low + high) / 2
            labels, table = self.sample(10_000 * known)
            below = (table.argmax(axis=1) == labels).mean() < accuracy
            low, high = (self.margin, high) if below else (low, self.margin)
        self.error = float(np.mean([self.seen(*self.sample(100_000)) for _ in range(known)]))

    def sample(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = self.rng.integers(0, self.classes, count)
        logits = self.rng.normal(size=(count, self.classes))
        logits[np.arange(count), labels] += self.margin
        scaled = logits * self.margin * self.heat
        table = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return labels, table / table.sum(axis=1, keepdims=True)

    @staticmethod
    def seen(labels: np.ndarray, table: np.ndarray) -> float:
        confidence, place, hit = Simulated.parts(labels, table)
        return float(np.abs(np.bincount(place, weights=hit - confidence)).sum() / len(labels))

    @staticmethod
    def parts(labels: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        confidence = table.max(axis=1)
        return confidence, classification.bins(confidence), (table.argmax(axis=1) == labels).astype(float)

    def covered(self, runs: int, items: int = 200) -> float:
        hits = 0
        for run in range(runs):
            confidence, place, hit = self.parts(*self.sample(items))
            low, high = calibration.error_interval(confidence, hit, place, None, interval.Config(seed=run))
            hits += low <= self.error <= high
        return hits / runs


@pytest.mark.hunt
@pytest.mark.parametrize(("classes", "accuracy", "heat"), MODELS)
def test_the_interval_holds_the_true_error_of_at_least_91_percent_of_600_simulated_models(classes, accuracy, heat):
    found = Simulated(classes, accuracy, heat, known=10).covered(600)
    print(f"{classes} classes, accuracy {accuracy}, heat {heat}: {found:.1%}")

    # Of a calibrated model the lower end is 0, so that only the upper one can be wrong: more than 95 %.
    assert found >= 0.91


@pytest.mark.parametrize(("classes", "accuracy", "heat"), [(3, 0.75, 1.0), (3, 0.9, 2.0)])
def test_the_interval_holds_the_true_error_in_forty_runs(classes, accuracy, heat):
    """The small version of the hunt: three standard errors; percentile intervals hold the first in none."""
    assert Simulated(classes, accuracy, heat).covered(40) >= 0.84


def test_the_figure_of_the_report_is_inside_and_an_end_is_zero_where_chance_explains_it():
    calibrated, hot = Simulated(3, 0.75, 1.0), Simulated(3, 0.75, 3.0)
    for model, from_zero in ((calibrated, True), (hot, False)):
        labels, table = model.sample(400)
        found = classification.evaluate(labels, None, table, ["a", "b", "c"])["ece"]
        low, high = found["interval"]
        assert low <= found["value"] <= high
        assert found["value"] == pytest.approx(model.seen(labels, table), abs=1e-12)
        assert (low == 0.0) is from_zero
        assert found["method"] == "inverted test"


def test_items_of_a_group_that_err_together_widen_the_interval():
    rng = np.random.default_rng(0)
    confidence = np.full(400, 0.8)
    groups = np.repeat(np.arange(20), 20)
    right = np.repeat(rng.random(20) < 0.6, 20).astype(float)
    place = classification.bins(confidence)
    apart = calibration.error_interval(confidence, right, place)
    together = calibration.error_interval(confidence, right, place, groups)

    assert together[0] < apart[0]
    assert together[1] > apart[1]
    assert calibration.design(right - confidence, groups) > 10
    assert calibration.design(rng.normal(size=400), groups) < 2


@pytest.mark.parametrize("right", [0.0, 1.0])
@pytest.mark.parametrize("items", [1, 2, 30])
def test_few_items_and_models_that_are_always_right_or_wrong_get_an_interval_in_its_bounds(items, right):
    confidence = np.full(items, 1.0)
    low, high = calibration.error_interval(confidence, np.full(items, right), classification.bins(confidence))

    assert 0.0 <= low <= abs(1 - right) <= high <= 1.0


def test_a_model_that_is_always_right_and_says_so_is_not_ruled_out_to_be_calibrated():
    sure = np.full(50, 0.99)

    assert calibration.error_interval(sure, np.ones(50), classification.bins(sure))[0] == 0.0
