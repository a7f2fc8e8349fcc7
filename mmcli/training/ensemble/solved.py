"""Candidates that are solved and not trained: linear maps, kernel machines, support vectors and boosted trees.

Of each stream alone and of all together, from the simplest to the richest. They cost seconds, so they come first; what
is trained by gradients has to add something to them, see :mod:`.raced`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mmcli.models.nets import factory
from mmcli.models.parts import StreamShape
from mmcli.training.config import TrainConfig
from mmcli.training.data import Data, Target
from mmcli.training.ensemble import boosting, linear, ridge, vector
from mmcli.training.ensemble.division import Plan, Rows
from mmcli.training.ensemble.weigh import Candidate, gain, loss_of
from mmcli.training.fit.objective import logits_of

LINEAR, KERNEL, VECTORS, TREES = 0, 1, 2, 3  # how rich a candidate is
TOGETHER = {LINEAR: "linear of all", KERNEL: "sum of kernels", VECTORS: "support vectors of all", TREES: "trees of all"}
ALONE = {LINEAR: "linear", KERNEL: "kernel", VECTORS: "support vectors", TREES: "trees"}


class Solver:
    """Describes every stream once and solves for one candidate after another."""

    def __init__(
        self, data: Data, streams: Sequence[StreamShape], target: Target, train: Rows, plan: Plan, config: TrainConfig
    ) -> None:
        self._data, self._target, self._train, self._plan, self._config = data, target, train, plan, config
        self._y = ridge.answers(Target(**{**vars(target), "values": target.values.cpu()}))
        self._described = {s.name: ridge.describe(data, s, train) for s in streams if ridge.fits([s])}
        self._all = list(self._described.values()) if len(self._described) == len(streams) > 1 else []
        self._gammas: dict[str, float] = {}
        chosen = torch.from_numpy(plan.rows)
        self._values = target.values.cpu()[chosen]
        self._chosen = chosen

    def machines(self) -> Iterator[Candidate]:
        """Linear maps, kernel machines and support vectors: of each stream, then of all of them."""
        for name, described in self._described.items():
            for made in self._of([described], ALONE, name):
                if made.rank == KERNEL:
                    self._gammas[name] = made.model["modalities"][0]["gamma"]
                yield made
        if self._all:
            yield from self._of(self._all, TOGETHER, "")

    def trees(self) -> Iterator[tuple[str, list[str], Callable[[Rows], tuple[dict[str, Any], dict[str, Tensor]]]]]:
        """Title, streams, and what fits trees on some rows, for a race: trees are dearer than the others."""
        groups = [(f"{name} ({ALONE[TREES]})", [one]) for name, one in self._described.items()]
        if self._all:
            groups.append((TOGETHER[TREES], self._all))
        for title, some in groups:
            if boosting.fits(some, len(self._train), self._target):
                names = [d.stream.name for d in some]
                fit = partial(boosting.machine, some, self._target, seed=self._config.seed)
                yield title, names, fit

    def loss(self, answers: Tensor) -> float:
        """Of answers ``(divisions, items, outputs)``, after calibration; without it for numbers."""
        own = answers[:, self._chosen].flatten(0, 1)
        values = torch.cat([self._values] * len(answers))
        task = self._target.task
        return float(loss_of(task, own * gain(task, own, values), values).mean())

    def _of(self, some: list[ridge.Described], titles: dict[int, str], name: str) -> Iterator[Candidate]:
        def candidate(rank: int, made: tuple[dict[str, Any], dict[str, Tensor]], answers: Tensor) -> Candidate:
            title = titles[rank] if not name else f"{name} ({titles[rank]})"
            return Candidate(title, [d.stream.name for d in some], *made, answers, [], rank)

        divisions, train = self._plan.divisions, self._train
        if linear.affordable(some, len(train), self._target.outputs):
            straight = linear.search(some, self._target, divisions, self.loss)
            made = linear.machine(some, self._target, straight.penalty, train)
            yield candidate(LINEAR, made, straight.answers)
        gammas = None if name else [self._gammas[d.stream.name] for d in some]
        marks = ridge.landmarks(train, self._config.seed)
        if len(marks) < len(train):
            setting = ridge.spanned(some, gammas, self._y, divisions[0], marks, self.loss)
            made = ridge.spanned_machine(some, setting.gammas, setting.penalty, self._y, train, marks)
        else:
            setting = ridge.search(some, gammas, self._y, divisions, self.loss)
            made = ridge.machine(some, setting.gammas, setting.penalty, self._y, train)
        yield candidate(KERNEL, made, setting.answers)
        if self._target.task == "regress" and len(train) <= vector.MOST_ITEMS:
            flat = vector.search(some, setting.gammas, self._y, divisions, self.loss)
            made = vector.machine(some, setting.gammas, flat.penalty, self._y, train)
            yield candidate(VECTORS, made, flat.answers)


def answered(model: dict[str, Any], tensors: dict[str, Tensor], data: Data, rows: Rows) -> Tensor:
    """What a finished candidate says of some rows, float64 ``(rows, outputs)``."""
    with torch.device("meta"):
        net = factory.build(model)
    net.load_state_dict(tensors, assign=True)
    return logits_of(net, data, rows).double()
