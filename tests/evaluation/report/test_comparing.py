"""Two reports on the same items: the paired difference is that of the items themselves."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.artifacts.formats import report as reports
from mmcli.errors import MismatchError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.model import Model
from mmcli.evaluation.report.comparing import compare
from mmcli.evaluation.report.report import evaluate

from ..conftest import made, predict


def worse(dataset, rows):
    """The same model with x alone."""
    alone = type(dataset)(
        {"x": dataset.streams["x"]},
        dataset.id,
        dataset.split,
        dataset.group,
        dataset.label,
        meta={"task": dataset.meta["task"]}
        | ({"classes": dataset.meta["classes"]} if dataset.meta.get("classes") else {}),
    )
    return predict(alone, rows)


def two(task: str) -> tuple[dict, dict]:
    data, classes = made(300, task=task), None if task == "regress" else ["a", "b", "c"]
    return tuple(evaluate(Model(predict=call, task=task, classes=classes), data) for call in (predict, worse))


def test_the_difference_is_that_of_the_two_figures(task, tmp_path):
    a, b = two(task)
    found = compare(a, b, names=("both", "x"))
    reports.save(tmp_path / "c.json", found)
    primary = found["compare"]["primary"]
    difference = a["metrics"][primary]["value"] - b["metrics"][primary]["value"]

    assert found["compare"]["difference"] == pytest.approx(-difference if task == "regress" else difference)
    assert found["verdict"]["text"].startswith("both is better")
    assert compare(b, a, names=("x", "both"))["verdict"]["text"].startswith("both is better")


def test_a_report_does_not_differ_from_itself(task):
    a, _ = two(task)
    found = compare(a, a)

    assert found["compare"]["difference"] == 0.0
    assert found["verdict"]["text"].startswith("No difference between A and B is shown")


def test_reports_that_do_not_belong_together_are_refused():
    a, b = two("classify")
    with pytest.raises(MismatchError, match="share no items"):
        compare(a, b | {"items": []})
    with pytest.raises(MismatchError, match="one report is for classify, the other for regress"):
        compare(a, two("regress")[0])
    changed = [item | {"label": "z"} for item in b["items"]]
    with pytest.raises(MismatchError, match="has the label"):
        compare(a, b | {"items": changed})


def test_items_of_one_report_alone_are_counted():
    a, b = two("classify")
    found = compare(a, b | {"items": b["items"][3:]})

    assert (found["compare"]["only_in_first"], found["compare"]["only_in_second"]) == (3, 0)
    assert found["compare"]["n"] == len(a["items"]) - 3


def test_two_models_that_are_equally_good_are_told_apart_in_at_most_7_percent_of_200_runs():
    rng = np.random.default_rng(0)
    claimed = 0
    for _ in range(200):
        hits = rng.random((2, 150)) < 0.6
        pair = [
            {
                "task": "classify",
                "items": [
                    {"id": str(k), "label": "a", "prediction": "a" if hit else "b", "group": None}
                    for k, hit in enumerate(row)
                ],
            }
            for row in hits
        ]
        low, high = compare(*pair, config=interval.Config(resamples=300))["compare"]["interval"]
        claimed += low > 0 or high < 0

    assert claimed <= 14
