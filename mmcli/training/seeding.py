"""One seed fixes everything; the thread count is part of the recipe and never taken from the machine.

Randomness is a function of (seed, epoch, purpose), never of what ran before, so that a run continued from the start
of any epoch goes on exactly as the uninterrupted one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

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
