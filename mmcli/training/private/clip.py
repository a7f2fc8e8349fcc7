"""The clipped sum of per-item gradients without any item's gradient: norms from what each layer saw and was told.

One pass back to the outputs of the layers gives both. The weight gradient of a linear layer is, for item i, the product
of its input and its output's gradient, whose norm is the product of theirs (I. Goodfellow, "Efficient per-example
gradient computations", 2015); over steps it follows from inner products between steps (J. Rochette et al., 2019; X. Li
et al., "Large language models can be strong differentially private learners", ICLR 2022). The sum is then formed with
the clipped gradients in place of the plain ones, without a second pass (Z. Bu et al., "Differentially private
optimization on large models at small cost", ICML 2023).

Rules are for the layers and blocks that stand here; any other module that holds parameters is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mmcli.errors import UsageError
from mmcli.training.private.rules import RULES, Parts, cross_layer, recurrent, twin


class Ghost:
    """Watches a network; ``unknown`` parameters raise :class:`UsageError`, naming the module.

    >>> net = nn.Linear(2, 1)
    >>> ghost = Ghost(net)
    >>> with ghost.watching(3):
    ...     out = net(torch.eye(3, 2))
    >>> sums, norms = ghost.clipped(out.sum(1), 1.0)
    >>> [round(float(norm), 4) for norm in norms], round(float(sums[1]), 4)
    ([1.4142, 1.4142, 1.0], 2.4142)
    """

    def __init__(self, net: nn.Module) -> None:
        self.parameters = [p for p in net.parameters() if p.requires_grad]
        self.watched: list[tuple[nn.Module, Any]] = []
        covered: set[nn.Parameter] = set()
        for name, module in net.named_modules():
            own = {p for p in module.parameters(recurse=False) if p.requires_grad}
            rule = next((rule for kind, rule in RULES.items() if isinstance(module, kind)), None)
            if own and rule is None:
                what = f"{name or 'the network'} ({type(module).__name__})"
                hint = "choose another encoder or fusion block; --fusion linear always can"
                raise UsageError(f"no per-item gradient is known for {what}", hint=hint)
            if rule is not None and (own or rule is cross_layer):
                self.watched.append((module, rule))
                covered |= own
        self.items = 0
        self.taps: list[Tensor] = []
        self.waiting: list[tuple[int, int, Parts]] = []

    def tap(self, parts: Parts, *tensors: Tensor) -> None:
        """``parts`` is called with the gradients of ``tensors``."""
        start = len(self.taps)
        self.taps += tensors
        self.waiting.append((start, len(self.taps), parts))

    @contextmanager
    def watching(self, items: int) -> Iterator[None]:
        """Within: one forward pass of ``items`` items is seen by every layer."""
        self.items, self.taps, self.waiting = items, [], []
        handles = []
        twins = [module for module, rule in self.watched if rule is recurrent]
        try:
            for module, rule in self.watched:
                if rule is recurrent:
                    module.forward = twin(module, self)  # type: ignore[arg-type]
                else:
                    handles += rule(module, self)
            yield
        finally:
            for handle in handles:
                handle.remove()
            for module in twins:
                del module.forward

    def clipped(self, losses: Tensor, clip: float) -> tuple[list[Tensor], Tensor]:
        """The sums over items of gradients cut to norm ``clip``, one a parameter, and the norms before, ``(n,)``."""
        sums = {p: torch.zeros_like(p) for p in self.parameters}
        norms = losses.new_zeros(self.items)
        if self.taps and losses.requires_grad:
            told = torch.autograd.grad(losses.sum(), self.taps, allow_unused=True)
            told = tuple(torch.zeros_like(t) if g is None else g for g, t in zip(told, self.taps, strict=True))
            with torch.no_grad():
                parts = [part for a, b, make in self.waiting for part in make(list(told[a:b]))]
                norms = torch.stack([part.squares() for part in parts]).sum(0).clamp(min=0.0).sqrt()
                share = (clip / norms.clamp(min=1e-12)).clamp(max=1.0)
                for part in parts:
                    part.add(sums, share)
        self.taps, self.waiting = [], []
        return [sums[p] for p in self.parameters], norms
