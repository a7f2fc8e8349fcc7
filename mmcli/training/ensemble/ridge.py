"""Fitting the kernel machines of :mod:`.kernel`: one linear system for each setting, no gradient steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.models.nets.kernel import Kernel, described_width, distances, similarity
from mmcli.models.nets.kernel import describe as statistics
from mmcli.models.nets.network import Batch
from mmcli.models.parts import StreamShape
from mmcli.training.data import Data, Target

MOST_ROWS = 6000  # beyond, the cube of the number of items is too much
MOST_WIDTH = 8192
GAMMAS = (0.06, 0.12, 0.25, 0.5, 1.0, 2.0)
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
MIDDLE = (0.5, 0.3)  # where a search begins
AT_ONCE = 512


def fits(streams: Sequence[StreamShape], rows: int) -> bool:
    """Whether a kernel machine over these streams is affordable."""
    return rows <= MOST_ROWS and all(described_width(s) <= MOST_WIDTH for s in streams)


def answers(target: Target) -> Tensor:
    """What is regressed on: one-hot classes, -1 and 1, or standardised values, float64 ``(items, outputs)``."""
    if target.task == "classify":
        return torch.nn.functional.one_hot(target.values, target.outputs).double()
    values = target.values.double().reshape(len(target.values), -1)
    # The answer is a logit: a label that is not there has to be below zero.
    return 2 * values - 1 if target.task == "multilabel" else values


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
        parts.append(statistics(given.values, given.mask, stream))
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


def gram(
    described: Sequence[Described], gammas: Sequence[float], a: Tensor, b: Tensor, apart: Tensor | None = None
) -> Tensor:
    """Sum of kernels between items ``a`` and ``b``, float32; modalities that one of the two lacks do not count.

    ``apart``: the distances of the only modality, where they are known.
    """
    total = torch.zeros(len(a), len(b))
    for part, gamma in zip(described, gammas, strict=True):
        similar = similarity(part.values[a], part.values[b], gamma) if apart is None else torch.exp(-gamma * apart)
        if not bool(part.present.all()):
            similar *= part.present[a][:, None] & part.present[b][None]
        total += similar
    return total


def solve(k: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights ``(rows, outputs)`` and bias of ridge regression in the kernel's space, centred on the mean answer."""
    bias = y.mean(0)
    system = k.clone()
    system.diagonal().add_(penalty)
    factor, failed = torch.linalg.cholesky_ex(system)
    if int(failed) and k.dtype == torch.float32:  # too near to singular for single precision
        weights, bias = solve(k.double(), y.double(), penalty)
        return weights.float(), bias.float()
    return torch.cholesky_solve(y - bias, factor), bias


@dataclass
class Setting:
    """A width for every modality and a penalty; ``answers`` float64 ``(items, outputs)``: each fold's by the others."""

    gammas: tuple[float, ...]
    penalty: float
    answers: Tensor
    loss: float


def search(
    described: Sequence[Described],
    gammas: Sequence[float] | None,
    y: Tensor,
    folds: Sequence[NDArray[np.int64]],
    loss: Callable[[Tensor], float],
) -> Setting:
    """Width and penalty with the least ``loss`` of the answers on the folds: down the valley from :data:`MIDDLE`.

    ``gammas`` that are given stay; without them there is one modality, whose width is sought. In float32, for these
    answers only: the rounding is far below what folds can tell apart.
    """
    everyone = torch.from_numpy(np.concatenate(folds))
    small = y[everyone].float()
    grams: dict[tuple[float, ...], Tensor] = {}
    apart = distances(described[0].values[everyone], described[0].values[everyone]) if gammas is None else None
    tried: dict[tuple[int, int], Setting] = {}

    def look(place: tuple[int, int]) -> float:
        if place not in tried:
            if not (0 <= place[0] < len(GAMMAS) and 0 <= place[1] < len(PENALTIES)):
                return math.inf
            widths = (GAMMAS[place[0]],) if gammas is None else tuple(gammas)
            if widths not in grams:
                while len(grams) > 1:
                    del grams[next(iter(grams))]
                grams[widths] = gram(described, widths, everyone, everyone, apart)
            answers = torch.zeros(y.shape, dtype=torch.float64)
            answers[everyone] = _answered(grams[widths], small, PENALTIES[place[1]], folds).double()
            tried[place] = Setting(widths, PENALTIES[place[1]], answers, loss(answers))
        return tried[place].loss

    place = GAMMAS.index(MIDDLE[0]), PENALTIES.index(MIDDLE[1])
    look(place)
    # a narrower kernel needs a stronger penalty: the valley lies along both
    ways = [(0, 1), (1, 0), (1, 1)] if gammas is None else [(0, 1)]
    idle = 0
    while idle < len(ways):
        start = place
        for sign in (1, -1):
            step = ways[0][0] * sign, ways[0][1] * sign
            while look(ahead := (place[0] + step[0], place[1] + step[1])) < look(place):
                place = ahead
            if place != start:
                break
        idle = idle + 1 if place == start else 1
        ways = [*ways[1:], ways[0]]
    return tried[place]


def _answered(whole: Tensor, y: Tensor, penalty: float, folds: Sequence[NDArray[np.int64]]) -> Tensor:
    """The outputs of every item by the folds it is not in; items are in the order of the folds."""
    answers = torch.zeros_like(y)
    start = 0
    for fold in folds:
        stop = start + len(fold)
        rest = torch.cat([torch.arange(start), torch.arange(stop, len(whole))])
        across = whole[start:stop]
        weights, bias = solve(whole[rest][:, rest], y[rest], penalty)
        answers[start:stop] = across[:, :start] @ weights[:start] + across[:, stop:] @ weights[start:] + bias
        start = stop
    return answers


def machine(
    described: Sequence[Described], gammas: Sequence[float], penalty: float, y: Tensor, rows: NDArray[np.int64]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The model's configuration and tensors, fitted on ``rows``."""
    chosen = torch.from_numpy(rows)
    weights, bias = solve(gram(described, gammas, chosen, chosen).double(), y[chosen], penalty)
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
