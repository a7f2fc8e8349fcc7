"""The first layer of sequence encoders: token identities through an embedding, frames through a linear map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmcli.models import masks


class InputLayer(nn.Module):
    """``(n, steps, ...)`` to ``(n, steps, width)``, zeros where the mask is False.

    With a vocabulary, values are token identities stored as float32; one beyond the vocabulary is read as 1, unknown.
    """

    def __init__(self, inputs: int, vocabulary: int, width: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.map: nn.Module = _embedding(vocabulary, width) if vocabulary else nn.Linear(inputs, width)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Embedded steps."""
        x = values.flatten(2)
        if self.vocabulary:
            identity = x[..., 0].round()
            inside = (identity >= 0) & (identity < self.vocabulary)
            x = identity.masked_fill(~inside, min(1, self.vocabulary - 1)).long()
        return masks.zeroed(self.map(x), mask)


def _embedding(vocabulary: int, width: int) -> nn.Embedding:
    """As ``nn.Embedding`` makes it. On the meta device only shapes count, and drawing would import for two seconds."""
    weight = torch.empty(vocabulary, width)
    return nn.Embedding(vocabulary, width, _weight=weight if weight.is_meta else nn.init.normal_(weight))
