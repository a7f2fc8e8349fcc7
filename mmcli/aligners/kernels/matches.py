"""The k best places of one sequence inside another that do not overlap.

The best place is a warp with both ends open on the longer side (Müller 2007, "Information Retrieval for Music and
Motion", section 4.4). What it leaves of that side, before and behind it, is searched in the same way, so that the next
match is the best of all that keep clear of those found, and not merely the next low point of one cost curve.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.aligners.kernels import costs, engine
from mmcli.errors import UsageError

MOST_STUCK = 100  # stretches where x fits nowhere must not cost a warp a frame


class Match(NamedTuple):
    """One place: frames ``[start, stop)`` of y, its ``cost``, and the ``path`` int64 (k, 2) of (row of x, row of y)."""

    cost: float
    start: int
    stop: int
    path: NDArray[np.int64]


def matches(
    x: ArrayLike,
    y: ArrayLike,
    k: int,
    *,
    shortest: float = 0.5,
    limit: float = float("inf"),
    **options: Unpack[engine.Options],
) -> list[Match]:
    """The at most ``k`` best places of ``x`` (n, d) in ``y`` (m, d), best first, equal ones from the left.

    A match of fewer than ``shortest * n`` frames of y is a warp that got stuck on one frame: it is left out, with the
    frames it covers, and after 100 of them no more are looked behind. ``limit``: the largest cost of interest.
    ``options`` as for ``engine.align`` but corridor and open ends; ``pattern="slope2"`` keeps every match between half
    and twice the length of x.

    Raises UsageError for k below 1 or an option that does not apply, and as ``engine.align``.

    >>> y = np.array([[9.0], [1.0], [2.0], [9.0], [9.0], [1.0], [2.5], [9.0]])
    >>> [(m.cost, m.start, m.stop) for m in matches(np.array([[1.0], [2.0]]), y, 2)]
    [(0.0, 1, 3), (0.5, 5, 7)]
    """
    if k < 1:
        raise UsageError(f"{k} matches asked for", hint="ask for 1 or more")
    if not 0 <= shortest <= 1:
        raise UsageError(f"shortest {shortest}", hint="give a share of the length of x, 0 to 1")
    for name in ("corridor", "open_begin", "open_end", "upper"):
        if name in options:
            raise UsageError(f"{name} has no meaning for matches")
    a, b = costs.pair(x, y)
    least = max(1, int(np.ceil(shortest * len(a))))
    if options.get("pattern") == "slope2":
        least = max(least, len(a) // 2 + 1)  # no path goes through fewer
    chosen: list[Match] = []
    waiting: list[tuple[float, int, int, Match, int]] = []  # the best match of each stretch of y not yet taken

    stuck = 0
    inner = engine.Options(**{**options, "open_begin": (False, True), "open_end": (False, True)})

    def search(*stretches: tuple[int, int]) -> None:
        nonlocal stuck
        todo = list(stretches)
        while todo:
            begin, end = todo.pop()
            if end - begin < least:
                continue
            match = _best(a, b[begin:end], begin, inner)
            if match.cost > limit:
                continue
            if match.stop - match.start >= least:
                heapq.heappush(waiting, (match.cost, match.start, begin, match, end))
                continue
            stuck += 1
            if stuck <= MOST_STUCK:
                todo += [(match.stop, end), (begin, match.start)]

    search((0, len(b)))
    while waiting and len(chosen) < k:
        _, _, begin, match, end = heapq.heappop(waiting)
        chosen.append(match)
        if len(chosen) < k:
            search((begin, match.start), (match.stop, end))
    return chosen


def _best(x: NDArray[np.float64], y: NDArray[np.float64], first: int, options: engine.Options) -> Match:
    """The best place in a stretch of y that begins at frame ``first``."""
    cost, path = engine.align(x, y, **options)
    path = path + np.array([0, first])
    return Match(cost, int(path[0, 1]), int(path[-1, 1]) + 1, path)
