"""A search across modalities: figures by hand, what is left out and counted, chance, and the page."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from mmcli.artifacts.formats import report as reports
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge import spaces
from mmcli.evaluation.metrics import ranking
from mmcli.evaluation.report import comparing, page, plots, retrieval
from mmcli.evaluation.report.report import Request

from ..conftest import stream
from ..judge.test_spaces import NAMES, shared, twins

QUICK = Request(split="all", intervals=interval.Config(resamples=100))


def planted(a: np.ndarray, b: np.ndarray, label: object = None, **others: object) -> Dataset:
    """Items whose vectors are given; a row of NaN is an absent one."""
    streams = {}
    for name, values in (("a", a), ("b", b)):
        there = np.isfinite(values).all(axis=1)
        streams[name] = stream(np.nan_to_num(values), there)
    count = len(a)
    ids = [f"i{k}" for k in range(count)]
    return Dataset(streams, ids, ["test"] * count, [""] * count, label, meta={"task": None} | others)


def searched(data: Dataset, relevant: str = "pair", request: Request = QUICK) -> dict:
    """A report as a reader gets it, through the file format."""
    rows = np.arange(data.items) if request.split == "all" else data.rows(request.split)
    found = retrieval.evaluate(spaces.shared_space(data, NAMES, rows), NAMES, data, request, relevant=relevant)
    return reports.loads(reports.dumps(found), "r.json")


def angles(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane."""
    turned = np.radians(degrees)
    return np.column_stack([np.cos(turned), np.sin(turned)])


def test_ranks_and_figures_of_three_items_by_hand():
    """a points to 0, 40, 100 degrees, b to 10, 90, 50.

    a0 sees b at 10, 90, 50 degrees: its own is first. a1 at 30, 50, 10: its own is third. a2 at 90, 10, 50: second.
    b0 sees a at 10, 30, 90: first. b1 at 90, 50, 10: second. b2 at 50, 10, 50: a0 and a2 are alike, ties go against
    the searcher, so its own is third.
    """
    found = searched(planted(angles(0, 40, 100), angles(10, 90, 50)))
    ranks = [item["ranks"] for item in found["items"]]

    assert [r["a to b"] for r in ranks] == [1, 3, 2]
    assert [r["b to a"] for r in ranks] == [1, 2, 3]
    assert [item["prediction"]["a to b"] for item in found["items"]] == ["i0", "i2", "i1"]
    values = {name: entry["value"] for name, entry in found["metrics"].items()}
    assert values["a to b/hit_rate@1"] == pytest.approx(1 / 3)
    assert values["a to b/mrr"] == pytest.approx((1 + 1 / 3 + 1 / 2) / 3)
    assert values["b to a/median_rank"] == 2
    assert found["items"][1]["loss"] == pytest.approx(1 - (1 / 3 + 1 / 2) / 2)
    assert found["curves"]["hit_rate"]["a to b"] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert found["curves"]["chance"] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_any_item_of_the_label_counts_where_labels_are_looked_for():
    """i0 and i1 are one label: a1 finds b0 second, which will do; a2 still wants its own."""
    data = planted(angles(0, 40, 100), angles(10, 90, 50), ["x", "x", "y"])
    found = searched(data, "label")

    assert [item["ranks"]["a to b"] for item in found["items"]] == [1, 2, 2]
    # a0 finds b0 (10), b2 (50), b1 (90): both of its label at places 1 and 3
    assert found["metrics"]["a to b/map"]["value"] == pytest.approx(((1 + 2 / 3) / 2 + (1 / 2 + 2 / 3) / 2 + 1 / 2) / 3)
    assert found["baselines"]["chance"]["hit_rate@1"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)
    assert "of its label" in found["verdict"]["text"]


def test_of_several_labels_one_in_common_is_enough():
    label = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], bool)
    found = searched(planted(angles(0, 40, 100, 5), angles(10, 90, 50, 0), label, classes=["p", "q"]), "label")

    assert [item["label"] for item in found["items"]] == [["p", "q"], ["q"], ["p"]]
    assert [item["ranks"]["a to b"] for item in found["items"]] == [1, 2, 2]
    assert any("1 of 4 items have no label" in note for note in found["notes"])


def test_what_cannot_be_searched_is_left_out_and_counted_each_for_its_reason():
    a, b = angles(*range(0, 80, 10)), angles(*range(2, 82, 10))
    a[1], b[2], b[3], a[4] = np.nan, np.nan, np.nan, 0.0
    labels = ["x"] * 7 + [""]
    found = searched(planted(a, b, labels), "label")

    assert [item["id"] for item in found["items"]] == ["i0", "i5", "i6"]
    said = " / ".join(found["notes"])
    assert "1 of 8 items lack a and are left out, the first is i1" in said
    assert "2 of 8 items lack b and are left out, the first is i2" in said
    assert "1 of 8 items have a vector of zeros for a, which is like nothing, and are left out, the first is i4" in said
    assert "1 of 8 items have no label and are left out, the first is i7" in said


def test_too_few_items_and_labels_that_are_numbers_are_refused():
    a = angles(0, 40, 100)
    gone = a.copy()
    gone[1:] = np.nan
    with pytest.raises(InputError, match="1 items are no search: 2 of 3 items lack a"):
        searched(planted(gone, a))
    with pytest.raises(MismatchError, match="no labels"):
        searched(planted(a, a), "label")
    with pytest.raises(MismatchError, match="numbers for labels"):
        searched(planted(a, a, [0.1, 0.2, 0.3]), "label")
    with pytest.raises(UsageError, match="one of: pair, label"):
        searched(planted(a, a), "group")


@pytest.mark.parametrize(("relevant", "candidates", "k"), [(1, 10, 1), (3, 10, 4), (9, 10, 2), (2, 50, 50)])
def test_chance_is_hypergeometric(relevant, candidates, k):
    expected = 1 - math.comb(candidates - relevant, k) / math.comb(candidates, k)

    assert retrieval.chance(np.full(4, float(relevant)), candidates, k) == pytest.approx(expected, abs=1e-12)


def test_a_fitted_space_finds_and_noise_is_not_shown_to_be_more_than_chance():
    found = searched(shared(twins(200)), request=Request(intervals=QUICK.intervals))
    rng = np.random.default_rng(3)
    noise = searched(planted(rng.normal(size=(100, 4)), rng.normal(size=(100, 4))))

    assert found["metrics"]["a to b/hit_rate@10"]["value"] > 0.95
    assert found["notes"] == []
    assert "no more than chance" not in found["verdict"]["text"]
    assert "no more than chance is shown for a to b and b to a" in noise["verdict"]["text"]
    assert any("fitted on the training split" in n for n in searched(shared(twins(60)))["notes"])


def test_a_search_some_queries_at_a_time_is_the_search_of_all(monkeypatch):
    rng = np.random.default_rng(0)
    a, b, label = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), rng.integers(0, 4, 40)

    def related(rows):
        return label[rows][:, None] == label[None]

    whole = ranking.evaluate(*ranking.retrieval(a, b, related(np.arange(40))), config=QUICK.intervals)
    monkeypatch.setattr(ranking, "BLOCK_SCORES", 300)
    found = ranking.measured(ranking.search(a, b, related), config=QUICK.intervals)

    assert found == whole


def test_searches_are_compared_item_by_item_and_only_with_the_same_question():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 5))
    label = ["x", "y"] * 30
    good = searched(planted(a, a + rng.normal(0, 0.3, a.shape), label))
    poor = searched(planted(a, a + rng.normal(0, 3.0, a.shape), label))
    found = comparing.compare(good, poor, QUICK.intervals, ("good", "poor"))
    ours, theirs = ([1 - item["loss"] for item in r["items"]] for r in (good, poor))

    assert found["compare"]["difference"] == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert found["verdict"]["text"].startswith("good is better: mean reciprocal rank")
    with pytest.raises(MismatchError, match="a,b by pair, the other a,b by label"):
        comparing.compare(good, searched(planted(a, a, label), "label"))
    with pytest.raises(MismatchError, match=r"other items \(60 and 59\)"):
        comparing.compare(good, searched(planted(a[:59], a[:59], label[:59])))


def test_groups_widen_the_intervals_of_a_search():
    rng = np.random.default_rng(0)
    a = np.repeat(rng.normal(size=(12, 4)), 8, axis=0) + rng.normal(0, 0.1, (96, 4))
    data = planted(a, a + np.repeat(rng.normal(size=(12, 4)) * np.linspace(0, 1, 12)[:, None], 8, axis=0))
    data.group = np.repeat([f"g{g:02d}" for g in range(12)], 8)
    found = searched(data)

    assert found["metrics"]["a to b/hit_rate@10"]["method"] == "wilson by group"


def test_page_picture_and_table_of_a_search_are_whole_and_escaped():
    evil = "<script>alert(1)</script>"
    data = planted(angles(0, 40, 100), angles(10, 90, 50), [evil, "x", "y"])
    data.id = np.array([f"{evil}{k}" for k in range(3)])
    found = searched(data)
    html = page.render(found)

    assert "<script>alert" not in html
    assert "finds its b first" in html
    assert list(plots.available(found)) == ["hits"]
    assert not re.search(r"(src|href)=\"(?!#|data:)", html)
    columns, rows = retrieval.predictions_table(found)
    assert columns == ["id", "group", "label", "rank a to b", "first a to b", "rank b to a", "first b to a"]
    assert [row[3] for row in rows] == [1, 3, 2]
