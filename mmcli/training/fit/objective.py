"""What a run learns to do. The loop asks an objective for the network, for the loss of a batch and for a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.models.nets.network import Batch
from mmcli.models.streams import StreamShape
from mmcli.training.data import Data
from mmcli.training.target import Target
from mmcli.training.world import World


class Objective(Protocol):
    """One run's purpose; made for one data set and configuration."""

    target: Target

    def usable(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ``rows`` that something can be learned from."""

    def network(self, streams: Sequence[StreamShape], items: int) -> dict[str, Any]:
        """The configuration of a network for ``items`` training items."""

    def batch(self, items: int) -> int:
        """Items a step."""

    def start(self, net: nn.Module, data: Data, train: NDArray[np.int64], world: World) -> None:
        """Take the fresh network."""

    def drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The items of one epoch."""

    def loss(self, batch: Batch, rows: NDArray[np.int64], share: tuple[int, int]) -> Tensor:
        """The part of a global batch's mean loss that this process adds; ``batch`` holds its ``share`` of ``rows``."""

    def gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Look at the summed gradients of the step, before they are clipped."""

    def validate(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """``loss`` and a figure for people."""
