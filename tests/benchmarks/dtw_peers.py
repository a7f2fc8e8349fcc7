"""The tools that the DTW engine is measured against, as functions (x, y) -> (cost, path); absent ones are left out.

Costs: dtaidistance and tslearn minimise the sum of squared distances and report its square root; librosa, fastdtw and
dtw-python (with the pattern symmetric1) minimise the sum of distances. The optimal paths of the two kinds differ.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

Peer = Callable[[np.ndarray, np.ndarray], tuple[float, Any]]
SQUARED = ("dtaidistance", "tslearn")
LONGEST = {"dtaidistance": 16_000, "tslearn": 16_000, "librosa": 4_000, "fastdtw": 4_000, "dtw-python": 4_000}


def _dtaidistance() -> Peer:
    from dtaidistance import dtw

    def run(x: np.ndarray, y: np.ndarray) -> tuple[float, Any]:
        a, b = (v[:, 0].copy() if v.shape[1] == 1 else v for v in (x, y))
        path, cost = dtw.warping_path_fast(a, b, include_distance=True)
        return float(cost), path

    return run


def _tslearn() -> Peer:
    from tslearn.metrics import dtw_path

    def run(x: np.ndarray, y: np.ndarray) -> tuple[float, Any]:
        path, cost = dtw_path(x, y)
        return float(cost), path

    return run


def _librosa() -> Peer:
    import librosa

    def run(x: np.ndarray, y: np.ndarray) -> tuple[float, Any]:
        costs, path = librosa.sequence.dtw(x.T, y.T)
        return float(costs[-1, -1]), path[::-1]

    return run


def _fastdtw() -> Peer:
    from fastdtw import fastdtw

    return lambda x, y: fastdtw(x, y, radius=1, dist=2)


def _dtw_python() -> Peer:
    from dtw import dtw

    def run(x: np.ndarray, y: np.ndarray) -> tuple[float, Any]:
        found = dtw(x, y, step_pattern="symmetric1")
        return float(found.distance), np.column_stack([found.index1, found.index2])

    return run


def present() -> dict[str, Callable[[], Peer]]:
    """The peers installed here, by name; each is imported when it is called."""
    makers = {
        "dtaidistance": ("dtaidistance", _dtaidistance),
        "tslearn": ("tslearn", _tslearn),
        "librosa": ("librosa", _librosa),
        "fastdtw": ("fastdtw", _fastdtw),
        "dtw-python": ("dtw", _dtw_python),
    }
    return {name: make for name, (module, make) in makers.items() if find_spec(module)}
