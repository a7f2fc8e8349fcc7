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
from torch import Tensor

from mmcli.errors import ArtifactError
from mmcli.models.nets.described import Machine
from mmcli.models.nets.network import Batch
from mmcli.models.parts import from_json


@dataclass(frozen=True)
class Config:
    """Training ``rows`` kept, ``outputs``, and ``gain``: the calibrated factor from ridge outputs to logits."""

    rows: int
    outputs: int
    gain: float = 1.0


class Kernel(Machine):
    """All tensors are buffers: nothing here is trained by gradients."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        sizes = from_json(Config, {k: v for k, v in config.items() if k not in ("name", "modalities")}, "kernel")
        self.gammas = [_gamma(part) for part in config["modalities"]]
        self.gain = sizes.gain
        for i, width in enumerate(self.widths):
            self.register_buffer(f"rows_{i}", torch.zeros(sizes.rows, width))
        self.register_buffer("there", torch.zeros(sizes.rows, len(self.names), dtype=torch.bool))
        self.register_buffer("weights", torch.zeros(sizes.rows, sizes.outputs))
        self.register_buffer("bias", torch.zeros(sizes.outputs))

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


def _gamma(part: Any) -> float:
    gamma = part.get("gamma")
    if type(gamma) not in (int, float) or not 0 <= gamma < 1e6:
        raise ArtifactError(f"a kernel machine cannot read {part!r}")
    return float(gamma)
