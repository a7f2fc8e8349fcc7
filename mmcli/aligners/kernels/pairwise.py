"""Warping distances between many series of unequal length, and the nearest of them, in float64 at kernel speed.

One pair a SIMD lane in the extension ``_pairs``; pair by pair in its twin. ``nearest`` tries candidates by rising lower
bound, gives a warp up once it cannot win, and stops where no bound is below the best distance found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.aligners.kernels import pairs_twin, twin
from mmcli.aligners.kernels.bounds import Bounds
from mmcli.errors import InputError, MismatchError

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_CODES = {"sqeuclidean": pairs_twin.SQUARE, "cosine": pairs_twin.SQUARE, "euclidean": pairs_twin.L2}
_CODES["manhattan"] = pairs_twin.L1
_AT_ONCE = 1_000_000  # lower bounds held at a time


@dataclass(frozen=True, eq=False)
class Nearest:
    """For each x the ``index`` int64 of the nearest y (the lowest of equals) and its ``distance`` float64.

    ``pruned``: the share of all pairs that bounds alone ruled out.
    """

    index: Indices
    distance: Array
    pruned: float


class _Problem:
    """Both sides as the kernels take them: prepared rows one after another, and where each series begins."""

    def __init__(
        self,
        xs: Sequence[ArrayLike],
        ys: Sequence[ArrayLike],
        metric: str,
        pattern: str,
        band: float | None,
        root: bool,
    ) -> None:
        self.x, self.x_offsets = _joined(xs, "x")
        self.y, self.y_offsets = _joined(ys, "y")
        if self.x.shape[1] != self.y.shape[1]:
            raise MismatchError(
                f"x has {self.x.shape[1]} values a frame, y has {self.y.shape[1]}", hint="give both the same features"
            )
        self.x, self.y = twin.prepare(self.x, self.y, metric)
        self.metric, self.pattern, self.band, self.root = metric, pattern, band, root
        self.kernels = pairs_twin.kernels()
        width, code = self.x.shape[1], pairs_twin.PATTERNS.index(pattern)
        self.head = (self.x, self.x_offsets, self.y, self.y_offsets, width, _CODES[metric], code)

    def groups(self, rows: Indices) -> Iterator[tuple[Indices, Indices, Indices | None]]:
        """Rows and columns that one corridor serves: all of them, or under a band those of equal lengths."""
        n, m = np.diff(self.x_offsets), np.diff(self.y_offsets)
        if self.band is None:
            yield rows, np.argsort(m, kind="stable"), None  # neighbours in lanes should end together
            return
        from mmcli.aligners.kernels.corridor import band

        for a in np.unique(n[rows]):
            for b in np.unique(m):
                yield rows[n[rows] == a], np.flatnonzero(m == b), band(int(a), int(b), self.band * int(b))

    def inward(self, value: ArrayLike) -> Array:
        """A distance as reported, as the kernels sum it."""
        v = np.asarray(value, dtype=np.float64)
        v = v * v if self.root else v
        return v * 2 if self.metric == "cosine" else v

    def outward(self, value: Array) -> Array:
        """A distance as the kernels sum it, as reported."""
        v = value / 2 if self.metric == "cosine" else value
        return np.sqrt(v) if self.root else v


def _joined(series: Sequence[ArrayLike], name: str) -> tuple[Array, Indices]:
    arrays: list[Array] = []
    for k, values in enumerate(series):
        a = np.asarray(values, dtype=np.float64)
        a = a[:, None] if a.ndim == 1 else a
        if a.ndim != 2 or not a.size:
            raise InputError(f"{name}[{k}] has shape {a.shape}", hint="give (frames,) or (frames, dims), not empty")
        if arrays and a.shape[1] != arrays[0].shape[1]:
            raise MismatchError(f"{name}[{k}] has {a.shape[1]} values a frame, {name}[0] has {arrays[0].shape[1]}")
        if not np.isfinite(a).all():
            raise InputError(f"{name}[{k}] holds NaN or infinite values", hint="leave them out or fill them first")
        arrays.append(a)
    if not arrays:
        raise InputError(f"{name} holds no series")
    return np.concatenate(arrays), np.concatenate([[0], np.cumsum([len(a) for a in arrays])]).astype(np.int64)


def _spread(work: Callable[[Indices], Any], count: int, jobs: int) -> list[Any]:
    """``work`` on the rows 0 .. count - 1, in ``jobs`` threads."""
    if jobs <= 1 or count == 1:
        return [work(np.arange(count))]
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(work, np.array_split(np.arange(count), min(count, 4 * jobs))))


def pairwise(
    xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike] | None = None,
    *,
    metric: str = "euclidean",
    pattern: str = "symmetric1",
    band: float | None = None,
    root: bool = False,
    upper: ArrayLike | None = None,
    jobs: int = 1,
) -> Array:
    """The warping distance of every x from every y, float64 (xs, ys); infinite where no path exists.

    Series: (frames,) or (frames, dims). ``ys`` None: of the xs from each other. ``band``: total width as a share of the
    length of y. ``root``: the square root of the sum (with ``sqeuclidean`` the convention of the UCR archive).
    ``upper``: one distance or one for each x, above which infinity will do.

    Raises InputError for empty series and values that are not finite, MismatchError for unequal widths.

    >>> pairwise([[0.0, 1.0, 2.0], [5.0]], [[0.0, 2.0]], metric="manhattan").tolist()
    [[1.0], [8.0]]
    """
    p = _Problem(xs, xs if ys is None else ys, metric, pattern, band, root)
    out = np.full((len(p.x_offsets) - 1, len(p.y_offsets) - 1), np.inf)
    limit = None if upper is None else np.broadcast_to(p.inward(upper), (len(out),))

    def some(rows: Indices) -> None:
        for r, columns, ranges in p.groups(rows):
            p.kernels.matrix(*p.head, r, columns, ranges, None if limit is None else limit[r], out)

    if ys is None and band is None and limit is None and pattern in ("symmetric1", "symmetric2"):
        _mirrored(p, out, jobs)
    else:
        _spread(some, len(out), jobs)
    return p.outward(out)


def _mirrored(p: _Problem, out: Array, jobs: int) -> None:
    """Half of a symmetric matrix, then the other half."""
    order = np.argsort(np.diff(p.x_offsets), kind="stable")
    size = 64

    def some(blocks: Indices) -> None:
        for k in blocks * size:
            p.kernels.matrix(*p.head, order[: k + size], order[k : k + size], None, None, out)

    _spread(some, -(-len(order) // size), jobs)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    later = rank[:, None] > rank[None, :]
    out[later] = out.T[later]


def nearest(
    xs: Sequence[ArrayLike],
    ys: Sequence[ArrayLike],
    *,
    metric: str = "euclidean",
    pattern: str = "symmetric1",
    band: float | None = None,
    root: bool = False,
    jobs: int = 1,
) -> Nearest:
    """The nearest y of each x under the warping distance; arguments and errors as for ``pairwise``.

    Where no path leads to any y the index is -1 and the distance infinite.

    >>> found = nearest([[0.0, 1.0, 2.0]], [[9.0, 9.0], [0.0, 2.0, 2.0]], metric="manhattan")
    >>> found.index.tolist(), found.distance.tolist()
    ([1], [1.0])
    """
    p = _Problem(xs, ys, metric, pattern, band, root)
    count, candidates = len(p.x_offsets) - 1, len(p.y_offsets) - 1
    index, best = np.full(count, -1, dtype=np.int64), np.full(count, np.inf)

    def some(rows: Indices) -> int:
        tried = 0
        for group, columns, ranges in p.groups(rows):
            columns = np.sort(columns)
            bounds = Bounds.of(p.y, p.y_offsets, columns, metric, pattern, ranges)
            step = max(1, _AT_ONCE // len(columns))
            for k in range(0, len(group), step):
                r = group[k : k + step]
                low = np.stack([bounds.against(p.x[p.x_offsets[i] : p.x_offsets[i + 1]]) for i in r])
                order = np.argsort(low, axis=1, kind="stable")
                low = np.take_along_axis(low, order, axis=1)
                d, j = best[r], index[r]
                tried += p.kernels.nearest(*p.head, r, columns[order], ranges, low, d, j)
                best[r], index[r] = d, j
        return tried

    tried = sum(_spread(some, count, jobs))
    return Nearest(index, p.outward(best), 1.0 - tried / (count * candidates))
