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
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmcli.errors import MissingError, UsageError


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


# Where to compute.

NAMES = ("auto", "cpu", "cuda")


def pick(name: str) -> torch.device:
    """``auto`` takes CUDA where it is. Raises :class:`MissingError` where ``cuda`` is asked for and not there.

    Raises :class:`UsageError` for any other name.
    """
    if name not in NAMES:
        raise UsageError(f"no such device: {name!r}", hint="one of: " + ", ".join(NAMES))
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise MissingError("no CUDA device is visible to torch", hint="use --device cpu, or a torch built for CUDA")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


# One seed fixes everything; the thread count is part of the recipe and never taken from the machine.
#
# Randomness is a function of (seed, epoch, purpose), never of what ran before, so that a run continued from the start
# of any epoch goes on exactly as the uninterrupted one.

WEIGHTS, NOISE, ORDER, PARTNERS = 0, 1, 2, 3  # purposes


@contextmanager
def deterministic(threads: int, device: torch.device) -> Iterator[None]:
    """Within: ``threads`` threads, deterministic algorithms, and torch's generators are left as they were found."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before_threads = torch.get_num_threads()
    before = torch.get_deterministic_debug_mode()
    torch.set_num_threads(threads)
    # The same switch as torch.use_deterministic_algorithms, which imports torch's compiler first: two seconds.
    torch.set_deterministic_debug_mode("warn" if device.type == "cuda" else "error")
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    settings.fill_uninitialized_memory = False  # nothing here reads memory before writing it
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        settings.fill_uninitialized_memory = fill
        torch.set_deterministic_debug_mode(before)
        torch.set_num_threads(before_threads)


def seed_torch(seed: int, epoch: int, purpose: int) -> None:
    """Set torch's generators for one epoch and purpose."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, purpose]).generate_state(1, np.uint64)[0] >> 1))


def generator(seed: int, epoch: int, purpose: int) -> np.random.Generator:
    """A numpy generator for one epoch and purpose."""
    return np.random.default_rng([seed, epoch, purpose])
