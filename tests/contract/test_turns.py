"""What every reader of turns promises; a new file in the folder is tested here with no edit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mmcli.models import turns
from mmcli.models.grouped import HELD, Grouped, Held, read
from mmcli.models.parts import from_json, to_json

INPUTS, WIDTH = 10, 16


def reader(name: str, causal: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    module = turns.registry.load(name)
    config = dataclasses.replace(module.sized(WIDTH, 300), causal=causal)
    config = from_json(module.Config, to_json(config), name)  # as it comes back from a checkpoint
    return module.build(config, INPUTS).eval()


def sequences(groups: int = 3, longest: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    mask = torch.arange(longest)[None] < torch.tensor([longest, 1, longest // 2])[:groups, None]
    return torch.randn(groups, longest, INPUTS, generator=drawn), mask


EVERY = [(name, causal) for name in turns.registry.names() for causal in (False, True)]
every = pytest.mark.parametrize(("name", "causal"), EVERY)


@every
def test_padding_and_company_change_nothing(name: str, causal: bool) -> None:
    net, (values, mask) = reader(name, causal), sequences()
    beside = net(values.masked_fill(~mask[..., None], 7.0), mask)
    assert beside.shape == (3, 40, WIDTH)
    assert not beside[~mask].any()
    for one, length in enumerate(mask.sum(1).tolist()):
        alone = net(values[one : one + 1, :length], mask[one : one + 1, :length])
        torch.testing.assert_close(beside[one, :length], alone[0], rtol=1e-5, atol=1e-6)


@every
def test_a_causal_reader_does_not_see_later_turns_and_another_does(name: str, causal: bool) -> None:
    net, (values, mask) = reader(name, causal), sequences(1)
    changed = values.clone()
    changed[:, 25:] += 1.0
    before, after = net(values, mask)[0, :25], net(changed, mask)[0, :25]
    if causal:
        torch.testing.assert_close(before, after, rtol=0, atol=1e-6)
        torch.testing.assert_close(net(values[:, :25], mask[:, :25])[0], before, rtol=1e-5, atol=1e-6)
    else:
        assert (before - after).abs().max() > 1e-3
    earlier = values.clone()
    earlier[:, 3] += 1.0
    assert (net(values, mask) - net(earlier, mask))[0, 4:].abs().max() > 1e-3  # both look back


@every
def test_a_group_may_be_longer_than_any_before(name: str, causal: bool) -> None:
    said = reader(name, causal)(torch.randn(1, 700, INPUTS), torch.ones(1, 700, dtype=torch.bool))
    assert bool(torch.isfinite(said).all())


@every
def test_an_item_whose_group_is_held_is_read_as_in_its_group(name: str, causal: bool) -> None:
    net = reader(name, causal)
    fused = torch.randn(7, INPUTS)
    places = torch.tensor([[0, 2, 4, 6], [5, 1, -1, -1], [3, -1, -1, -1]])
    whole = read(net, fused, Grouped({}, places, torch.arange(7)))
    line = {0: 0, 2: 0, 4: 0, 6: 0, 5: 1, 1: 1, 3: 2}
    rows = torch.tensor([places[line[i]].tolist() for i in range(7)])
    place = torch.tensor([places[line[i]].tolist().index(i) for i in range(7)])
    values = fused[rows.clamp(min=0)].clone()
    values[torch.arange(7), place] = np.inf  # what stands at the item's own place is not read
    held = Held(values, rows >= 0, torch.ones(7, dtype=torch.bool), place)
    torch.testing.assert_close(read(net, fused, {HELD: held}), whole, rtol=1e-5, atol=1e-6)
    alone = read(net, fused[3:4], {})
    torch.testing.assert_close(alone[0], whole[3], rtol=1e-5, atol=1e-6)  # a group of one
