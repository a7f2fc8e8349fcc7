"""Federated averaging with the clients protected, simulated: every group is a client.

A client takes a few steps on its own items and sends how far it came, cut to the clip; the server adds noise to the sum
and moves by the mean (H. B. McMahan et al., "Learning differentially private recurrent language models", ICLR 2018).
What one client can change is what the clip allows, as with items, so the same count of privacy holds.

Under torchrun the clients of a round are shared among the processes; the first draws them, adds the noise, and alone
writes. Flower 1.42 asks for typer < 0.21 and does not install beside this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import MmcliError
from mmcli.training.config import TrainConfig
from mmcli.training.fit.initial import Initial
from mmcli.training.private.ledger import PrivateConfig
from mmcli.training.private.steps import Engine, Lesson, Schedule, cut, lesson
from mmcli.training.world import World, deterministic, pick


class Server(Engine):
    """An engine whose units are clients: what a client sends stands in the place of a gradient."""

    local = 1
    size = 0.5
    world = World()

    def draw(self) -> NDArray[np.int64]:
        """The clients of a round, the same in every process."""
        drawn = torch.zeros(self.units, dtype=torch.int64, device=self.parameters[0].device)
        if self.world.rank == 0:
            drawn[torch.from_numpy(super().draw())] = 1
        return np.flatnonzero(self.world.sum(drawn).cpu().numpy()).astype(np.int64)

    def clipped(self, units: NDArray[np.int64]) -> list[Tensor]:
        """The sum over clients, of whom each process asks its own."""
        own = super().clipped(units[self.world.rank :: self.world.size])
        return _parts(self.world.sum(_flat(own)), own)

    def noised(self, sums: Sequence[Tensor]) -> list[Tensor]:
        """The sums with noise, which one process draws."""
        if self.world.rank == 0:
            sums = super().noised(sums)
        else:
            sums = [torch.zeros_like(s, dtype=torch.float64) for s in sums]
        return _parts(self.world.sum(_flat(sums)), sums)

    def _of_group(self, unit: int) -> list[Tensor]:
        assert self.groups is not None
        rows = np.flatnonzero(self.groups == unit).astype(np.int64)
        start = [p.detach().clone() for p in self.parameters]
        for _ in range(self.local):
            total = [torch.zeros_like(p) for p in self.parameters]
            for first in range(0, len(rows), self.at_once):
                loss = self.losses_of(rows[first : first + self.at_once]).sum() / len(rows)
                for t, g in zip(total, torch.autograd.grad(loss, self.parameters, allow_unused=True), strict=True):
                    if g is not None:
                        t += g
            with torch.no_grad():
                for p, t in zip(self.parameters, total, strict=True):
                    p.sub_(t, alpha=self.size)
        with torch.no_grad():
            sent = [(s - p).double() for s, p in zip(start, self.parameters, strict=True)]
            for p, s in zip(self.parameters, start, strict=True):
                p.copy_(s)
        return cut(sent, self.schedule.clip)


def fit(
    dataset: Dataset,
    config: TrainConfig,
    private: PrivateConfig,
    schedule: Schedule,
    *,
    world: World | None = None,
    initial: Initial | None = None,
    report: Callable[[int], None] | None = None,
) -> Lesson:
    """Rounds as ``schedule`` says, its units the clients; ``private.local`` steps of ``private.step`` at each."""
    what = lesson(dataset, config, private, schedule.units, initial)
    with deterministic(config.threads, pick(config.device)):
        server = Server(what.net, schedule, what.losses_of, len(what.rows), what.groups, at_once=what.at_once)
        server.local, server.size, server.world = private.local, private.step, world or World()
        server.run(report if server.world.rank == 0 else None)
    return what


def _flat(values: Sequence[Tensor]) -> Tensor:
    return torch.cat([v.reshape(-1) for v in values])


def _parts(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    return [part.view_as(v) for part, v in zip(torch.split(flat, [v.numel() for v in like]), like, strict=True)]


def agreed(world: World, decide: Callable[[], Any]) -> Any:
    """What the first process decides, in every process; what it raises is raised in all of them."""
    if world.size == 1:
        return decide()
    told: list[Any] = [None, None]
    if world.rank == 0:
        try:
            told[0] = decide()
        except MmcliError as problem:  # the others wait for the answer, whatever it is
            told[1] = problem
    torch.distributed.broadcast_object_list(told)
    if told[1] is not None:
        raise told[1]
    return told[0]
