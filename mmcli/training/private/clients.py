"""Federated averaging with the clients protected, simulated on one machine: every group is a client.

A client takes a few steps on its own items and sends how far it came, cut to the clip; the server adds noise to the sum
and moves by the mean (H. B. McMahan et al., "Learning differentially private recurrent language models", ICLR 2018).
What one client can change is what the clip allows, as with items, so the same count of privacy holds.

Flower 1.42 asks for typer < 0.21 and does not install beside this package; a simulation needs none of its network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.training.config import TrainConfig
from mmcli.training.fit.initial import Initial
from mmcli.training.private import steps
from mmcli.training.private.budget import PrivateConfig
from mmcli.training.private.steps import Engine, Lesson, Schedule
from mmcli.training.world import deterministic, pick


class Server(Engine):
    """An engine whose units are clients: what a client sends stands in the place of a gradient."""

    local = 1
    size = 0.5

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
        return steps.cut(sent, self.schedule.clip)


def fit(
    dataset: Dataset,
    config: TrainConfig,
    private: PrivateConfig,
    schedule: Schedule,
    *,
    initial: Initial | None = None,
    report: Callable[[int], None] | None = None,
) -> Lesson:
    """Rounds as ``schedule`` says, its units the clients; ``private.local`` steps of ``private.step`` at each."""
    what = steps.lesson(dataset, config, private, schedule.units, initial)
    with deterministic(config.threads, pick(config.device)):
        server = Server(what.net, schedule, what.losses_of, len(what.rows), what.groups, at_once=what.at_once)
        server.local, server.size = private.local, private.step
        server.run(report)
    return what
