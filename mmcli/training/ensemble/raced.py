"""Candidates that cost much more than the rest: trained on one part first, and on the others only if that promised.

A part of the folds tells most of what all of them tell. A network, or boosted trees, whose answers to the first
held-out part would not make the ensemble of those before it better is dropped there (successive halving: K. Jamieson
and A. Talwalkar, AISTATS 2016); what is left goes on to the other parts. With ``--effort thorough`` nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mmcli.training.ensemble.division import Plan, Rows
from mmcli.training.ensemble.weigh import Candidate, Evidence, calibrated, weights

ADDS = 0.01  # of the loss: what a candidate has to take off the ensemble's on the first part to go on
MOST = 2  # networks that go on, the most useful first

Fitted = tuple[dict[str, Any], dict[str, Tensor], list[dict[str, Any]]]


@dataclass
class Runner:
    """``fit(rows, number)`` gives a model of some rows, ``number`` None of all; ``answer`` what it says of others."""

    title: str
    names: list[str]
    rank: int
    fit: Callable[[Rows, int | None], Fitted]
    answer: Callable[[Fitted, Rows], Tensor]
    first: Tensor = field(default_factory=lambda: torch.zeros(0))
    adds: float = 0.0


def run(
    runners: Sequence[Runner],
    before: Sequence[Candidate],
    plan: Plan,
    train: Rows,
    items: int,
    outputs: int,
    evidence_of: Callable[[Sequence[Candidate]], Evidence],
    *,
    most: int,
    halving: bool,
) -> Iterator[Candidate]:
    """The candidates that are worth it, with their answers to the first division and their models of all rows."""
    division = plan.divisions[0]
    fit, held = division[0]
    going = list(runners)
    only = len(division) == 1  # of one part: what answers for it is fitted on all rows
    models = {}
    for runner in runners:
        models[runner.title] = runner.fit(fit, None if only else 0)
        runner.first = runner.answer(models[runner.title], held)
    if halving and before:
        going = _useful(runners, before, plan, items, outputs, evidence_of)[:most]
    for runner in runners:
        if runner not in going:
            continue
        answers = torch.zeros(1, items, outputs, dtype=torch.float64)
        answers[0, torch.from_numpy(held)] = runner.first
        for number, (others, part) in enumerate(division[1:], start=1):
            answers[0, torch.from_numpy(part)] = runner.answer(runner.fit(others, number), part)
        model, tensors, history = models[runner.title] if only else runner.fit(train, None)
        yield Candidate(runner.title, runner.names, model, tensors, answers, history, runner.rank)


def _useful(
    runners: Sequence[Runner],
    before: Sequence[Candidate],
    plan: Plan,
    items: int,
    outputs: int,
    evidence_of: Callable[[Sequence[Candidate]], Evidence],
) -> list[Runner]:
    """Those that take enough off the ensemble's loss on the first held-out part, one after the other, best first."""
    inside = plan.masks(0)[0]
    _, held = plan.divisions[0][0]

    def as_candidate(runner: Runner) -> Candidate:
        answers = torch.zeros(1, items, outputs, dtype=torch.float64)
        answers[0, torch.from_numpy(held)] = runner.first
        return Candidate(runner.title, runner.names, {}, {}, answers, [], runner.rank)

    def loss_with(some: Sequence[Runner]) -> float:
        evidence = calibrated(part(evidence_of([*before, *map(as_candidate, some)]), inside))
        return evidence.loss(evidence.answer(weights(evidence)))

    kept: list[Runner] = []
    left = list(runners)
    now = loss_with([])
    while left:
        tried = [(loss_with([*kept, runner]), i) for i, runner in enumerate(left)]
        best, place = min(tried)
        if now - best < ADDS * abs(now):
            break
        kept.append(left.pop(place))
        kept[-1].adds, now = now - best, best
    return kept


def part(evidence: Evidence, inside: Tensor) -> Evidence:
    """The first division's answers for some of the items."""
    return Evidence(
        evidence.task,
        evidence.logits[:1, inside],
        evidence.there[inside],
        evidence.values[inside],
        evidence.prior,
        [],
        evidence.units[inside.numpy()],
        evidence.gains,
    )
