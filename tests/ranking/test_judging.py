"""What the judgement of a recommender promises: exact figures, nothing learned from the test, the carrier named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.errors import InputError, UsageError
from mmcli.evaluation.metrics import ranking as slow
from mmcli.ranking import content, fit, judge, metrics, page, recommender, report, splits
from mmcli.ranking.methods import ease

from .conftest import world

CONFIG = fit.Config(method="ease")


def question(events, data, **options):
    liked = np.ones(len(events), bool)
    held = splits.hold_out(events, liked, **options)
    return judge.Question(events, liked, held, content.raw_of(data), draws=40)


@pytest.fixture(scope="module")
def trained(planted):
    events, data = planted
    model, recipe = fit.train(events, np.ones(len(events), bool), content.raw_of(data), CONFIG)
    model.config = {"modalities": {n: {"kind": "vector", "shape": [s.width]} for n, s in data.streams.items()}}
    model.config |= {"model": {"recipe": recipe.told()}, "training": {"positive": "every event"}}
    return model, recipe


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_figures_are_those_of_the_exact_ranking(seed):
    rng = np.random.default_rng(seed)
    scores = rng.random((6, 30)).astype(np.float32)
    history, test = (sp.csr_matrix(rng.random((6, 30)) < 0.2, dtype=np.float32) for _ in range(2))
    test = sp.csr_matrix(test.toarray() * (history.toarray() == 0))
    if not np.diff(test.indptr).all():
        return
    rows = iter([scores.copy()])
    lists = metrics.rank(lambda _: next(rows), history, test, np.ones(30, bool))
    scores[history.toarray() > 0] = -1
    order = np.argsort(-scores, axis=1, kind="stable")
    expected = slow.per_query(np.take_along_axis(test.toarray().astype(float), order, 1), (10, 20))
    figures = metrics.per_user(lists)
    for k in (10, 20):
        for name in (f"ndcg@{k}", f"recall@{k}", f"hit_rate@{k}"):
            assert figures[name] == pytest.approx(expected[name])


def test_the_last_of_each_user_is_held_out_and_nothing_later_is_trained_on(planted):
    events, _ = planted
    held = splits.hold_out(events, np.ones(len(events), bool))
    for user in range(20):
        own = events.user == user
        assert held.test[own].sum() == int(0.2 * own.sum())
        assert events.time[own & ~held.test].max() <= events.time[own & held.test].min()


def test_a_random_split_has_to_be_asked_for_and_is_said_to_flatter(planted, trained):
    events, data = planted
    with pytest.raises(UsageError, match="no times"):
        splits.hold_out(dataclasses.replace(events, time=None), np.ones(len(events), bool))
    asked = question(events, data, how="random")
    told = report.evaluate(*trained, dataclasses.replace(asked, raw={}), CONFIG)
    assert any("flatters" in note for note in told["notes"])


def test_given_rows_name_lines_of_the_file(planted, tmp_path):
    events, _ = planted
    rows = np.array([5, 17, 900])
    np.savez(
        tmp_path / "s.npz", positive=np.arange(3), last=rows, other=rows, new_1=rows, new_1_items=np.array(["i003"])
    )
    everything = np.ones(len(events), bool)
    assert np.flatnonzero(splits.hold_out(events, everything, given=tmp_path / "s.npz").test).tolist() == rows.tolist()
    new = splits.hold_out(events, everything, given=tmp_path / "s.npz#new_1")
    assert new.new.sum() == 1
    with pytest.raises(UsageError, match="did you mean 'other'"):
        splits.hold_out(events, everything, given=tmp_path / "s.npz#othr")


def test_judging_a_model_that_saw_the_test_fits_its_recipe_again(planted, trained):
    events, data = planted
    told = report.evaluate(*trained, question(events, data), CONFIG)
    assert told["model"]["refitted"]
    assert report.REFITTED in told["notes"]
    assert told["integrity"]["clean"]
    assert {"warm", "new", "whole", "beyond"} <= told.keys()
    for name, entry in told["metrics"].items():
        low, high = entry["interval"]
        assert low <= entry["value"] <= high, name
    shares = [point["share_new"] for point in told["whole"]["curve"]]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert told["verdict"]["carried_by"] == ["text"]
    assert told["verdict"]["text"].startswith("text places new items")
    html = page.render(told, {})
    assert told["verdict"]["text"] in html
    assert "<script" in html


def test_a_model_trained_without_the_test_is_judged_as_it_is(planted):
    events, data = planted
    asked = dataclasses.replace(question(events, data), raw={})
    model, recipe = fit.train(events, asked.training, {}, CONFIG)
    model.config = {"training": {"fingerprint": splits.fingerprint(events, asked.training)}}
    judged = judge.judge(model, recipe, asked, CONFIG)
    assert not judged.refitted


@pytest.mark.parametrize("seed", range(3))
def test_where_events_are_random_no_modality_is_named(seed):
    events, data = world(seed + 10, carrier=False)
    pool = splits.items_by_digest(events.items, np.ones(len(events.items), bool))
    held = splits.Held(pool[events.item], pool, "new")
    asked = judge.Question(events, np.ones(len(events), bool), held, content.raw_of(data), draws=20)
    keep = ~pool[events.item]
    model, recipe = fit.train(events, keep, asked.raw, CONFIG, assigned={"ease": ease.Config()})
    assert judge._new(model, recipe, asked, keep, pool, judge.Judged())["carried_by"] == []


def test_intervals_over_items_are_wider_than_over_users_alone(planted, trained):
    events, data = planted
    asked = question(events, data)
    pool = splits.items_by_digest(events.items, np.ones(len(events.items), bool))
    histories = splits.histories(events, ~pool[events.item])
    model = fit.refit(trained[1], events.items, histories, asked.raw, CONFIG)
    lists = metrics.rank(model.scores, histories, splits.histories(events, pool[events.item]), pool, metrics.DEPTH)
    each = metrics.per_user(lists)["ndcg@20"]
    spread = metrics.resampled(lists, splits.histories(events, pool[events.item]), pool, 0)
    assert spread.both["ndcg@20"].std() > each.std() / len(each) ** 0.5


def test_the_bridge_equals_kernel_ridge_regression_of_smoothed_rows(trained):
    """Slow twin, a user at a time."""
    model, _ = trained
    bridge, rows = model.bridge, model.histories([[1, 5, 9]])
    smooth = model.scorer.scores(rows)[0][bridge.known].astype(float)
    vectors = {name: v[:4] for name, v in bridge.vectors.items()}
    K = sum(
        w * content.kernel(bridge.vectors[n][bridge.known], bridge.vectors[n][bridge.known])
        for n, w in bridge.weights.items()
    )
    k = sum(w * content.kernel(bridge.vectors[n][bridge.known], vectors[n]) for n, w in bridge.weights.items())
    dual = np.linalg.solve(K.astype(float) + bridge.mu * np.eye(len(K)), smooth)
    assert model.score_content(rows, vectors)[0] == pytest.approx(dual @ k, abs=1e-3)


def test_reasons_sum_to_the_score(trained):
    model, _ = trained
    history = np.array([2, 40, 77])
    rows = model.histories([history.tolist()])
    known = model.because(history, 11)
    assert sum(known["history"].values()) == pytest.approx(float(model.scores(rows)[0, 11]), abs=1e-4)
    own = {name: v[[50]] for name, v in model.bridge.vectors.items()}
    new = model.because(history, -1, own)
    score = float(model.score_content(rows, own)[0, 0])
    assert sum(new["history"].values()) == pytest.approx(score, abs=1e-4)
    assert sum(new["modalities"].values()) == pytest.approx(score, abs=1e-4)


def test_a_model_comes_back_from_its_file_and_holds_no_user(trained, tmp_path):
    model, _ = trained
    recommender.save(tmp_path / "rec.pt", model)
    assert b"u17" not in (tmp_path / "rec.pt").read_bytes()
    again = recommender.load(tmp_path / "rec.pt")
    rows = model.histories([[3, 4], [], [99]])
    assert np.array_equal(again.scores(rows), model.scores(rows))


def test_adding_users_equals_training_on_all_of_them(planted):
    events, _ = planted
    first = events.user < 100
    config = {"assigned": {"ease": ease.Config()}}
    part, recipe = fit.train(events, first, {}, CONFIG, **config)
    part.config = {"model": {"recipe": recipe.told()}}
    grown = fit.add(part, events, ~first)
    whole, _ = fit.train(events, np.ones(len(events), bool), {}, CONFIG, **config)
    assert grown.scorer.matrix == pytest.approx(whole.scorer.matrix, abs=1e-5)


def test_weights_are_never_worse_than_the_best_single_modality():
    values = {("a",): 0.3, ("b",): 0.2, ("a", "b"): 0.25}
    choice = content.learn(["a", "b"], lambda weights, mu: values[tuple(sorted(weights))])
    assert choice.weights == {"a": 1.0}
    assert choice.value == 0.3


def test_nothing_held_out_is_refused(planted, trained):
    events, data = planted
    asked = question(events, data)
    nothing = dataclasses.replace(asked, held=splits.Held(np.zeros(len(events), bool), asked.held.new, ""))
    with pytest.raises(InputError, match="nothing to judge by"):
        judge.judge(*trained, nothing, CONFIG)
