"""Fitting the kernel machines of :mod:`mmcli.models.nets.kernel`: a linear system a setting, no gradient steps.

Beyond some thousand items the kernel is spanned by landmarks, drawn from the training items: C. Williams and M. Seeger,
"Using the Nystrom method to speed up kernel machines", NIPS 2001.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.models.nets.described import describe as statistics
from mmcli.models.nets.described import described_width
from mmcli.models.nets.kernel import Kernel, distances, similarity
from mmcli.models.nets.network import Batch
from mmcli.models.parts import StreamShape
from mmcli.training.data import Data, Target
from mmcli.training.ensemble.division import Division, Rows, numbered

MOST_ROWS = 6000  # beyond, the cube of the number of items is too much, and landmarks stand for them
LANDMARKS = (200, 1500)  # the fewest and the most
LANDMARK_WORK = 3e10  # items times the square of the landmarks: some seconds
MOST_WIDTH = 8192
GAMMAS = (0.06, 0.12, 0.25, 0.5, 1.0, 2.0)
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
MIDDLE = (0.5, 0.3)  # where a search begins
AT_ONCE = 512


def fits(streams: Sequence[StreamShape]) -> bool:
    """Whether the statistics of these streams are few enough to be compared."""
    return all(described_width(s) <= MOST_WIDTH for s in streams)


def landmarks(train: Rows, seed: int) -> Rows:
    """The training rows that span the kernel: all of them, or a random part of many."""
    if len(train) <= MOST_ROWS:
        return train
    count = int(min(max((LANDMARK_WORK / len(train)) ** 0.5, LANDMARKS[0]), LANDMARKS[1]))
    return np.sort(np.random.default_rng([seed, 5]).choice(train, count, replace=False))


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

    def part(self) -> dict[str, Any]:
        """What a machine's configuration says of the stream."""
        one = self.stream
        return {
            "name": one.name,
            "kind": one.kind,
            "shape": list(one.shape),
            "vocabulary_size": one.vocabulary_size,
        }


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
    """A width for every modality and a penalty; ``answers`` float64 ``(divisions, items, outputs)``: of each item by
    what had not seen it."""

    gammas: tuple[float, ...]
    penalty: float
    answers: Tensor
    loss: float


def search(
    described: Sequence[Described],
    gammas: Sequence[float] | None,
    y: Tensor,
    divisions: Sequence[Division],
    loss: Callable[[Tensor], float],
) -> Setting:
    """Width and penalty with the least ``loss`` of the answers to the divisions: down the valley from :data:`MIDDLE`.

    ``gammas`` that are given stay; without them there is one modality, whose width is sought. In float32, for these
    answers only: the rounding is far below what folds can tell apart.
    """
    everyone, numbers = numbered(divisions)
    items = torch.from_numpy(everyone)
    places = [[(torch.from_numpy(a), torch.from_numpy(b)) for a, b in division] for division in numbers]
    small = y[items].float()
    grams: dict[tuple[float, ...], Tensor] = {}
    apart = distances(described[0].values[items], described[0].values[items]) if gammas is None else None
    tried: dict[tuple[int, int], Setting] = {}

    def look(place: tuple[int, int]) -> float:
        if place not in tried:
            if not (0 <= place[0] < len(GAMMAS) and 0 <= place[1] < len(PENALTIES)):
                return math.inf
            widths = (GAMMAS[place[0]],) if gammas is None else tuple(gammas)
            if widths not in grams:
                while len(grams) > 1:
                    del grams[next(iter(grams))]
                grams[widths] = gram(described, widths, items, items, apart)
            answers = torch.zeros(len(divisions), *y.shape, dtype=torch.float64)
            for number, division in enumerate(places):
                for (_, held), (inside, outside) in zip(divisions[number], division, strict=True):
                    weights, bias = solve(grams[widths][inside][:, inside], small[inside], PENALTIES[place[1]])
                    said = grams[widths][outside][:, inside] @ weights + bias
                    answers[number, torch.from_numpy(held)] = said.double()
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


# Many items: the kernel spanned by landmarks, one small system a setting, whose sums are gathered block by block.

WIDE = (0.25, 1.0)  # the widths that are tried of many items: each costs a pass over all of them
BLOCK = 4096


def spanned(
    described: Sequence[Described],
    gammas: Sequence[float] | None,
    y: Tensor,
    division: Division,
    marks: Rows,
    loss: Callable[[Tensor], float],
) -> Setting:
    """As :func:`search`, of a machine whose rows are ``marks``; ``division`` has to have disjoint held-out parts."""
    best: Setting | None = None
    for widths in [(width,) for width in WIDE] if gammas is None else [tuple(gammas)]:
        inner, sums = _sums(described, widths, y, division, marks)
        held_by: dict[float, Tensor] = {
            penalty: torch.zeros(1, *y.shape, dtype=torch.float64) for penalty in PENALTIES[1:]
        }
        for fit, held in division:
            square, cross, bias = _left(described, widths, y, division, sums, fit, held, marks)
            weights = {p: _spread(square, cross, inner, p) for p in held_by}
            for start in range(0, len(held), BLOCK):
                rows = torch.from_numpy(held[start : start + BLOCK])
                similar = gram(described, widths, rows, torch.from_numpy(marks)).double()
                for penalty, one in weights.items():
                    held_by[penalty][0, rows] = similar @ one + bias
        for penalty, answers in held_by.items():
            now = loss(answers)
            if best is None or now < best.loss:
                best = Setting(widths, penalty, answers, now)
    assert best is not None
    return best


def _sums(
    described: Sequence[Described], widths: Sequence[float], y: Tensor, division: Division, marks: Rows
) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor]]]:
    """The landmarks' own kernel, and of each held-out part the sums that its items add."""
    anchors = torch.from_numpy(marks)
    inner = gram(described, widths, anchors, anchors).double()
    return inner, [_added(described, widths, y, held, anchors) for _, held in division]


def _added(
    described: Sequence[Described], widths: Sequence[float], y: Tensor, rows: Rows, anchors: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """``K'K``, ``K'y``, ``K'1`` of some rows against the landmarks, float64."""
    size = len(anchors)
    square = torch.zeros(size, size, dtype=torch.float64)
    cross, ones = torch.zeros(size, y.shape[1], dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    for start in range(0, len(rows), BLOCK):
        some = torch.from_numpy(rows[start : start + BLOCK])
        similar = gram(described, widths, some, anchors)
        square += (similar.T @ similar).double()
        wide = similar.double()
        cross += wide.T @ y[some]
        ones += wide.sum(0)
    return square, cross, ones


def _left(
    described: Sequence[Described],
    widths: Sequence[float],
    y: Tensor,
    division: Division,
    sums: Sequence[tuple[Tensor, Tensor, Tensor]],
    fit: Rows,
    held: Rows,
    marks: Rows,
) -> tuple[Tensor, Tensor, Tensor]:
    """The sums over the rows of ``fit``, from those of the other parts where there are some; and the mean answer."""
    others = [part for part, (_, other) in zip(sums, division, strict=True) if other is not held]
    if len(division) == 1:
        others = [_added(described, widths, y, fit, torch.from_numpy(marks))]
    square, cross, ones = (torch.stack(parts).sum(0) for parts in zip(*others, strict=True))
    bias = y[torch.from_numpy(fit)].mean(0)
    return square, cross - ones[:, None] * bias, bias


def _spread(square: Tensor, cross: Tensor, inner: Tensor, penalty: float) -> Tensor:
    """Weights of the landmarks, ``(K'K + penalty Kmm) w = K'(y - bias)``."""
    system = square + penalty * inner
    system.diagonal().add_(1e-6 * float(square.diagonal().mean()))
    weights: Tensor = torch.linalg.solve(system, cross)
    return weights


def machine(
    described: Sequence[Described], gammas: Sequence[float], penalty: float, y: Tensor, rows: NDArray[np.int64]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The model's configuration and tensors, fitted on ``rows``."""
    chosen = torch.from_numpy(rows)
    weights, bias = solve(gram(described, gammas, chosen, chosen).double(), y[chosen], penalty)
    return built(described, gammas, rows, weights, bias)


def spanned_machine(
    described: Sequence[Described], gammas: Sequence[float], penalty: float, y: Tensor, rows: Rows, marks: Rows
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The same of a machine whose rows are the landmarks ``marks``, fitted on ``rows``."""
    anchors = torch.from_numpy(marks)
    square, cross, ones = _added(described, gammas, y, rows, anchors)
    bias = y[torch.from_numpy(rows)].mean(0)
    inner = gram(described, gammas, anchors, anchors).double()
    return built(described, gammas, marks, _spread(square, cross - ones[:, None] * bias, inner, penalty), bias)


def built(
    described: Sequence[Described], gammas: Sequence[float], rows: Rows, weights: Tensor, bias: Tensor
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A kernel machine over ``rows`` with the ``weights`` ``(rows, outputs)`` and ``bias`` that were solved for."""
    chosen = torch.from_numpy(rows)
    parts = [one.part() | {"gamma": gamma} for one, gamma in zip(described, gammas, strict=True)]
    config = {"name": "kernel", "rows": len(rows), "outputs": int(weights.shape[1]), "gain": 1.0, "modalities": parts}
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
