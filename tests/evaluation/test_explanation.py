"""Why: Shapley values that add up, projections of planted models, gradients that find the planted input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.artifacts.dataset import Dataset, Stream
from mmcli.evaluation import attention, candidates, emap, gradients, interval, mixing, shapley, slices
from mmcli.evaluation.outcome import Outcome, outcome_of, truth_of
from mmcli.evaluation.report import Model, Request, evaluate
from mmcli.models import network
from mmcli.models.kernel import Kernel
from mmcli.models.stack import Stack

from .conftest import Answers, made, predict


@given(count=st.integers(1, 5), seed=st.integers(0, 1000))
def test_shapley_values_add_up_and_equal_the_mean_over_orders(count, seed):
    import itertools

    worth = np.random.default_rng(seed).normal(size=(2**count, 3))
    found = shapley.values(worth, count)
    place = {s: i for i, s in enumerate(shapley.subsets(count))}
    slow = np.zeros((count, 3))
    for order in itertools.permutations(range(count)):
        for i, m in enumerate(order):
            slow[m] += worth[place[tuple(sorted(order[: i + 1]))]] - worth[place[tuple(sorted(order[:i]))]]
    slow /= math.factorial(count)

    assert np.abs(found.sum(axis=0) - (worth[-1] - worth[0])).max() < 1e-9
    assert found == pytest.approx(slow, abs=1e-12)


def test_the_report_gives_values_that_add_up_to_the_figure_minus_the_prior(task):
    data = made(200, task=task, missing=0.25)
    classes = None if task == "regress" else ["a", "b", "c"]
    found = evaluate(Model(predict=predict, task=task, classes=classes), data)
    modalities = found["modalities"]
    total = sum(entry["shapley"]["value"] for entry in modalities["each"].values())

    assert total == pytest.approx(modalities["all"] - modalities["prior"], abs=1e-9)
    figure = found["metrics"][modalities["primary"]]["value"]
    assert modalities["all"] == pytest.approx(-figure if task == "regress" else figure, abs=1e-9)
    assert all(set(item["shapley"]) == {"x", "y"} for item in found["items"])


class Fitted:
    """Logistic regression on x and y, trained on other items than it is asked about; an absent modality counts as 0."""

    fast = True

    def __init__(self, x: np.ndarray, y: np.ndarray, truth: np.ndarray, train: int) -> None:
        from sklearn.linear_model import LogisticRegression

        self.names = ["x", "y"]
        self._model = LogisticRegression().fit(np.column_stack([x, y])[:train], truth[:train])
        self._inputs = np.column_stack([x, y])[train:]
        self.present = np.ones((len(x) - train, 2), bool)

    def scores(self, source, keep):
        return self._model.predict_proba(np.where(keep, self._inputs[source, [0, 1]], 0.0))


def test_a_modality_of_noise_has_an_interval_with_zero_in_at_least_93_percent_of_200_runs():
    """A model trained on x, which tells something, and y, which is noise; 200 training and 200 test items each."""
    held = informative = 0
    config = interval.Config(resamples=200)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 400)
        mixer = Fitted(truth - 0.5 + rng.normal(0, 0.8, 400), rng.normal(0, 1, 400), truth, 200)
        whole = Outcome("classify", ["n", "y"], truth[200:], truth[200:], None)
        prior = np.array([1 - truth[:200].mean(), truth[:200].mean()])

        def gains(answers, whole=whole):
            return whole.answered(answers).gains()

        found, _ = shapley.explain(mixer, prior, gains, whole.agreement, config=config)
        low, high = found["values"]["y"]["interval"]
        held += low <= 0 <= high
        informative += found["values"]["x"]["interval"][0] > 0

    assert held / 200 >= 0.93
    assert informative == 200


def net(fusion: str = "concat", seed: int = 0) -> network.Network:
    """A network of ours over x and y of the made data sets, with random weights."""
    torch.manual_seed(seed)
    part = {"encoder": "mlp", "config": {"inputs": 3, "width": 8, "hidden": 8}}
    fused: dict = {"name": fusion, "config": {"modalities": 2, "width": 8}}
    config = {
        "name": "network",
        "modalities": [{"name": "x", **part}, {"name": "y", **part}],
        "fusion": fused,
        "head": {"outputs": 3, "hidden": 8},
        "auxiliary": True,
    }
    return network.Network(config).eval()


def access_to(network_: network.Network, size: int = 7) -> mixing.Access:
    """The inside of a network whose input is padded by hand."""

    def batches(dataset, rows):
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            batch = {}
            for name in network_.names:
                stream = dataset.streams[name].select(chosen)
                longest = max(1, int(stream.lengths.max()))
                values = np.zeros((len(chosen), longest, *stream.values.shape[1:]), np.float32)
                mask = np.zeros((len(chosen), longest), bool)
                for i in range(len(chosen)):
                    item = stream.item(i).values
                    values[i, : len(item)], mask[i, : len(item)] = item, True
                tensors = (torch.from_numpy(a) for a in (values, mask, stream.present))
                batch[name] = network.Input(*tensors)
            yield batch

    def meaning(logits):
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True), None

    return mixing.Access(network_, batches, meaning)


def predict_with(access: mixing.Access):
    def call(dataset, rows):
        with torch.no_grad():
            logits = torch.cat([access.model(batch) for batch in access.batches(dataset, rows)])
        return Answers(probabilities=access.meaning(logits.double().numpy())[0])

    return call


@pytest.mark.parametrize("fusion", ["concat", "mean", "weighted", "attention"])
def test_mixing_vectors_gives_the_answers_of_mixing_data(fusion):
    data = made(40, missing=0.3)
    access = access_to(net(fusion))
    rows = data.rows("train")
    fast = mixing.mixer(predict_with(access), access, data, rows)
    slow = mixing.OfDatasets(predict_with(access), data, rows)
    rng = np.random.default_rng(0)
    source = rng.integers(0, len(rows), (60, 2))
    keep = rng.random((60, 2)) < 0.7
    asked = (keep & fast.present[source, [0, 1]]).any(axis=1)

    assert isinstance(fast, mixing.OfParts)
    assert np.array_equal(fast.present, slow.present)
    assert fast.scores(source, keep)[asked] == pytest.approx(slow.scores(source, keep)[asked], abs=1e-5)


def stack(task: str = "classify", *, fallback: bool = False) -> Stack:
    """A pool of a network of x, a kernel machine of both modalities and a network of both, with random weights."""
    torch.manual_seed(3)
    part = {"encoder": "mlp", "config": {"inputs": 3, "width": 8, "hidden": 8}}
    single = {
        "name": "network",
        "modalities": [{"name": "x", **part}],
        "fusion": {"name": "concat", "config": {"modalities": 1, "width": 8}},
        "head": {"outputs": 3},
    }
    stream = {"kind": "vector", "shape": [3], "vocabulary_size": 0, "gamma": 0.7}
    machine = Kernel(
        {
            "name": "kernel",
            "rows": 5,
            "outputs": 3,
            "gain": 2.0,
            "modalities": [{"name": "y", **stream}, {"name": "x", **stream}],
        }
    )
    for name, buffer in machine.named_buffers():
        if name == "there":
            buffer.copy_(torch.rand(buffer.shape) < 0.8)
        elif not name.startswith("scale"):
            buffer.copy_(torch.randn(buffer.shape))
    members = [network.Network(single), machine, net()]
    parts_ = [{"title": t, "weight": w, "gain": 1.3} for t, w in (("x", 0.5), ("kernel", 0.8), ("both", 0.4))]
    if fallback:  # only x counts; the others speak where it is absent
        parts_ = [part | {"fallback": part["title"] != "x"} for part in parts_]
    config = {"task": task, "outputs": 3, "modalities": [{"name": "x"}, {"name": "y"}], "members": parts_}
    pooled = Stack(config, members)
    pooled.get_buffer("prior").copy_(torch.log(torch.tensor([0.5, 0.3, 0.2])))
    return pooled.eval()


@pytest.mark.parametrize("fallback", [False, True])
def test_a_pool_is_taken_apart_without_changing_its_answers(fallback):
    data = made(40, missing=0.3)
    access = access_to(stack(fallback=fallback))
    rows = data.rows("train")
    fast = mixing.mixer(predict_with(access), access, data, rows)
    slow = mixing.OfDatasets(predict_with(access), data, rows, ["x", "y"])
    order = [slow.names.index(name) for name in fast.names]
    rng = np.random.default_rng(0)
    source, keep = rng.integers(0, len(rows), (60, 2)), rng.random((60, 2)) < 0.7

    assert isinstance(fast, mixing.OfParts)
    assert np.array_equal(fast.present, slow.present[:, order])
    back = np.argsort(order)
    assert fast.scores(source, keep) == pytest.approx(slow.scores(source[:, back], keep[:, back]), abs=1e-5)


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
    found = candidates.kept(whole)
    verdict = evaluate(whole, data, opponents=found)["verdict"]

    assert [(m.name, m.modalities, m.fusion) for m in found] == [
        ("x", ("x",), "concat"),
        ("kernel", ("y", "x"), "kernel"),
        ("both", ("x", "y"), "concat"),
    ]
    assert [row["kind"] for row in verdict["against"]] == ["single", "other", "concat"]
    assert verdict["untried"] == ["y"]


def test_gradients_of_a_pool_add_up_too():
    data = made(12, missing=0.3)
    access = access_to(stack(), 12)
    found = gradients.explain(access, data, np.arange(12), np.arange(12) % 3)

    assert all(abs(entry["gap"]) < 0.1 for entry in found)
    assert all(np.isfinite(list(entry["share"].values())).all() for entry in found)


class Planted:
    """f(a, b) = u(a) + v(b) + strength x u(a) v(b)."""

    fast = True

    def __init__(self, n: int, strength: float, count: int = 2) -> None:
        rng = np.random.default_rng(1)
        self.parts = [rng.normal(size=(n, 2)) for _ in range(count)]
        self.names = [f"m{i}" for i in range(count)]
        self.present = np.ones((n, count), bool)
        self.strength = strength

    def scores(self, source, keep):
        chosen = [part[source[:, m]] for m, part in enumerate(self.parts)]
        return sum(chosen) + self.strength * np.prod(chosen, axis=0)


@pytest.mark.parametrize("count", [2, 3])
def test_the_projection_of_an_additive_model_is_the_model_itself(count):
    planted = Planted(12, 0.0, count)
    items = np.arange(12)
    index = np.repeat(items[:, None], count, axis=1)

    assert emap.projection(planted, items, lambda s: s) == pytest.approx(planted.scores(index, None), abs=1e-9)


@pytest.mark.parametrize("count", [2, 3])
def test_the_projection_equals_its_definition(count):
    planted, n = Planted(6, 1.0, count), 6
    cube = np.empty((n,) * count + (2,))
    for cell in np.ndindex(*(n,) * count):
        cube[cell] = planted.scores(np.array([cell]), None)[0]
    expected = sum(cube.mean(axis=tuple(a for a in range(count) if a != m)) for m in range(count))
    expected = expected - (count - 1) * cube.mean(axis=tuple(range(count)))

    assert emap.projection(planted, np.arange(n), lambda s: s) == pytest.approx(expected, abs=1e-9)


def test_the_gap_is_zero_without_interaction_and_large_where_only_interaction_tells():
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (100, 2))
    truth = (signs.prod(axis=1) > 0).astype(int)

    class Xor(Planted):
        def scores(self, source, keep):
            product = signs[source[:, 0], 0] * signs[source[:, 1], 1]
            return np.column_stack([-product, product]) * 2 + self.strength * signs[source[:, 0]]

    def gains(items, scores):
        return (scores.argmax(axis=1) == truth[items]).astype(float)

    found = emap.gap(Xor(100, 0.0), lambda s: s, gains)
    assert found["value"] > 0.3
    assert found["interval"][0] > 0
    assert found["sample"] == 100
    additive = emap.gap(Planted(100, 0.0), lambda s: s, gains)
    assert additive["value"] == 0.0
    assert emap.gap(Planted(100, 0.0, 4), lambda s: s, gains) is None


def test_the_sample_is_bounded_and_the_same_for_the_same_seed():
    planted = Planted(1000, 0.0)

    assert len(emap.sample(planted, 0)) == 300
    assert len(emap.sample(Planted(1000, 0.0, 3), 0)) == 40
    assert np.array_equal(emap.sample(planted, 3), emap.sample(planted, 3))


@settings(max_examples=15)
@given(seed=st.integers(0, 100), fusion=st.sampled_from(["concat", "mean", "attention"]))
def test_gradients_add_up_to_what_the_score_has_above_the_references(seed, fusion):
    data = made(12, missing=0.3, seed=seed)
    access = access_to(net(fusion, seed))
    rows = np.arange(12)
    targets = np.arange(12) % 3
    found = gradients.explain(access, data, rows, targets, rows)
    batch = next(iter(access_to(access.model, 12).batches(data, rows)))
    starts = gradients._references(access, data, rows, set())
    with torch.no_grad():
        whole = access.model(batch)
        for start in starts:
            moved = {
                name: given._replace(values=start[name][:1].expand_as(given.values)) for name, given in batch.items()
            }
            whole = whole - access.model(moved) / len(starts)
    whole = whole.double().numpy()[rows, targets]

    for i, entry in enumerate(found):
        assert sum(entry["share"].values()) - entry["gap"] == pytest.approx(whole[i], abs=1e-4)
        assert abs(entry["gap"]) < 0.1 * (1 + abs(whole[i]))
        assert set(entry["share"]) == {name for name in ("x", "y") if data.streams[name].present[i]}


def sequences(kind: str, n: int = 6, steps: int = 30, planted: int = 20) -> Dataset:
    """Items of ``steps`` frames; in the first half of them frame ``planted`` differs (token 5 instead of token 1)."""
    values = np.zeros((n * steps, 1), np.float32) + (1 if kind == "tokens" else 0)
    values[planted : n * steps // 2 : steps] = 5 if kind == "tokens" else 3.0
    meta = {"kind": kind} | ({"vocabulary_size": 8, "fitted": {"tokens": list("abcdef")}} if kind == "tokens" else {})
    offsets = np.arange(n + 1, dtype=np.int64) * steps
    stream = Stream(values, offsets, np.tile(np.arange(steps) / 10, n), np.ones(n, bool), meta=meta)
    names = [f"i{k}" for k in range(n)]
    return Dataset(
        {"s": stream},
        names,
        ["test"] * n,
        [""] * n,
        ["a", "b"] * (n // 2),
        meta={"task": "classify", "classes": ["a", "b"]},
    )


@pytest.mark.parametrize("kind", ["sequence", "tokens"])
def test_gradients_find_the_planted_second_and_the_planted_word(kind):
    torch.manual_seed(0)
    encoder = {"inputs": 1, "vocabulary": 8 if kind == "tokens" else 0, "width": 8, "embedding": 4}
    config = {
        "name": "network",
        "modalities": [{"name": "s", "encoder": "bilstm", "config": encoder}],
        "fusion": {"name": "concat", "config": {"modalities": 1, "width": 8}},
        "head": {"outputs": 2},
    }
    built = network.Network(config).eval()
    if kind == "tokens":  # only token 5, "d", means anything
        with torch.no_grad():
            built.encoders[0].input.map.weight.mul_(0)
            built.encoders[0].input.map.weight[5] = 2.0
    explained = gradients.explain(access_to(built), sequences(kind), np.arange(3), np.zeros(3, int), np.arange(3, 6))
    found = explained[0]["modalities"]["s"]
    top = int(np.argmax(np.abs(found["values"])))

    assert top == 20
    if kind == "tokens":
        assert found["words"][top] == "d"
    else:
        assert found["times"][top] == pytest.approx(2.0)


def test_without_references_an_item_is_explained_alike_alone_and_in_company():
    data = made(12, missing=0.3)
    access = access_to(net(), 12)
    together = gradients.explain(access, data, np.arange(12), np.zeros(12, int))
    alone = gradients.explain(access, data.select([5]), np.arange(1), np.zeros(1, int))

    assert alone[0]["share"] == pytest.approx(together[5]["share"], abs=1e-5)
    assert abs(alone[0]["gap"]) < 0.1


def test_attention_weights_sum_to_one():
    data = made(20, missing=0.3)
    found = attention.export(access_to(net("attention")), data, np.arange(20))

    for i, entry in enumerate(found):
        assert sum(entry["modalities"].values()) == pytest.approx(1.0, abs=1e-4)
        assert set(entry["modalities"]) == {name for name in ("x", "y") if data.streams[name].present[i]}


def test_explanations_go_to_the_most_wrong_items():
    data = made(60, missing=0.2)
    access = access_to(net())
    model = Model(
        predict=predict_with(access), task="classify", classes=["a", "b", "c"], modalities=("x", "y"), access=access
    )
    found = evaluate(model, data, Request(explain=3))
    explained = [item for item in found["items"] if "explanation" in item]
    losses = sorted((item["loss"] for item in found["items"]), reverse=True)

    assert sorted((item["loss"] for item in explained), reverse=True) == losses[:3]
    assert all(item["explanation"]["toward"] == item["prediction"] for item in explained)


def test_the_worst_slice_comes_first():
    data = made(300, groups=6)
    truth, rows = truth_of(data, np.arange(300), "classify", ["a", "b", "c"])
    found = outcome_of(predict, data, rows, truth, "classify", ["a", "b", "c"])
    guess = found.guess.copy()
    bad = data.group == "g3"
    guess[bad] = (found.truth[bad] + 1) % 3
    found = Outcome("classify", found.classes, found.truth, guess, found.table)
    first = slices.worst(data, rows, found)[0]

    assert (first["by"], first["slice"], first["value"], first["n"]) == ("group", "g3", 0.0, int(bad.sum()))
    assert first["p"] < 0.001
    assert first["interval"][0] == 0.0


def test_holms_correction_by_hand():
    rows = [{"p": 0.01}, {"p": 0.04}, {"p": 0.03}]
    slices._holm(rows)

    assert [row["p"] for row in rows] == pytest.approx([0.03, 0.06, 0.06])
