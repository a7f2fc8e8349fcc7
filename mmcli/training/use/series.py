"""Several runs of one configuration: K folds of cross-validation, N seeds, or both, into one folder.

The folder holds ``fold-K-seed-S.pt`` with its history for every run, ``history.ndjson`` with one line a run, and
``run.json`` with mean and standard deviation of the scores. Without cross-validation the data set's own splits are
fold 0. A fold fits the scales of the streams anew on its own training rows and sees nothing that was made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmcli.artifacts.formats.dataset import Dataset
from mmcli.artifacts.io import atomic, provenance
from mmcli.artifacts.io.append import Journal
from mmcli.errors import UsageError
from mmcli.training import folds, foldwise
from mmcli.training.config import TrainConfig
from mmcli.training.fit import predictor
from mmcli.training.fit.initial import Initial
from mmcli.training.target import read, score
from mmcli.training.use import run

SCHEMA = "mmcli/train-runs@1"


def splits(dataset: Dataset, config: TrainConfig, count: int) -> list[NDArray[np.str_]]:
    """A split column for each of ``count`` folds: one part to test on, the next to stop by, the others to train on.

    All labelled items take part, whatever their split in the data set, but none that was made; classes are spread
    evenly, a group stays together.
    """
    everyone = np.arange(dataset.items, dtype=np.int64)
    target = read(dataset, config.task, everyone, torch.device("cpu"))
    there = np.any([stream.present for stream in dataset.streams.values()], axis=0)
    rows = everyone[target.known & there]
    kinds = target.values.numpy()[rows] if target.task == "classify" else None
    parts = folds.make(rows, kinds, dataset.group[rows], count, config.seed)
    found = []
    for k in range(count):
        column = np.full(dataset.items, "", dtype="U5")
        column[rows] = "train"
        column[parts[(k + 1) % count]] = "val"
        column[parts[k]] = "test"
        found.append(column)
    return found


def train_series(
    dataset: Dataset,
    configs: Sequence[TrainConfig],
    folder: Path,
    *,
    cv: int = 0,
    inputs: Sequence[dict[str, Any]] = (),
    initial: Initial | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train every configuration (they differ in the seed) on every fold; returns the content of ``run.json``.

    ``initial`` holds encoders to start every run from.
    """
    if cv and cv < 3:
        raise UsageError(f"cross-validation needs at least 3 folds (train, val, test), not {cv}")
    whole = foldwise.real(dataset) if cv else dataset
    columns = splits(whole, configs[0], cv) if cv else [dataset.split]
    rows: list[dict[str, Any]] = []
    atomic.write_text(folder / "history.ndjson", "")
    with Journal(folder / "history.ndjson") as journal:
        for fold, column in enumerate(columns):
            data = foldwise.split(whole, column) if cv else whole
            for config in configs:
                path = folder / f"fold-{fold}-seed-{config.seed}.pt"
                run.train(data, config, path, inputs=inputs, initial=initial)
                row = {"file": path.name, "fold": fold, "seed": config.seed, **_tested(data, config, path)}
                journal.append(row)
                rows.append(row)
                if report is not None:
                    report(row)
    names = [name for name in rows[0] if name.startswith("test_")]
    values = {name: np.array([row[name] for row in rows], np.float64) for name in names}
    summary = {
        "schema": SCHEMA,
        "runs": rows,
        "folds": len(columns),
        "seeds": [config.seed for config in configs],
        "inputs": list(inputs),
        "scores": {
            name: {"mean": float(v.mean()), "sd": float(v.std(ddof=1)) if len(v) > 1 else None, "n": len(v)}
            for name, v in values.items()
        },
    }
    atomic.write_text(folder / "run.json", provenance.canonical_json(summary) + "\n")
    return summary


def _tested(data: Dataset, config: TrainConfig, path: Path) -> dict[str, float]:
    """Scores on the test part of a fold."""
    target = read(data, config.task, data.rows("train"), torch.device("cpu"))
    rows = data.rows("test")
    rows = rows[target.known[rows]]
    if not len(rows):
        return {}
    logits = torch.from_numpy(predictor.load(path).predict(data, rows).logits)
    found = score(target.task, logits, target.values[torch.from_numpy(rows)])
    return {f"test_{name}": value * (target.scale if name == "mae" else 1.0) for name, value in found.items()}
