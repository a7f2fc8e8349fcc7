"""What every fusion block is."""

from __future__ import annotations

from torch import Tensor, nn


class Block(nn.Module):
    """``forward(vectors, present)``: ``(n, modalities, width)`` and bool ``(n, modalities)`` to ``(n, self.width)``.

    Vectors of absent modalities are zero and a block never lets them count. Blocks in which sequences look at one
    another override ``mix``, which comes before pooling. Blocks with ``decides`` get each modality's logits
    ``(n, modalities, outputs)`` in place of vectors and return logits ``(n, outputs)``.
    """

    width: int
    decides = False

    def mix(self, sequences: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """Sequences ``(n, steps, width)`` to sequences of the same shapes; the masks are all False where absent."""
        return sequences

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """Fused features, or logits."""
        raise NotImplementedError
