"""The additive projection: planted models, its definition, the gap."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.evaluation.explain import modalities


class Planted:
    """f(a, b) = u(a) + v(b) + strength x u(a) v(b)."""

    fast = True

    def __init__(self, n: int, strength: float, count: int = 2) -> None:
        rng = np.random.default_rng(1)
        self.parts = [rng.normal(size=(n, 2)) for _ in range(count)]
        self.names = [f"m{i}" for i in range(count)]
        self.present = np.ones((n, count), bool)
        self.strength = strength
        self.joins = True

    def scores(self, source, keep):
        chosen = [part[source[:, m]] for m, part in enumerate(self.parts)]
        return sum(chosen) + self.strength * np.prod(chosen, axis=0)


@pytest.mark.parametrize("count", [2, 3])
def test_the_projection_of_an_additive_model_is_the_model_itself(count):
    planted = Planted(12, 0.0, count)
    items = np.arange(12)
    index = np.repeat(items[:, None], count, axis=1)

    assert modalities.projection(planted, items, lambda s: s) == pytest.approx(planted.scores(index, None), abs=1e-9)


@pytest.mark.parametrize("count", [2, 3])
def test_the_projection_equals_its_definition(count):
    planted, n = Planted(6, 1.0, count), 6
    cube = np.empty((n,) * count + (2,))
    for cell in np.ndindex(*(n,) * count):
        cube[cell] = planted.scores(np.array([cell]), None)[0]
    expected = sum(cube.mean(axis=tuple(a for a in range(count) if a != m)) for m in range(count))
    expected = expected - (count - 1) * cube.mean(axis=tuple(range(count)))

    assert modalities.projection(planted, np.arange(n), lambda s: s) == pytest.approx(expected, abs=1e-9)


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

    found = modalities.emap(Xor(100, 0.0), lambda s: s, gains)
    assert found["value"] > 0.3
    assert found["interval"][0] > 0
    assert found["sample"] == 100
    additive = modalities.emap(Planted(100, 0.0), lambda s: s, gains)
    assert additive["value"] == 0.0
    assert modalities.emap(Planted(100, 0.0, 4), lambda s: s, gains) is None


def test_the_sample_is_bounded_and_the_same_for_the_same_seed():
    planted = Planted(1000, 0.0)

    assert len(modalities.sample(planted, 0)) == 300
    assert len(modalities.sample(Planted(1000, 0.0, 3), 0)) == 40
    assert np.array_equal(modalities.sample(planted, 3), modalities.sample(planted, 3))
