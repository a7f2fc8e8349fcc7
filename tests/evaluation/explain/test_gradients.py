"""Integrated gradients: they add up, and find the planted second and word."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.evaluation.explain import gradients
from mmcli.evaluation.model import Model
from mmcli.evaluation.report.report import Request, evaluate
from mmcli.models.nets import network
from mmcli.models.nets.kernel import Kernel

from ..conftest import made
from ..networks import access_to, net, predict_with, stack


def test_gradients_of_a_pool_add_up_too():
    data = made(12, missing=0.3)
    access = access_to(stack(), 12)
    found = gradients.explain(access, data, np.arange(12), np.arange(12) % 3)

    assert all(abs(entry["gap"]) < 0.1 for entry in found)
    assert all(np.isfinite(list(entry["share"].values())).all() for entry in found)


@settings(max_examples=10)
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


def test_a_kernel_machine_names_the_planted_word_wherever_it_stands_and_its_shares_add_up():
    """What words a text holds has no order: both places of the word get the same."""
    torch.manual_seed(0)
    stream = {"name": "s", "kind": "tokens", "shape": [1], "vocabulary_size": 8, "gamma": 1.0}
    machine = Kernel({"name": "kernel", "rows": 2, "outputs": 2, "gain": 3.0, "modalities": [stream]}).eval()
    machine.get_buffer("rows_0").copy_(torch.eye(8)[[1, 5]])  # a text of "(unknown)" only, and one of "d" only
    machine.get_buffer("there").fill_(True)
    machine.get_buffer("weights").copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    data = sequences("tokens")
    data.streams["s"].values[[3, 7]] = 5.0  # twice more in the first item
    targets = np.zeros(3, int)
    explained = gradients.explain(access_to(machine), data, np.arange(3), targets, np.arange(3, 6))
    values = np.array(explained[0]["modalities"]["s"]["values"])
    batch = next(iter(access_to(machine).batches(data, np.arange(1))))
    with torch.no_grad():
        nothing = machine.raw[0].register_forward_hook(lambda *given: torch.zeros_like(given[-1]))
        low = machine(batch)
        nothing.remove()
        rise = float((machine(batch) - low)[0, 0])

    assert set(np.flatnonzero(values == values.max()).tolist()) == {3, 7, 20}
    assert explained[0]["modalities"]["s"]["words"][20] == "d"
    assert explained[0]["share"]["s"] == pytest.approx(rise, abs=0.1)
    assert rise > 0.1


def test_without_references_an_item_is_explained_alike_alone_and_in_company():
    data = made(12, missing=0.3)
    access = access_to(net(), 12)
    together = gradients.explain(access, data, np.arange(12), np.zeros(12, int))
    alone = gradients.explain(access, data.select([5]), np.arange(1), np.zeros(1, int))

    assert alone[0]["share"] == pytest.approx(together[5]["share"], abs=1e-5)
    assert abs(alone[0]["gap"]) < 0.1


def test_items_that_miss_too_much_get_more_points_and_the_others_keep_theirs(monkeypatch):
    """Refining is what more points from the start would have given, for those items alone."""
    data = made(12, missing=0.3)
    access = access_to(net(), 12)

    def shares(tolerance: float, steps: int, most: int) -> list[dict]:
        monkeypatch.setattr(gradients, "TOLERANCE", tolerance)
        monkeypatch.setattr(gradients, "STEPS", steps)
        monkeypatch.setattr(gradients, "MOST_STEPS", most)
        return gradients.explain(access, data, np.arange(12), np.arange(12) % 3, np.arange(12))

    few, many, most = shares(np.inf, 3, 3), shares(np.inf, 9, 9), shares(np.inf, 81, 81)
    gaps = sorted(abs(entry["gap"]) for entry in few)
    mixed = shares((gaps[5] + gaps[6]) / 2, 3, 9)

    for a, b in zip(shares(0.0, 3, 9), many, strict=True):
        assert a["share"] == pytest.approx(b["share"], abs=1e-5)
        assert a["gap"] == pytest.approx(b["gap"], abs=1e-5)
    for before, after, found in zip(few, many, mixed, strict=True):
        expected = after if abs(before["gap"]) > gaps[5] else before
        assert found["share"] == pytest.approx(expected["share"], abs=1e-5)
    assert max(abs(entry["gap"]) for entry in most) < 0.3 * gaps[-1]


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
