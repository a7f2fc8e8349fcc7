"""Several runs of one training gathered: folds of cross-validation, seeds, or both; mean, spread, interval.

Scores of the folds of one cross-validation are not independent, their training sets overlap: the interval over folds
takes the corrected variance ``(1 / k + test / train) s^2`` (C. Nadeau and Y. Bengio, Machine Learning 52, 2003, eq.
9) with Student's t. Seeds on one split say how much luck there is in training, not how sure the score is: their
interval is of the mean over seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmcli.artifacts.io import jsonfile
from mmcli.errors import InputError, UsageError

PREFIX = "test_"


def load(folder: Path) -> dict[str, Any]:
    """The ``run.json`` of a training's folder. Raises :class:`UsageError` where it has none."""
    if not (folder / "run.json").is_file():
        raise UsageError(f"{folder} holds no run.json", hint="`mmcli train -o FOLDER --cv K`, or --seeds N, writes it")
    return jsonfile.load(folder / "run.json")


def gather(run: dict[str, Any], level: float = 0.95) -> dict[str, Any]:
    """A report of the runs in a ``run.json`` (schema ``mmcli/train-runs@1``).

    ``metrics`` has the mean of each score over folds (each the mean over its seeds), with interval; ``folds`` the runs
    and the spread over folds and over seeds. Raises :class:`InputError` where there is nothing to gather.

    >>> runs = [{"file": "a", "fold": k, "seed": 0, "test_accuracy": a} for k, a in enumerate((0.8, 0.9, 0.85))]
    >>> report = gather({"schema": "mmcli/train-runs@1", "runs": runs})
    >>> accuracy = report["metrics"]["accuracy"]
    >>> round(accuracy["value"], 3), [round(bound, 3) for bound in accuracy["interval"]]
    (0.85, [0.602, 1.0])
    """
    if run.get("schema") != "mmcli/train-runs@1" or not isinstance(run.get("runs"), list):
        raise InputError("is no record of several runs (run.json of `mmcli train --cv` or `--seeds`)")
    runs = [row for row in run["runs"] if isinstance(row, dict)]
    names = sorted({key for row in runs for key in row if key.startswith(PREFIX)})
    if not names:
        raise InputError("none of the runs has a test score")
    metrics: dict[str, Any] = {}
    spread: dict[str, Any] = {}
    for name in names:
        table = _table(runs, name)
        by_fold = np.array([row.mean() for row in table])
        within = [row.std(ddof=1) for row in table if len(row) > 1]
        bounds, method = _interval(table, by_fold, level)
        if bounds is not None and name != f"{PREFIX}mae":
            bounds = [max(0.0, bounds[0]), min(1.0, bounds[1])]
        short = name.removeprefix(PREFIX)
        metrics[short] = {"value": float(by_fold.mean()), "interval": bounds, "n": len(by_fold), "method": method}
        spread[short] = {
            "over_folds_sd": float(by_fold.std(ddof=1)) if len(by_fold) > 1 else None,
            "over_seeds_sd": float(np.mean(within)) if within else None,
            "low": float(min(row.min() for row in table)),
            "high": float(max(row.max() for row in table)),
        }
    count = len({row["fold"] for row in runs})
    text = "; ".join(f"{name} {entry['value']:.4g}{_words(entry)}" for name, entry in metrics.items())
    return {
        "metrics": metrics,
        "folds": {"runs": runs, "spread": spread},
        "verdict": {"text": f"{len(runs)} runs, {count} folds: {text}.", "compared": False},
        "inputs": list(run.get("inputs", [])),
    }


def _table(runs: list[dict[str, Any]], name: str) -> list[Any]:
    """The scores of each fold, one array of its seeds a fold."""
    folds: dict[Any, list[float]] = {}
    for row in runs:
        value = row.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InputError(f"run {row.get('file')!r} has no score {name!r}")
        folds.setdefault(row.get("fold"), []).append(float(value))
    return [np.array(values) for values in folds.values()]


def _interval(table: list[Any], by_fold: Any, level: float) -> tuple[list[float] | None, str]:
    from scipy.special import stdtrit

    k = len(by_fold)
    if k > 1:
        # One part of k is for testing, one for stopping, the others are for training.
        factor = 1 / k + 1 / max(1, k - 2)
        half = float(stdtrit(k - 1, 0.5 + level / 2) * np.sqrt(factor * by_fold.var(ddof=1)))
        return [float(by_fold.mean()) - half, float(by_fold.mean()) + half], "corrected t over folds"
    seeds = table[0]
    if len(seeds) > 1:
        half = float(stdtrit(len(seeds) - 1, 0.5 + level / 2) * seeds.std(ddof=1) / np.sqrt(len(seeds)))
        return [float(seeds.mean()) - half, float(seeds.mean()) + half], "t over seeds"
    return None, "one run"


def _words(entry: dict[str, Any]) -> str:
    bounds = entry["interval"]
    return "" if bounds is None else f" ({bounds[0]:.4g} to {bounds[1]:.4g})"
