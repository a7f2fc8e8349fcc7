"""How unlike every moment of one side is to every moment of the other, for the pictures that show it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners import _inputs
from mmcli.aligners.kernels import twin

CELLS = 600  # along a side; longer inputs are averaged down


class Costs(NamedTuple):
    """``cells`` (reference, query) by ``metric``; ``reference`` and ``query`` are first and last time in seconds.

    ``low`` and ``high``: between them lie all cells but the strangest hundredth at either end.
    """

    cells: NDArray[np.float64]
    metric: str
    reference: tuple[float, float]
    query: tuple[float, float]
    low: float
    high: float


def between(x: Any, y: Any, metric: str) -> Costs:
    """The costs of what the methods take: arrays or features of the reference ``x`` and of the query ``y``."""
    (of_x, x_times), (of_y, y_times) = (
        _shrunk(*_inputs.frames(side, name)) for side, name in ((x, "reference"), (y, "query"))
    )
    cells = twin.local_costs(of_x, of_y, metric)
    low, high = np.quantile(cells, [0.01, 0.99])
    return Costs(cells, metric, _ends(x_times), _ends(y_times), float(low), float(high))


def _ends(times: NDArray[np.float64]) -> tuple[float, float]:
    return float(times[0]), float(times[-1])


def _shrunk(values: NDArray[Any], times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most CELLS frames: averages of stretches of equal length, with their mean times."""
    if len(values) <= CELLS:
        return np.asarray(values, dtype=np.float64), times
    bounds = np.linspace(0, len(values), CELLS + 1).astype(np.int64)
    counts = np.diff(bounds)
    mean = np.add.reduceat(values.astype(np.float64), bounds[:-1], axis=0) / counts[:, None]
    return mean, np.add.reduceat(times, bounds[:-1]) / counts
