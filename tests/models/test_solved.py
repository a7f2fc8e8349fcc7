"""Machines that are solved: the same answers as the libraries they were fitted with, alone and mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmcli.evaluation.explain import mixing
from mmcli.models.nets import factory
from mmcli.models.nets.network import Input
from mmcli.models.parts import StreamShape
from mmcli.training.data import Target
from mmcli.training.ensemble import boosting, linear
from mmcli.training.ensemble.ridge import Described

ROWS, WIDTH = 120, 5


def described(seed: int, missing: bool = False) -> Described:
    values = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(seed))
    present = torch.arange(ROWS) % 4 > 0 if missing else torch.ones(ROWS, dtype=torch.bool)
    return Described(
        StreamShape(f"s{seed}", "vector", (WIDTH,), 1), torch.zeros(WIDTH), torch.ones(WIDTH), values, present
    )


def batch(*parts: Described) -> dict[str, Input]:
    return {d.stream.name: Input(d.values[:, None], torch.ones(ROWS, 1, dtype=torch.bool), d.present) for d in parts}


def target(task: str, some: Described) -> Target:
    x = some.values.numpy()
    if task == "regress":
        return Target(task, None, torch.from_numpy(np.abs(x[:, 0]) + x[:, 1]), np.ones(ROWS, bool))
    count = {"two": 2, "three": 3}[task]
    values = np.digitize(x[:, 0] * x[:, 1], np.linspace(-0.3, 0.3, count - 1) if count > 2 else [0.0])
    return Target("classify", [f"c{i}" for i in range(count)], torch.from_numpy(values), np.ones(ROWS, bool))


@pytest.mark.parametrize("task", ["two", "three", "regress"])
def test_trees_copied_out_of_the_library_answer_as_it_does(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    parts = [described(1), described(2, missing=True)]
    kind: Any = HistGradientBoostingRegressor if task == "regress" else HistGradientBoostingClassifier
    plain, fitted = kind.fit, []

    def fit(self: Any, x: Any, y: Any) -> Any:
        fitted.append((self, x))
        return plain(self, x, y)

    monkeypatch.setattr(kind, "fit", fit)
    config, tensors = boosting.machine(parts, target(task, parts[0]), np.arange(ROWS), seed=0)
    net = factory.build(config)
    net.load_state_dict(tensors)
    said = net(batch(*parts)).numpy()
    ((model, x),) = fitted
    if task == "regress":
        np.testing.assert_allclose(said[:, 0], model.predict(x), atol=1e-5)
    else:
        chances = np.exp(said) / np.exp(said).sum(1, keepdims=True)
        np.testing.assert_allclose(chances, model.predict_proba(x), atol=1e-5)


def test_a_class_that_no_fitted_item_has_is_answered_and_unlikely() -> None:
    part = described(1)
    labels = target("three", part)
    config, tensors = boosting.machine([part], labels, np.flatnonzero(labels.values.numpy() < 2), seed=0)
    net = factory.build(config)
    net.load_state_dict(tensors)
    said = net(batch(part))

    assert bool(torch.isfinite(said).all())
    assert bool((said.argmax(1) < 2).all())


def test_logistic_regression_has_the_weights_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    part, penalty = described(3), 0.1
    labels = target("three", part)
    labels.values = torch.from_numpy(np.digitize(part.values[:, 0].numpy(), [-0.5, 0.5]))
    config, tensors = linear.machine([part], labels, penalty, np.arange(ROWS))
    net = factory.build(config)
    net.load_state_dict(tensors)
    peer = LogisticRegression(C=1 / (penalty * ROWS), tol=1e-8, max_iter=1000)
    peer.fit(part.values.numpy(), labels.values.numpy())

    np.testing.assert_allclose(
        torch.softmax(net(batch(part)), 1).numpy(), peer.predict_proba(part.values.numpy()), atol=2e-3
    )


@pytest.mark.parametrize("count", [1, 2])
def test_machines_taken_apart_answer_as_whole(count: int) -> None:
    """Every modality of every item from where one likes, trees and linear maps, of one modality and of two."""
    parts = [described(1), described(2, missing=True)][:count]
    labels = target("three", parts[0])
    for config, tensors in (
        boosting.machine(parts, labels, np.arange(ROWS), seed=0),
        linear.machine(parts, labels, 0.1, np.arange(ROWS)),
    ):
        net = factory.build(config)
        net.load_state_dict(tensors)
        part = mixing.additive_part(net, [batch(*parts)])
        assert part is not None
        rng = np.random.default_rng(0)
        source = torch.from_numpy(rng.integers(0, ROWS, (40, count)))
        keep = torch.from_numpy(rng.random((40, count)) < 0.7)
        mixed = {
            d.stream.name: Input(
                d.values[source[:, i], None],
                torch.ones(40, 1, dtype=torch.bool),
                d.present[source[:, i]] & keep[:, i],
            )
            for i, d in enumerate(parts)
        }
        torch.testing.assert_close(part.logits(source, keep), net(mixed))
