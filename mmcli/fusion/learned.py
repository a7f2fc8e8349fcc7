"""Weights for averaging, learned from the labels of the training rows by nested cross-validation.

Every point of a grid on the simplex of weights is scored by a linear model on the weighted average, in inner folds; the
best is kept. The outer folds never take part in the choice they judge (G. Cawley and N. Talbot, JMLR 11, 2010), so the
score that is reported is one to expect on new rows. Groups stay on one side of every fold. A weight of zero leaves a
modality out: a fusion may be no better than its best part, and then that part is what remains.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from mmcli.errors import InputError
from mmcli.fusion import blocks as the_blocks
from mmcli.fusion.blocks import Blocks

FOLDS = 3
STEPS = {1: 1, 2: 10, 3: 5, 4: 4}  # grid steps from 0 to 1 by the number of modalities; beyond, subsets only
MAX_SUBSETS = 6  # modalities whose subsets are all tried


def grid(count: int) -> list[tuple[float, ...]]:
    """Weights that sum to one. The first point is the equal one, which a tie falls to.

    >>> grid(2)[:3]
    [(0.5, 0.5), (0.0, 1.0), (0.1, 0.9)]
    """
    points = [tuple([1.0 / count] * count)]
    if count in STEPS:
        steps = STEPS[count]
        for parts in itertools.product(range(steps + 1), repeat=count):
            if sum(parts) == steps:
                points.append(tuple(part / steps for part in parts))
    elif count <= MAX_SUBSETS:
        for chosen in itertools.product((0, 1), repeat=count):
            if any(chosen):
                points.append(tuple(part / sum(chosen) for part in chosen))
    else:
        points += [tuple(float(i == j) for j in range(count)) for i in range(count)]
        points += [tuple((i != j) / (count - 1) for j in range(count)) for i in range(count)]
    return list(dict.fromkeys(points))


def fit(blocks: Blocks) -> dict[str, Any]:
    """``{weights, projection, score, equal, measure}``: the nested estimate, and that of equal weights beside it.

    Raises :class:`InputError` without labels, or with fewer than three groups to fold.
    """
    if blocks.labels is None or blocks.groups is None:
        raise InputError("weights can only be learned from labels", hint="give them: --weight NAME=W")
    if len(set(blocks.groups.tolist())) < FOLDS:
        raise InputError(f"learning weights needs at least {FOLDS} groups or items")
    projection = the_blocks.fit(blocks) if the_blocks.differs(blocks) else None
    common = the_blocks.common(blocks, projection)
    names = list(common)
    values = np.stack([np.where(blocks.present[n][:, None], common[n], 0.0) for n in names])
    there = np.stack([blocks.present[n] for n in names])
    labels, groups = blocks.labels, blocks.groups
    points = grid(len(names))
    outer, flat = [], []
    for train, test in _folds(labels, groups):
        chosen = _best(values[:, train], there[:, train], labels[train], groups[train], points)
        outer.append(_score(values, there, labels, train, test, points[chosen]))
        flat.append(_score(values, there, labels, train, test, points[0]))
    weights = points[_best(values, there, labels, groups, points)]
    return {
        "weights": dict(zip(names, map(float, weights), strict=True)),
        "projection": projection,
        "score": float(np.mean(outer)),
        "equal": float(np.mean(flat)),
        "measure": "R2" if labels.dtype.kind == "f" else "accuracy",
    }


def reliability(rows: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """How much of the way from guessing to knowing a linear model goes on ``rows`` ``(n, width)``, cross-validated.

    For classes (accuracy - majority) / (1 - majority), for numbers R2; below zero where it is worse than guessing.
    """
    if len(set(groups.tolist())) < FOLDS:
        return 0.0
    there, values = np.ones((1, len(rows)), bool), rows[None]
    folds = _folds(labels, groups)
    score = float(np.mean([_score(values, there, labels, train, test, (1.0,)) for train, test in folds]))
    if labels.dtype.kind == "f":
        return score
    guess = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    return (score - guess) / (1 - guess) if guess < 1 else 0.0


def average(values: np.ndarray, there: np.ndarray, weights: tuple[float, ...]) -> np.ndarray:
    """The average of ``values`` ``(modalities, n, width)`` over what is ``there``, ``(n, width)``."""
    share = np.asarray(weights)[:, None] * there
    total = share.sum(axis=0)
    return np.asarray((share[:, :, None] * values).sum(axis=0) / np.where(total > 0, total, 1.0)[:, None])


def _best(
    values: np.ndarray, there: np.ndarray, labels: np.ndarray, groups: np.ndarray, points: list[tuple[float, ...]]
) -> int:
    if len(set(groups.tolist())) < FOLDS:
        return 0
    folds = _folds(labels, groups)
    scores = [np.mean([_score(values, there, labels, train, test, p) for train, test in folds]) for p in points]
    return int(np.argmax(scores))


def _folds(labels: np.ndarray, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import GroupKFold

    return list(GroupKFold(FOLDS).split(labels, groups=groups))


def _score(
    values: np.ndarray,
    there: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    weights: tuple[float, ...],
) -> float:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multioutput import MultiOutputClassifier

    rows = average(values, there, weights)
    if labels.dtype.kind == "f":
        return float(Ridge(1.0).fit(rows[train], labels[train]).score(rows[test], labels[test]))
    if labels.ndim == 1 and len(set(labels[train].tolist())) < 2:
        return float((labels[test] == labels[train][0]).mean())
    model: Any = LogisticRegression(max_iter=300)
    if labels.ndim == 2:
        model = MultiOutputClassifier(model)
    return float(model.fit(rows[train], labels[train]).score(rows[test], labels[test]))
