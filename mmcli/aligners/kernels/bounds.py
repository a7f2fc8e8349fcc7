"""Lower bounds on warping distances, in numpy: what a nearest neighbour search need not warp.

Every path of a closed problem runs through both corners (LB_Kim: Kim, Park and Chu 2001, "An index-based approach for
similarity search supporting time warping"), and, unless its steps leave rows out, through every row, where its cells
cost at least the distance from that row to the box around all rows of the other side that it may meet (LB_Keogh: Keogh
and Ratanamahatana 2005, "Exact indexing of dynamic time warping"). Both are joined: the corners at their own cost, the
rows between at the cost of the box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

EVERY_ROW = frozenset({"symmetric1", "symmetric2", "asymmetric"})  # patterns whose paths meet every row of x
EVERY_COLUMN = frozenset({"symmetric1", "symmetric2"})
ROUNDING = 1.0 - 1e-9  # a bound summed in another order must not end up above the distance


def _cost(e: Array, metric: str) -> Array:
    """The cost of differences (..., d) of prepared rows, as the kernels take it (cosine: not yet halved)."""
    if metric == "manhattan":
        return np.asarray(np.abs(e).sum(axis=-1))
    t = np.asarray((e * e).sum(axis=-1))
    return np.sqrt(t) if metric == "euclidean" else t


@dataclass(frozen=True, eq=False)
class Bounds:
    """What the bounds need to know of the ys: prepared rows one after another, and the boxes around them."""

    values: Array
    offsets: Indices
    metric: str
    pattern: str
    low: Array  # (series, d), or (series, rows of x, d) under a corridor
    high: Array
    ranges: Indices | None

    @classmethod
    def of(
        cls, values: Array, offsets: Indices, columns: Indices, metric: str, pattern: str, ranges: Indices | None
    ) -> Bounds:
        """Bounds against the series ``columns`` of ``values`` (rows, d)."""
        lengths = np.diff(offsets)[columns]
        rows = np.concatenate([values[offsets[j] : offsets[j + 1]] for j in columns])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        if ranges is None:
            low, high = np.minimum.reduceat(rows, starts[:-1]), np.maximum.reduceat(rows, starts[:-1])
        else:  # one length: (series, frames, d)
            y = rows.reshape(len(columns), int(lengths[0]), -1)
            low = np.stack([y[:, a:b].min(axis=1) for a, b in ranges], axis=1)
            high = np.stack([y[:, a:b].max(axis=1) for a, b in ranges], axis=1)
        return cls(rows, starts, metric, pattern, low, high, ranges)

    def against(self, x: Array) -> Array:
        """Lower bounds (series,) on the distance of prepared rows ``x`` (n, d) from each series.

        >>> y = np.array([[0.0], [1.0], [5.0], [6.0]])
        >>> b = Bounds.of(y, np.array([0, 2, 4]), np.arange(2), "manhattan", "symmetric1", None)
        >>> b.against(np.array([[0.0], [1.0]])).round(6).tolist()
        [0.0, 10.0]
        """
        first, last = self.values[self.offsets[:-1]], self.values[self.offsets[1:] - 1]
        single = (np.diff(self.offsets) == 1) & (len(x) == 1)
        corners = _cost(first - x[0], self.metric) + np.where(single, 0.0, _cost(last - x[-1], self.metric))
        rows = np.zeros(len(corners))
        if self.pattern in EVERY_ROW and len(x) > 2:
            inner = x[1:-1]
            low, high = (v[:, None] if v.ndim == 2 else v[:, 1:-1] for v in (self.low, self.high))
            rows = _cost(np.maximum(np.maximum(low - inner, inner - high), 0.0), self.metric).sum(axis=1)
        if self.pattern in EVERY_COLUMN and self.ranges is None:
            outside = np.maximum(np.maximum(x.min(axis=0) - self.values, self.values - x.max(axis=0)), 0.0)
            cost = _cost(outside, self.metric)
            cost[self.offsets[:-1]] = 0.0  # the corners count at their own cost
            cost[self.offsets[1:] - 1] = 0.0
            rows = np.maximum(rows, np.add.reduceat(cost, self.offsets[:-1]))
        return (corners + rows) * ROUNDING
