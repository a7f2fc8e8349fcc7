"""Masks: True where a value is real, False where it is padding or its modality is absent.

Every operation here gives finite results for a row with no True at all (an absent modality): zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor


def from_lengths(lengths: Tensor, size: int) -> Tensor:
    """Lengths int64 ``(items,)`` to a mask bool ``(items, size)``.

    >>> from_lengths(torch.tensor([0, 2]), 3).tolist()
    [[False, False, False], [True, True, False]]
    """
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def zeroed(values: Tensor, mask: Tensor) -> Tensor:
    """``values`` with zeros where ``mask`` (broadcast from the left) is False, even where the values are NaN."""
    while mask.dim() < values.dim():
        mask = mask.unsqueeze(-1)
    return values.masked_fill(~mask, 0.0)


def softmax(scores: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the True entries along ``dim``; zero elsewhere, all zero where there is none.

    >>> softmax(torch.zeros(2, 2), torch.tensor([[True, False], [False, False]])).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    low = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(~mask, low), dim).masked_fill(~mask, 0.0)


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over axis 1 of ``values`` ``(items, steps, width)`` where ``mask`` ``(items, steps)`` is True."""
    count = mask.sum(1, keepdim=True).clamp(min=1)
    return zeroed(values, mask).sum(1) / count


def largest(values: Tensor, mask: Tensor) -> Tensor:
    """Maximum over axis 1 where ``mask`` is True; zero where there is none."""
    low = torch.finfo(values.dtype).min
    best = values.masked_fill(~mask.unsqueeze(-1), low).amax(1)
    return zeroed(best, mask.any(1))
