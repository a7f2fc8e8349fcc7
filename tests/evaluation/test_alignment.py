"""The metrics of maps: the same numbers as the community's tool, and what they say about planted errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import skewnorm

from mmcli.artifacts.alignment import Alignment
from mmcli.errors import InputError, MismatchError
from mmcli.evaluation import alignment as metrics


def test_the_perceptual_metric_is_the_published_skewed_normal() -> None:
    """scipy's density, as mir_eval.alignment uses it, to nine digits."""
    rng = np.random.default_rng(0)
    true = np.sort(rng.uniform(0, 60, 50))
    found = np.sort(true + rng.normal(0, 0.2, 50))
    wanted = np.mean(skewnorm.pdf(found - true, 1.12244251, loc=-0.22270315, scale=0.29779424) / 1.6857)
    assert metrics.karaoke_perceptual_metric(true, found) == pytest.approx(wanted, abs=1e-12)


def test_equal_to_mir_eval_where_it_is_installed() -> None:
    peer = pytest.importorskip("mir_eval.alignment")
    rng = np.random.default_rng(1)
    true = np.sort(rng.uniform(0, 60, 40))
    found = np.sort(true + rng.normal(0, 0.3, 40)).clip(0)
    assert metrics.absolute_error(true, found) == pytest.approx(peer.absolute_error(true, found), abs=1e-9)
    assert metrics.percentage_correct(true, found) == pytest.approx(peer.percentage_correct(true, found), abs=1e-9)
    for duration in (None, 70.0):
        own = metrics.percentage_correct_segments(true, found, duration)
        assert own == pytest.approx(peer.percentage_correct_segments(true, found, duration), abs=1e-9)
    own = metrics.karaoke_perceptual_metric(true, found)
    assert own == pytest.approx(peer.karaoke_perceptual_metric(true, found), abs=1e-9)


def test_a_late_map_is_late_by_what_was_planted() -> None:
    t = np.arange(0.0, 10.0, 0.5)
    late = Alignment(
        model="offset",
        knots=np.array([[1.03, 0.0], [10.03, 9.0]]),
        offset_s=1.03,
        rate=1.0,
        ppm=0.0,
        confidence_s=[0.02, 0.02],
    )
    found = metrics.score(late, np.column_stack([t + 1.0, t]))
    assert found["mean_s"]["value"] == pytest.approx(0.03)
    assert found["within_20_ms"]["value"] == 0.0
    assert found["within_50_ms"]["value"] == 1.0
    assert found["coverage"]["value"] == 0.0
    assert found["width_s"]["value"] == pytest.approx(0.04)


def test_the_starts_of_lines_are_judged_in_order() -> None:
    lines = [
        {"kind": "line", "text": "a", "start": s, "end": s + 0.5, "score": 0.0, "spoken": True} for s in (1.0, 3.0)
    ]
    found = Alignment(
        model="warp",
        knots=np.zeros((0, 2)),
        segments=lines,
        quality={"ratio": None, "verdict": "match", "reason": "planted"},
        method={"name": "planted", "config": {}},
    )

    scored = metrics.score_segments(found, [(1.02, 1.5, "a"), (2.9, 3.5, "a")], "line")

    assert scored["mean_s"]["value"] == pytest.approx(0.06)
    with pytest.raises(MismatchError, match="holds 2 lines, the truth 1"):
        metrics.score_segments(found, [(1.0, 1.5, "a")], "line")
    with pytest.raises(MismatchError, match="holds 0 words"):
        metrics.score_segments(found, [(1.0, 1.5, "a")], "word")


def test_points_in_a_break_are_counted_as_unmapped() -> None:
    broken = Alignment(
        model="piecewise",
        knots=np.array([[0.0, 0.0], [5.0, 5.0], [8.0, 5.0], [10.0, 7.0]]),
        breaks=[{"side": "reference", "start": 5.0, "end": 8.0}],
    )
    found = metrics.score(broken, np.array([[1.0, 1.0], [9.0, 6.0], [12.0, 9.0]]))
    assert found["unmapped"] == {"value": pytest.approx(1 / 3), "n": 3}
    assert found["max_s"]["value"] == pytest.approx(0.0, abs=1e-12)


def test_truth_is_read_from_maps_and_tables(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t_reference,t_query\n0,1\n2,3\n")
    (tmp_path / "t.json").write_text(json.dumps({"knots": [[0, 1], [2, 3]]}))
    for name in ("t.csv", "t.json"):
        assert metrics.read_truth(tmp_path / name).tolist() == [[0.0, 1.0], [2.0, 3.0]]
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError):
        metrics.read_truth(tmp_path / "bad.csv")


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(MismatchError):
        metrics.absolute_error([1.0], [1.0, 2.0])
    with pytest.raises(InputError):
        metrics.absolute_error([2.0, 1.0], [1.0, 2.0])
