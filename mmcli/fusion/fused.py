"""The stream that a strategy adds to a data set, beside the modalities, which all stay.

Where the reference modality has frames in time, so has the fused stream: every other modality is brought onto the
reference's clock first. Where it is static, or is text, each item becomes one frame (:mod:`mmcli.fusion.summary`).
Strategies are fitted on the training rows only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.artifacts.dataset import FUSED as NAME
from mmcli.artifacts.dataset import Dataset, Stream
from mmcli.errors import InputError
from mmcli.fusion import grid, join, weighted
from mmcli.fusion.blocks import Blocks
from mmcli.fusion.summary import is_static, summarise


def add(dataset: Dataset, strategy: str, config: Any, reference: str) -> list[str]:
    """Add the stream ``fused`` to ``dataset`` in place and return what should be said about it."""
    names = dataset.modalities
    clock = dataset.streams[reference]
    clocked = has_clock(clock)
    notes: list[str] = []
    times = [clock.item(i).times if clocked else np.zeros(1) for i in range(dataset.items)]
    if clocked and not clock.present.all():
        absent = int((~clock.present).sum())
        notes.append(f"fused: {absent} items lack the reference modality {reference!r} and get no fused frames")
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in times])]).astype(np.int64)
    values, present = {}, {}
    for name in names:
        values[name], present[name] = rows_at(dataset.streams[name], times, clocked)
    counts = np.diff(offsets)
    labels = None if dataset.label is None else np.repeat(dataset.label, counts, axis=0)
    groups = np.where(dataset.group == "", dataset.id, dataset.group)
    weights = {name: dataset.streams[name].meta["weight"] for name in names if "weight" in dataset.streams[name].meta}
    if strategy == "weighted" and weights and config in (None, weighted.Config()):
        config = weighted.Config(weights=weights)
    blocks = Blocks(values, present, labels, np.repeat(groups, counts))
    train = np.repeat(np.asarray(dataset.split) == "train", counts)
    if not train.any():
        raise InputError("no training rows to fit the fusion on")
    rows, state = join(strategy, blocks.select(np.flatnonzero(train)), blocks, config)
    dataset.streams[NAME] = Stream(
        values=np.ascontiguousarray(rows, dtype=np.float32),
        offsets=offsets,
        times=np.concatenate(times) if times else np.zeros(0),
        present=np.diff(offsets) > 0,
        made=None,
        meta={"kind": "sequence" if clocked else "vector", "streams": names},
    )
    dataset.meta["streams"][NAME] = dataset.streams[NAME].meta
    dataset.meta["strategy"] = {"name": strategy, "streams": names, "state": state}
    notes += _say(strategy, state, blocks)
    return notes


def has_clock(reference: Stream) -> bool:
    """Whether a reference gives frames in time; else each item becomes one frame."""
    return reference.meta.get("kind") != "tokens" and not is_static(reference.meta)


def rows_at(stream: Stream, times: list[np.ndarray], clocked: bool) -> tuple[np.ndarray, np.ndarray]:
    """One modality at the times of every item: float64 (rows, width) and where it is there."""
    found: list[np.ndarray] = []
    there: list[np.ndarray] = []
    width = 0
    for item, target in enumerate(times):
        values, own = stream.item(item)
        if len(own) == 0:
            found.append(np.zeros((len(target), 0)))
            there.append(np.zeros(len(target), bool))
            continue
        if clocked and stream.meta.get("kind") != "tokens":
            rows, inside = grid.resample(values.reshape(len(values), -1), own, target)
        else:
            rows = np.repeat(summarise(values, stream.meta)[None], len(target), axis=0)
            inside = np.ones(len(target), bool)
        width = rows.shape[1]
        found.append(rows)
        there.append(inside)
    filled = [rows if rows.shape[1] else np.zeros((len(rows), width)) for rows in found]
    return np.concatenate(filled), np.concatenate(there)


def _say(strategy: str, state: dict[str, Any] | None, blocks: Blocks) -> list[str]:
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
    gaps = {name: int((~there).sum()) for name, there in blocks.present.items() if not there.all()}
    if gaps:
        listed = ", ".join(f"{name} {n}" for name, n in gaps.items())
        how = "hold the training mean and a flag column says so" if strategy == "concat" else "do not count there"
        notes.append(f"{strategy}: rows without a modality ({listed}) {how}")
    return notes
