"""From a manifest of features to one data set: every modality apart, on one scale, on the reference's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import fitted, manifest
from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import lazy, provenance
from mmcli.errors import InputError, UsageError
from mmcli.fusion import given_folds, labels, normalise, targets, turns
from mmcli.fusion.dataset import augment, balance, fused
from mmcli.fusion.dataset.survey import HOLE, Arrays, Survey, columns
from mmcli.fusion.dataset.words import Words
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
    augmenting: augment.Config = field(default_factory=augment.Config)  # for balance "augment"
    words: Words | None = None  # frames are the words of each row's transcript
    arrays: Arrays = field(default_factory=Arrays)  # how arrays without a clock, or with holes, are read


@dataclass
class Assembled:
    """The data set, the rows that failed here with their reasons, and what a person should know."""

    dataset: Dataset
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)  # by split, then by reason


def left_out(
    rows: list[manifest.Row], failed: list[tuple[str, str]], given: list[str] | None
) -> dict[str, dict[str, int]]:
    """How many rows of each split are not in the data set, by the kind of reason; one without a split is ``rows``."""
    reasons = {row.id: f"failed before: {row.error}" for row in rows if row.error is not None} | dict(failed)
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.id in reasons:
            first = reasons[row.id].split("\n")[0]
            reason = first.partition(": ")[2] or first
            own = counts.setdefault((row.split if given is not None else None) or "rows", {})
            own[reason] = own.get(reason, 0) + 1
    return counts


def _unlabelled(rows: list[manifest.Row], task: str | None) -> list[str]:
    """What becomes of items without a label."""
    count = sum(row.label is None for row in rows)
    if not count or task is None:
        return []
    if task == "multilabel":
        return [
            f"{count} of {len(rows)} items have no label and count as having none of the classes; leave out those "
            "whose labels are not known"
        ]
    return [f"{count} test items have no label: they are predicted, and not scored"]


def assemble(rows: manifest.Manifest, plan: Plan, progress: Any = None, *, lazily: bool = False) -> Assembled:
    """Read every features file that the manifest names and put them into one :class:`Dataset`.

    A row whose files cannot be used is left out and listed in ``failed``; a row that failed in an earlier stage is
    counted. Normalisers and strategies are fitted on the training rows only. ``lazily``: the files are looked at one by
    one, and read again when the rows of the data set are asked for; its values are the same.

    Raises :class:`UsageError` where a plan needs all values at once and they are read lazily,
    :class:`InputError` where nothing is left, and :class:`MismatchError` where items do not belong together.
    """
    normalise.refuse_unknown(plan.normalise)
    if lazily:
        _refuse_whole(plan)
    good = [row for row in rows.rows if row.error is None]
    earlier = len(rows.rows) - len(good)
    if not good:
        raise InputError("no usable rows", source=rows.source)
    names = columns(rows.columns, good)
    reference = _reference(plan.reference, names)
    if plan.words is not None:
        plan.words.refuse(rows.columns, names, reference)
    seen = Survey(rows.root, good, names, reference, not lazily, plan.words, progress, plan.arrays)
    kept, failed = seen.rows, seen.failed
    if not kept:
        raise InputError(f"none of the {len(good)} rows can be used; the first: {failed[0][1]}", source=rows.source)
    split, rule = labels.assign([r.id for r in kept], [r.split for r in kept], [r.group for r in kept])
    label, task, classes = labels.read([r.label for r in kept], plan.label_type, split)
    assembled = Assembled(
        Dataset(
            streams={name: seen.stream(name) for name in names},
            id=np.array([r.id for r in kept]),
            split=np.array(split),
            group=np.array([r.group or "" for r in kept]),
            label=label,
            source=seen.source(),
            meta={},
        ),
        failed,
    )
    data = assembled.dataset
    assembled.notes += _filled(data, seen.holes)
    if plan.arrays.rate is not None and not seen.by_rate:
        raise UsageError("--rate is for arrays without a clock, and this manifest has none", hint="leave it out")
    for name in sorted(seen.without_clock):
        assembled.notes.append(f"{name}: frames without a clock count as seconds; --rate HZ says how many one holds")
    _normalise(data, plan.normalise, seen)
    _attach_fitted(rows.root, data, assembled.notes)
    config = {
        "strategy": plan.strategy,
        "normalise": plan.normalise,
        "reference": reference,
        "balance": plan.balance,
        **({"match": plan.match} if plan.balance == "match" else {}),
        **({"augment": provenance.config_dict(plan.augmenting)} if plan.balance == "augment" else {}),
        **({"rate": plan.arrays.rate} if plan.arrays.rate is not None else {}),
        **({"missing": plan.arrays.missing} if plan.arrays.missing != "refuse" else {}),
        **({"spans": plan.words.modality, **plan.words.facts()} if plan.words is not None else {}),
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
    if several := targets.of_rows((row.id, row.extra) for row in kept):
        data.meta["targets"] = several
        assembled.notes.append(f"targets beside the label: {', '.join(several)} (train --target NAME)")
    if order := turns.of_rows((row.id, row.group, row.start, row.extra) for row in kept):
        data.meta["order"] = order
    if official := given_folds.of_rows((row.id, row.extra) for row in kept):
        data.meta["folds"] = official
        assembled.notes.append(f"{len(set(official.values()))} folds came with the manifest (train --cv given)")
    assembled.left_out = left_out(rows.rows, failed, split if rule == "as given" else None)
    assembled.notes += _unlabelled(kept, task)
    if rule != "as given":
        assembled.notes.append(f"no split column: {rule}")
    if earlier:
        assembled.notes.append(f"{earlier} rows failed in an earlier stage and are left out")
    starts = np.array([np.nan if row.start is None else row.start for row in kept])
    assembled.dataset, said = balance.apply(data, plan.balance, plan.seed, plan.match, starts, plan.augmenting)
    assembled.notes += said
    if plan.strategy != "none":
        assembled.notes += fused.add(assembled.dataset, plan.strategy, plan.strategy_config, reference)
    return assembled


def _filled(data: Dataset, names: set[str]) -> list[str]:
    """Missing values become the mean of their column over the training rows; how many there were.

    Item by item, so that a folder of shards has the bytes of the one file.
    """
    notes = []
    training = set(data.rows("train").tolist())
    for name in sorted(names):
        stream = data.streams[name]
        sums, count, holes = np.zeros(stream.values.shape[1:]), np.zeros(stream.values.shape[1:]), 0
        for i in np.flatnonzero(stream.present).tolist():
            rows = stream.item(i).values
            known = rows != HOLE
            holes += int((~known).sum())
            if i in training:
                sums += np.where(known, rows, 0.0).sum(axis=0, dtype=np.float64)
                count += known.sum(axis=0)
        mean = (sums / np.maximum(count, 1)).astype(np.float32)
        stream.values = lazy.changed(stream.values, partial(_without_holes, mean))
        notes.append(f"{name}: {holes:,} missing values stand at the mean of the training rows")
    return notes


def _without_holes(mean: NDArray[np.float32], rows: NDArray[Any]) -> NDArray[Any]:
    return np.where(rows == HOLE, mean, rows)


def _refuse_whole(plan: Plan) -> None:
    """What looks at all values, or all items, at once is for data sets that fit into memory."""
    hint = "write one file: -o DATASET.npz"
    if plan.normalise == "robust":
        raise UsageError("--normalise robust needs all training values at once, and a folder holds few", hint=hint)
    if plan.balance == "match":
        raise UsageError("--balance match borrows from items of other shards, which a shard cannot name", hint=hint)


def _reference(wanted: str | None, names: dict[str, str]) -> str:
    if wanted is None:
        return next(iter(names))
    for name, column in names.items():
        if wanted in (name, column):
            return name
    raise UsageError(f"--reference {wanted}: no such modality", hint=nearest(wanted, names))


def _normalise(data: Dataset, method: str, seen: Survey) -> None:
    train = data.rows("train")
    as_foreseen = {str(data.id[i]) for i in train} == seen.training - {item for item, _ in seen.failed}
    for stream_name, stream in data.streams.items():
        own = train[stream.present[train]].tolist()
        if stream.meta.get("kind") == "tokens":
            fitted: dict[str, Any] = {"method": "none"}
        elif method == "zscore" and as_foreseen and stream_name not in seen.holes:
            fitted = seen.moments[stream_name].normaliser()
        else:
            fitted = normalise.fit_items((stream.item(i).values for i in own), method)
        stream.values = normalise.apply_items(stream.values, stream.offsets, fitted)
        stream.meta["normaliser"] = fitted


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
