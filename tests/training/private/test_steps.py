"""A private run is plain descent but for the clip and the noise; one record more changes nothing but gradients."""

from __future__ import annotations

import copy
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmcli.cli import private as privately
from mmcli.training.config import TrainConfig
from mmcli.training.private import steps
from mmcli.training.private.federated import Server
from mmcli.training.private.ledger import PrivateConfig
from mmcli.training.private.steps import Engine, Schedule

sys.path.insert(0, str(Path(__file__).parent))
import made

PRIVATE = PrivateConfig(epsilon=3.0)
PLAIN = Schedule(units=180, steps=7, rate=1.0, noise=0.0, clip=1.0, learning=1.0, momentum=0.9, kept=3)


def by_hand(what: steps.Lesson, schedule: Schedule) -> list[torch.Tensor]:
    """The same weights from gradients taken item by item."""
    net = what.net
    parameters = list(net.parameters())
    velocity, late = [torch.zeros_like(p, dtype=torch.float64) for p in parameters], []
    for _ in range(schedule.steps):
        total = [torch.zeros_like(p, dtype=torch.float64) for p in parameters]
        for row in range(len(what.rows)):
            own = torch.autograd.grad(what.losses_of(np.array([row])).sum(), parameters, allow_unused=True)
            own = [torch.zeros_like(p) if g is None else g for g, p in zip(own, parameters, strict=True)]
            for t, g in zip(total, steps.cut(own, schedule.clip), strict=True):
                t += g
        with torch.no_grad():
            for p, v, t in zip(parameters, velocity, total, strict=True):
                v.mul_(0.9).add_(t / schedule.divisor)
                p.sub_((schedule.learning * v).to(p.dtype))
        late.append([p.detach().double().clone() for p in parameters])
    return [torch.stack(own).mean(0) for own in zip(*late[-schedule.kept :], strict=True)]


@pytest.mark.parametrize("fusion", ["linear", "gated"])
def test_without_noise_the_weights_are_those_of_items_cut_one_by_one(fusion):
    schedule = dataclasses.replace(PLAIN, clip=0.7, learning=0.5)
    data, config = made.data(48), TrainConfig(fusion=fusion, width=8, auxiliary=0.5)
    wanted = by_hand(steps.lesson(data, config, PRIVATE, 36), schedule)
    what, _, _ = steps.fit(data, config, PRIVATE, schedule=schedule)
    for p, q in zip(what.net.parameters(), wanted, strict=True):
        assert float((p.detach().double() - q).abs().max()) <= 1e-6 * max(1.0, float(q.abs().max()))


def test_one_record_more_changes_nothing_but_the_gradients():
    """Not the noise, the rate, the divisor, the steps, nor the shape of the network."""
    pytest.importorskip("dp_accounting", reason="needs the extra private")
    less, more = (made.data(items) for items in (240, 244))
    for fusion in ("linear", "concat"):
        runs = []
        for data in (less, more):
            schedule, releases = steps.scheduled(
                PRIVATE, steps.counted(data, TrainConfig(), PRIVATE), 180, fusion == "linear"
            )
            what = steps.lesson(data, TrainConfig(fusion=fusion), PRIVATE, schedule.units)
            runs.append((schedule, releases, what.model, [p.detach() for p in what.net.parameters()]))
        assert runs[0][:3] == runs[1][:3]
        assert all(torch.equal(p, q) for p, q in zip(runs[0][3], runs[1][3], strict=True))


def test_one_item_moves_a_sum_by_no_more_than_the_clip():
    data = made.data(60)
    what = steps.lesson(data, TrainConfig(fusion="linear"), PRIVATE, 45)
    engine = Engine(what.net, dataclasses.replace(PLAIN, clip=0.3), what.losses_of, len(what.rows))
    whole = engine.clipped(np.arange(45))
    for left_out in (0, 7, 44):
        rest = engine.clipped(np.delete(np.arange(45), left_out))
        apart = torch.stack([(a - b).square().sum() for a, b in zip(whole, rest, strict=True)]).sum().sqrt()
        assert float(apart) <= 0.3 * (1 + 1e-5)


@pytest.mark.parametrize("kind", [Engine, Server])
def test_a_whole_group_moves_a_sum_by_no_more_than_the_clip(kind):
    data = made.data(120, groups=8)
    what = steps.lesson(data, TrainConfig(fusion="linear"), PrivateConfig(epsilon=1.0, unit="group"), 6)
    assert what.units == 6
    engine = kind(what.net, dataclasses.replace(PLAIN, clip=0.2), what.losses_of, len(what.rows), what.groups)
    weights = [p.detach().clone() for p in what.net.parameters()]
    alone = engine.clipped(np.array([3]))
    assert float(torch.stack([a.square().sum() for a in alone]).sum().sqrt()) <= 0.2 * (1 + 1e-9)
    assert all(torch.equal(p, q) for p, q in zip(weights, what.net.parameters(), strict=True))


def test_the_count_of_units_is_noisy_unless_it_is_declared():
    pytest.importorskip("dp_accounting", reason="needs the extra private")
    drawn = {steps.scheduled(PRIVATE, 10_000, None, True)[0].units for _ in range(6)}
    assert len(drawn) > 1
    assert all(abs(n - 10_000) < 100 for n in drawn)
    assert [r.what for r in steps.scheduled(PRIVATE, 500, 400, True)[1]] == ["training"]


def test_beyond_twenty_thousand_units_a_step_draws_a_public_share():
    pytest.importorskip("dp_accounting", reason="needs the extra private")
    schedule, _ = steps.scheduled(PRIVATE, 41_237, 40_000, True)
    assert (schedule.rate, schedule.divisor) == (0.5, 20_000.0)


def test_an_empty_draw_is_a_step_of_noise_alone():
    data = made.data(60)
    what = steps.lesson(data, TrainConfig(fusion="linear"), PRIVATE, 45)
    engine = Engine(what.net, dataclasses.replace(PLAIN, noise=1.0), what.losses_of, len(what.rows))
    noised = engine.noised(engine.clipped(np.zeros(0, np.int64)))
    assert all(bool(n.any()) for n in noised)


def test_two_runs_of_one_seed_differ_and_the_documentation_says_so():
    data, schedule = made.data(60), dataclasses.replace(PLAIN, noise=1.0)
    nets = [
        steps.fit(copy.copy(data), TrainConfig(fusion="linear"), PRIVATE, schedule=schedule)[0].net for _ in range(2)
    ]
    assert not torch.equal(nets[0].bias, nets[1].bias)
    assert "no two runs give the same bytes" in " ".join(Path(privately.__file__).read_text().replace('"', "").split())
