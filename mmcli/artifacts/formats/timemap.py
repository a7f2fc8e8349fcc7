"""The map between two timelines, as a thing: evaluate, invert, compose, restrict, resample.

A map holds *segments*, each a list of knots ``(t_reference, t_query)`` in seconds, strictly increasing in both columns
and straight between knots. Between two segments lies a *break*: a stretch of the reference, of the query or of both
that has no partner. The map is undefined there and outside its knots, with one exception: an offset or a rate with an
offset (model ``offset`` or ``affine``) holds everywhere. Undefined times are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmcli.errors import InputError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.alignment import Alignment

Times = NDArray[np.float64]
Break = dict[str, Any]

LINES = ("offset", "affine")
TOUCHING = 1e-6  # seconds: a gap shorter than this between two segments is rounding, not a break


class TimeMap:
    """A map between reference and query time.

    ``source`` is an :class:`~.alignment.Alignment` or knots (k, 2) float64 in seconds; ``breaks`` are
    ``{"side": "reference" | "query", "start": s, "end": s}``. With ``rate`` (and ``offset_s``) the map is the line
    ``t_reference = offset_s + rate * t_query``, which holds outside the knots too.

    >>> m = TimeMap(np.array([[0.0, 1.0], [10.0, 6.0]]))
    >>> m.to_query(np.array([0.0, 5.0, 11.0])).tolist()
    [1.0, 3.5, nan]
    >>> m.to_reference(np.array([3.5])).tolist()
    [5.0]
    """

    def __init__(
        self,
        source: Alignment | ArrayLike,
        breaks: Sequence[Break] = (),
        model: str = "warp",
        *,
        offset_s: float | None = None,
        rate: float | None = None,
    ) -> None:
        knots = getattr(source, "knots", None)
        if knots is not None:
            breaks, model = source.breaks, source.model  # type: ignore[union-attr]
            offset_s, rate = source.offset_s, source.rate  # type: ignore[union-attr]
        else:
            knots = source
        self.knots: Times = np.asarray(knots, dtype=np.float64).reshape(-1, 2)
        self.breaks: list[Break] = [dict(b) for b in breaks]
        self.model = model
        self.offset_s, self.rate = offset_s, rate
        if model in LINES and (self.offset_s is None or self.rate is None):
            self.offset_s, self.rate = _line_of(self.knots, model)
        self.segments: list[Times] = _split(self.knots, self.breaks)
        if not np.all(np.isfinite(self.knots)):
            raise InputError("the knots of the map are not finite")
        for s in self.segments:
            if np.any(np.diff(s, axis=0) <= 0):
                raise InputError("the knots of the map do not increase in both columns")

    @property
    def is_line(self) -> bool:
        """Whether the map is one line that holds everywhere."""
        return self.model in LINES

    def to_query(self, t_reference: ArrayLike) -> Times:
        """Query times of reference times, seconds float64 of the same shape; NaN where the map is undefined."""
        return self._evaluate(t_reference, 0)

    def to_reference(self, t_query: ArrayLike) -> Times:
        """Reference times of query times, seconds float64 of the same shape; NaN where the map is undefined."""
        return self._evaluate(t_query, 1)

    def _evaluate(self, t: ArrayLike, side: Literal[0, 1]) -> Times:
        x = np.asarray(t, dtype=np.float64)
        if self.is_line:
            assert self.offset_s is not None
            assert self.rate is not None
            return np.asarray((x - self.offset_s) / self.rate if side == 0 else self.offset_s + self.rate * x)
        out = np.full(x.shape, np.nan)
        for s in reversed(self.segments):  # where segments touch, the earlier one answers
            a, b = s[0, side], s[-1, side]
            inside = (x >= a) & (x <= b)
            out[inside] = np.interp(x[inside], s[:, side], s[:, 1 - side])
        return out

    def invert(self) -> TimeMap:
        """The same map with the two sides exchanged.

        >>> m = TimeMap([[10.0, 0.0], [20.0, 5.0]], model="affine", offset_s=10.0, rate=2.0).invert()
        >>> m.offset_s, m.rate, m.to_query(4.0).item()
        (-5.0, 0.5, 18.0)
        """
        other = {"reference": "query", "query": "reference"}
        breaks = [{**b, "side": other[b["side"]]} for b in self.breaks]
        offset = rate = None
        if self.is_line and self.offset_s is not None and self.rate is not None:
            offset, rate = -self.offset_s / self.rate, 1.0 / self.rate
        return TimeMap(self.knots[:, ::-1].copy(), breaks, self.model, offset_s=offset, rate=rate)

    def compose(self, other: TimeMap) -> TimeMap:
        """From ``self`` (A to B) and ``other`` (B to C) the map from A to C, defined where both are.

        >>> a = TimeMap([[0.0, 1.0], [4.0, 5.0]], model="offset", offset_s=-1.0, rate=1.0)
        >>> b = TimeMap([[0.0, 0.0], [8.0, 4.0]])
        >>> a.compose(b).knots.tolist()
        [[-1.0, 0.0], [7.0, 4.0]]
        """
        if self.is_line and other.is_line:
            assert self.offset_s is not None
            assert self.rate is not None
            assert other.offset_s is not None
            assert other.rate is not None
            rate = self.rate * other.rate
            offset = self.offset_s + self.rate * other.offset_s
            model = "affine" if "affine" in (self.model, other.model) else "offset"
            ends = np.array([self.knots[0, 0], self.knots[-1, 0]])
            return TimeMap(np.column_stack([ends, (ends - offset) / rate]), model=model, offset_s=offset, rate=rate)
        mine, theirs = self.segments, other.segments
        if self.is_line:
            mine = [np.column_stack([self.to_reference(s[:, 0]), s[:, 0]]) for s in theirs]
        elif other.is_line:
            theirs = [np.column_stack([s[:, 1], other.to_query(s[:, 1])]) for s in mine]
        joined = [part for a in mine for b in theirs if (part := _join(a, b)) is not None]
        if not joined:
            raise InputError("the two maps have no stretch in common")
        model = "warp" if "warp" in (self.model, other.model) else "piecewise"
        return from_segments(joined, model)

    def restrict(self, start: float, end: float) -> TimeMap:
        """The map of the reference times ``start`` to ``end`` alone (seconds).

        >>> TimeMap([[0.0, 0.0], [10.0, 20.0]]).restrict(2.0, 3.0).knots.tolist()
        [[2.0, 4.0], [3.0, 6.0]]
        """
        if not end > start:
            raise InputError(f"no stretch lies between {start:g} s and {end:g} s")
        if self.is_line:
            ends = np.array([start, end])
            knots = np.column_stack([ends, self.to_query(ends)])
            return TimeMap(knots, model=self.model, offset_s=self.offset_s, rate=self.rate)
        parts = []
        for s in self.segments:
            a, b = max(start, s[0, 0]), min(end, s[-1, 0])
            if b > a:
                t = np.concatenate([[a], s[(s[:, 0] > a) & (s[:, 0] < b), 0], [b]])
                parts.append(np.column_stack([t, np.interp(t, s[:, 0], s[:, 1])]))
        if not parts:
            raise InputError(f"the map says nothing between {start:g} s and {end:g} s of the reference")
        return from_segments(parts, self.model)

    def resample(self, hop: float) -> TimeMap:
        """The map with knots every ``hop`` seconds of the reference, the ends of every segment kept.

        >>> TimeMap([[0.0, 0.0], [1.0, 2.0]]).resample(0.4).knots[:, 0].tolist()
        [0.0, 0.4, 0.8, 1.0]
        """
        if not hop > 0:
            raise InputError(f"a hop of {hop:g} s is not positive")
        parts = []
        for s in self.segments:
            t = s[0, 0] + hop * np.arange(int(np.ceil((s[-1, 0] - s[0, 0]) / hop)))
            t = np.append(t[t < s[-1, 0] - 1e-9], s[-1, 0])
            parts.append(np.column_stack([t, np.interp(t, s[:, 0], s[:, 1])]))
        if self.is_line:
            return TimeMap(np.concatenate(parts), model=self.model, offset_s=self.offset_s, rate=self.rate)
        return from_segments(parts, self.model)


def from_segments(segments: Sequence[Times], model: str) -> TimeMap:
    """The map of segments in order; what lies between two of them becomes a break of that side.

    >>> from_segments([np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 1.0], [4.0, 2.0]])], "piecewise").breaks
    [{'side': 'reference', 'start': 1.0, 'end': 3.0}]
    """
    ordered = sorted(segments, key=lambda s: float(s[0, 0]))
    kept = [ordered[0]]
    breaks: list[Break] = []
    for s in ordered[1:]:
        end = kept[-1][-1]
        back = end - s[0]
        if np.any((back > 0) & (back < TOUCHING)):  # rounding: no knot lies before the one before it
            s = np.concatenate([[np.maximum(s[0], end)], s[1:]])
        start = s[0]
        if np.all(start - end < TOUCHING):
            kept[-1] = np.concatenate([kept[-1], s[1:] if len(s) > 1 else s])
            continue
        for column, side in enumerate(("reference", "query")):
            if start[column] - end[column] >= TOUCHING:
                breaks.append({"side": side, "start": float(end[column]), "end": float(start[column])})
        kept.append(s)
    return TimeMap(np.concatenate(kept), breaks, model)


def from_path(path: NDArray[np.int64], x_times: ArrayLike, y_times: ArrayLike, max_error_s: float = 0.001) -> Times:
    """The knots float64 (k, 2) of a frame path int64 (k, 2): per reference frame the mean query time, then thinned.

    Thinning keeps points of the curve and moves no other by more than ``max_error_s`` seconds of query time. Where
    several reference frames share one query frame the curve would be flat; it rises there by a quarter of
    ``max_error_s`` either side, so that the knots increase strictly in both columns.

    >>> path = np.array([[0, 0], [1, 1], [2, 2], [2, 3], [2, 4], [3, 5]])
    >>> from_path(path, np.arange(4.0), np.arange(6.0)).tolist()
    [[0.0, 0.0], [1.0, 1.0], [3.0, 5.0]]
    """
    tx, ty = np.asarray(x_times, dtype=np.float64), np.asarray(y_times, dtype=np.float64)
    frames, first, count = np.unique(path[:, 0], return_index=True, return_counts=True)
    knots = from_curve(tx[frames], np.add.reduceat(ty[path[:, 1]], first) / count, max_error_s)
    if len(knots) == 1:  # one frame on a side: it lasts as long as its neighbours are apart, a second if it has none
        return np.concatenate([knots, knots + np.array([_hop(tx), _hop(ty)])])
    return knots


def from_curve(t: ArrayLike, q: ArrayLike, max_error_s: float = 0.001) -> Times:
    """The knots float64 (k, 2) of a curve: query times ``q`` (n,) that never fall, at rising times ``t`` (n,).

    Thinned as by :func:`from_path`.

    >>> from_curve([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]).tolist()
    [[0.0, 0.0], [2.0, 2.0]]
    """
    rising, level = _without_plateaus(np.asarray(t, np.float64), np.asarray(q, np.float64), max_error_s / 4)
    keep = _thin(rising, level, max_error_s * 0.75)
    return np.column_stack([rising[keep], level[keep]])


def _without_plateaus(t: Times, q: Times, rise: float) -> tuple[Times, Times]:
    """Flat runs as two points, ``rise`` (or a quarter of the way to the next height) below and above their height."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(q) > 0]))
    ends = np.append(starts[1:], len(q)) - 1
    height = q[starts]
    gap = np.diff(height, prepend=-np.inf, append=np.inf)
    step = np.minimum(rise, np.minimum(gap[:-1], gap[1:]) / 4)
    flat = ends > starts
    low = np.where(flat, height - step, height)
    high = np.where(flat, height + step, height)
    low[0], high[-1] = height[0], height[-1]  # never before the first query frame, never after the last
    if len(height) == 1 and flat[0]:
        high[0] = low[0] + 2 * rise
    out_t = np.concatenate([t[starts], t[ends[flat]]])
    out_q = np.concatenate([low, high[flat]])
    order = np.argsort(out_t, kind="stable")
    return out_t[order], out_q[order]


def _thin(t: Times, q: Times, tolerance: float) -> NDArray[np.int64]:
    """Indices of the points to keep: from each, the cone of lines that pass all later points within the tolerance."""
    keep = [0]
    anchor, low, high = 0, -np.inf, np.inf
    tl, ql = t.tolist(), q.tolist()
    k = 1
    while k < len(tl):
        dt, dq = tl[k] - tl[anchor], ql[k] - ql[anchor]
        if k > anchor + 1 and not low <= dq / dt <= high:
            keep.append(k - 1)
            anchor, low, high = k - 1, -np.inf, np.inf
            continue
        low, high = max(low, (dq - tolerance) / dt), min(high, (dq + tolerance) / dt)
        k += 1
    if len(tl) > 1:
        keep.append(len(tl) - 1)
    return np.array(keep, dtype=np.int64)


def _hop(times: Times) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def _split(knots: Times, breaks: Sequence[Break]) -> list[Times]:
    """The segments: knots cut wherever a break lies between two neighbours."""
    if len(knots) == 0:
        return []
    cut = np.zeros(len(knots) - 1, dtype=bool)
    for b in breaks:
        column = 0 if b["side"] == "reference" else 1
        t = knots[:, column]
        cut |= (t[:-1] <= b["start"] + TOUCHING) & (t[1:] >= b["end"] - TOUCHING)
    return [s for s in np.split(knots, np.flatnonzero(cut) + 1) if len(s)]


def _line_of(knots: Times, model: str) -> tuple[float, float]:
    """Offset and rate from the ends of a line's knots, for maps written by hand without the two numbers."""
    if len(knots) < 2 or knots[-1, 1] == knots[0, 1]:
        raise InputError(f"a map of model {model!r} needs an offset and a rate, or two knots")
    rate = 1.0 if model == "offset" else float((knots[-1, 0] - knots[0, 0]) / (knots[-1, 1] - knots[0, 1]))
    return float(knots[0, 0] - rate * knots[0, 1]), rate


def _join(a: Times, b: Times) -> Times | None:
    """The part that a segment A-B and a segment B-C have in common, as a segment A-C."""
    low, high = max(a[0, 1], b[0, 0]), min(a[-1, 1], b[-1, 0])
    if high - low < TOUCHING:
        return None
    middle = np.unique(np.concatenate([a[:, 1], b[:, 0]]))
    middle = np.concatenate([[low], middle[(middle > low + 1e-9) & (middle < high - 1e-9)], [high]])
    return np.column_stack([np.interp(middle, a[:, 1], a[:, 0]), np.interp(middle, b[:, 0], b[:, 1])])
