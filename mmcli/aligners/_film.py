"""A film on another clock: which of its times have no place there, and whether its sound can follow uncut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners._stretch import DRIFT
from mmcli.aligners.timemap import TOUCHING, TimeMap
from mmcli.artifacts import atomic
from mmcli.errors import MediaError
from mmcli.media import remux

Times = NDArray[np.float64]


def rewritten(path: Path, output: Path, m: TimeMap, known: Callable[[Times], Times]) -> str:
    """Write the film with its times from the query of ``m`` to its reference; returns what became of it, a sentence.

    ``known`` maps times outside the map by their distance from it. The sound is written where no stretch of the map
    runs faster or slower than 0.3 %, else left out: its pitch would change, and it would have to be encoded anew.
    """
    steady = follows(m)
    with atomic.path(output) as temporary:
        found = remux.retimed(path, temporary, lambda t: places(m, known, t), suffix=output.suffix, sound=steady)
    if not found.written.get("video"):
        raise MediaError("has no picture where the map says anything", source=path.name)
    said = f"{found.written['video']} pictures"
    if found.written.get("audio"):
        said += " and their sound"
    elif not steady and "audio" in found.tracks_left_out:
        said += "; the pace changes, so the sound is left out: `mmcli warp` it into a wav file"
    refused = [track for track in found.tracks_left_out if "(" in track]
    if refused:
        said += f"; left out: {', '.join(refused)}"
    lost = ", ".join(f"{n} {kind}" for kind, n in found.left_out.items())
    return said + (f"; without a place on that clock, left out: {lost} packets" if lost else "")


def follows(m: TimeMap) -> bool:
    """Whether every stretch of the map runs at the pace of the other clock, but for the drift of a clock."""
    if m.is_line:
        return m.rate is not None and abs(m.rate - 1.0) <= DRIFT
    slopes = [np.diff(s[:, 0]) / np.diff(s[:, 1]) for s in m.segments if len(s) > 1]
    return bool(slopes) and float(np.abs(np.concatenate(slopes) - 1.0).max()) <= DRIFT


def places(m: TimeMap, known: Callable[[Times], Times], t: Times) -> tuple[Times, NDArray[np.bool_]]:
    """Where query times (n,) lie on the reference clock, and which have no place there.

    Those in a break share what room the reference has between its ends; where it has none, or before its beginning,
    there is no place.

    >>> gap = TimeMap([[0.0, 0.0], [5.0, 5.0], [5.0, 8.0], [9.0, 12.0]], [{"side": "query", "start": 5.0, "end": 8.0}])
    >>> [v.tolist() for v in places(gap, gap.to_reference, np.array([4.0, 6.0, 9.0]))]
    [[4.0, 5.0, 6.0], [False, True, False]]
    """
    out = np.full(len(t), np.nan)
    gone = np.zeros(len(t), dtype=bool)
    for before, after in zip(m.segments, m.segments[1:], strict=False):
        (r0, q0), (r1, q1) = before[-1], after[0]
        inside = (t > q0) & (t < q1)
        out[inside] = r0 + (t[inside] - q0) * (r1 - r0) / max(q1 - q0, TOUCHING)
        gone[inside] = r1 - r0 < TOUCHING
    rest = np.isnan(out)
    out[rest] = known(t[rest])
    return out, gone | (out < 0)
