"""What a network must know about a stream to be built for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

KINDS = ("image", "spectrogram", "tokens", "sequence", "vector", "frames")
LARGE_PICTURE = 64  # pixels; above, the residual encoder


@dataclass(frozen=True)
class StreamShape:
    """Shape facts of one stream: ``shape`` is that of one frame, ``steps`` the longest item in frames."""

    name: str
    kind: str
    shape: tuple[int, ...]
    steps: int
    vocabulary_size: int = 0

    @property
    def width(self) -> int:
        """Numbers in one frame."""
        return prod(self.shape)


def choose(stream: StreamShape) -> str:
    """The name of the default encoder for a stream, by what its values are.

    >>> choose(StreamShape("image", "image", (8, 8, 1), 1))
    'image'
    """
    if stream.kind == "image":
        return "image" if max(stream.shape[:2]) <= LARGE_PICTURE else "residual"
    chosen = {"spectrogram": "audio", "tokens": "bilstm", "sequence": "conv1d", "vector": "mlp", "frames": "video"}
    return chosen[stream.kind]
