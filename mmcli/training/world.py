"""The processes that train one model together, as a launcher such as torchrun starts them. Without one there is one.

    torchrun --nproc-per-node 2 -m mmcli train d.npz -o m.pt

Every process holds the data set and a copy of the weights, computes its share of each batch, and the gradients are
summed before every step: the steps are those of one process with the same batch, up to the order of additions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from mmcli.errors import UsageError


@dataclass(frozen=True)
class World:
    """This process's place: ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    def share(self, items: int) -> tuple[int, int]:
        """First and last-plus-one position of a global batch that this process computes."""
        return items * self.rank // self.size, items * (self.rank + 1) // self.size

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values

    def gather(self, values: Tensor, share: tuple[int, int], items: int) -> Tensor:
        """The rows ``(items, ...)`` of all processes; gradients reach only this one's, ``values``."""
        if self.size == 1:
            return values
        start, stop = share
        whole = values.new_zeros(items, *values.shape[1:])
        whole[start:stop] = values.detach()
        torch.distributed.all_reduce(whole)
        return torch.cat([whole[:start], values, whole[stop:]])

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


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Within: the group that the launcher's environment (RANK, WORLD_SIZE, MASTER_ADDR) describes; nccl on CUDA, else
    gloo.

    Raises :class:`UsageError` where the environment is half there.
    """
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) < 2:
        yield World()
        return
    if lacking := [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise UsageError(f"WORLD_SIZE is set and {lacking[0]} is not", hint="start with torchrun, or unset WORLD_SIZE")
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(torch.distributed.get_rank(), torch.distributed.get_world_size())
    finally:
        torch.distributed.destroy_process_group()
