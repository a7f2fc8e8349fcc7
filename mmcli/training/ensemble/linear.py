"""Fitting linear maps of standardised statistics: logistic regression for classes and labels, ridge for numbers.

The penalty is chosen by answers for items that were not fitted on, from strong to weak, each fit starting where the one
before it ended. Where there are more columns than items everything is done in the space that the items span, which
loses nothing (J. Friedman, T. Hastie and R. Tibshirani, The Elements of Statistical Learning, 2009, 18.3.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcli.models.nets.affine import Affine
from mmcli.training.data import Target
from mmcli.training.ensemble.division import Division, Rows, numbered
from mmcli.training.ensemble.ridge import Described

Array = NDArray[np.float64]

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)  # on the mean loss of an item, weights squared and halved
FEW = (0.1, 0.01, 0.001)  # where a fit is dear
ITERATIONS = 60
MOST_SPANNED = 3000  # items whose span is computed
WORK = 2e7  # items times columns times outputs, from which a fit is dear
MOST_WORK = 2e10  # and beyond which there is none


@dataclass
class Fit:
    """The penalty that was chosen, and the answers by which, as :class:`mmcli.training.ensemble.ridge.Setting`."""

    penalty: float
    answers: Tensor


def affordable(described: Sequence[Described], items: int, outputs: int) -> bool:
    """Whether a linear map of these statistics is a matter of seconds."""
    return items * outputs * sum(d.values.shape[1] for d in described) <= MOST_WORK


def search(
    described: Sequence[Described],
    target: Target,
    divisions: Sequence[Division],
    loss: Callable[[Tensor], float],
) -> Fit:
    """The penalty with the least ``loss`` of the answers to the divisions."""
    everyone, places = numbered(divisions)
    x, _ = _spanned(_joined(described, everyone))
    y = _labels(target, everyone)
    dear = x.shape[0] * x.shape[1] * y.shape[1] > WORK
    starts: dict[tuple[int, int], Array] = {}
    best: tuple[float, Fit] | None = None
    for penalty in FEW if dear else PENALTIES:
        answers = torch.zeros(len(divisions), len(target.values), y.shape[1], dtype=torch.float64)
        for number, division in enumerate(places):
            for fold, (inside, outside) in enumerate(division):
                solved = _solve(target.task, x[inside], y[inside], penalty, starts.get((number, fold)))
                starts[number, fold] = solved
                said = x[outside] @ solved[:-1] + solved[-1]
                answers[number, torch.from_numpy(everyone[outside])] = torch.from_numpy(said)
        now = loss(answers)
        if best is not None and now > best[0]:
            break  # the loss falls and rises once on the way from a strong penalty to a weak one
        best = now, Fit(penalty, answers)
    assert best is not None
    return best[1]


def machine(
    described: Sequence[Described], target: Target, penalty: float, rows: Rows
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The model's configuration and tensors, fitted on ``rows``."""
    x, back = _spanned(_joined(described, rows))
    solved = _solve(target.task, x, _labels(target, rows), penalty, None)
    weights = back @ solved[:-1]
    config = {"name": "affine", "outputs": int(solved.shape[1]), "modalities": [d.part() for d in described]}
    tensors = {"bias": torch.from_numpy(solved[-1]).float()}
    start = 0
    for i, d in enumerate(described):
        stop = start + d.values.shape[1]
        tensors |= {f"center_{i}": d.center, f"scale_{i}": d.scale}
        tensors[f"weights_{i}"] = torch.from_numpy(weights[start:stop]).float()
        start = stop
    assert set(tensors) == set(Affine(config).state_dict())
    return config, tensors


def _joined(described: Sequence[Described], rows: Rows) -> Array:
    """Statistics side by side ``(n, width)``, zeros where a modality is absent."""
    chosen = torch.from_numpy(rows)
    parts = [(d.values[chosen] * d.present[chosen, None]).double().numpy() for d in described]
    return np.concatenate(parts, axis=1)


def _spanned(x: Array) -> tuple[Array, Array]:
    """``x`` in the space that its rows span, and the way back: ``x = z @ back.T``; unchanged where that is no gain."""
    if x.shape[1] <= x.shape[0] or x.shape[0] > MOST_SPANNED:
        return x, np.eye(x.shape[1])
    back, upper = np.linalg.qr(x.T)
    return upper.T, back


def _labels(target: Target, rows: Rows) -> Array:
    values = target.values.cpu()[torch.from_numpy(rows)]
    if target.task == "classify":
        return torch.nn.functional.one_hot(values, target.outputs).double().numpy()
    return values.double().reshape(len(rows), -1).numpy()


def _solve(task: str, x: Array, y: Array, penalty: float, start: Array | None) -> Array:
    """Weights and, in the last row, bias ``(columns + 1, outputs)``; the bias is not penalised."""
    if task == "regress":
        center, mean = x.mean(0), y.mean(0)
        away = x - center
        system = away.T @ away / len(x)
        system[np.diag_indices_from(system)] += penalty * 10.0  # squared errors are larger than the loss of classes
        weights = np.linalg.solve(system, away.T @ (y - mean) / len(x))
        return np.concatenate([weights, (mean - center @ weights)[None]])
    from scipy.optimize import minimize

    shape = x.shape[1] + 1, y.shape[1]

    def loss(flat: Array) -> tuple[float, Array]:
        w = flat.reshape(shape)
        z = x @ w[:-1] + w[-1]
        if task == "classify":
            z -= z.max(axis=1, keepdims=True)
            e = np.exp(z)
            total = e.sum(axis=1, keepdims=True)
            value = float((np.log(total[:, 0]) - (z * y).sum(axis=1)).mean())
            slope = (e / total - y) / len(x)
        else:
            value = float((np.logaddexp(0.0, z) - z * y).sum(axis=1).mean())
            slope = (1.0 / (1.0 + np.exp(-z)) - y) / len(x)
        gradient = np.empty(shape)
        gradient[:-1] = x.T @ slope + penalty * w[:-1]
        gradient[-1] = slope.sum(axis=0)
        return value + 0.5 * penalty * float(np.square(w[:-1]).sum()), gradient.ravel()

    first = np.zeros(shape) if start is None else start
    solved = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "gtol": 1e-4})
    result: Array = solved.x.reshape(shape)
    return result
