"""The stream that a strategy adds to a data set, beside the modalities, which all stay.

Where the reference modality has frames in time, so has the fused stream: every other modality is brought onto the
reference's clock first. Where it is static, or is text, each item becomes one frame (:mod:`mmcli.fusion.summary`).
Strategies are fitted on the training rows only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.artifacts.formats.dataset import FUSED as NAME
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import lazy
from mmcli.errors import InputError, UsageError
from mmcli.fusion import apply, fit, grid, join
from mmcli.fusion.blocks import Blocks
from mmcli.fusion.strategies import weighted
from mmcli.fusion.summary import is_static, summarise


def add(dataset: Dataset, strategy: str, config: Any, reference: str) -> list[str]:
    """Add the stream ``fused`` to ``dataset`` in place and return what should be said about it.

    Of a data set that is read lazily the training rows are held together to fit on, and every item is fused when it is
    asked for. Raises :class:`UsageError` where they are too many to hold.
    """
    names = dataset.modalities
    clock = dataset.streams[reference]
    clocked = has_clock(clock)
    notes: list[str] = []
    if clocked and not clock.present.all():
        absent = int((~clock.present).sum())
        notes.append(f"fused: {absent} items lack the reference modality {reference!r} and get no fused frames")
    if clocked and (still := [name for name in names if is_static(dataset.streams[name].meta)]):
        have = "have" if len(still) > 1 else "has"
        notes.append(
            f"fused: {', '.join(still)} {have} one frame an item, repeated in every frame of {reference}: it tells no "
            "moment from another"
        )
    weights = {name: dataset.streams[name].meta["weight"] for name in names if "weight" in dataset.streams[name].meta}
    if strategy == "weighted" and weights and config in (None, weighted.Config()):
        config = weighted.Config(weights=weights)
    train = dataset.rows("train")
    if clocked:
        train = train[clock.present[train]]
    if not len(train):
        raise InputError("no training rows to fit the fusion on")
    lengths = clock.lengths if clocked else np.ones(dataset.items, np.int64)
    values: lazy.Array | lazy.Rows
    times: lazy.Array | lazy.Rows
    if any(dataset.streams[name].is_lazy for name in names):
        values, times, state, said = _lazily(dataset, strategy, config, clock if clocked else None, train)
    else:
        everyone = np.arange(dataset.items)
        blocks, times = _blocks(dataset, everyone, clock if clocked else None)
        own = np.repeat(np.isin(everyone, train), lengths)
        values, state = join(strategy, blocks.select(np.flatnonzero(own)), blocks, config)
        gaps = {name: int((~there).sum()) for name, there in blocks.present.items()}
        said = _say(strategy, state, blocks, gaps)
    dataset.streams[NAME] = Stream(
        values=values,
        offsets=lazy.offsets_of(lengths),
        times=times,
        present=lengths > 0,
        made=None,
        meta={"kind": "sequence" if clocked else "vector", "streams": names},
    )
    dataset.meta["streams"][NAME] = dataset.streams[NAME].meta
    dataset.meta["strategy"] = {"name": strategy, "streams": names, "state": state}
    return notes + said


def _blocks(
    dataset: Dataset, items: np.ndarray, clock: Stream | None, widths: dict[str, int] | None = None
) -> tuple[Blocks, np.ndarray]:
    """The rows of some items, at the times of the ``clock`` (None: one row an item), and these times."""
    times = [np.zeros(1) if clock is None else clock.item(int(i)).times for i in items]
    values, present = {}, {}
    for name in dataset.modalities:
        stream = dataset.streams[name]
        if len(items) < dataset.items:
            stream = stream.select(np.asarray(items, np.int64))
        width = 0 if widths is None else widths[name]
        values[name], present[name] = rows_at(stream, times, clock is not None, width)
    counts = [len(t) for t in times]
    labels = None if dataset.label is None else np.repeat(dataset.label[items], counts, axis=0)
    groups = np.repeat(np.where(dataset.group == "", dataset.id, dataset.group)[items], counts)
    return Blocks(values, present, labels, groups), np.concatenate(times)


def _lazily(
    dataset: Dataset, strategy: str, config: Any, clock: Stream | None, train: np.ndarray
) -> tuple[lazy.Rows, lazy.Array | lazy.Rows, dict[str, Any] | None, list[str]]:
    """Values and times that are made when they are asked for, what was fitted, and what should be said."""
    rows = len(train) if clock is None else int(clock.lengths[train].sum())
    needed = 8 * rows * sum(_width(dataset.streams[name], clock is not None) for name in dataset.modalities)
    if needed > lazy.HELD:
        raise UsageError(
            f"--strategy {strategy} is fitted on the training rows together, {needed:,} bytes; at most {lazy.HELD:,} "
            "are held for a folder of shards",
            hint="leave --strategy out: `train` fuses inside the model; or write one file: -o DATASET.npz",
        )
    seen, _ = _blocks(dataset, train, clock)
    state = fit(strategy, seen, config)
    widths = {name: values.shape[1] for name, values in seen.values.items()}

    def fused(item: int) -> np.ndarray:
        blocks, _ = _blocks(dataset, np.array([item]), clock, widths)
        return np.ascontiguousarray(apply(strategy, blocks, config, state), dtype=np.float32)

    lengths = np.ones(dataset.items, np.int64) if clock is None else clock.lengths
    inner = fused(int(train[0])).shape[1:]
    values = lazy.Rows(fused, lengths, inner, np.dtype(np.float32))
    times = np.zeros(dataset.items) if clock is None else clock.times
    gaps = {name: int((~dataset.streams[name].present).sum()) for name in dataset.modalities}
    return values, times, state, _say(strategy, state, seen, gaps)


def _width(stream: Stream, clocked: bool) -> int:
    if stream.meta.get("kind") == "tokens":
        return int(stream.meta["vocabulary_size"])
    return stream.width if clocked or is_static(stream.meta) else 2 * stream.width


def has_clock(reference: Stream) -> bool:
    """Whether a reference gives frames in time; else each item becomes one frame."""
    return reference.meta.get("kind") != "tokens" and not is_static(reference.meta)


def rows_at(stream: Stream, times: list[np.ndarray], clocked: bool, width: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One modality at the times of every item: float64 (rows, width) and where it is there.

    ``width`` is that of the rows where no item has the modality.
    """
    read: list[np.ndarray] = []
    there: list[np.ndarray] = []
    for item, target in enumerate(times):
        values, own = stream.item(item)
        if len(own) == 0:
            read.append(np.zeros((len(target), 0)))
            there.append(np.zeros(len(target), bool))
            continue
        if clocked and stream.meta.get("kind") != "tokens":
            rows, inside = grid.resample(values.reshape(len(values), -1), own, target)
        else:
            rows = np.repeat(summarise(values, stream.meta)[None], len(target), axis=0)
            inside = np.ones(len(target), bool)
        width = rows.shape[1]
        read.append(rows)
        there.append(inside)
    filled = [rows if rows.shape[1] else np.zeros((len(rows), width)) for rows in read]
    return np.concatenate(filled), np.concatenate(there)


def _say(strategy: str, state: dict[str, Any] | None, blocks: Blocks, gaps: dict[str, int]) -> list[str]:
    notes = []
    if state and state.get("projection"):
        widths = ", ".join(f"{name} {values.shape[1]}" for name, values in blocks.values.items())
        notes.append(
            f"{strategy}: widths differ ({widths}); projected onto {state['projection']['width']} principal components "
            "fitted on the training split"
        )
    if state and state.get("score") is not None:
        shares = ", ".join(f"{name} {weight:g}" for name, weight in state["weights"].items())
        notes.append(
            f"{strategy}: learned weights {shares}; {state['measure']} {state['score']:.3f} in nested cross-validation "
            f"on the training split, {state['equal']:.3f} with equal weights"
        )
    if any(gaps.values()):
        listed = ", ".join(f"{name} {n}" for name, n in gaps.items() if n)
        how = "hold the training mean and a flag column says so" if strategy == "concat" else "do not count there"
        notes.append(f"{strategy}: rows without a modality ({listed}) {how}")
    return notes
