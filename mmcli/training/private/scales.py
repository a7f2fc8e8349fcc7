"""Scales and class counts of a data set as one private release: what ``mmcli fuse --private`` gives.

Each training item adds, for every column of a stream, its mean and its mean square, cut to bounds that were declared;
the sums get Gaussian noise. Bounds from the data would be a leak of their own: they are mandatory.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import RAND_bytes
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import UsageError
from mmcli.fusion import normalise
from mmcli.registry import nearest
from mmcli.training.private import noise
from mmcli.training.private.ledger import SCALES, Release, as_json, solve


@dataclass(frozen=True)
class Scales:
    """What was released: per stream a normaliser, and about how many training items each class has."""

    dataset: Dataset
    counts: dict[str, int]
    release: Release


def bounds_of(texts: list[str]) -> dict[str, tuple[float, float]]:
    """``["audio=-80:0"]`` as numbers by stream.

    >>> bounds_of(["audio=-80:0"])
    {'audio': (-80.0, 0.0)}
    """
    bounds = {}
    for text in texts:
        name, _, span = text.partition("=")
        low, _, high = span.partition(":")
        try:
            bounds[name] = float(low), float(high)
        except ValueError:
            raise UsageError(f"--bounds {text!r} is not STREAM=LOW:HIGH", hint="--bounds audio=-80:0") from None
        if not -1e30 < bounds[name][0] < bounds[name][1] < 1e30:
            raise UsageError(f"--bounds {text!r}: LOW below HIGH")
    return bounds


def scaled(
    data: Dataset,
    bounds: Mapping[str, tuple[float, float]],
    epsilon: float,
    delta: float,
    read: noise.Read = RAND_bytes,
) -> Scales:
    """The data set, whose streams stand on no scale, on scales released at ``epsilon`` and ``delta`` for each item.

    Raises :class:`UsageError` where a stream has no bounds.
    """
    names = [n for n, s in data.streams.items() if s.meta.get("kind") != "tokens"]
    for name in bounds:
        if name not in names:
            raise UsageError(f"--bounds {name}: no such stream that is scaled", hint=nearest(name, names))
    if lacking := [n for n in names if n not in bounds]:
        hint = f"what its values can be at all, not what they are here: --bounds {lacking[0]}=LOW:HIGH"
        raise UsageError(f"stream {lacking[0]!r} has no bounds", hint=hint)
    train = data.rows("train")
    sums = {name: _sums(data, name, bounds[name], train) for name in names}
    classes = [str(c) for c in data.meta.get("classes") or []]
    label = np.asarray(data.label)[train] if classes and data.label is not None else None
    counted = np.zeros(0)
    if label is not None:
        hits = label if label.dtype.kind == "b" else label[:, None] == np.array(classes)[None]
        counted = hits.sum(0).astype(np.float64)
    # one item: of each stream at most 1 in each of 2 d + 1 numbers; one class, or any number of a set of labels
    most = sum(len(s) for s in sums.values())
    most += 0 if label is None else (len(classes) if label.dtype.kind == "b" else 1)
    reach = math.sqrt(most)
    multiplier = solve(epsilon, delta, 1.0, 1)
    release = Release(SCALES + os.urandom(4).hex(), multiplier)
    flat = np.concatenate([*sums.values(), counted])
    (noised,) = noise.add([torch.from_numpy(flat)], reach, multiplier, read)
    told, at = noised.numpy(), 0
    rescaled = dataclasses.replace(data, streams=dict(data.streams))
    for name, own in sums.items():
        part, at = told[at : at + len(own)], at + len(own)
        fitted = _normaliser(part, bounds[name], multiplier * reach) | {"private": as_json([release])}
        stream = data.streams[name]
        values = normalise.apply_items(stream.values, stream.offsets, fitted)
        rescaled.streams[name] = dataclasses.replace(stream, values=values, meta=stream.meta | {"normaliser": fitted})
    rescaled.meta = data.meta | {"streams": {n: s.meta for n, s in rescaled.streams.items()}}
    counts = {name: max(0, round(float(n))) for name, n in zip(classes, told[at:], strict=False)}
    return Scales(rescaled, counts, release)


def _sums(data: Dataset, name: str, span: tuple[float, float], train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Over items: means of columns, mean squares, and a one, in units of the bounds around their middle."""
    stream = data.streams[name]
    middle, half = (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
    width = stream.values.shape[-1] if stream.values.ndim > 1 else 1
    total = np.zeros(2 * width + 1)
    for row in train[stream.present[train]].tolist():
        values = np.asarray(stream.item(row).values, np.float64).reshape(-1, width)
        x = np.clip((values - middle) / half, -1.0, 1.0)
        total += np.concatenate([x.mean(0), (x**2).mean(0), [1.0]])
    return total


def _normaliser(told: NDArray[np.float64], span: tuple[float, float], spread: float) -> dict[str, Any]:
    """Mean and standard deviation; what noise has made impossible is pulled inside the bounds."""
    middle, half = (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
    width, count = (len(told) - 1) // 2, max(float(told[-1]), 1.0)
    mean = np.clip(told[:width] / count, -1.0, 1.0)
    least = min(1.0, spread / count) ** 2  # a spread below the noise is not known
    variance = np.clip(told[width : 2 * width] / count - mean**2, max(least, 1e-8), 1.0)
    return {
        "method": "zscore",
        "center": (middle + half * mean).tolist(),
        "scale": (half * np.sqrt(variance)).tolist(),
    }
