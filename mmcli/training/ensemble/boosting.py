"""Fitting gradient-boosted trees with scikit-learn, and copying them out of it as tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.models.nets.trees import Trees
from mmcli.training.data import Target
from mmcli.training.ensemble.division import Rows
from mmcli.training.ensemble.ridge import Described

MOST_WIDTH = 1024  # columns: every one is looked at for every split
MOST_OUTPUTS = 20  # a tree for each class in each round
WORK = 4e8  # sums that may be made, about a second, from which rounds are fewer
ROUNDS = (20, 100)  # fewest and most
MOST_TREES = 400  # of all classes together
LEAVES = 15
BINS = (16, 255)  # of a histogram, one for eight items: with few items finer ones only cost
ABSENT = -6.0  # the logit of a class that no fitted item has, below that of the others


def fits(described: Sequence[Described], items: int, target: Target) -> bool:
    """Whether trees are affordable, and answer this task: not for several labels at once."""
    width = sum(d.values.shape[1] for d in described)
    return target.task != "multilabel" and width <= MOST_WIDTH and target.outputs <= MOST_OUTPUTS and items >= 20


def machine(
    described: Sequence[Described], target: Target, rows: Rows, *, seed: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The model's configuration and tensors, fitted on ``rows``."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    x = _joined(described, rows)
    y = target.values.cpu()[torch.from_numpy(rows)].numpy()
    classes = np.unique(y) if target.task == "classify" else np.zeros(1, np.int64)
    trees_a_round = 1 if len(classes) <= 2 else len(classes)
    bins = int(np.clip(len(rows) // 8, *BINS))
    affordable = min(WORK / (x.shape[1] * (bins * LEAVES + 4 * len(rows))), MOST_TREES) / trees_a_round
    rounds = int(np.clip(affordable, *ROUNDS))
    settings: dict[str, Any] = {
        "max_iter": rounds,
        "learning_rate": 0.1 if rounds > 60 else 0.2,
        "max_leaf_nodes": LEAVES,
        "max_bins": bins,
        "min_samples_leaf": int(np.clip(len(rows) // 40, 3, 20)),
        "l2_regularization": 1.0,
        "early_stopping": False,
        "random_state": seed,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a column without any value is no news
        if target.task == "regress":
            model = HistGradientBoostingRegressor(loss="absolute_error", **settings).fit(x, y.astype(np.float64))
        elif len(classes) < 2:
            return _copied([], described, np.zeros(target.outputs), _one(classes, target.outputs), target.outputs)
        else:
            model = HistGradientBoostingClassifier(**settings).fit(x, y)
    start = np.asarray(model._baseline_prediction, np.float64).reshape(-1)
    return _copied(model._predictors, described, start, classes, target.outputs)


def _one(classes: NDArray[np.int64], outputs: int) -> NDArray[np.int64]:
    return classes if outputs > 1 else np.zeros(1, np.int64)


def _joined(described: Sequence[Described], rows: Rows) -> NDArray[np.float32]:
    """Statistics side by side ``(n, width)``, NaN where a modality is absent."""
    chosen = torch.from_numpy(rows)
    parts = [d.values[chosen].masked_fill(~d.present[chosen, None], torch.nan).numpy() for d in described]
    return np.concatenate(parts, axis=1)


def _nodes(tree: Any, first: int) -> dict[str, Any]:
    """The nodes of one tree, of which the first has this number; none: a leaf that says nothing."""
    if tree is None:
        nothing = dict.fromkeys(("column", "threshold", "value", "missing_left"), np.zeros(1))
        return nothing | {"left": np.array([first]), "right": np.array([first])}
    leaf = tree["is_leaf"].astype(bool)
    own = np.arange(first, first + len(tree))
    split = np.nan_to_num(tree["num_threshold"], posinf=1e300)  # infinite where only missing values go apart
    return {
        "column": np.where(leaf, 0, tree["feature_idx"]),
        "left": np.where(leaf, own, first + tree["left"].astype(np.int64)),
        "right": np.where(leaf, own, first + tree["right"].astype(np.int64)),
        "threshold": np.where(leaf, 0.0, split),
        "value": np.where(leaf, tree["value"], 0.0),
        "missing_left": tree["missing_go_to_left"],
    }


def _copied(
    rounds: Sequence[Sequence[Any]],
    described: Sequence[Described],
    start: NDArray[np.float64],
    classes: NDArray[np.int64],
    outputs: int,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The trees of every round side by side; those of classes that were not fitted are single leaves of nothing."""
    bias = np.full(outputs, 0.0 if outputs == 1 else ABSENT)
    if outputs == 1 or len(classes) > 2:
        bias[classes] = start
    elif len(classes) == 2:  # one tree a round, for the second of the two
        bias[classes] = [0.0, float(start[0])]
    else:
        bias[classes] = 0.0
    columns: dict[str, list[Any]] = {n: [] for n in ("column", "left", "right", "threshold", "value", "missing_left")}
    roots, depth, nodes = [], 1, 0
    for one in rounds or [[]]:
        by_class: dict[int, Any] = {}
        if one:
            keys = [int(classes[1])] if len(one) == 1 and outputs > 1 else [int(c) for c in classes]
            by_class = dict(zip(keys if outputs > 1 else [0], one, strict=True))
        for output in range(outputs):
            roots.append(nodes)
            tree = by_class[output].nodes if output in by_class else None
            size = 1 if tree is None else len(tree)
            for name, values in _nodes(tree, nodes).items():
                columns[name].append(values)
            depth = max(depth, 1 if tree is None else int(tree["depth"].max()))
            nodes += size
    config = {
        "name": "trees",
        "outputs": outputs,
        "trees": len(roots),
        "nodes": nodes,
        "depth": depth,
        "modalities": [d.part() for d in described],
    }
    kinds = {"threshold": np.float64, "value": np.float64, "missing_left": np.bool_}
    tensors = {
        name: torch.from_numpy(np.concatenate(parts).astype(kinds.get(name, np.int64)))
        for name, parts in columns.items()
    }
    tensors |= {"roots": torch.tensor(roots), "bias": torch.from_numpy(bias)}
    for i, d in enumerate(described):
        tensors |= {f"center_{i}": d.center, f"scale_{i}": d.scale}
    assert set(tensors) == set(Trees(config).state_dict())
    return config, tensors
