"""Does fusion help: the paired comparison, the sentence, and how often it would be wrong."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.judge.outcome import Outcome
from mmcli.evaluation.judge.verdict import Opponent

CLASSES = ["a", "b"]


def right(hits: np.ndarray) -> Outcome:
    """A two-class outcome that is right where ``hits`` says so."""
    truth = np.zeros(len(hits), int)
    return Outcome("classify", CLASSES, truth, np.where(hits, 0, 1), None)


def opponent(hits: np.ndarray, kind: str = "single", name: str = "x", val: float | None = None) -> Opponent:
    chosen = None if val is None else right(np.arange(100) < 100 * val)
    return Opponent(name, kind, (name,), right(hits), chosen)


@given(b=st.integers(0, 60), c=st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial(b, c):
    assert verdict.mcnemar(b, c) == pytest.approx(
        1.0 if b + c == 0 else scipy.stats.binomtest(b, b + c).pvalue, abs=1e-12
    )
    assert verdict.mcnemar(b, c) == verdict.mcnemar(c, b)


def test_a_clear_gain_a_clear_loss_and_a_draw_are_told_apart():
    n = np.arange(200)
    for ours, theirs, helps, opening in (
        (n < 180, n < 120, "yes", "Fusion helps"),
        (n < 120, n < 180, "no", "Fusion does not help: a single modality is better"),
        (n % 2 == 0, n % 2 == 1, "not shown", "Fusion is not shown to help"),
    ):
        found = verdict.verdict(right(ours), [opponent(theirs)])
        assert found["helps"] == helps
        assert found["text"].startswith(opening)
        assert "of x, the best single modality on these items" in found["text"]
        assert found["chosen_by"] == "test"


def test_the_numbers_of_the_sentence_are_those_of_the_comparison():
    n = np.arange(200)
    found = verdict.verdict(right(n < 180), [opponent(n < 120)])
    row = found["against"][0]

    assert row["difference"] == pytest.approx(0.3)
    assert (row["ours"], row["theirs"]) == (0.9, 0.6)
    assert (row["only_ours"], row["only_theirs"]) == (60, 0)
    assert "accuracy 90.0 % against 60.0 %" in found["text"]
    assert "+30.0 points" in found["text"]


def test_the_best_of_a_kind_is_chosen_on_validation_but_help_needs_all_singles():
    """``y`` looks better on validation; ``x`` is the one that beats the model on the test items."""
    n = np.arange(200)
    found = verdict.verdict(
        right(n < 150),
        [opponent(n < 190, name="x", val=0.6), opponent(n < 90, name="y", val=0.7)],
        modalities=["x", "y"],
    )

    assert "of y, the best single modality by validation" in found["text"]
    assert found["chosen_by"] == "validation"
    assert found["helps"] == "no"
    assert found["untried"] == []


def test_modalities_that_no_opponent_stands_for_are_named():
    n = np.arange(200)
    found = verdict.verdict(right(n < 180), [opponent(n < 120)], modalities=["x", "z"])

    assert found["untried"] == ["z"]
    assert found["helps"] == "unknown"
    assert found["text"].startswith("The model is better than each single modality that was tried")
    assert "(alone untried: z)" in found["text"]


def test_without_a_single_modality_the_question_is_left_open():
    n = np.arange(200)
    found = verdict.verdict(right(n < 180), [opponent(n < 120, kind="concat")])

    assert found["helps"] == "unknown"
    assert "was not compared with a single modality" in found["text"]


def test_regression_differences_are_turned_so_that_more_is_better():
    truth = np.linspace(-2, 2, 80)
    good = Outcome("regress", None, truth, truth + 0.1, None)
    poor = Outcome("regress", None, truth, truth + 0.5, None)
    found = verdict.verdict(good, [Opponent("p", "single", ("p",), poor)])

    assert found["against"][0]["difference"] == pytest.approx(0.4)
    assert found["against"][0]["ours"] == pytest.approx(0.1)
    assert (
        "mean absolute error 0.1 against 0.5 of p, the best single modality on these items: gain +0.4" in found["text"]
    )
    assert found["helps"] == "yes"


@pytest.mark.parametrize(
    ("task", "value", "said"),
    [
        ("classify", 0.05, "would change this by -5.0 points (-10.0 to -2.5; EMAP, 40 items)"),
        ("classify", 0.0001, "would change this by 0.0 points"),
        ("regress", 0.2, "would change this by +0.2 (+0.1 to +0.4; EMAP, 40 items)"),
        ("regress", 1e-9, "would change this by 0 ("),
    ],
)
def test_what_interaction_is_worth_is_said_with_its_size_and_sample(task, value, said):
    """Without interaction accuracy falls and an error grows."""
    ours = right(np.arange(200) < 180)
    rival = opponent(np.arange(200) < 120)
    if task == "regress":
        truth = np.linspace(-2, 2, 80)
        ours = Outcome(task, None, truth, truth + 0.1, None)
        rival = Opponent("p", "single", ("p",), Outcome(task, None, truth, truth + 0.5, None))
    for interval_, opening in (
        ([value / 2, 2 * value], "the modalities interact"),
        ([-value, value], "no interaction"),
    ):
        emap = {"value": value, "interval": interval_, "sample": 40}
        text = verdict.verdict(ours, [rival], emap=emap)["text"]
        assert opening in text
        if opening == "the modalities interact":
            assert said in text


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_help_is_claimed_in_at_most_5_percent_of_500_runs_where_there_is_none(correlation):
    """The model is as good as the best of two single modalities, 75 %, on 200 items; the second has 70 %."""
    rng = np.random.default_rng(7)
    weights = np.concatenate(list(interval.draws(200, None, interval.Config(resamples=400))))
    claimed = 0
    for _ in range(500):
        shared = rng.normal(size=200) * np.sqrt(correlation)
        hits = [
            shared + rng.normal(size=200) * np.sqrt(1 - correlation) < scipy.stats.norm.ppf(p)
            for p in (0.75, 0.75, 0.7)
        ]
        bounds = []
        for single in hits[1:]:
            differences = hits[0].astype(float) - single
            bounds.append(interval.percentile(weights @ differences / 200, 0.95))
        claimed += verdict._helps([{"interval": b} for b in bounds]) == "yes"

    assert claimed <= 25


def paired_coverage(groups: int, runs: int) -> float:
    """How often the interval of a paired difference holds 5 points, where items of a group are alike."""
    rng = np.random.default_rng(2)
    code = np.repeat(np.arange(groups), 200 // groups)
    limits = scipy.stats.norm.ppf([0.85, 0.8])
    covered = 0
    for run in range(runs):
        parts = rng.normal(size=(3, groups))[:, code] + rng.normal(size=(3, len(code)))
        shared, *own = parts / np.sqrt(2)
        hits = [np.sqrt(0.4) * shared + np.sqrt(0.6) * part < limit for part, limit in zip(own, limits, strict=True)]
        config = interval.Config(seed=run % 8, resamples=400)
        found = verdict.paired(*(hit.astype(float) for hit in hits), "classify", groups=code, config=config)
        covered += found["interval"][0] <= 0.05 <= found["interval"][1]
    return covered / runs


@pytest.mark.hunt
@pytest.mark.parametrize("groups", [10, 20, 40])
def test_paired_intervals_by_group_cover_93_to_98_percent_of_2000_runs(groups):
    found = paired_coverage(groups, 2000)
    print(f"{groups} groups: {found:.1%}")

    assert 0.93 <= found <= 0.98


def test_paired_intervals_by_group_cover_what_they_should_in_a_hundred_runs():
    """The small version of the hunt; percentile intervals hold 90 of 100."""
    assert paired_coverage(20, 100) >= 0.885


def test_kinds_of_opponents():
    ours = ["audio", "image", "text"]

    assert verdict.kind_of(["audio"], "concat", ours) == "single"
    assert verdict.kind_of(["audio", "text"], "concat", ours) == "subset"
    assert verdict.kind_of(ours, "concat", ours) == "concat"
    assert verdict.kind_of(ours, "attention", ours) == "other"
