"""The metrics of maps: the same numbers as the community's tool, and what they say about planted errors."""

from __future__ import annotations

import mir_eval.alignment as peer
import numpy as np
import pytest
from scipy.stats import skewnorm

from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import MismatchError
from mmcli.evaluation.metrics import alignment as metrics


def test_the_perceptual_metric_is_the_published_skewed_normal() -> None:
    """scipy's density, as mir_eval.alignment uses it, to nine digits."""
    rng = np.random.default_rng(0)
    true = np.sort(rng.uniform(0, 60, 50))
    found = np.sort(true + rng.normal(0, 0.2, 50))
    wanted = np.mean(skewnorm.pdf(found - true, 1.12244251, loc=-0.22270315, scale=0.29779424) / 1.6857)
    assert metrics.perceptual(found - true) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_equal_to_mir_eval(seed: int) -> None:
    """The four metrics, to nine digits, also for times that coincide."""
    rng = np.random.default_rng(seed)
    true = np.sort(np.round(rng.uniform(0, 60, 40), seed % 4))
    found = np.sort(true + rng.normal(0, 0.3, 40)).clip(0)
    scored = {name: entry["value"] for name, entry in metrics.score_starts(true, found, 40).items()}
    assert (scored["median_s"], scored["mean_s"]) == pytest.approx(peer.absolute_error(true, found), abs=1e-9)
    for limit in metrics.LIMITS_S:
        near = peer.percentage_correct(true, found, window=limit)
        assert scored[f"within_{round(1000 * limit)}_ms"] == pytest.approx(near, abs=1e-9)
    assert scored["correct_segments"] == pytest.approx(peer.percentage_correct_segments(true, found), abs=1e-9)
    assert scored["perceptual"] == pytest.approx(peer.karaoke_perceptual_metric(true, found), abs=1e-9)


def test_the_report_of_a_map_holds_the_numbers_of_mir_eval() -> None:
    """Through `score`, on a map that is wrong everywhere by its own amount."""
    rng = np.random.default_rng(7)
    true = np.sort(rng.uniform(1, 60, 50))
    found = np.sort(true + rng.normal(0, 0.1, 50))
    queries = np.arange(50.0)
    own = Alignment(model="warp", knots=np.column_stack([found, queries]))
    scored = {name: entry["value"] for name, entry in metrics.score(own, np.column_stack([true, queries])).items()}
    assert (scored["median_s"], scored["mean_s"]) == pytest.approx(peer.absolute_error(true, found), abs=1e-9)
    assert scored["correct_segments"] == pytest.approx(peer.percentage_correct_segments(true, found), abs=1e-9)
    assert scored["perceptual"] == pytest.approx(peer.karaoke_perceptual_metric(true, found), abs=1e-9)
    for limit in (0.01, 0.02, 0.05, 0.1):
        near = peer.percentage_correct(true, found, window=limit)
        assert scored[f"within_{round(1000 * limit)}_ms"] == pytest.approx(near, abs=1e-9)


def test_times_out_of_order_count_by_themselves_and_do_not_drag_others_along() -> None:
    scored = metrics.score_starts([1.0, 2.0, 3.0], [1.0, 62.0, 3.0], 4)
    assert scored["median_s"]["value"] == 0.0
    assert scored["max_s"]["value"] == 60.0
    assert scored["unmapped"] == {"value": 0.25, "n": 4}


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


def test_points_in_a_break_are_counted_as_unmapped() -> None:
    broken = Alignment(
        model="piecewise",
        knots=np.array([[0.0, 0.0], [5.0, 5.0], [8.0, 5.0], [10.0, 7.0]]),
        breaks=[{"side": "reference", "start": 5.0, "end": 8.0}],
    )
    found = metrics.score(broken, np.array([[1.0, 1.0], [9.0, 6.0], [12.0, 9.0]]))
    assert found["unmapped"] == {"value": pytest.approx(1 / 3), "n": 3}
    assert found["max_s"]["value"] == pytest.approx(0.0, abs=1e-12)


def test_a_map_that_says_nothing_about_the_truth_is_refused() -> None:
    here = Alignment(model="piecewise", knots=np.array([[0.0, 0.0], [5.0, 5.0]]))
    with pytest.raises(MismatchError, match="says nothing"):
        metrics.score(here, np.array([[8.0, 8.0], [9.0, 9.0]]))
