"""The processes that train one model together. Without a launcher there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class World:
    """This process's place: ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    def share(self, items: int) -> tuple[int, int]:
        """First and last-plus-one position of a global batch that this process computes."""
        return items * self.rank // self.size, items * (self.rank + 1) // self.size

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter], loss: Tensor) -> Tensor:
        """Sum the gradients and the loss over the processes, in one message."""
        if self.size == 1:
            return loss
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        flat = torch.cat([loss.reshape(1).to(grads[0].dtype), *(g.reshape(-1) for g in grads)])
        torch.distributed.all_reduce(flat)
        at = 1
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = flat[at : at + grad.numel()].view_as(grad).clone()
            at += grad.numel()
        return flat[0]
