"""What evaluation asks of a model: a callable that predicts items of a data set. It never knows how."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.dataset import Dataset

Indices = NDArray[np.int64]


class Predictions(Protocol):
    """The answer for ``n`` items, in the order asked for."""

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """``(n, classes)``: of one class per item, or of each label on its own; None for regression."""

    @property
    def values(self) -> NDArray[np.float64] | None:
        """``(n,)`` for regression, in the unit of the labels; None otherwise."""


class Predict(Protocol):
    """Predicts the items ``indices`` of a data set from the modalities that are marked present, whichever they are."""

    def __call__(self, dataset: Dataset, indices: Indices) -> Predictions:
        """The predictions, one per index."""
