"""One linear map for each modality over fixed statistics of its items, summed: the model to train under privacy.

Noise grows with the number of weights and does not shrink with depth: at small epsilon this model, whose gradient has
the best ratio of signal to noise, beats networks. Every item is scaled by itself alone, so nothing of another item is
in what it is read as.

The configuration is one JSON object::

    {"name": "linear", "outputs": 10, "gain": 3.0,
     "modalities": [{"name": "audio", "kind": "sequence", "shape": [13], "vocabulary_size": 0}, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmcli.errors import ArtifactError
from mmcli.models.nets.described import SEGMENTS, describe, described_width
from mmcli.models.nets.network import Batch, Outputs, objects
from mmcli.models.parts import KINDS, StreamShape, from_json, zeroed

MEAN_COUNTS = 0.5


@dataclass(frozen=True)
class Config:
    """``outputs``, and ``gain``: the length of an item's vector of one modality."""

    outputs: int
    gain: float = 3.0


class LinearSum(nn.Module):
    """Logits are a bias plus what each modality that is present says; weights start at zero."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        sizes = from_json(Config, {k: v for k, v in config.items() if k not in ("name", "modalities")}, "linear")
        self.streams = [_stream(part) for part in objects(config.get("modalities"))]
        self.names = [stream.name for stream in self.streams]
        self.gain = sizes.gain
        self.maps = nn.ModuleList(nn.Linear(described_width(s), sizes.outputs, bias=False) for s in self.streams)
        for linear in self.maps:
            for weight in linear.parameters():
                nn.init.zeros_(weight)
        self.bias = nn.Parameter(torch.zeros(sizes.outputs))

    def described(self, batch: Batch) -> list[Tensor]:
        """Of each modality the items' vectors ``(n, width)``, of length ``gain`` (sequences 1.12 of it) or zero."""
        points = []
        for stream in self.streams:
            values, mask, present = batch[stream.name]
            mask = mask & present[:, None]
            vectors = describe(zeroed(values, mask).float(), mask, stream)
            points.append(self.gain * scaled(vectors, mask.any(1), stream).to(self.bias.dtype))
        return points

    def answer(self, points: Sequence[Tensor]) -> Tensor:
        """Logits ``(n, outputs)`` of what :meth:`described` gave."""
        total = self.bias.expand(len(points[0]), -1)
        for linear, point in zip(self.maps, points, strict=True):
            total = total + linear(point)
        return total

    def forward(self, batch: Batch) -> Tensor:
        """Logits ``(n, outputs)``."""
        return self.answer(self.described(batch))

    def detailed(self, batch: Batch) -> Outputs:
        """As a network's: the vectors are what each modality adds to the logits."""
        points = self.described(batch)
        present = torch.stack([(batch[n].mask & batch[n].present[:, None]).any(1) for n in self.names], dim=1)
        added = torch.stack([linear(point) for linear, point in zip(self.maps, points, strict=True)], dim=1)
        return Outputs(self.answer(points), None, present, added)


def scaled(x: Tensor, present: Tensor, stream: StreamShape) -> Tensor:
    """Statistics ``(n, width)`` as they are compared: each item's less their mean, at unit length; zero where absent.

    Of a sequence, how its eight parts differ from their mean counts fully, and the mean itself half, in the place of
    the spread: what a recording sounds like all the time says less (on spoken digits in noise, in log-mel features, 38
    against 16 % at epsilon 8; chosen on takes that judge nothing else).

    >>> vector = StreamShape("v", "vector", (2,), 1)
    >>> scaled(torch.tensor([[1.0, 3.0], [2.0, 2.0]]), torch.tensor([True, True]), vector)
    tensor([[-0.7071,  0.7071],
            [ 0.0000,  0.0000]])
    """
    x = zeroed(x, present)
    frame = x.shape[1] // (SEGMENTS + 1)
    if stream.kind in ("sequence", "spectrogram", "frames"):
        parts = x[:, : SEGMENTS * frame].view(len(x), SEGMENTS, frame)
        mean = parts.mean(1)
        return torch.cat([_unit((parts - mean[:, None]).flatten(1)), MEAN_COUNTS * _unit(_centred(mean))], dim=1)
    return _unit(_centred(x))


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(1, keepdim=True) if x.shape[1] > 1 else x


def _unit(x: Tensor) -> Tensor:
    length = x.norm(dim=1, keepdim=True)
    return torch.where(length > 1e-6, x / length.clamp(min=1e-6), 0.0)


def sized(streams: Sequence[StreamShape], outputs: int) -> dict[str, Any]:
    """The configuration of a sum over these streams."""
    parts = [
        {"name": s.name, "kind": s.kind, "shape": list(s.shape), "vocabulary_size": s.vocabulary_size} for s in streams
    ]
    return {"name": "linear", "outputs": outputs, "gain": 3.0, "modalities": parts}


def _stream(part: Mapping[str, Any]) -> StreamShape:
    shape, kind, vocabulary = part.get("shape"), part.get("kind"), part.get("vocabulary_size", 0)
    numbers = [*shape, vocabulary] if isinstance(shape, list) and shape else [None]
    if kind not in KINDS or not all(type(n) is int and 0 <= n < 1 << 20 for n in numbers):
        raise ArtifactError(f"a linear model cannot read {dict(part)!r}")
    stream = StreamShape(str(part.get("name")), str(kind), tuple(shape or ()), 1, int(vocabulary))
    if (stream.kind in ("image", "frames") and len(stream.shape) != 3) or not 0 < described_width(stream) < 1 << 24:
        raise ArtifactError(f"a linear model cannot read {dict(part)!r}")
    return stream
