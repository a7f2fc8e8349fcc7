"""Training under differential privacy: noisy steps on clipped sums, the mean of the last weights kept.

M. Abadi et al., "Deep learning with differential privacy", CCS 2016. Everything a step needs to know but its gradient
is public or paid for: the number of steps, the rate, and the divisor, which is the number of units as it was declared
or counted with noise. One record more changes the clipped sum and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ssl import RAND_bytes
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import InputError, UsageError
from mmcli.models.nets import factory, linear
from mmcli.models.nets.linear import LinearSum
from mmcli.training import plan
from mmcli.training.config import TrainConfig
from mmcli.training.data import Data, Target, losses, read, shapes, task_of
from mmcli.training.fit.initial import Initial
from mmcli.training.private import noise
from mmcli.training.private.clip import Ghost
from mmcli.training.private.ledger import FULL_BATCH, PrivateConfig, Release, counting, solve
from mmcli.training.world import WEIGHTS, deterministic, pick, seed_torch

LINEAR = "linear"
STEPS = {True: 50, False: 100}  # of the linear model, of networks
LEARNING = {True: 1.0, False: 0.5}
AT_ONCE = 512  # items a pass, so that a full batch needs little memory
POINTS_AT_ONCE = 4096


@dataclass(frozen=True)
class Schedule:
    """The public parameters of a run; ``units`` as declared or counted with noise, ``noise`` in sensitivities."""

    units: int
    steps: int
    rate: float
    noise: float
    clip: float
    learning: float
    momentum: float
    kept: int

    @property
    def divisor(self) -> float:
        """What a sum over a step's units is divided by."""
        return self.rate * self.units


def scheduled(
    private: PrivateConfig, units: int, declared: int | None, simple: bool, beside: Sequence[Release] = ()
) -> tuple[Schedule, list[Release]]:
    """The schedule of a run and all its releases; ``units`` are counted, with noise, only where none are declared.

    ``simple``: for the linear model.
    """
    releases = list(beside)
    if declared is None:
        release = counting(private.epsilon, private.delta)
        releases.append(release)
        declared = noise.count(units, release.noise)
    steps = private.steps or STEPS[simple]
    rate = private.rate or min(1.0, FULL_BATCH / declared)
    multiplier = solve(private.epsilon, private.delta, rate, steps, releases)
    releases.append(Release("training", multiplier, rate, steps))
    learning = private.learning or LEARNING[simple]
    kept = max(1, round(private.kept * steps))
    return Schedule(declared, steps, rate, multiplier, private.clip, learning, private.momentum, kept), releases


class Engine:
    """One step at a time. ``losses_of(rows)`` gives the losses ``(n,)`` of training items by their place.

    ``groups`` int64 ``(items,)`` are the units where they are not the items themselves. The parts of a step stand
    apart so that an audit can look between them.
    """

    def __init__(
        self,
        net: nn.Module,
        schedule: Schedule,
        losses_of: Callable[[NDArray[np.int64]], Tensor],
        items: int,
        groups: NDArray[np.int64] | None = None,
        read: noise.Read | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self.net, self.schedule, self.losses_of, self.at_once = net, schedule, losses_of, at_once
        self.parameters = [p for p in net.parameters() if p.requires_grad]
        self.groups = groups
        self.units = items if groups is None else int(groups.max(initial=-1)) + 1
        self.read = read or RAND_bytes
        self.ghost = Ghost(net) if groups is None else None
        self.velocity = [torch.zeros_like(p, dtype=torch.float64) for p in self.parameters]
        self.mean: list[Tensor] = []
        self.steps = 0

    def draw(self) -> NDArray[np.int64]:
        """The units of a step, each by its own coin."""
        return noise.coins(self.units, self.schedule.rate, self.read)

    def clipped(self, units: NDArray[np.int64]) -> list[Tensor]:
        """The sum over units of their gradients, each of norm ``clip`` at most."""
        if self.ghost is not None and 0 < len(units) <= self.at_once:
            return self._of_items(units)
        totals = [torch.zeros_like(p, dtype=torch.float64) for p in self.parameters]
        if self.ghost is None:
            parts = (self._of_group(unit) for unit in units.tolist())
        else:
            parts = (
                self._of_items(units[start : start + self.at_once]) for start in range(0, len(units), self.at_once)
            )
        for part in parts:
            for total, own in zip(totals, part, strict=True):
                total += own
        return totals

    def noised(self, sums: Sequence[Tensor]) -> list[Tensor]:
        """The sums with the noise of the schedule."""
        return noise.add(sums, self.schedule.clip, self.schedule.noise, self.read)

    def step(self) -> None:
        """Draw, clip, add noise, move; the weights of the last steps go into :attr:`mean`."""
        gradients = self.noised(self.clipped(self.draw()))
        if not bool(torch.isfinite(torch.stack([g.sum() for g in gradients])).all()):
            raise InputError("the gradient is not finite", hint="normalise the features, or lower private.learning")
        with torch.no_grad():
            for p, v, g in zip(self.parameters, self.velocity, gradients, strict=True):
                v.mul_(self.schedule.momentum).add_(g, alpha=1.0 / self.schedule.divisor)
                p.add_(v.to(p.dtype), alpha=-self.schedule.learning)
            self.steps += 1
            late = self.steps - (self.schedule.steps - self.schedule.kept)
            if late == 1:
                self.mean = [p.detach().double() for p in self.parameters]
            elif late > 1:
                for m, p in zip(self.mean, self.parameters, strict=True):
                    m += (p.double() - m) / late

    def run(self, report: Callable[[int], None] | None = None) -> None:
        """All steps; the network then holds the mean of the last."""
        for _ in range(self.schedule.steps):
            self.step()
            if report is not None:
                report(self.steps)
        with torch.no_grad():
            for p, m in zip(self.parameters, self.mean, strict=True):
                p.copy_(m)

    def _of_items(self, rows: NDArray[np.int64]) -> list[Tensor]:
        assert self.ghost is not None
        with self.ghost.watching(len(rows)):
            per_item = self.losses_of(rows)
        return self.ghost.clipped(per_item, self.schedule.clip)[0]

    def _of_group(self, unit: int) -> list[Tensor]:
        """The gradient of the mean loss of one group, cut to the clip."""
        assert self.groups is not None
        rows = np.flatnonzero(self.groups == unit).astype(np.int64)
        total = [torch.zeros_like(p, dtype=torch.float64) for p in self.parameters]
        for start in range(0, len(rows), self.at_once):
            loss = self.losses_of(rows[start : start + self.at_once]).sum() / len(rows)
            for t, g in zip(total, torch.autograd.grad(loss, self.parameters, allow_unused=True), strict=True):
                if g is not None:
                    t += g
        return cut(total, self.schedule.clip)


def cut(values: Sequence[Tensor], clip: float) -> list[Tensor]:
    """``values`` with their common norm cut to ``clip``."""
    norm = float(torch.stack([v.double().square().sum() for v in values]).sum().sqrt())
    share = min(1.0, clip / max(norm, 1e-12))
    return [v * share for v in values]


@dataclass
class Lesson:
    """What there is to learn: a network, its items and how wrong it is about them."""

    net: nn.Module
    model: dict[str, Any]
    target: Target
    data: Data
    rows: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    losses_of: Callable[[NDArray[np.int64]], Tensor]
    at_once: int

    @property
    def units(self) -> int:
        """The number of units that are protected: a secret."""
        return len(self.rows) if self.groups is None else int(self.groups.max(initial=-1)) + 1


def lesson(
    dataset: Dataset, config: TrainConfig, private: PrivateConfig, size: int, initial: Initial | None = None
) -> Lesson:
    """The network for ``size`` items, a public number, and the training rows of the data set that have a label."""
    device = pick(config.device)
    rows = dataset.rows("train")
    streams = shapes(dataset, config.modalities)
    target = target_of(dataset, config, private, rows, device)
    rows = rows[target.known[rows]]
    if config.fusion == LINEAR:
        model = linear.sized(streams, target.outputs)
    else:
        model = plan.network(streams, target.outputs, size, config)
    if initial is not None:
        model = initial.planned(model, streams, config)
    data = Data(dataset, streams, device)
    with deterministic(config.threads, device):
        seed_torch(config.seed, 0, WEIGHTS)
        net = factory.build(model)
        if initial is not None:
            initial.put_into(net)
    net = net.to(device).eval()  # without dropout: the noise regularises enough
    groups = None
    if private.unit == "group":
        if (dataset.group[rows] == "").any():
            raise InputError("unit=group, and some training item has no group", hint="give the manifest a group column")
        groups = np.unique(dataset.group[rows], return_inverse=True)[1].astype(np.int64)
    values = target.values[torch.from_numpy(rows).to(device)]
    if isinstance(net, LinearSum):
        with torch.no_grad():  # the statistics of an item never change: once is enough
            chunks = [net.described(data.batch(rows[i : i + AT_ONCE])) for i in range(0, len(rows), AT_ONCE)]
        widths = [int(next(m.parameters()).shape[1]) for m in net.maps]
        empty = [torch.zeros(0, width, device=device) for width in widths]
        points = [torch.cat([*(c[m] for c in chunks), empty[m]]) for m in range(len(widths))]

        def of_points(chosen: NDArray[np.int64]) -> Tensor:
            every = len(chosen) == len(rows)
            index = torch.from_numpy(chosen).to(device)
            logits = net.answer([p if every else p[index] for p in points])
            return losses(target.task, logits, values[index], 0.0)

        return Lesson(net, model, target, data, rows, groups, of_points, POINTS_AT_ONCE)

    def of_batch(chosen: NDArray[np.int64]) -> Tensor:
        outputs: Any = net.detailed(data.batch(rows[chosen]))  # type: ignore[operator]
        truth = values[torch.from_numpy(chosen).to(device)]
        each = losses(target.task, outputs.logits, truth, 0.0)
        if outputs.alone is not None and config.auxiliary:
            own = torch.stack([losses(target.task, a, truth, 0.0) for a in outputs.alone.unbind(1)], 1)
            present = outputs.present.float()
            each = each + config.auxiliary * (own * present).sum(1) / present.sum(1).clamp(min=1)
        return each

    return Lesson(net, model, target, data, rows, groups, of_batch, AT_ONCE)


def target_of(
    dataset: Dataset, config: TrainConfig, private: PrivateConfig, rows: NDArray[np.int64], device: torch.device
) -> Target:
    """The labels; numbers are on the scale of their declared bounds, and cut to them."""
    if task_of(dataset, config.task) != "regress":
        return read(dataset, config.task, rows, device)
    if not private.low < private.high:
        raise UsageError(
            "mean and spread of the labels would tell of these rows", hint="declare bounds: --private ...,low=0,high=5"
        )
    center, scale = (private.low + private.high) / 2, (private.high - private.low) / 2
    label = np.asarray(dataset.label)
    known = np.isfinite(label)
    values = np.clip((np.where(known, label, center) - center) / scale, -1.0, 1.0)
    return Target("regress", None, torch.from_numpy(values.astype(np.float32)).to(device), known, center, scale)


def counted(dataset: Dataset, config: TrainConfig, private: PrivateConfig) -> int:
    """How many units the training split holds: a secret."""
    rows = dataset.rows("train")
    if dataset.label is not None and np.asarray(dataset.label).dtype.kind == "f":
        rows = rows[np.isfinite(np.asarray(dataset.label)[rows])]
    elif dataset.label is not None and np.asarray(dataset.label).dtype.kind == "U":
        rows = rows[np.asarray(dataset.label)[rows] != ""]
    return len(rows) if private.unit == "item" else len(set(dataset.group[rows].tolist()))


def fit(
    dataset: Dataset,
    config: TrainConfig,
    private: PrivateConfig,
    *,
    declared: int | None = None,
    beside: Sequence[Release] = (),
    initial: Initial | None = None,
    report: Callable[[int], None] | None = None,
    schedule: Schedule | None = None,
) -> tuple[Lesson, Schedule, list[Release]]:
    """Train on the training split; ``declared`` units are public. ``schedule`` in place of one that is solved for.

    Validation and test rows are not looked at.
    """
    releases: list[Release] = []
    if schedule is None:
        units = counted(dataset, config, private)
        schedule, releases = scheduled(private, units, declared, config.fusion == LINEAR, beside)
    what = lesson(dataset, config, private, schedule.units, initial)
    with deterministic(config.threads, pick(config.device)):
        engine = Engine(what.net, schedule, what.losses_of, len(what.rows), what.groups, at_once=what.at_once)
        engine.run(report)
    return what, schedule, releases
