"""The strategies that learn: a planted shared space is found, and weights follow what is worth listening to."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.errors import InputError
from mmcli.fusion import learned
from mmcli.fusion.blocks import Blocks
from mmcli.fusion.strategies import attention, block, cca, weighted
from mmcli.fusion.strategies import max as maximum


def planted(seed: int = 0, rows: int = 400, noise: float = 0.3) -> tuple[np.ndarray, Blocks]:
    """Two hidden variables seen by three modalities of different widths, each with noise of its own."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 2))
    values = {
        name: hidden @ rng.normal(size=(2, w)) + noise * rng.normal(size=(rows, w))
        for name, w in (("a", 6), ("b", 10), ("c", 4))
    }
    return hidden, Blocks(values, {name: np.ones(rows, bool) for name in values})


def explained(found: np.ndarray, hidden: np.ndarray) -> float:
    x = np.c_[found, np.ones(len(found))]
    rest = hidden - x @ np.linalg.lstsq(x, hidden, rcond=None)[0]
    return float(1 - (rest**2).sum() / (hidden**2).sum())


def test_the_shared_space_holds_what_the_modalities_have_in_common():
    hidden, data = planted()
    config = cca.Config(dims=2, ridge=1e-3)

    assert explained(cca.fuse(data, config, cca.fit(data, config)), hidden) > 0.97


def test_two_modalities_give_the_classical_canonical_correlations():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 3)), rng.normal(size=(300, 4))
    y[:, 0] += 2 * x[:, 1]
    data = Blocks({"x": x, "y": y}, {m: np.ones(300, bool) for m in "xy"})
    config = cca.Config(dims=2, ridge=1e-9)
    zx, zy = cca.shared(data, cca.fit(data, config))

    qx, qy = np.linalg.qr(x - x.mean(axis=0))[0], np.linalg.qr(y - y.mean(axis=0))[0]
    expected = np.linalg.svd(qx.T @ qy, compute_uv=False)[:2]
    found = [abs(np.corrcoef(zx[:, k], zy[:, k])[0, 1]) for k in range(2)]

    assert np.allclose(found, expected, atol=1e-6)


def test_rows_that_lack_a_modality_still_teach_the_others():
    hidden, data = planted(noise=0.5)
    rng = np.random.default_rng(2)
    there = {name: rng.random(400) > 0.4 for name in data.values}
    there["a"] |= ~np.any(list(there.values()), axis=0)
    partial = Blocks(data.values, there)
    config = cca.Config(dims=2, ridge=1e-3)

    assert explained(cca.fuse(data, config, cca.fit(partial, config)), hidden) > 0.9


def test_without_a_common_row_nothing_is_shared():
    half = np.arange(10) < 5
    data = Blocks({"a": np.ones((10, 2)), "b": np.ones((10, 2))}, {"a": half, "b": ~half})

    with pytest.raises(InputError, match="nothing is shared"):
        cca.fit(data, cca.Config())


def test_attention_equals_its_slow_twin():
    _, data = planted(rows=30)
    rng = np.random.default_rng(3)
    there = {name: rng.random(30) > 0.3 for name in data.values}
    data = Blocks(data.values, there)
    state = attention.fit(data, attention.Config(dims=3))
    spoken = cca.shared(data, state)

    expected = np.zeros((30, state["dims"]))
    for row in range(30):
        known = [m for m, name in enumerate(data.values) if there[name][row]]
        for query in known:
            scores = np.array([spoken[query, row] @ spoken[key, row] / np.sqrt(state["dims"]) for key in known])
            share = np.exp(scores - scores.max())
            share /= share.sum()
            expected[row] += sum(s * spoken[key, row] for s, key in zip(share, known, strict=True)) / len(known)

    assert np.allclose(attention.fuse(data, attention.Config(dims=3), state), expected, atol=1e-5)


def test_blocks_have_equal_energy_whatever_their_width():
    rng = np.random.default_rng(0)
    data = Blocks(
        {"wide": 50 * rng.normal(size=(200, 100)), "narrow": rng.normal(size=(200, 2))},
        {m: np.ones(200, bool) for m in ("wide", "narrow")},
    )

    fused = block.fuse(data, block.Config(), block.fit(data, block.Config())).astype(np.float64)

    assert fused[:, :100].var(axis=0).sum() == pytest.approx(1, abs=1e-5)
    assert fused[:, 100:].var(axis=0).sum() == pytest.approx(1, abs=1e-5)


def test_the_largest_is_over_what_is_there():
    data = Blocks(
        {"a": np.array([[5.0], [1.0]]), "b": np.array([[2.0], [3.0]])},
        {"a": np.array([False, True]), "b": np.ones(2, bool)},
    )

    assert maximum.fuse(data, maximum.Config(), {"projection": None}).tolist() == [[2], [3]]


def labelled(seed: int, noise: dict[str, float]) -> Blocks:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 240)
    values = {name: (2 * labels - 1)[:, None] + level * rng.normal(size=(240, 1)) for name, level in noise.items()}
    return Blocks(
        values,
        {m: np.ones(240, bool) for m in values},
        np.array(["no", "yes"])[labels],
        np.array([f"g{i % 40}" for i in range(240)]),
    )


def test_learned_weights_leave_noise_out():
    state = weighted.fit(labelled(0, {"good": 0.8, "noise": 30.0}), weighted.Config(auto=True))

    assert state["weights"]["good"] >= 0.9
    assert state["score"] > state["equal"] + 0.1


def test_learned_weights_keep_two_that_are_equally_good():
    state = weighted.fit(labelled(1, {"one": 1.2, "two": 1.2}), weighted.Config(auto=True))

    assert 0.2 <= state["weights"]["one"] <= 0.8


def test_the_nested_score_does_not_promise_what_is_not_there():
    """On labels that are coin tosses the estimate stays near one half, though the best of many points is kept."""
    scores = []
    for seed in range(6):
        data = labelled(seed, {"a": 1e6, "b": 1e6})
        scores.append(learned.fit(data)["score"])

    assert abs(np.mean(scores) - 0.5) < 0.06


def test_weights_cannot_be_learned_without_labels():
    with pytest.raises(InputError, match="only be learned from labels"):
        weighted.fit(Blocks({"a": np.ones((4, 1))}, {"a": np.ones(4, bool)}), weighted.Config(auto=True))
