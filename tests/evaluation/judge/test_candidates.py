"""The opponents that a pool carries with it."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.evaluation.explain import mixing
from mmcli.evaluation.judge.verdict import kept
from mmcli.evaluation.model import Model
from mmcli.evaluation.report.report import evaluate

from ..conftest import made
from ..networks import access_to, predict_with, stack


def test_a_pool_brings_its_members_as_opponents():
    data = made(100, missing=0.2)
    access = access_to(stack())
    whole = Model(
        predict=predict_with(access),
        task="classify",
        classes=["a", "b", "c"],
        modalities=("x", "y"),
        access=access,
        facts={"members": [{"title": "x"}, {"title": "kernel"}, {"title": "both"}]},
    )
    found = kept(whole)
    verdict = evaluate(whole, data, opponents=found)["verdict"]

    assert [(m.name, m.modalities, m.fusion) for m in found] == [
        ("x", ("x",), "concat"),
        ("kernel", ("y", "x"), "concat"),
        ("both", ("x", "y"), "concat"),
    ]
    assert [row["kind"] for row in verdict["against"]] == ["single", "concat", "concat"]
    assert verdict["untried"] == ["y"]


def test_members_without_a_say_change_no_answer_and_are_compared_all_the_same():
    """A pool in which only x counts; the network of both is kept for comparison alone, as is a subset by weights."""
    data = made(100, missing=0.2)
    pooled = stack()
    pooled.weights = [0.5, 0.8, 0.0]
    pooled.voices = [0, 1]
    access = access_to(pooled)
    rows = np.arange(100)
    before = predict_with(access)(data, rows).probabilities
    for value in pooled.members[2].parameters():
        value.data.mul_(-3.0)
    facts = {
        "members": [{"title": "x"}, {"title": "kernel"}, {"title": "both"}],
        "candidates": [{"title": "pair", "modalities": ["x", "y"], "weights": {"x": 0.5, "kernel": 0.8}}],
    }
    whole = Model(predict=predict_with(access), task="classify", classes=["a", "b", "c"], access=access, facts=facts)
    found = {model.name: model for model in kept(whole)}

    assert np.array_equal(predict_with(access)(data, rows).probabilities, before)
    assert mixing.mixer(whole.predict, access, data, rows).names == ["x", "y"]
    assert set(found) == {"x", "kernel", "both", "pair"}
    assert found["pair"].predict(data, rows).probabilities == pytest.approx(before, abs=1e-6)
    assert not np.allclose(found["both"].predict(data, rows).probabilities, before, atol=0.01)
