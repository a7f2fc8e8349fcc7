"""Fitting the kernel machines of :mod:`mmcli.models.kernel`: one linear system for each setting, no gradient steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.models import statistics
from mmcli.models.kernel import Kernel, similarity
from mmcli.models.network import Batch
from mmcli.models.streams import StreamShape
from mmcli.training.data import Data
from mmcli.training.target import Target

MOST_ROWS = 6000  # beyond, the cube of the number of items is too much
MOST_WIDTH = 8192
GAMMAS = (0.12, 0.25, 0.5, 1.0)
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
AT_ONCE = 512


def fits(streams: Sequence[StreamShape], rows: int) -> bool:
    """Whether a kernel machine over these streams is affordable."""
    return rows <= MOST_ROWS and all(statistics.width(s) <= MOST_WIDTH for s in streams)


def answers(target: Target) -> Tensor:
    """What is regressed on: one-hot classes, 0 and 1, or standardised values, float64 ``(items, outputs)``."""
    if target.task == "classify":
        return torch.nn.functional.one_hot(target.values, target.outputs).double()
    return target.values.double().reshape(len(target.values), -1)


@dataclass
class Described:
    """Standardised statistics of all items of one stream, by the training rows."""

    stream: StreamShape
    center: Tensor
    scale: Tensor
    values: Tensor
    present: Tensor


def describe(data: Data, stream: StreamShape, train: NDArray[np.int64]) -> Described:
    """One stream; tokens are left unscaled, they have length one already."""
    parts, present = [], []
    for batch, _ in _chunks(data, stream.name):
        given = batch[stream.name]
        parts.append(statistics.describe(given.values, given.mask, stream))
        present.append(given.mask.any(1))
    raw, here = torch.cat(parts), torch.cat(present)
    chosen = torch.from_numpy(train)
    seen = raw[chosen][here[chosen]]
    center, scale = torch.zeros(raw.shape[1]), torch.ones(raw.shape[1])
    if stream.kind == "tokens":
        scale = torch.full_like(scale, raw.shape[1] ** -0.5)  # so that gamma means what it means for the others
    elif len(seen):
        center, scale = seen.mean(0), seen.std(0, correction=0)
        scale = torch.where(scale > 1e-6 * (1.0 + center.abs()), scale, torch.ones_like(scale))
    return Described(stream, center, scale, (raw - center) / scale, here)


def gram(described: Sequence[Described], gammas: Sequence[float], a: Tensor, b: Tensor) -> Tensor:
    """Sum of kernels between items ``a`` and ``b``, float64; modalities that one of the two lacks do not count."""
    total = torch.zeros(len(a), len(b), dtype=torch.float64)
    for part, gamma in zip(described, gammas, strict=True):
        both = part.present[a][:, None] & part.present[b][None]
        total += similarity(part.values[a], part.values[b], gamma) * both
    return total


def solve(k: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights ``(rows, outputs)`` and bias of ridge regression in the kernel's space, centred on the mean answer."""
    bias = y.mean(0)
    system = k + penalty * torch.eye(len(k), dtype=k.dtype)
    return torch.cholesky_solve(y - bias, torch.linalg.cholesky(system)), bias


def cross_validated(
    described: Sequence[Described],
    gammas: Sequence[Sequence[float]],
    penalties: Sequence[float],
    y: Tensor,
    folds: Sequence[NDArray[np.int64]],
) -> Iterator[tuple[tuple[float, ...], float, Tensor]]:
    """For each setting: gammas, penalty, and each fold's outputs by the others, float64 ``(items, outputs)``."""
    everyone = np.concatenate(folds)
    for setting in gammas:
        whole = gram(described, setting, torch.from_numpy(everyone), torch.from_numpy(everyone))
        found = {penalty: torch.zeros(len(y), y.shape[1], dtype=torch.float64) for penalty in penalties}
        start = 0
        for fold in folds:
            inside = torch.zeros(len(everyone), dtype=torch.bool)
            inside[start : start + len(fold)] = True
            start += len(fold)
            rest = torch.from_numpy(everyone)[~inside]
            for penalty in penalties:
                weights, bias = solve(whole[~inside][:, ~inside], y[rest], penalty)
                found[penalty][torch.from_numpy(fold)] = whole[inside][:, ~inside] @ weights + bias
        for penalty in penalties:
            yield tuple(setting), penalty, found[penalty]


def machine(
    described: Sequence[Described], gammas: Sequence[float], penalty: float, y: Tensor, rows: NDArray[np.int64]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The model's configuration and tensors, fitted on ``rows``."""
    chosen = torch.from_numpy(rows)
    weights, bias = solve(gram(described, gammas, chosen, chosen), y[chosen], penalty)
    parts = [
        {
            "name": d.stream.name,
            "kind": d.stream.kind,
            "shape": list(d.stream.shape),
            "vocabulary_size": d.stream.vocabulary_size,
            "gamma": gamma,
        }
        for d, gamma in zip(described, gammas, strict=True)
    ]
    config = {"name": "kernel", "rows": len(rows), "outputs": int(y.shape[1]), "gain": 1.0, "modalities": parts}
    tensors = {"weights": weights.float(), "bias": bias.float()}
    tensors["there"] = torch.stack([d.present[chosen] for d in described], dim=1)
    for i, d in enumerate(described):
        tensors |= {f"center_{i}": d.center, f"scale_{i}": d.scale, f"rows_{i}": d.values[chosen].clone()}
    assert set(tensors) == set(Kernel(config).state_dict())
    return config, tensors


def _chunks(data: Data, name: str) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
    for start in range(0, data.items, AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, data.items), dtype=np.int64)
        yield data.batch(rows), rows
