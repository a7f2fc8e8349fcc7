"""Networks are built from JSON that may come from anywhere."""

from __future__ import annotations

import copy

import pytest
import torch

from mmcli.errors import ArtifactError
from mmcli.models.nets.factory import build
from mmcli.models.parts import Dropout, largest, mean, rows, softmax

GOOD = {
    "name": "network",
    "modalities": [{"name": "m", "encoder": "mlp", "config": {"inputs": 3, "width": 16, "hidden": 8}}],
    "fusion": {"name": "concat", "config": {"modalities": 1, "width": 16}},
    "head": {"outputs": 2, "hidden": 0, "dropout": 0.0},
    "auxiliary": False,
}


def broken(*path: object, value: object) -> dict:
    config = copy.deepcopy(GOOD)
    at = config
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return config


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (broken("name", value="other"), "unknown model"),
        (broken("modalities", value=[]), "needs 1 to"),
        (broken("modalities", value=None), "needs 1 to"),
        (broken("modalities", 0, "encoder", value="base"), "unknown encoder"),
        (broken("modalities", 0, "config", "inputs", value=-1), "cannot be -1"),
        (broken("modalities", 0, "config", "inputs", value=1 << 40), "cannot be"),
        (broken("modalities", 0, "config", "inputs", value=True), "cannot be True"),
        (broken("modalities", 0, "config", "wings", value=2), "unknown field 'wings'"),
        (broken("modalities", 0, "config", value={}), "lacks inputs"),
        (broken("fusion", "config", "width", value=8), "does not fit"),
        (broken("fusion", "config", "modalities", value=2), "does not fit"),
        (broken("fusion", value="concat"), "not an object"),
        (broken("head", "dropout", value=float("nan")), "cannot be nan"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(config: dict, what: str) -> None:
    with torch.device("meta"), pytest.raises(ArtifactError, match=what):
        build(config)


def test_the_good_configuration_is_good() -> None:
    assert sum(p.numel() for p in build(GOOD).parameters()) == 3 * 16 + 16 + 3 * 8 + 8 + 8 * 16 + 16 + 16 + 16 * 2 + 2


def test_masked_operations_give_zeros_where_nothing_is_real() -> None:
    values, mask = torch.full((2, 3, 4), float("nan")), torch.zeros(2, 3, dtype=torch.bool)

    assert torch.equal(mean(values, mask), torch.zeros(2, 4))
    assert torch.equal(largest(values, mask), torch.zeros(2, 4))
    assert torch.equal(softmax(torch.zeros(2, 3), mask), torch.zeros(2, 3))


def test_dropout_is_the_same_however_a_batch_is_spread() -> None:
    """Two processes with three and four rows of a batch of seven see the noise that one process would see."""
    x, drop = torch.ones(7, 5), Dropout(0.4)
    torch.manual_seed(3)
    whole = drop(x)
    parts = []
    for start, stop in ((0, 3), (3, 7)):
        torch.manual_seed(3)
        with rows(start, stop, 7):
            parts.append(drop(x[start:stop]))

    assert torch.equal(torch.cat(parts), whole)
    assert 0 < (whole == 0).float().mean() < 1
