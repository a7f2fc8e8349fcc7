"""The directions in which two series of different kinds move together, found while they are warped onto each other.

Zhou and De la Torre 2009, "Canonical time warping for alignment of human behavior", algorithm 1: canonical correlation
analysis of the paired frames and dynamic time warping of the projected ones take turns. Both lower the same cost until
it stands still; which minimum they come to depends on where they start, so they start from several paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.aligners.core.shuffle_test import shuffled
from mmcli.aligners.kernels import engine
from mmcli.errors import InputError

Path = NDArray[np.int64]
Values = NDArray[np.float64]

MAX_DIMS = 8
COARSE = 400  # frames, to which series are thinned where starts are tried
BEST = 2  # starts that are followed to the end at full resolution


@dataclass(frozen=True)
class Shared:
    """The path int64 (k, 2), both series (n, d), (m, d) in the space they share, and the cost after every turn.

    ``costs`` fall from turn to turn; 0: the two move as one, 1: they have nothing in common.
    """

    path: Path
    x: Values
    y: Values
    costs: list[float]

    @property
    def cost(self) -> float:
        """The last of the costs."""
        return self.costs[-1]


def find(
    x: Values, y: Values, *, dims: int = 0, ridge: float = 1e-3, most: int = 30, tolerance: float = 1e-6
) -> Shared:
    """The cheapest of several starts for series (n, a) and (m, b); see :class:`mmcli.aligners.methods.ctw.Config`."""
    x, y = (v.astype(np.float64) - v.mean(axis=0) for v in (x, y))
    options: dict[str, Any] = {"dims": dims, "ridge": ridge, "tolerance": tolerance}
    thin = max(1, round(max(len(x), len(y)) / COARSE))
    a, b = _thinned(x, thin), _thinned(y, thin)
    tried = [alternate(a, b, path, most=most, **options) for path in starts(a, b)]
    tried.sort(key=lambda t: t.cost)
    if thin == 1:
        return tried[0]
    followed = [
        alternate(x, y, _scaled(t.path, len(a), len(b), len(x), len(y)), most=most, **options) for t in tried[:BEST]
    ]
    return min(followed, key=lambda t: t.cost)


def alternate(x: Values, y: Values, path: Path, *, dims: int, ridge: float, most: int, tolerance: float) -> Shared:
    """From a path on: directions for the path, then the path for the directions, while that is cheaper."""
    best: Shared | None = None
    for _ in range(most):
        u, v = _projected(x, y, path, dims, ridge)
        path = engine.align(u, v, metric="sqeuclidean").path
        cost = _cost(u, v, path)
        if best is None:
            best = Shared(path, u, v, [cost])
        elif cost < best.cost - tolerance:
            best = Shared(path, u, v, [*best.costs, cost])
        else:
            break
    assert best is not None
    return best


def starts(x: Values, y: Values) -> list[Path]:
    """Paths to begin with: straight, and by what of both might be the same without knowing how they are turned.

    The main direction either way up, how fast they change, and how far they are from their mean.
    """
    n, m = len(x), len(y)
    k = max(n, m)
    paths: list[NDArray[Any]] = [
        np.unique(np.round(np.column_stack([np.linspace(0, n - 1, k), np.linspace(0, m - 1, k)])), axis=0)
    ]
    sides = [(_main(v), _speed(v), np.linalg.norm(_whitened(v), axis=1)) for v in (x, y)]
    views = [(a, sign * b) for a, b, sign in ((sides[0][0], sides[1][0], 1), (sides[0][0], sides[1][0], -1))]
    views += [(sides[0][k], sides[1][k]) for k in (1, 2)]
    for a, b in views:
        columns = [_standard(v)[:, None] for v in (a, b)]
        paths.append(engine.align(columns[0], columns[1], metric="sqeuclidean").path)
    return [np.ascontiguousarray(f, dtype=np.int64) for f in paths]


def _projected(x: Values, y: Values, path: Path, dims: int, ridge: float) -> tuple[Values, Values]:
    """Both series on their canonical directions for the frames that the path pairs, each weighing as it correlates."""
    a, b = x[path[:, 0]], y[path[:, 1]]
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    n = len(path)
    wa, wb = _whitener(a.T @ a / n, ridge), _whitener(b.T @ b / n, ridge)
    left, strength, right = np.linalg.svd(wa @ (a.T @ b / n) @ wb)
    d = min(dims or MAX_DIMS, len(strength))
    weight = np.clip(strength[:d], 1e-6, 1.0)
    u, v = x @ (wa @ left[:, :d]), y @ (wb @ right[:d].T)
    u, v = ((s - s[path[:, k]].mean(axis=0)) for k, s in enumerate((u, v)))
    return np.ascontiguousarray(u * weight), np.ascontiguousarray(v * weight)


def _cost(u: Values, v: Values, path: Path) -> float:
    """Mean squared distance of the pairs over what it would be if they had nothing in common."""
    a, b = u[path[:, 0]], v[path[:, 1]]
    spread = float((a * a).sum() + (b * b).sum())
    return float(((a - b) ** 2).sum()) / spread if spread > 0 else 0.0


def _whitener(covariance: Values, ridge: float) -> Values:
    size = float(np.trace(covariance)) / len(covariance)
    values, vectors = np.linalg.eigh(covariance + max(ridge * size, 1e-12) * np.eye(len(covariance)))
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def _whitened(x: Values) -> Values:
    return x @ _whitener(x.T @ x / len(x), 1e-3)


def _main(x: Values) -> Values:
    return np.asarray(x @ np.linalg.svd(x, full_matrices=False)[2][0])


def _speed(x: Values) -> Values:
    white = _whitened(x)
    return np.asarray(np.linalg.norm(np.gradient(white, axis=0), axis=1)) if len(x) > 1 else np.zeros(len(x))


def _standard(v: Values) -> Values:
    return np.asarray((v - v.mean()) / max(float(v.std()), 1e-12))


def _thinned(x: Values, factor: int) -> Values:
    if factor == 1:
        return x
    n = max(1, len(x) // factor)
    return x[: n * factor].reshape(n, factor, -1).mean(axis=1) if len(x) >= factor else x


def _scaled(path: Path, n: int, m: int, rows: int, columns: int) -> Path:
    """A path between thinned series as one between the whole ones."""
    i = np.interp(np.arange(rows), path[:, 0] * (rows - 1) / max(n - 1, 1), path[:, 1] * (columns - 1) / max(m - 1, 1))
    return np.column_stack([np.arange(rows), np.round(i)]).astype(np.int64)


def changing(xv: Any, yv: Any, x: Any, y: Any) -> None:
    """Raises :class:`InputError` where a side stands still: nothing can correlate with it."""
    for side, values, given in (("reference", xv, x), ("query", yv, y)):
        if not float(np.ptp(values, axis=0).max()) > 0:
            raise InputError(f"the {side} does not change", source=inputs.name_of(given) or None)


# Whether what two kinds share has an order in common.
#
# The statistic is that of :mod:`.core.shuffle_test` for canonical time warping: its cost over that against a query
# whose blocks stand in another order. The directions are made anew for every order, so a null is low where a few slow
# movements can be turned onto anything.

BLOCKS = 40  # into which the query is cut
SHUFFLES = 4


def shuffle_test(x: Any, y: Any) -> tuple[Shared, float]:
    """The shared space with its path, and the statistic: near 0 for a pair, near 1 for strangers."""
    (a, _), (b, _) = inputs.checked(x, y, same_width=False)
    changing(a, b, x, y)
    shared = find(a, b)
    block = max(2, len(b) // BLOCKS)
    nulls = [find(a, shuffled(b, block, seed)).cost for seed in range(SHUFFLES)]
    null = float(np.mean(nulls))
    return shared, shared.cost / null if null > 0 else 1.0
