"""Items as vectors in a space that modalities share, so that one can be searched with another.

The space is the one that ``fuse --strategy cca`` (or ``attention``, which works in it) fitted on the training split.
Its directions all have the same spread, also those in which the modalities have little in common; each is therefore
scaled by the fourth power of its correlation between the two modalities on the training split (Y. Gong et al., Int. J.
Comput. Vision 106, 2014). Without a fitted space the streams stand as they are, which is a comparison only
where they have the same width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.errors import ArtifactError, MismatchError, UsageError
from mmcli.evaluation.model import Indices
from mmcli.fusion import summary
from mmcli.fusion.dataset import fused
from mmcli.registry import nearest

Array = NDArray[np.float64]

AT_ONCE = 256  # items whose streams are wide together
POWER = 4  # of a direction's correlation
UNFITTED = "no shared space was fitted: the streams are compared as they are (fuse --strategy cca fits one)"


@dataclass(frozen=True, eq=False)
class Space:
    """``vectors[m]`` float64 ``(n, dims)`` of the items asked for, ``present[m]`` bool ``(n,)``; ``name`` of the space.

    ``note`` is what has to be said about it.
    """

    name: str
    vectors: dict[str, Array]
    present: dict[str, NDArray[np.bool_]]
    note: str | None = None


def shared_space(dataset: Dataset, names: tuple[str, str], rows: Indices) -> Space:
    """The items of two modalities in the space of the data set's strategy, or as they are.

    Raises :class:`UsageError` for a modality that is not there, :class:`MismatchError` where nothing was fitted and the
    widths differ, :class:`ArtifactError` for a fitted state that does not fit its streams.
    """
    for name in names:
        if name not in dataset.modalities:
            raise UsageError(f"the data set has no modality {name!r}", hint=nearest(name, dataset.modalities))
    strategy = dataset.meta.get("strategy") or {}
    state = strategy.get("state")
    blocks = state.get("blocks") if isinstance(state, dict) else None
    if isinstance(blocks, dict) and all(name in blocks for name in names):
        clock = dataset.meta.get("reference")
        clocked = clock in dataset.streams and fused.has_clock(dataset.streams[str(clock)])
        made = {name: _projected(dataset, name, rows, str(clock) if clocked else None, blocks[name]) for name in names}
        vectors, present = _apart(made)
        train = dataset.rows("train")
        seen = {name: _projected(dataset, name, train, str(clock) if clocked else None, blocks[name]) for name in names}
        scale = shares(*(seen[name][0][seen[names[0]][1] & seen[names[1]][1]] for name in names))
        note = None if scale is not None else "the training split does not say which directions are shared: all count"
        weighted = vectors if scale is None else {name: values * scale for name, values in vectors.items()}
        return Space(str(strategy.get("name")), weighted, present, note)
    made = {name: _in_parts(lambda part, name=name: _plain(part, name), dataset, rows) for name in names}  # type: ignore[misc]
    space = Space("none", *_apart(made), note=UNFITTED)
    widths = [space.vectors[name].shape[1] for name in names]
    if widths[0] != widths[1]:
        raise MismatchError(
            f"{names[0]} has {widths[0]} numbers an item and {names[1]} {widths[1]}: they share no space",
            hint="fuse with --strategy cca fits one on the training split",
        )
    return space


def shares(first: Array, second: Array) -> Array | None:
    """How much each direction counts ``(dims,)``, from items ``(n, dims)`` that have both modalities.

    None where there are fewer than three items, or no direction in which they go together.

    >>> shares(np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]]), np.array([[2.0, 1.0], [4.0, 1.0], [6.0, -1.0]]))
    array([1., 0.])
    """
    if len(first) < 3 or first.shape != second.shape:
        return None
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    correlation = np.divide((a * b).sum(axis=0), size, out=np.zeros(a.shape[1]), where=size > 0)
    scale = np.clip(correlation, 0.0, 1.0) ** POWER
    return np.asarray(scale, np.float64) if scale.max() > 0 else None


def _apart(made: dict[str, tuple[Array, NDArray[np.bool_]]]) -> tuple[dict[str, Array], dict[str, NDArray[np.bool_]]]:
    return {name: pair[0] for name, pair in made.items()}, {name: pair[1] for name, pair in made.items()}


def _in_parts(
    described: Callable[[Dataset], tuple[Array, NDArray[np.bool_]]], dataset: Dataset, rows: Indices
) -> tuple[Array, NDArray[np.bool_]]:
    """Vectors and presence of the rows, some items at a time; parts in which nothing is there may have no width."""
    parts = [described(dataset.select(rows[k : k + AT_ONCE])) for k in range(0, len(rows), AT_ONCE)]
    if not parts:
        return np.zeros((0, 0)), np.zeros(0, np.bool_)
    width = max(vectors.shape[1] for vectors, _ in parts)
    wide = [vectors if vectors.shape[1] else np.zeros((len(vectors), width)) for vectors, _ in parts]
    return np.concatenate(wide), np.concatenate([there for _, there in parts])


def _plain(part: Dataset, name: str) -> tuple[Array, NDArray[np.bool_]]:
    """Every item of a modality as one frame: itself, the share of each word, or mean and deviation over time."""
    stream = part.streams[name]
    there = stream.lengths > 0
    summaries = [summary.summarise(stream.item(int(i)).values, stream.meta) for i in np.flatnonzero(there)]
    vectors = np.zeros((part.items, len(summaries[0]) if summaries else 0))
    if summaries:
        vectors[there] = np.stack(summaries)
    return vectors, there


def _projected(
    dataset: Dataset, name: str, rows: Indices, clock: str | None, block: dict[str, Any]
) -> tuple[Array, NDArray[np.bool_]]:
    center, projection = _checked(block, name)

    def described(part: Dataset) -> tuple[Array, NDArray[np.bool_]]:
        vectors, there = _plain(part, name) if clock is None else _over_time(part, name, clock)
        if there.any() and vectors.shape[1] != len(center):
            raise ArtifactError(
                f"{name}: items of {vectors.shape[1]} numbers do not fit a space fitted on {len(center)}",
                source="data set",
            )
        return (vectors - center if there.any() else np.zeros((len(there), len(center)))) @ projection, there

    return _in_parts(described, dataset, rows)


def _over_time(part: Dataset, name: str, clock: str) -> tuple[Array, NDArray[np.bool_]]:
    """The mean over an item's frames on the clock of the reference; on its own where the reference is absent."""
    stream, reference = part.streams[name], part.streams[clock]
    times = [
        (reference if reference.lengths[i] else stream).item(i).times if stream.lengths[i] else np.zeros(0)
        for i in range(part.items)
    ]
    values, inside = fused.rows_at(stream, times, True)
    item = np.repeat(np.arange(part.items), [len(t) for t in times])
    count = np.bincount(item[inside], minlength=part.items).astype(np.float64)
    total = np.zeros((part.items, values.shape[1]))
    np.add.at(total, item[inside], values[inside])
    return total / np.maximum(count, 1)[:, None], count > 0


def _checked(block: Any, name: str) -> tuple[Array, Array]:
    """Centre ``(width,)`` and projection ``(width, dims)`` of a fitted state."""
    try:
        center = np.asarray(block["center"], np.float64)
        projection = np.asarray(block["projection"], np.float64)
    except (KeyError, TypeError, ValueError) as problem:
        raise ArtifactError(f"the shared space of {name!r} cannot be read", source="data set") from problem
    fits = center.ndim == 1 and projection.ndim == 2 and len(center) == len(projection) and projection.shape[1] > 0
    if not fits or not (np.isfinite(center).all() and np.isfinite(projection).all()):
        raise ArtifactError(f"the shared space of {name!r} is damaged", source="data set")
    return center, projection
