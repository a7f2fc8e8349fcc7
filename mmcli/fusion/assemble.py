"""From a manifest of features to one data set: every modality apart, on one scale, on the reference's clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.aligners.timemap import TimeMap
from mmcli.artifacts import alignment, fitted, manifest, provenance
from mmcli.artifacts.dataset import Dataset, Stream
from mmcli.artifacts.features import Features
from mmcli.errors import InputError, MismatchError, MmcliError, UsageError
from mmcli.fusion import balance, fused, labels, normalise, splits, streams
from mmcli.registry import nearest


@dataclass(frozen=True)
class Plan:
    """How a data set is made; every field is an option of ``mmcli fuse``."""

    strategy: str = "none"
    strategy_config: Any = None
    normalise: str = "zscore"
    reference: str | None = None  # None: the first modality column
    label_type: str = "auto"
    balance: str = "none"
    match: str = "label"
    seed: int = 0


@dataclass
class Assembled:
    """The data set, the rows that failed here with their reasons, and what a person should know."""

    dataset: Dataset
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def assemble(rows: manifest.Manifest, plan: Plan, progress: Any = None) -> Assembled:
    """Read every features file that the manifest names and put them into one :class:`Dataset`.

    A row whose files cannot be used is left out and listed in ``failed``; a row that failed in an earlier stage is
    counted. Normalisers and strategies are fitted on the training rows only.

    Raises :class:`InputError` where nothing is left, and :class:`MismatchError` where items do not belong together.
    """
    good = [row for row in rows.rows if row.error is None]
    earlier = len(rows.rows) - len(good)
    if not good:
        raise InputError("no usable rows", source=rows.source)
    names = streams.columns(rows.columns, good)
    reference = _reference(plan.reference, names)
    items, failed = _read_all(rows.root, good, names, reference, progress)
    kept = [row for row in good if row.id in items]
    if not kept:
        raise InputError(f"none of the {len(good)} rows can be used; the first: {failed[0][1]}", source=rows.source)
    split, rule = splits.assign([r.id for r in kept], [r.split for r in kept], [r.group for r in kept])
    label, task, classes = labels.read([r.label for r in kept], plan.label_type)
    found = Assembled(
        Dataset(
            streams={name: _stream(name, [items[row.id].get(name) for row in kept], kept) for name in names},
            id=np.array([r.id for r in kept]),
            split=np.array(split),
            group=np.array([r.group or "" for r in kept]),
            label=label,
            source=[_digest(items[row.id]) for row in kept],
            meta={},
        ),
        failed,
    )
    data = found.dataset
    _normalise(data, plan.normalise)
    _attach_fitted(rows.root, data, found.notes)
    config = {
        "strategy": plan.strategy,
        "normalise": plan.normalise,
        "reference": reference,
        "balance": plan.balance,
        **({"match": plan.match} if plan.balance == "match" else {}),
        "seed": plan.seed,
    }
    data.meta.update(
        task=task,
        classes=classes,
        reference=reference,
        split_rule=rule,
        config=config,
        config_sha256=provenance.config_sha256(config),
        errors=earlier + len(failed),
    )
    if rule != "as given":
        found.notes.append(f"no split column: {rule}")
    if earlier:
        found.notes.append(f"{earlier} rows failed in an earlier stage and are left out")
    starts = np.array([np.nan if row.start is None else row.start for row in kept])
    found.dataset, said = balance.apply(data, plan.balance, plan.seed, plan.match, starts)
    found.notes += said
    if plan.strategy != "none":
        found.notes += fused.add(found.dataset, plan.strategy, plan.strategy_config, reference)
    return found


def _reference(wanted: str | None, names: dict[str, str]) -> str:
    if wanted is None:
        return next(iter(names))
    for name, column in names.items():
        if wanted in (name, column):
            return name
    raise UsageError(f"--reference {wanted}: no such modality", hint=nearest(wanted, names))


def _read_all(
    root: Path, rows: Sequence[manifest.Row], names: dict[str, str], reference: str, progress: Any
) -> tuple[dict[str, dict[str, Features]], list[tuple[str, str]]]:
    items: dict[str, dict[str, Features]] = {}
    failed: list[tuple[str, str]] = []
    for row in rows:
        try:
            item = {name: streams.read(root, row.cells[c]) for name, c in names.items() if row.cells.get(c)}
            for name in item:
                cell = _map_cell(row, name, names[name])
                if cell and name != reference:
                    item[name] = _on_reference_clock(root, cell, item[name], row.id)
            items[row.id] = item
        except MismatchError:
            raise
        except MmcliError as error:
            failed.append((row.id, str(error)))
        if progress is not None:
            progress.advance(1)
    return items, failed


def _map_cell(row: manifest.Row, name: str, column: str) -> str | None:
    for key in (f"map.{column}", f"map.{name}", f"map.{manifest.split_column(column)[0]}"):
        if row.cells.get(key):
            return row.cells[key]
    return None


def _on_reference_clock(root: Path, cell: str, found: Features, item: str) -> Features:
    """The features with their times rewritten through the map; frames where it is undefined are left out."""
    path, _ = manifest.resolve(root, cell)
    chosen = alignment.load(path)
    own = (found.meta.get("source") or {}).get("sha256")
    meant = chosen.query.get("sha256")
    if own and meant and own != meant:
        raise MismatchError(
            f"row {item!r}: the map {path.name} is for {chosen.query.get('name')!r}, not for this file",
            hint="align the file that the features were extracted from",
        )
    times = TimeMap(chosen).to_reference(found.times)
    defined = np.isfinite(times)
    if not defined.any():
        raise InputError(f"the map {path.name} is undefined for all frames", source=item)
    return Features(np.ascontiguousarray(found.values[defined]), times[defined], found.meta)


def _stream(name: str, items: Sequence[Features | None], rows: Sequence[manifest.Row]) -> Stream:
    there = [(row.id, item) for row, item in zip(rows, items, strict=True) if item is not None]
    if not there:
        raise InputError(f"no item has modality {name!r}")
    meta = streams.common_meta(name, there)
    frames = [0 if item is None else len(item.times) for item in items]
    return Stream(
        values=np.concatenate([item.values for _, item in there]),
        offsets=np.concatenate([[0], np.cumsum(frames)]).astype(np.int64),
        times=np.concatenate([item.times for _, item in there]),
        present=np.array([item is not None for item in items]),
        made=None,
        meta=meta,
    )


def _normalise(data: Dataset, method: str) -> None:
    train = np.asarray(data.split) == "train"
    normalisers = {}
    for name, stream in data.streams.items():
        if stream.meta.get("kind") == "tokens":
            normalisers[name] = {"method": "none"}
            continue
        rows = np.repeat(train, np.diff(stream.offsets))
        normalisers[name] = normalise.fit(stream.values[rows], method)
        stream.values = normalise.apply(stream.values, normalisers[name])
        stream.meta["normaliser"] = normalisers[name]


def _attach_fitted(root: Path, data: Dataset, notes: list[str]) -> None:
    """Keep the state of fitted extractors with the data, so that a model can read raw files later."""
    wanted = {s.meta["fitted_sha256"]: n for n, s in data.streams.items() if s.meta.get("fitted_sha256")}
    folder = root / "fitted"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        name = wanted.pop(provenance.sha256_file(path), None)
        if name is not None:
            data.streams[name].meta["fitted"] = fitted.load(path)["state"]
    for name in wanted.values():
        notes.append(f"{name}: its fitted state is not in {folder.name}/; models will not read raw files for it")


def _digest(item: dict[str, Features]) -> str:
    """The content of an item: equal where all its modalities hold equal values."""
    content = {
        name: [list(found.values.shape), provenance.sha256_bytes(found.values.tobytes())]
        for name, found in item.items()
    }
    return provenance.sha256_bytes(json.dumps(content, sort_keys=True).encode())
