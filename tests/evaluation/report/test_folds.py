"""Runs gathered: means and spreads by hand, intervals that are honest about overlapping folds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.stats

from mmcli.artifacts.formats import report as reports
from mmcli.cli.app import run
from mmcli.errors import InputError
from mmcli.evaluation.report.folds import gather


def record(scores: dict[tuple[int, int], float]) -> dict:
    rows = [{"file": f"fold-{f}-seed-{s}.pt", "fold": f, "seed": s, "test_accuracy": v} for (f, s), v in scores.items()]
    return {"schema": "mmcli/train-runs@1", "runs": rows, "inputs": []}


def test_seeds_are_averaged_within_folds_and_folds_over_all():
    found = gather(record({(0, 0): 0.8, (0, 1): 0.9, (1, 0): 0.6, (1, 1): 0.7}))

    assert found["metrics"]["accuracy"]["value"] == pytest.approx(0.75)
    assert found["folds"]["spread"]["accuracy"]["over_folds_sd"] == pytest.approx(np.std([0.85, 0.65], ddof=1))
    assert found["folds"]["spread"]["accuracy"]["over_seeds_sd"] == pytest.approx(np.std([0.8, 0.9], ddof=1))


def test_the_interval_over_folds_is_wider_than_for_independent_scores():
    values = [0.8, 0.82, 0.79, 0.84, 0.81]
    low, high = gather(record({(k, 0): v for k, v in enumerate(values)}))["metrics"]["accuracy"]["interval"]
    plain = scipy.stats.t.interval(0.95, 4, np.mean(values), scipy.stats.sem(values))

    assert high - low == pytest.approx((plain[1] - plain[0]) * np.sqrt(1 + 5 / 3))


def test_seeds_alone_and_one_run():
    values = [0.8, 0.82, 0.79]
    seeds = gather(record({(0, s): v for s, v in enumerate(values)}))["metrics"]["accuracy"]
    expected = scipy.stats.t.interval(0.95, 2, np.mean(values), scipy.stats.sem(values))

    assert seeds["interval"] == pytest.approx(expected)
    assert gather(record({(0, 0): 0.8}))["metrics"]["accuracy"]["interval"] is None


def test_the_command_reads_a_folder(tmp_path, capsys):
    (tmp_path / "run.json").write_text(json.dumps(record({(0, 0): 0.8, (1, 0): 0.9, (2, 0): 0.7})))

    assert run(["evaluate", "--cv", str(tmp_path), "-o", str(tmp_path / "r.json")]) == 0
    assert "3 runs, 3 folds: accuracy 0.8" in capsys.readouterr().err
    assert reports.load(tmp_path / "r.json")["metrics"]["accuracy"]["n"] == 3
    assert run(["evaluate", "--cv", str(tmp_path / "absent")]) == 2
    assert "holds no run.json\n`mmcli train" in capsys.readouterr().err


@pytest.mark.parametrize("content", [{}, {"schema": "mmcli/train-runs@1", "runs": []}, {"schema": "x", "runs": [{}]}])
def test_other_files_are_refused(content):
    with pytest.raises(InputError):
        gather(content)
