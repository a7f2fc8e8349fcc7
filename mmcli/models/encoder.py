"""What every encoder is."""

from __future__ import annotations

from torch import Tensor, nn


class Encoder(nn.Module):
    """``forward(values, mask)`` gives a sequence ``(n, steps', width)`` and its mask ``(n, steps')``.

    ``values`` is float32 ``(n, steps, ...)`` with zeros where ``mask`` bool ``(n, steps)`` is False. Padding never
    changes the result at the real steps. ``pool`` turns the sequence, or another of its shape that a fusion block
    made of it, into ``(n, width)``.
    """

    width: int
    pool: nn.Module

    def forward(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The sequence and its mask."""
        raise NotImplementedError
