"""Dropout whose noise depends on the position in the global batch, not on how the batch is spread over processes.

With several processes each one holds some rows of a batch. All of them draw the noise of the whole batch from the same
generator and keep their own rows, so that any number of processes computes what one would have computed.

Reference: N. Srivastava et al., "Dropout", JMLR 15, 2014.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class _Rows:
    start: int = 0
    stop: int = 0
    total: int = 0  # 0: this process holds the whole batch


_rows = _Rows()


@contextmanager
def rows(start: int, stop: int, total: int) -> Iterator[None]:
    """Within: this process holds rows ``start`` to ``stop`` of a batch of ``total`` items."""
    before = (_rows.start, _rows.stop, _rows.total)
    _rows.start, _rows.stop, _rows.total = start, stop, total
    try:
        yield
    finally:
        _rows.start, _rows.stop, _rows.total = before


def coins(shape: tuple[int, ...], p: float, device: torch.device) -> Tensor:
    """Ones with probability ``p``, else zeros, float32 of ``shape``, whose first axis is this process's items (or a
    multiple of them)."""
    held = _rows.stop - _rows.start
    if not _rows.total or not held:
        return torch.empty(shape, device=device).bernoulli_(p)
    each = shape[0] // held
    noise = torch.empty((_rows.total * each, *shape[1:]), device=device).bernoulli_(p)
    return noise[_rows.start * each : _rows.stop * each]


class Dropout(nn.Module):
    """Zeroes entries with probability ``p`` while training and scales the rest by ``1 / (1 - p)``.

    ``shared`` is the number of trailing axes that live or die together: 2 drops whole channels of ``(n, c, h, w)``.
    """

    def __init__(self, p: float, shared: int = 0) -> None:
        super().__init__()
        self.p = p
        self.shared = shared

    def forward(self, x: Tensor) -> Tensor:
        """Same shape and dtype as ``x``."""
        if not self.training or self.p <= 0.0:
            return x
        kept = x.dim() - self.shared
        shape = (*x.shape[:kept], *(1 for _ in range(self.shared)))
        keep = 1.0 - self.p
        return x * (coins(shape, keep, x.device) / keep).to(x.dtype)
