"""Damage of a known amount, curves that start at the model's own figure, a temperature that is found again."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats import report as reports
from mmcli.artifacts.formats.dataset import Stream
from mmcli.evaluation.judge import robustness
from mmcli.evaluation.judge.outcome import Outcome
from mmcli.evaluation.model import Model
from mmcli.evaluation.report import plots
from mmcli.evaluation.report.report import Request, evaluate

from ..conftest import made, predict


def sequence(items: int = 20, kind: str = "sequence", width: int = 2) -> Stream:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 12, items)
    lengths[0] = 5
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    times = np.concatenate([np.arange(n) / 10.0 for n in lengths])
    values = rng.normal(size=(offsets[-1], width)).astype(np.float32)
    return Stream(values, offsets, times, lengths > 0, meta={"kind": kind})


def test_level_zero_changes_nothing_and_noise_has_the_size_that_it_says():
    stream, rng = sequence(400), np.random.default_rng(1)
    for found in (robustness.noise(stream, 0.0, rng), robustness.blur(stream, 0.0), robustness.loss(stream, 0.0, rng)):
        assert np.array_equal(found.values, stream.values)
        assert np.array_equal(found.offsets, stream.offsets)
    added = robustness.noise(stream, 0.5, rng).values - stream.values
    assert added.std() == pytest.approx(0.5 * stream.values.std(), rel=0.05)


def test_blur_stays_within_an_item_and_keeps_its_mean_level():
    stream = sequence()
    stream.values[:] = np.repeat(np.arange(20), stream.lengths)[:, None]

    assert np.allclose(robustness.blur(stream, 2.0).values, stream.values, atol=1e-4)
    picture = Stream(np.zeros((1, 9, 9, 1), np.float32), np.array([0, 1]), np.zeros(1), np.array([True]), meta={})
    picture.values[0, 4, 4, 0] = 1.0
    blurred = robustness.blur(picture, 1.0).values
    assert blurred.sum() == pytest.approx(1.0, abs=1e-3)
    assert blurred.max() < 0.2


def test_lost_tokens_leave_every_item_present_and_its_order():
    stream = sequence(300, "tokens", 1)
    stream.values[:, 0] = np.arange(len(stream.values))
    found = robustness.loss(stream, 0.5, np.random.default_rng(0))
    share = 1 - len(found.values) / len(stream.values)

    assert 0.3 < share < 0.5  # the first token of each item stays
    assert np.array_equal(found.lengths > 0, stream.present)
    for i in range(300):
        assert set(found.item(i).values[:, 0]) <= set(stream.item(i).values[:, 0])
        assert (np.diff(found.item(i).values[:, 0]) > 0).all()
        assert np.array_equal(found.item(i).times, stream.item(i).times[: len(found.item(i).times)])


def test_absence_spares_items_that_would_be_left_with_nothing():
    stream = sequence(300)
    may_go = np.arange(300) % 2 == 0
    found = robustness.absence(stream, 1.0, may_go, np.random.default_rng(0))

    assert np.array_equal(found.present, stream.present & ~may_go)


def test_the_curves_of_a_report_start_at_its_own_figure_and_fall(task, tmp_path):
    data = made(200, task=task)
    classes = None if task == "regress" else ["a", "b", "c"]
    found = evaluate(Model(predict=predict, task=task, classes=classes), data, Request(robustness=True, timings=True))
    reports.save(tmp_path / "r.json", found)
    primary = found["robustness"]["primary"]

    assert {(c["kind"], c["modality"]) for c in found["robustness"]["curves"]} == {
        (kind, name) for kind in ("noise", "absence") for name in ("x", "y")
    }
    for curve in found["robustness"]["curves"]:
        assert curve["values"][0] == pytest.approx(found["metrics"][primary]["value"])
        worse = curve["values"][-1] - curve["values"][0]
        assert worse > 0 if task == "regress" else worse < 0
    assert "robustness" in plots.available(found)
    assert found["cost"]["latency_ms"]["p95"] >= found["cost"]["latency_ms"]["p50"] > 0


def test_the_temperature_of_a_model_that_is_too_sure_is_found_again():
    """Logits are tripled: the temperature that mends them is 3."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (20_000, 4))
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (chance.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    sure = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    halves = [
        Outcome("classify", list("abcd"), truth[part], sure[part].argmax(axis=1), sure[part])
        for part in (slice(0, 10_000), slice(10_000, None))
    ]
    found = robustness.temperature(*halves)

    assert found["temperature"] == pytest.approx(3.0, rel=0.05)
    assert found["after"]["ece"] < 0.2 * found["before"]["ece"]
    assert found["after"]["log_loss"] < found["before"]["log_loss"]
    assert robustness.temperature(None, halves[1]) is None
