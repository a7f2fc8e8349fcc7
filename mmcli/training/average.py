"""Exponential average of the weights over training steps; it generalises better than the last step on small data.

Reference: B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim.
30, 1992.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The running average of a network's parameters; ``decay`` 0 follows the network itself."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.parameters = list(net.parameters())
        self.decay = decay
        self.updates = 0
        self.values: list[Tensor] = [p.detach().clone() for p in self.parameters]

    def update(self) -> None:
        """Take in the weights of one step; the first steps count more, so that the start is forgotten."""
        self.updates += 1
        decay = min(self.decay, self.updates / (10.0 + self.updates))
        current = [p.detach() for p in self.parameters]
        torch._foreach_lerp_(self.values, current, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within: the network holds the averaged weights."""
        with torch.no_grad():
            own = [p.detach().clone() for p in self.parameters]
            torch._foreach_copy_(list(self.parameters), self.values)
            try:
                yield
            finally:
                torch._foreach_copy_(list(self.parameters), own)
