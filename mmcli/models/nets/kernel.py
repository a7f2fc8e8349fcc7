"""A kernel machine over fixed statistics of the streams: ridge regression with a sum of Gaussian kernels.

Strong on some hundred to some thousand items, and solved, not trained. Two items are compared by each modality that
both of them have, so that any subset may be present.

Reference: J. Suykens and J. Vandewalle, "Least squares support vector machine classifiers", Neural Processing Letters
9, 1999; sums of kernels: G. Lanckriet et al., JMLR 5, 2004.

The configuration is one JSON object::

    {"name": "kernel", "rows": 240, "outputs": 10, "gain": 6.0,
     "modalities": [{"name": "audio", "kind": "sequence", "shape": [13], "vocabulary_size": 0, "gamma": 1.0}, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmcli.errors import ArtifactError
from mmcli.models import statistics
from mmcli.models.nets.network import Batch
from mmcli.models.parts import KINDS, StreamShape, from_json, zeroed


@dataclass(frozen=True)
class Config:
    """Training ``rows`` kept, ``outputs``, and ``gain``: the calibrated factor from ridge outputs to logits."""

    rows: int
    outputs: int
    gain: float = 1.0


class Kernel(nn.Module):
    """All tensors are buffers: nothing here is trained by gradients."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        parts = config.get("modalities")
        if not isinstance(parts, list) or not 1 <= len(parts) <= 64:
            raise ArtifactError("a kernel machine needs 1 to 64 modalities")
        sizes = from_json(Config, {k: v for k, v in config.items() if k not in ("name", "modalities")}, "kernel")
        self.streams = [_stream(part) for part in parts]
        self.names = [stream.name for stream in self.streams]
        self.gammas = [float(part["gamma"]) for part in parts]
        self.gain = sizes.gain
        for i, stream in enumerate(self.streams):
            width = statistics.width(stream)
            self.register_buffer(f"center_{i}", torch.zeros(width))
            self.register_buffer(f"scale_{i}", torch.ones(width))
            self.register_buffer(f"rows_{i}", torch.zeros(sizes.rows, width))
        self.raw = nn.ModuleList(nn.Identity() for _ in parts)  # what sees the statistics of each before their scale
        self.register_buffer("there", torch.zeros(sizes.rows, len(parts), dtype=torch.bool))
        self.register_buffer("weights", torch.zeros(sizes.rows, sizes.outputs))
        self.register_buffer("bias", torch.zeros(sizes.outputs))

    def described(self, batch: Batch, i: int) -> tuple[Tensor, Tensor]:
        """Standardised statistics of modality ``i`` ``(n, width)`` and presence ``(n,)``."""
        values, mask, present = batch[self.names[i]]
        mask = mask & present[:, None]
        raw = self.raw[i](statistics.describe(zeroed(values, mask), mask, self.streams[i]))
        center, scale = self.get_buffer(f"center_{i}"), self.get_buffer(f"scale_{i}")
        return (raw - center) / scale, mask.any(1)

    def forward(self, batch: Batch) -> Tensor:
        """Logits ``(n, outputs)``."""
        total: Tensor | None = None
        there = self.get_buffer("there")
        for i, gamma in enumerate(self.gammas):
            x, present = self.described(batch, i)
            similar = similarity(x, self.get_buffer(f"rows_{i}"), gamma) * (present[:, None] & there[None, :, i])
            total = similar if total is None else total + similar
        assert total is not None
        return self.gain * (total @ self.get_buffer("weights") + self.get_buffer("bias"))


def similarity(x: Tensor, y: Tensor, gamma: float) -> Tensor:
    """``exp(-gamma |x - y|^2 / width)``, ``(n, m)`` from ``(n, width)`` and ``(m, width)``."""
    return torch.exp(-gamma * distances(x, y))


def distances(x: Tensor, y: Tensor) -> Tensor:
    """``|x - y|^2 / width``, ``(n, m)``."""
    square = x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2.0 * (x @ y.T)
    return square.clamp(min=0.0) / x.shape[1]


def _stream(part: Any) -> StreamShape:
    try:
        shape, gamma = part["shape"], part["gamma"]
        stream = StreamShape(str(part["name"]), part["kind"], tuple(shape), 1, part.get("vocabulary_size", 0))
        numbers = [*shape, stream.vocabulary_size]
    except (TypeError, KeyError, AttributeError) as problem:
        raise ArtifactError(f"a modality of a kernel machine is not described ({problem})") from problem
    if stream.kind not in KINDS or not all(type(n) is int and 0 <= n < 1 << 24 for n in numbers) or not shape:
        raise ArtifactError(f"a kernel machine cannot read {part!r}")
    pictures = stream.kind in ("image", "frames")
    if (pictures and len(shape) != 3) or type(gamma) not in (int, float) or not 0 <= gamma < 1e6:
        raise ArtifactError(f"a kernel machine cannot read {part!r}")
    return stream
