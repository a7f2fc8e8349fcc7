"""How candidates are calibrated, weighed and chosen, all on answers for items that they were not trained on.

Three kinds of answer compete: the best single candidate; late fusion, in which the best candidate of each modality has
an equal say; and the ensemble with fitted weights, which is scored on items that its weights were not fitted on. A
richer one is kept where it is better than the simpler one before it. Where none of them is better than guessing by more
than chance allows, the simplest of the candidates that are as good as the best is kept: weights that were fitted to
noise would promise what is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.models.nets.factory import evidence as beyond_prior
from mmcli.models.nets.factory import joined, shares
from mmcli.training.data import credits_of, losses, score

GAINS = tuple(float(2.0 ** (e / 4)) for e in range(-12, 25))
STEPS, PATIENCE = 400, 60
SHRINK = 0.002  # weight of the penalty that lets useless members go to zero
SOFT = 0.05  # standard deviations: below it an absolute error counts as its square
# Standard errors that a richer answer has to be better than a simpler one by. Late fusion kept unless it is worse by
# one was tried on public sets (bench_public.py, two to five seeds each): kidney 96.1 -> 97.6, tcga 96.0 -> 95.1, sport
# 97.3 -> 97.2, seven others alike either way. Nothing gained beyond chance: left.
SEPARATES = 0.5
BEYOND_CHANCE = 2.0  # standard errors that some candidate has to be better than guessing by
SINGLE, LATE, POOL, SIMPLEST = "single", "late", "pool", "simplest"


@dataclass
class Candidate:
    """``answers`` float64 ``(divisions, items, outputs)``, by models that had not seen the item.

    Candidates come in the order of their simplicity inside each modality; ``rank`` counts what they consist of.
    """

    title: str
    names: list[str]
    model: dict[str, Any]
    tensors: dict[str, Tensor]
    answers: Tensor
    history: list[dict[str, Any]]
    rank: int = 0


@dataclass(frozen=True)
class Evidence:
    """Answers of all candidates for the same items: ``logits`` ``(divisions, n, candidates, outputs)``.

    ``there`` bool ``(n, candidates)``: what each sees anything of; ``values`` the labels ``(n, ...)``; ``masks``: of
    each division the items that are held out together; ``units`` int64 ``(n,)``: who belongs together.
    """

    task: str
    logits: Tensor
    there: Tensor
    values: Tensor
    prior: Tensor
    masks: list[list[Tensor]]
    units: NDArray[np.int64]
    gains: Tensor = field(default_factory=lambda: torch.ones(0))

    def subset(self, picked: Sequence[int]) -> Evidence:
        """Of some of the candidates."""
        chosen = list(picked)
        some = self.logits[:, :, chosen], self.there[:, chosen]
        return Evidence(self.task, *some, self.values, self.prior, self.masks, self.units, self.gains[chosen])

    def answer(self, weights: Tensor, fallback: Tensor | None = None) -> Tensor:
        """What the candidates say together ``(divisions, n, outputs)``, as the model that ships would."""
        nobody = torch.zeros(len(weights), dtype=torch.bool)
        share = shares(self.there, weights, nobody if fallback is None else fallback)
        said = beyond_prior(self.task, self.logits.flatten(0, 1), self.gains, self.prior)
        whole = joined(self.task, said, share.repeat(len(self.logits), 1), self.prior)
        return whole.reshape(*self.logits.shape[:2], -1)

    def each(self, answers: Tensor) -> Tensor:
        """Loss of each item ``(n,)``, mean over the divisions."""
        return torch.stack([loss_of(self.task, one, self.values) for one in answers]).mean(0)

    def loss(self, answers: Tensor) -> float:
        """Mean loss of answers ``(divisions, n, outputs)``."""
        return float(self.each(answers).mean())

    def score(self, answers: Tensor) -> dict[str, float]:
        """The figure for people, mean over the divisions."""
        scores = [score(self.task, one, self.values) for one in answers]
        return {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}

    def credits(self, answers: Tensor) -> NDArray[np.float64]:
        """What each item adds to the task's primary figure ``(n,)``, mean over the divisions."""
        each: NDArray[np.float64] = np.mean(
            [credits_of(self.task, one, self.values).numpy() for one in answers], axis=0
        )
        return each


def loss_of(task: str, logits: Tensor, values: Tensor) -> Tensor:
    """Loss of each item ``(n,)`` that candidates are compared by: of numbers the absolute error, rounded at zero."""
    if task != "regress":
        return losses(task, logits, values, 0.0)
    return ((logits[:, 0] - values).square() + SOFT**2).sqrt() - SOFT


def gain(task: str, logits: Tensor, values: Tensor) -> float:
    """The factor on ``logits`` ``(n, outputs)`` with the least loss (temperature scaling: C. Guo et al., ICML 2017)."""
    if task == "regress":
        return 1.0

    def loss(i: int) -> float:
        return float(losses(task, logits * GAINS[i], values, 0.0).mean())

    low, high = 0, len(GAINS) - 1
    while low < high:  # the loss is convex in the gain
        middle = (low + high) // 2
        low, high = (low, middle) if loss(middle) <= loss(middle + 1) else (middle + 1, high)
    return GAINS[low]


def calibrated(evidence: Evidence) -> Evidence:
    """The evidence with a gain for each candidate."""
    divisions, _, count, _ = evidence.logits.shape
    values = torch.cat([evidence.values] * divisions)
    gains = [gain(evidence.task, evidence.logits[:, :, i].flatten(0, 1), values) for i in range(count)]
    parts = evidence.task, evidence.logits, evidence.there, evidence.values, evidence.prior
    return Evidence(*parts, evidence.masks, evidence.units, torch.tensor(gains).double())


def weights(evidence: Evidence, items: Tensor | None = None) -> Tensor:
    """Non-negative weights ``(members,)`` with the least loss of the ensemble, plus a small penalty on their sum.

    ``items`` bool ``(n,)``: those they are fitted to. All may come out zero: then nothing speaks against guessing. The
    loss is convex in the weights; projected steps with momentum, the best point seen.
    """
    task, members = evidence.task, evidence.logits.shape[2]
    kept = torch.ones(len(evidence.values), dtype=torch.bool) if items is None else items
    divisions = len(evidence.logits)
    logits = evidence.logits[:, kept].flatten(0, 1)
    present = evidence.there[kept].repeat(divisions, 1)
    values = torch.cat([evidence.values[kept]] * divisions)
    w = torch.full((members,), 1.0 / members, dtype=logits.dtype)
    velocity, best, best_loss = torch.zeros_like(w), w.clone(), float("inf")
    square = torch.zeros_like(w)
    said = beyond_prior(task, logits, evidence.gains, evidence.prior)
    last = 0
    for step in range(STEPS):
        w.requires_grad_(True)
        loss = loss_of(task, joined(task, said, present * w, evidence.prior), values).mean() + SHRINK * w.sum()
        (grad,) = torch.autograd.grad(loss, w)
        w, now = w.detach(), float(loss.detach())
        if now < best_loss - 1e-7:
            best, best_loss, last = w.clone(), now, step
        if step - last > PATIENCE:
            break
        velocity = 0.9 * velocity + 0.1 * grad
        square = 0.99 * square + 0.01 * grad.square()
        correction = (1 - 0.9 ** (step + 1)) / (1 - 0.99 ** (step + 1)) ** 0.5
        rate = 0.05 * (1.0 - step / STEPS)
        w = (w - rate * velocity / correction / (square.sqrt() + 1e-8)).clamp(min=0.0)
    best[best < 0.01 * best.sum().clamp(min=1e-9)] = 0.0
    if task == "regress" and best.sum() > 0:
        best = best / best.sum()
    return best


def late_weights(evidence: Evidence) -> Tensor:
    """The one weight that all members share, ``(members,)``: where they repeat each other it is below one."""
    members = evidence.logits.shape[2]
    equal = torch.ones(members, dtype=evidence.logits.dtype)
    if evidence.task == "regress":
        return equal / members
    tried = [2.0 ** (-e / 4) for e in range(13)]
    best: float = min(tried, key=lambda share: evidence.loss(evidence.answer(equal * share)))
    return equal * best


@dataclass(frozen=True)
class Choice:
    """What is kept: ``kind`` single, late, pool or simplest; ``weights`` ``(candidates,)``; ``honest`` the answers by
    which it was judged ``(divisions, n, outputs)``; ``alone`` and ``pool`` the losses it was compared by."""

    kind: str
    weights: Tensor
    honest: Tensor
    alone: list[float]
    pool: float
    pooled: Tensor


def choose(candidates: Sequence[Candidate], evidence: Evidence, singles: Sequence[int]) -> Choice:
    """The best single candidate, late fusion of ``singles``, or the ensemble; see the head of this module."""
    count = len(candidates)
    one = torch.eye(count, dtype=evidence.logits.dtype)
    alone = [evidence.answer(one[i], spare(candidates, one[i], singles)) for i in range(count)]
    alone_loss = [evidence.loss(answers) for answers in alone]
    winner = int(np.argmin(alone_loss))

    pooled = torch.zeros_like(alone[0])
    for number, masks in enumerate(evidence.masks):
        for held in masks:
            w = weights(evidence, ~held) if bool((~held).any()) else one[winner]
            pooled[number, held] = evidence.answer(w, spare(candidates, w, singles))[number, held]
    pool_loss = evidence.loss(pooled)

    kind, chosen, honest = SINGLE, one[winner], alone[winner]
    richer = []
    if len(singles) > 1:
        late = torch.zeros(count, dtype=evidence.logits.dtype)
        late[list(singles)] = late_weights(evidence.subset(singles))
        richer.append((LATE, late, evidence.answer(late)))
    fitted = weights(evidence)
    if bool(fitted.sum() > 0):
        richer.append((POOL, fitted, pooled))
    for name, weighing, answers in richer:
        if difference(evidence.each(honest) - evidence.each(answers), evidence.units) >= SEPARATES:
            kind, chosen, honest = name, weighing, answers

    guess = evidence.each(evidence.prior.expand_as(honest))
    if difference(guess - evidence.each(honest), evidence.units) < BEYOND_CHANCE:
        kind = SIMPLEST
        best = evidence.each(alone[winner])
        equals = [i for i in range(count) if difference(evidence.each(alone[i]) - best, evidence.units) <= 1.0]
        simple = min(equals, key=lambda i: (len(candidates[i].names), candidates[i].rank, i))
        chosen, honest = one[simple], alone[simple]
    return Choice(kind, chosen, honest, alone_loss, pool_loss, pooled)


def difference(each: Tensor, units: NDArray[np.int64]) -> float:
    """Mean of paired differences ``(n,)`` in standard errors, the items of a unit counted together.

    >>> round(difference(torch.tensor([1.0, 1.0, 1.0, -1.0]), np.arange(4)), 2)
    1.0
    """
    values = each.double().numpy()
    error = standard_error(values, units)
    mean = float(values.mean())
    if error <= 0:
        return 0.0 if abs(mean) < 1e-9 else float(np.sign(mean)) * np.inf
    return mean / error


def standard_error(values: NDArray[np.float64], units: NDArray[np.int64]) -> float:
    """Of the mean of ``values`` ``(n,)`` whose ``units`` are drawn together; infinite with fewer than two units.

    W. Cochran, Sampling Techniques, 1977, 9.3.
    """
    count = int(units.max(initial=-1)) + 1
    if count < 2:
        return float("inf")
    sums = np.bincount(units, values - values.mean(), minlength=count)
    return float(np.sqrt(count / (count - 1) * np.square(sums).sum())) / len(values)


def spare(candidates: Sequence[Candidate], weights: Tensor, singles: Sequence[int]) -> Tensor:
    """Bool ``(candidates,)``: for each stream that no weighted member reads, its best candidate among ``singles``."""
    read = {name for c, weight in zip(candidates, weights, strict=True) if weight > 0 for name in c.names}
    marked = torch.zeros(len(candidates), dtype=torch.bool)
    for i in singles:
        marked[i] = candidates[i].names[0] not in read
    return marked
