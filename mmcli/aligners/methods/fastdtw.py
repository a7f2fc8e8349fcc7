"""FastDTW (Salvador and Chan 2007) through the library of that name, for those who ask for it by name.

It approximates: a path at half the resolution is refined within ``radius`` cells. Its answer is not the best path, its
ties fall differently in the library's compiled and plain builds, and the exact ``dtw`` is faster at every length that
was measured; it is here because published results used it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.aligners.core import inputs
from mmcli.aligners.kernels import costs
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import UsageError

ACCEPTS = (("features", "features"),)


@dataclass(frozen=True)
class Config:
    """Radius and metric of the library."""

    radius: int = 1  # cells on either side of the projected path, 1 or more
    metric: str = "euclidean"  # euclidean, sqeuclidean, manhattan or cosine

    def __post_init__(self) -> None:
        if self.radius < 1:
            raise UsageError(f"radius {self.radius} is below 1")
        if self.metric not in costs.METRICS:
            raise UsageError(f"unknown metric {self.metric!r}", hint="known: " + ", ".join(sorted(costs.METRICS)))


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """A warping path between ``x`` (the reference) and ``y``: arrays (frames, dims) or Features.

    The result's ``cost`` is the sum of the metric along the path. Raises InputError for NaN, Inf and empty input,
    MismatchError for differing widths.

    >>> alignment = align(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [2.0]]))
    >>> alignment.path[0].tolist(), alignment.path[-1].tolist()
    ([0, 0], [2, 1])
    """
    from fastdtw import fastdtw  # type: ignore[import-untyped, unused-ignore]

    (xv, _), (yv, _) = inputs.checked(x, y)
    a, b = costs.prepare(xv, yv, config.metric)
    distance: Any
    if config.metric == "manhattan":
        distance = 1
    elif config.metric == "euclidean":
        distance = 2
    else:
        share = 0.5 if config.metric == "cosine" else 1.0

        def distance(u: Any, v: Any) -> float:
            e = u - v
            return share * float(np.dot(e, e))

    _, pairs = fastdtw(a, b, radius=config.radius, dist=distance)
    path = np.array(pairs, dtype=np.int64)
    return inputs.warped(x, y, path, costs.path_cost(xv, yv, path, config.metric), name="fastdtw", config=config)
