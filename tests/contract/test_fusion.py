"""What every fusion strategy promises. A new file in ``mmcli/fusion`` is tested here at once."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

from mmcli.fusion import registry
from mmcli.fusion.blocks import Blocks

STRATEGIES = registry.names()
pytestmark = pytest.mark.parametrize("name", STRATEGIES)


def blocks(seed: int = 0, rows: int = 40, widths: tuple[int, ...] = (3, 5, 4), missing: float = 0.3) -> Blocks:
    rng = np.random.default_rng(seed)
    present = {f"m{i}": rng.random(rows) >= missing for i in range(len(widths))}
    present["m0"] |= ~np.any(list(present.values()), axis=0)  # no row without any modality
    return Blocks({f"m{i}": rng.normal(size=(rows, w)) for i, w in enumerate(widths)}, present)


def run(name: str, train: Blocks, rows: Blocks) -> np.ndarray:
    module = registry.load(name)
    config = module.Config()
    return module.fuse(rows, config, module.fit(train, config) if hasattr(module, "fit") else None)


def test_gives_one_finite_float32_row_for_each_row(name):
    data = blocks()

    fused = run(name, data, data)

    assert fused.dtype == np.float32
    assert fused.ndim == 2
    assert len(fused) == data.rows
    assert np.isfinite(fused).all()


def test_values_of_a_missing_modality_never_matter(name):
    data = blocks()
    spoiled = Blocks(
        {m: np.where(data.present[m][:, None], v, 1e6) for m, v in data.values.items()},
        data.present,
    )

    assert np.array_equal(run(name, data, data), run(name, spoiled, spoiled))


def test_rows_do_not_see_each_other(name):
    data = blocks()
    order = np.random.default_rng(1).permutation(data.rows)

    assert np.allclose(run(name, data, data)[order], run(name, data, data.select(order)), atol=1e-6)


def test_the_state_comes_from_the_training_rows_alone_and_is_json(name):
    module = registry.load(name)
    if not hasattr(module, "fit"):
        pytest.skip("the strategy has no state")

    state = module.fit(blocks(seed=3), module.Config())

    back = json.loads(json.dumps(state, allow_nan=False))
    rows = blocks(seed=4)
    assert np.array_equal(module.fuse(rows, module.Config(), state), module.fuse(rows, module.Config(), back))


def test_the_same_input_gives_the_same_bytes(name):
    assert run(name, blocks(), blocks()).tobytes() == run(name, blocks(), blocks()).tobytes()


def test_inputs_are_left_as_they_are(name):
    data, before = blocks(), blocks()

    run(name, data, data)

    for m in data.values:
        assert np.array_equal(data.values[m], before.values[m])
        assert np.array_equal(data.present[m], before.present[m])


def test_one_row_and_one_modality_will_do(name):
    train = blocks(widths=(4,), missing=0.0)

    assert run(name, train, train.select(np.array([0]))).shape[0] == 1


def test_the_config_is_a_frozen_dataclass_that_travels(name):
    config = registry.load(name).Config()

    assert dataclasses.is_dataclass(config)
    assert type(config).__dataclass_params__.frozen
    assert pickle.loads(pickle.dumps(config)) == config
