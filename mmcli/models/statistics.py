"""Fixed statistics of a stream, one vector an item: what kernel machines look at, and an encoder for noisy data.

Under heavy noise averages over long stretches say more than any filter learned from few items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mmcli.models import parts
from mmcli.models.parts import StreamShape

SEGMENTS = 8
SIDE = 16  # pixels that a picture keeps in each direction
FRAME_SIDE = 8


def width(stream: StreamShape) -> int:
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
        identity = parts.zeroed(values.flatten(2)[..., 0], mask).round().clamp(0, stream.vocabulary_size - 1).long()
        bag = torch.zeros(len(values), stream.vocabulary_size, device=values.device)
        bag = bag.scatter(1, identity, 1.0)
        bag[:, 0] = 0.0  # padding
        return functional.normalize(bag, dim=1)
    if stream.kind == "vector":
        return values[:, 0].flatten(1)
    if stream.kind == "frames":
        small = _shrunk(values.flatten(0, 1), FRAME_SIDE)
        values = small.reshape(*mask.shape, *small.shape[1:])
    return _segments(parts.zeroed(values.flatten(2), mask), mask)


def _segments(x: Tensor, mask: Tensor) -> Tensor:
    lengths = mask.sum(1, keepdim=True).clamp(min=1)
    steps = torch.arange(mask.shape[1], device=x.device)
    first = torch.arange(SEGMENTS, device=x.device) * lengths // SEGMENTS
    last = torch.maximum((torch.arange(SEGMENTS, device=x.device) + 1) * lengths // SEGMENTS, first + 1)
    inside = (steps[None, :, None] >= first[:, None]) & (steps[None, :, None] < last[:, None]) & mask[..., None]
    share = inside / inside.sum(1, keepdim=True).clamp(min=1)
    means = torch.einsum("nts,ntd->nsd", share, x)
    center = parts.mean(x, mask)
    spread = parts.mean((x - center[:, None]).square(), mask).sqrt()
    return torch.cat([means.flatten(1), spread], dim=1)


def _side(stream: StreamShape, most: int, axis: int) -> int:
    return min(most, stream.shape[axis])


def _shrunk(pictures: Tensor, most: int) -> Tensor:
    sides = [min(most, n) for n in pictures.shape[1:3]]
    if list(pictures.shape[1:3]) == sides:
        return pictures
    small = functional.interpolate(pictures.permute(0, 3, 1, 2), size=sides, mode="area")
    return small.permute(0, 2, 3, 1)
