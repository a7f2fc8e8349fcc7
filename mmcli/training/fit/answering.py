"""What a network answers, without gradients, and how good that is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcli.training.data import Data
from mmcli.training.target import Target, losses, score

AT_ONCE = 256  # items a forward pass, fewer where they are large:
AT_ONCE_BYTES = 16 << 20  # of their values; activations take several times as much


def logits_of(net: nn.Module, data: Data, rows: NDArray[np.int64]) -> Tensor:
    """What ``net`` gives for ``rows``, items of like length together; a float32 row for each."""
    net.eval()
    by_length = np.argsort(data.lengths[rows].max(1), kind="stable")
    parts = []
    with torch.no_grad():
        parts_of = max(1, -(-len(rows) // AT_ONCE), -(-data.nbytes(rows) // AT_ONCE_BYTES))
        for chunk in np.array_split(by_length, min(parts_of, max(1, len(rows)))):
            parts.append(net(data.batch(rows[chunk])).float())
    back = torch.from_numpy(np.argsort(by_length, kind="stable")).to(data.device)
    return torch.cat(parts)[back]


def validate(net: nn.Module, data: Data, target: Target, rows: NDArray[np.int64]) -> dict[str, float]:
    """Mean loss without smoothing, and accuracy or mean absolute error."""
    logits = logits_of(net, data, rows)
    values = target.values[torch.from_numpy(rows).to(data.device)]
    loss = losses(target.task, logits, values, 0.0).double().mean()
    return {"loss": float(loss), **score(target.task, logits, values)}
