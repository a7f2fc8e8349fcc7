"""What machines look at: fixed statistics of each stream, one vector an item, standardised; and the base they share.

Kernel machines, linear maps and trees are solved, not trained by gradients: all that they hold are buffers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmcli.errors import ArtifactError
from mmcli.models.nets.network import Batch
from mmcli.models.parts import KINDS, StreamShape, mean, zeroed

MOST_STREAMS = 64


class Machine(nn.Module):
    """The streams of a configuration with the centre and scale of their statistics; ``names`` are theirs."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        parts = config.get("modalities")
        if not isinstance(parts, list) or not 1 <= len(parts) <= MOST_STREAMS:
            raise ArtifactError(f"a machine needs 1 to {MOST_STREAMS} modalities")
        self.streams = [stream_of(part) for part in parts]
        self.names = [stream.name for stream in self.streams]
        self.widths = [described_width(stream) for stream in self.streams]
        for i, width in enumerate(self.widths):
            self.register_buffer(f"center_{i}", torch.zeros(width))
            self.register_buffer(f"scale_{i}", torch.ones(width))
        self.raw = nn.ModuleList(nn.Identity() for _ in parts)  # what sees the statistics of each before their scale

    def described(self, batch: Batch, i: int) -> tuple[Tensor, Tensor]:
        """Standardised statistics of modality ``i`` ``(n, width)`` and presence ``(n,)``."""
        values, mask, present = batch[self.names[i]]
        mask = mask & present[:, None]
        raw = self.raw[i](describe(zeroed(values, mask), mask, self.streams[i]))
        center, scale = self.get_buffer(f"center_{i}"), self.get_buffer(f"scale_{i}")
        return (raw - center) / scale, mask.any(1)


def stream_of(part: Any) -> StreamShape:
    """A modality of a configuration. Raises :class:`ArtifactError` where it is none."""
    try:
        shape = part["shape"]
        stream = StreamShape(str(part["name"]), part["kind"], tuple(shape), 1, part.get("vocabulary_size", 0))
        numbers = [*shape, stream.vocabulary_size]
    except (TypeError, KeyError, AttributeError) as problem:
        raise ArtifactError(f"a modality of a machine is not described ({problem})") from problem
    if stream.kind not in KINDS or not all(type(n) is int and 0 <= n < 1 << 24 for n in numbers) or not shape:
        raise ArtifactError(f"a machine cannot read {part!r}")
    pictures = stream.kind in ("image", "frames")
    if pictures and len(shape) != 3:
        raise ArtifactError(f"a machine cannot read {part!r}")
    return stream


# Fixed statistics of a stream, one vector an item: what kernel machines look at. Under heavy noise averages over long
# stretches say more than any filter learned from few items.

SEGMENTS = 8
SIDE = 16  # pixels that a picture keeps in each direction
FRAME_SIDE = 8


def described_width(stream: StreamShape) -> int:
    """Numbers that :func:`describe` gives for an item."""
    if stream.kind == "image":
        return _side(stream, SIDE, 0) * _side(stream, SIDE, 1) * stream.shape[2]
    if stream.kind == "tokens":
        return stream.vocabulary_size
    if stream.kind == "vector":
        return stream.width
    frame = stream.width
    if stream.kind == "frames":
        frame = _side(stream, FRAME_SIDE, 0) * _side(stream, FRAME_SIDE, 1) * stream.shape[2]
    return frame * (SEGMENTS + 1)


def describe(values: Tensor, mask: Tensor, stream: StreamShape) -> Tensor:
    """``(n, steps, ...)`` and its mask to float32 ``(n, width)``.

    Pictures: local means, at most 16 x 16. Tokens: which ones occur, as a vector of length one. Sequences: means in
    eight parts of equal length, and standard deviations. Vectors: themselves.
    """
    if stream.kind == "image":
        return _shrunk(values[:, 0], SIDE).flatten(1)
    if stream.kind == "tokens":
        identity = zeroed(values.flatten(2)[..., 0], mask).round().clamp(0, stream.vocabulary_size - 1).long()
        bag = torch.zeros(len(values), stream.vocabulary_size, device=values.device)
        bag = bag.scatter(1, identity, 1.0)
        bag[:, 0] = 0.0  # padding
        return functional.normalize(bag, dim=1)
    if stream.kind == "vector":
        return values[:, 0].flatten(1)
    if stream.kind == "frames":
        small = _shrunk(values.flatten(0, 1), FRAME_SIDE)
        values = small.reshape(*mask.shape, *small.shape[1:])
    return _segments(zeroed(values.flatten(2), mask), mask)


def _segments(x: Tensor, mask: Tensor) -> Tensor:
    lengths = mask.sum(1, keepdim=True).clamp(min=1)
    steps = torch.arange(mask.shape[1], device=x.device)
    first = torch.arange(SEGMENTS, device=x.device) * lengths // SEGMENTS
    last = torch.maximum((torch.arange(SEGMENTS, device=x.device) + 1) * lengths // SEGMENTS, first + 1)
    inside = (steps[None, :, None] >= first[:, None]) & (steps[None, :, None] < last[:, None]) & mask[..., None]
    share = inside / inside.sum(1, keepdim=True).clamp(min=1)
    means = torch.einsum("nts,ntd->nsd", share, x)
    center = mean(x, mask)
    return torch.cat([means.flatten(1), _root(mean((x - center[:, None]).square(), mask))], dim=1)


def _root(variance: Tensor) -> Tensor:
    """The square root; where nothing varies its gradient is 0, not the infinity of the formula."""
    still = variance <= 0
    return variance.masked_fill(still, 1.0).sqrt().masked_fill(still, 0.0)


def _side(stream: StreamShape, most: int, axis: int) -> int:
    return min(most, stream.shape[axis])


def _shrunk(pictures: Tensor, most: int) -> Tensor:
    sides = [min(most, n) for n in pictures.shape[1:3]]
    if list(pictures.shape[1:3]) == sides:
        return pictures
    small = functional.interpolate(pictures.permute(0, 3, 1, 2), size=sides, mode="area")
    return small.permute(0, 2, 3, 1)
