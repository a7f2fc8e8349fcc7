"""One item: the streams of several feature files on one clock, fused into one features file.

Only times at which every stream is defined are written; what is cut off is said, never filled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.formats import alignment, features
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.fusion import grid, join, normalise
from mmcli.fusion.blocks import Blocks
from mmcli.fusion.dataset import words


@dataclass(frozen=True)
class Input:
    """A features file: its stream's name, the checked content and the file's digest."""

    name: str
    sha256: str
    features: Features
    path: Path

    def is_source_of(self, end: dict[str, Any]) -> bool:
        """Whether one end of a map (``reference`` or ``query``) is this file, or the media it was extracted from."""
        source = (self.features.meta.get("source") or {}).get("sha256")
        return end.get("sha256") in (self.sha256, source) and end.get("sha256") is not None


@dataclass(frozen=True)
class Plan:
    """How the streams of one item meet; every field is an option of ``mmcli fuse``."""

    strategy: str = "concat"
    strategy_config: Any = None
    rate_hz: float | None = None  # None: the clock of the first file
    normalise: str = "none"
    pool: str = "auto"
    spans: Path | None = None  # an alignment whose segments are the frames
    span_kind: str = "word"


def open_inputs(paths: Sequence[Path]) -> list[Input]:
    """Load the files; a stream is called by its extractor, or by its file where two share one."""
    loaded = [(path, features.load(path)) for path in paths]
    names = [str(item.meta.get("extractor") or path.stem) for path, item in loaded]
    if len(set(names)) < len(names):
        names = [path.stem for path, _ in loaded]
    if len(set(names)) < len(names):
        raise UsageError("two inputs have the same name", hint="rename one of the files")
    return [
        Input(name, provenance.sha256_file(path), item, path) for name, (path, item) in zip(names, loaded, strict=True)
    ]


def fuse(
    inputs: Sequence[Input], maps: Sequence[tuple[Path, Alignment]] = (), plan: Plan | None = None
) -> tuple[Features, list[str]]:
    """The fused features on the clock of the first input, at a rate over its span, or over spans; and notes.

    Raises :class:`MismatchError` where a map belongs to none of the inputs, and :class:`InputError` where no time is
    defined in all streams.
    """
    plan = plan or Plan()
    clocks = _clocks(inputs, maps)
    target, read = _target(inputs[0], plan)
    defined = np.ones(len(target), bool)
    values: dict[str, np.ndarray] = {}
    for item in inputs:
        if item.features.meta.get("kind") == "tokens":
            raise InputError("token ids have no clock and cannot be mixed with numbers", source=item.path)
        rows, inside = read(item.features, clocks.get(item.name))
        values[item.name] = np.asarray(normalise.apply(rows, normalise.fit(rows[inside], plan.normalise)), np.float64)
        defined &= inside
    if not defined.any():
        raise InputError("at no time are all streams defined", hint="align the files and pass the map with --align")
    notes = _repeated(inputs, len(target)) if plan.spans is None else []
    if not defined.all():
        gone = int((~defined).sum())
        notes.append(f"{gone} of {len(target)} frames lie where a stream is undefined and are left out")
    kept = {name: rows[defined] for name, rows in values.items()}
    blocks = Blocks(kept, {name: np.ones(int(defined.sum()), bool) for name in kept})
    fused, state = join(plan.strategy, blocks, blocks, plan.strategy_config)
    if state and state.get("projection"):
        width = state["projection"]["width"]
        notes.append(f"{plan.strategy}: widths differ; projected onto {width} principal components")
    return Features(fused, target[defined], _meta(inputs, maps, plan)), notes


def _repeated(inputs: Sequence[Input], frames: int) -> list[str]:
    """What one frame stands for where it meets many: a picture beside a sound changes with nothing that is heard."""
    notes = []
    for item in inputs[1:]:
        own = len(item.features.times)
        if own == 1 < frames:
            notes.append(f"{item.name} has one frame, repeated in all {frames}: it tells no moment from another")
        elif frames == 1 < own:
            hint = "name the one with more frames first, or give --rate"
            notes.append(f"of the {own} frames of {item.name} one is used, for {inputs[0].name} has but one: {hint}")
    return notes


Read = Callable[[Features, grid.Clock | None], tuple[np.ndarray, np.ndarray]]


def _target(first: Input, plan: Plan) -> tuple[np.ndarray, Read]:
    """The times of the fused frames, and how a stream is read at them."""
    if plan.spans is not None:
        windows = words.spoken_windows(alignment.load(plan.spans), plan.span_kind, plan.spans)
        how = "mean" if plan.pool in ("auto", "linear") else plan.pool

        def over(features: Features, clock: grid.Clock | None) -> tuple[np.ndarray, np.ndarray]:
            return words.pool_over(features.flat(), features.times, windows, to_own_clock=clock, how=how)

        return windows.mean(axis=1), over
    target = first.features.times
    if plan.rate_hz is not None:
        target = grid.uniform(float(target[0]), float(target[-1]), plan.rate_hz)

    def at(features: Features, clock: grid.Clock | None) -> tuple[np.ndarray, np.ndarray]:
        return grid.resample(features.flat(), features.times, target, to_own_clock=clock, pool=plan.pool)

    return target, at


def _clocks(inputs: Sequence[Input], maps: Sequence[tuple[Path, Alignment]]) -> dict[str, grid.Clock]:
    clocks: dict[str, grid.Clock] = {}
    for path, onto in maps:
        owners = [item for item in inputs[1:] if item.is_source_of(onto.query)]
        if not owners:
            raise MismatchError(
                f"is a map for {onto.query.get('name')!r}, which is none of the files after the first", source=path
            )
        if onto.reference.get("sha256") is not None and not inputs[0].is_source_of(onto.reference):
            raise MismatchError(
                f"is a map onto {onto.reference.get('name')!r}, not onto {inputs[0].path.name!r}",
                source=path,
                hint="name the reference first",
            )
        for item in owners:
            if item.name in clocks:
                raise UsageError(f"two maps for {item.path.name}")
            clocks[item.name] = TimeMap(onto).to_query
    return clocks


def _meta(inputs: Sequence[Input], maps: Sequence[tuple[Path, Alignment]], plan: Plan) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "strategy": plan.strategy,
        "normalise": plan.normalise,
        "pool": plan.pool,
        "rate_hz": plan.rate_hz,
    }
    if plan.spans is not None:
        chosen["spans"] = plan.span_kind
    if plan.strategy_config is not None:
        chosen[plan.strategy] = provenance.config_dict(plan.strategy_config)
    used = [{"name": item.path.name, "sha256": item.sha256} for item in inputs]
    others = [path for path, _ in maps] + ([plan.spans] if plan.spans is not None else [])
    used += [{"name": path.name, "sha256": provenance.sha256_file(path)} for path in others]
    meta: dict[str, Any] = {
        "kind": "sequence",
        "strategy": plan.strategy,
        "streams": [item.name for item in inputs],
        "config": chosen,
        "config_sha256": provenance.config_sha256(chosen),
        "inputs": used,
    }
    if plan.rate_hz is not None:
        meta["rate_hz"] = plan.rate_hz
    return meta


def load_maps(paths: Sequence[Path]) -> list[tuple[Path, Alignment]]:
    """The maps of ``--align``, checked."""
    return [(path, alignment.load(path)) for path in paths]
