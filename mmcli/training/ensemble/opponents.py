"""What an ensemble has to beat, kept beside it: each stream alone, every subset, plain concatenation and late fusion.

A report compares a model with these (``mmcli evaluate``). A subset of two or more streams is an ensemble of the best
single candidates of its streams: its weights stand in the table of candidates, its members in the checkpoint. Late
fusion is the ensemble of all of them with equal say: the sum of their calibrated log-probabilities.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmcli.models.nets.factory import combined, evidence, joined
from mmcli.training.data import losses, score

CONCAT, LATE = "concat", "late"
# All subsets of up to so many streams (14 are left of 16); of more, those of whole modalities, and those that leave one
# stream out.
MOST_SUBSETS_OF = 4


@dataclass
class Candidate:
    """``answers`` float64 ``(items, outputs)``: of every training item, by models that did not see it."""

    title: str
    names: list[str]
    model: dict[str, Any]
    tensors: dict[str, Tensor]
    answers: Tensor
    history: list[dict[str, Any]]


def best_singles(candidates: Sequence[Candidate], loss: Sequence[float]) -> dict[str, int]:
    """For each modality the number of the candidate that reads it alone with the least loss on the folds."""
    best: dict[str, int] = {}
    for i, candidate in enumerate(candidates):
        if len(candidate.names) == 1:
            (name,) = candidate.names
            if name not in best or loss[i] < loss[best[name]]:
                best[name] = i
    return best


def numbers(candidates: Sequence[Candidate], loss: Sequence[float]) -> set[int]:
    """The candidates that a checkpoint keeps as opponents: the best of each modality, and plain concatenation.

    Without networks the sum of kernels stands for concatenation: it is the kernel of the concatenated features (J.
    Shawe-Taylor and N. Cristianini, Kernel Methods for Pattern Analysis, 2004, 3.4).
    """
    kept = set(best_singles(candidates, loss).values())
    joint = [i for i, candidate in enumerate(candidates) if len(candidate.names) > 1]
    plain = [i for i in joint if candidates[i].title == CONCAT] or joint[:1]
    return kept | set(plain)


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The proper subsets of two streams or more that are compared.

    >>> subsets(["a", "b", "c"])
    [('a', 'b'), ('a', 'c'), ('b', 'c')]
    >>> subsets(["a.x", "a.y", "b.x", "b.y", "b.z"])[:2]
    [('a.x', 'a.y'), ('b.x', 'b.y', 'b.z')]
    """
    if len(names) <= MOST_SUBSETS_OF:
        return [chosen for size in range(2, len(names)) for chosen in itertools.combinations(names, size)]
    kinds = list(dict.fromkeys(name.split(".")[0] for name in names))
    whole = [
        tuple(name for name in names if name.split(".")[0] in kept_kinds)
        for size in range(1, len(kinds) if len(kinds) <= MOST_SUBSETS_OF else 2)
        for kept_kinds in itertools.combinations(kinds, size)
    ]
    fewer = [*whole, *itertools.combinations(names, len(names) - 1)]
    return [chosen for chosen in dict.fromkeys(fewer) if 1 < len(chosen) < len(names)]


def table(
    candidates: Sequence[Candidate],
    loss: Sequence[float],
    task: str,
    logits: Tensor,
    there: Tensor,
    gains: Tensor,
    values: Tensor,
    prior: Tensor,
) -> list[dict[str, Any]]:
    """Rows ``{title, modalities, loss, score, weights: {title: weight}}`` of the subsets and of late fusion.

    ``logits`` ``(n, candidates, outputs)`` are answers on the folds, ``there`` bool ``(n, candidates)``. Loss and score
    are those of weights fitted to the same answers: they flatter by a little, and nothing is chosen by them.
    """
    best = best_singles(candidates, loss)
    rows = []
    for chosen in [*subsets(list(best)), tuple(best)] if len(best) > 1 else []:
        picked = [best[name] for name in chosen]
        late = len(chosen) == len(best)
        if late:
            weighing = torch.ones(len(picked), dtype=logits.dtype)
        else:
            weighing = weights(task, logits[:, picked], there[:, picked], gains[picked], values, prior)
        together = combined(task, logits[:, picked], there[:, picked] * weighing, gains[picked], prior)
        rows.append(
            {
                "title": LATE if late else " + ".join(chosen),
                "modalities": list(chosen),
                "loss": float(losses(task, together, values, 0.0).mean()),
                **score(task, together, values),
                "weights": {candidates[i].title: float(w) for i, w in zip(picked, weighing, strict=True)},
            }
        )
    return rows


# Calibration of candidates and their weights in the ensemble, both on answers that no candidate was trained on.

GAINS = tuple(float(2.0 ** (e / 4)) for e in range(-12, 25))
STEPS = 400
SHRINK = 0.002  # weight of the penalty that lets useless members go to zero


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


def weights(task: str, logits: Tensor, present: Tensor, gains: Tensor, values: Tensor, prior: Tensor) -> Tensor:
    """Non-negative weights ``(members,)`` with the least loss of the ensemble, plus a small penalty on their sum.

    ``logits`` ``(n, members, outputs)``, ``present`` bool ``(n, members)``. The loss is convex in the weights;
    projected steps with momentum, the best point seen.
    """
    members = logits.shape[1]
    w = torch.full((members,), 1.0 / members, dtype=logits.dtype)
    velocity, best, best_loss = torch.zeros_like(w), w.clone(), float("inf")
    square = torch.zeros_like(w)
    said = evidence(task, logits, gains, prior)
    for step in range(STEPS):
        w.requires_grad_(True)
        loss = losses(task, joined(task, said, present * w, prior), values, 0.0).mean() + SHRINK * w.sum()
        (grad,) = torch.autograd.grad(loss, w)
        w, now = w.detach(), float(loss.detach())
        if now < best_loss:
            best, best_loss = w.clone(), now
        velocity = 0.9 * velocity + 0.1 * grad
        square = 0.99 * square + 0.01 * grad.square()
        correction = (1 - 0.9 ** (step + 1)) / (1 - 0.99 ** (step + 1)) ** 0.5
        rate = 0.05 * (1.0 - step / STEPS)
        w = (w - rate * velocity / correction / (square.sqrt() + 1e-8)).clamp(min=0.0)
    best[best < 0.01 * best.sum().clamp(min=1e-9)] = 0.0
    if task == "regress" and best.sum() > 0:
        best = best / best.sum()
    return best
