"""Calibration of candidates and the weights of their pool, both on answers that no candidate was trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from mmcli.models.nets.stack import evidence, joined
from mmcli.training.target import losses

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
    """Non-negative weights ``(members,)`` with the least loss of the pool, plus a small penalty on their sum.

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
