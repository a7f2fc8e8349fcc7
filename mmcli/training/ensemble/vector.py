"""Support-vector regression with the kernels that :mod:`.ridge` found: an absolute error, flat where it is small.

Reference: A. Smola and B. Schoelkopf, "A tutorial on support vector regression", Statistics and Computing 14, 2004.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmcli.training.ensemble.division import Division, Rows, numbered
from mmcli.training.ensemble.ridge import Described, Setting, built, gram

MOST_ITEMS = 3000  # the cost grows with their square to cube
STIFFNESS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # what an error costs against the size of the weights
FLAT = 0.1  # standard deviations of the label within which an error costs nothing


def search(
    described: Sequence[Described],
    gammas: Sequence[float],
    y: Tensor,
    divisions: Sequence[Division],
    loss: Callable[[Tensor], float],
) -> Setting:
    """The stiffness with the least ``loss`` of the answers to the divisions; it stands in the setting's penalty."""
    everyone, places = numbered(divisions)
    items = torch.from_numpy(everyone)
    whole = gram(described, gammas, items, items).double().numpy()
    labels = y[items, 0].numpy()
    best: Setting | None = None
    for stiffness in STIFFNESS:
        answers = torch.zeros(len(divisions), *y.shape, dtype=torch.float64)
        for number, division in enumerate(places):
            for inside, outside in division:
                fitted = _fitted(whole[np.ix_(inside, inside)], labels[inside], stiffness)
                said = fitted.predict(whole[np.ix_(outside, inside)])
                answers[number, torch.from_numpy(everyone[outside]), 0] = torch.from_numpy(said)
        now = loss(answers)
        if best is not None and now > best.loss:
            break
        best = Setting(tuple(gammas), stiffness, answers, now)
    assert best is not None
    return best


def machine(
    described: Sequence[Described], gammas: Sequence[float], stiffness: float, y: Tensor, rows: Rows
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The model's configuration and tensors, fitted on ``rows``: a kernel machine like any other."""
    chosen = torch.from_numpy(rows)
    whole = gram(described, gammas, chosen, chosen).double().numpy()
    fitted = _fitted(whole, y[chosen, 0].numpy(), stiffness)
    weights = torch.zeros(len(rows), 1, dtype=torch.float64)
    weights[torch.from_numpy(fitted.support_.astype(np.int64)), 0] = torch.from_numpy(fitted.dual_coef_[0])
    return built(described, gammas, rows, weights, torch.from_numpy(np.asarray(fitted.intercept_, np.float64)))


def _fitted(similar: Any, labels: Any, stiffness: float) -> Any:
    from sklearn.svm import SVR

    return SVR(kernel="precomputed", C=stiffness, epsilon=FLAT, max_iter=20_000).fit(similar, labels)
