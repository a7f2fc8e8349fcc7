"""The map of a stream that was followed to its end: what one pass over both sides explains, with breaks elsewhere."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.live.follower import Follower
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import MismatchError

GAP_S = 0.3  # of either side, from which a stretch without the other is a break
FASTER = 2.2  # or this much more of the reference than of the stream
SHORTEST_S = 0.3  # a stretch between breaks


def alignment(
    follower: Follower, config: dict[str, Any], reference: dict[str, Any], query: dict[str, Any], name: str
) -> Alignment:
    """The map. ``reference`` and ``query`` are what it says of the two sides.

    A map runs forwards in both: of a passage that was played twice it holds one playing, and the other is a break.
    Raises :class:`MismatchError` where nothing was followed.
    """
    track = np.array(follower.track, dtype=np.float64).reshape(-1, 3)
    parts = [track[rows] for rows in _stretches(track)]
    if not parts:
        raise MismatchError("was nowhere found in the reference, so there is no map", source=name)
    knots = [timemap.from_curve(part[:, 1], part[:, 0]) for part in parts]
    whole = timemap.from_segments([k for k in knots if len(k) > 1], "warp")
    kept = np.concatenate(parts)
    widths = np.interp(whole.knots[:, 1], kept[:, 0], kept[:, 2])
    lost = follower.lost_frames / max(follower.frames, 1)
    cost = follower.mean_cost
    right = lost < 0.5
    return Alignment(
        model="piecewise" if whole.breaks else "warp",
        knots=whole.knots,
        breaks=whole.breaks,
        confidence_s=[round(float(w), 4) for w in widths],
        quality={
            "ratio": None if cost is None else round(cost, 4),
            "verdict": "match" if right else "no match (followed all the same)",
            "reason": f"lost in {lost:.0%} of the frames; cost {_number(cost)} of that of a stranger, "
            f"limit {limits.LIVE_STRANGE.value:g}",
        },
        method={"name": "follow", "config": config},
        cost=None,
        reference=reference,
        query=query,
    )


def _number(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.2f}"


def _stretches(track: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Rows of the longest run forwards in both, cut at breaks."""
    rows = longest_rise(track[:, 1])
    if not len(rows):
        return []
    t, x = track[rows, 0], track[rows, 1]
    dt, dx = np.diff(t), np.diff(x)
    cut = (dt > GAP_S) | (dx > FASTER * dt + GAP_S)
    stretches = np.split(rows, np.flatnonzero(cut) + 1)
    return [s for s in stretches if len(s) > 2 and track[s[-1], 0] - track[s[0], 0] >= SHORTEST_S]


def longest_rise(x: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of a longest strictly rising subsequence of ``x`` (n,), int64.

    Reference: C. Schensted, "Longest increasing and decreasing subsequences", Canadian Journal of Mathematics 13, 1961.

    >>> longest_rise(np.array([1.0, 2.0, 9.0, 3.0, 4.0])).tolist()
    [0, 1, 3, 4]
    """
    tails: list[float] = []
    last: list[int] = []
    before = np.full(len(x), -1, dtype=np.int64)
    for i, value in enumerate(x.tolist()):
        k = bisect_left(tails, value)
        before[i] = last[k - 1] if k else -1
        if k == len(tails):
            tails.append(value)
            last.append(i)
        else:
            tails[k], last[k] = value, i
    rows = []
    at = last[-1] if last else -1
    while at >= 0:
        rows.append(at)
        at = int(before[at])
    return np.array(rows[::-1], dtype=np.int64)
