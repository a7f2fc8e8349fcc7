"""Training when classes or modalities do not pull their equal share; every remedy is off unless asked for.

``class_weights``  ``inverse``: a class counts n / (classes * its items) (King and Zeng 2001, section 4);
                   ``effective``: by the effective number of its samples, (1 - b) / (1 - b^items) with b = 0.999
                   (Cui et al. 2019, equation 6). Both with mean one over the training items.
``sampling``       ``balanced``: an epoch draws every class equally often, as many items as there are
                   (Buda et al. 2018, oversampling); a class's items all come once before one comes again
``modulation``     alpha of on-the-fly gradient modulation with generalisation enhancement, OGM-GE (Peng et al. 2022,
                   equations 8-11): the encoder of a modality that answers better alone than the mean of the others
                   learns slower, by 1 - tanh(alpha * ratio), and noise of its gradient's size is added. The factor
                   goes on the step, not on the gradient: with plain descent, the paper's optimiser, that is the same,
                   and AdamW would divide a scaled gradient by its own size
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.errors import UsageError
from mmcli.training.data import Target

EFFECTIVE = 0.999


def item_weights(target: Target, train: NDArray[np.int64], method: str) -> Tensor | None:
    """Weight of every item, float32 ``(items,)``, or None where all count the same.

    Raises :class:`UsageError` where the task has no classes to weigh.
    """
    if method == "none":
        return None
    kinds, count = _counted(target, train, "class weights")
    if method == "inverse":
        weight = 1.0 / np.maximum(count, 1)
    else:
        weight = (1.0 - EFFECTIVE) / (1.0 - EFFECTIVE ** np.maximum(count, 1))
    weight *= count.sum() / (weight * count).sum()
    return torch.from_numpy(weight[kinds].astype(np.float32)).to(target.values.device)


def balanced(target: Target, train: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """``len(train)`` rows of ``train`` in which every class that is there comes equally often, up to one."""
    kinds, count = _counted(target, train, "balanced sampling")
    there = rng.permutation(np.flatnonzero(count))
    drawn = []
    for place, kind in enumerate(there):
        members = train[kinds[train] == kind]
        wanted = len(train) // len(there) + (place < len(train) % len(there))
        rounds = [rng.permutation(members) for _ in range(-(-wanted // len(members)))]
        drawn.append(np.concatenate(rounds)[:wanted] if wanted else members[:0])
    return np.concatenate(drawn)


def confidence(alone: Tensor, present: Tensor, values: Tensor) -> Tensor:
    """What each modality alone gives the right class: sums over its items, and their number, float32 ``(2, M)``.

    ``alone`` are logits ``(n, M, classes)``, ``present`` is bool ``(n, M)``, ``values`` class numbers ``(n,)``.
    """
    right = alone.detach().float().softmax(2).gather(2, values[:, None, None].expand(-1, alone.shape[1], 1))[..., 0]
    here = present.float()
    return torch.stack([(right * here).sum(0), here.sum(0)])


def factors(summed: Tensor, alpha: float) -> list[float]:
    """What to multiply each encoder's gradient by: 1 - tanh(alpha * ratio) where a modality leads, else 1.

    The ratio is a modality's mean confidence over the mean of the others', which for two is the paper's.

    >>> [round(f, 3) for f in factors(torch.tensor([[8.0, 2.0], [10.0, 10.0]]), 0.3)]
    [0.166, 1.0]
    """
    mean = (summed[0] / summed[1].clamp(min=1)).double()
    there = summed[1] > 0
    slowed = []
    for m in range(len(mean)):
        others = [mean[k] for k in range(len(mean)) if k != m and there[k]]
        ratio = float(mean[m] / torch.stack(others).mean().clamp(min=1e-8)) if others and there[m] else 0.0
        slowed.append(1.0 - float(np.tanh(alpha * ratio)) if ratio > 1.0 else 1.0)
    return slowed


def modulate(encoders: nn.ModuleList, groups: list[dict[str, Any]], by: list[float]) -> None:
    """Scale the step of each encoder's parameter groups; a slowed encoder's gradients get normal noise of their size.

    ``groups`` are an optimizer's; those of an encoder carry its position as ``"encoder"``.
    """
    for group in groups:
        group["lr"] *= by[group["encoder"]] if "encoder" in group else 1.0
    for encoder, factor in zip(encoders, by, strict=True):
        for parameter in encoder.parameters() if factor < 1.0 else ():
            if parameter.grad is not None and parameter.grad.numel() > 1:
                parameter.grad.add_(torch.randn_like(parameter.grad) * parameter.grad.std())


def _counted(target: Target, train: NDArray[np.int64], what: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if target.task != "classify":
        raise UsageError(f"{what} need one class an item; this task is {target.task}")
    kinds = target.values.cpu().numpy()
    return kinds, np.bincount(kinds[train], minlength=target.outputs)
