"""Frames that are words or lines: what every stream did while each was spoken.

The spans come from the segments of a transcript's alignment, in reference time; a stream is pooled over each.
"""

from __future__ import annotations

import numpy as np

from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import InputError
from mmcli.fusion.grid import Clock

KINDS = ("word", "line")


def spoken_windows(alignment: Alignment, kind: str, source: object = None) -> np.ndarray:
    """The spoken segments of one kind, float64 ``(n, 2)`` start and end in seconds, by their start.

    Raises :class:`InputError` where the alignment has none.
    """
    spans = [
        (float(s["start"]), float(s["end"]))
        for s in alignment.segments or []
        if s.get("kind") == kind and s.get("spoken", True) and s["end"] > s["start"]
    ]
    if not spans:
        raise InputError(f"holds no {kind} segments", source=source, hint="align the sound with its transcript")
    ordered = np.array(sorted(spans))
    centre = ordered.mean(axis=1)
    return np.asarray(ordered[np.concatenate([[True], np.diff(centre) > 0])])


def pool(
    values: np.ndarray, times: np.ndarray, spans: np.ndarray, *, to_own_clock: Clock | None = None, how: str = "mean"
) -> tuple[np.ndarray, np.ndarray]:
    """The frames of ``values`` float ``(frames, width)`` inside each span, pooled (mean, max or last).

    Returns float64 ``(n, width)`` and bool ``(n,)``: a span whose ends the map does not know, or that lies outside the
    stream, is undefined. A span between two frames takes the nearest one; a static stream holds everywhere.

    >>> pool(np.arange(4.0)[:, None], np.arange(4.0), np.array([[0.5, 2.5], [8.0, 9.0]]))
    (array([[1.5],
           [0. ]]), array([ True, False]))
    """
    wide = np.asarray(values, dtype=np.float64)
    if len(times) == 1:
        return np.repeat(wide, len(spans), axis=0), np.ones(len(spans), bool)
    own = spans if to_own_clock is None else to_own_clock(spans)
    hop = float(np.median(np.diff(times)))
    known = np.isfinite(own).all(axis=1) & (own[:, 1] >= times[0] - hop / 2) & (own[:, 0] <= times[-1] + hop / 2)
    pooled = np.zeros((len(spans), wide.shape[1]))
    for row in np.flatnonzero(known):
        low, high = np.searchsorted(times, own[row, 0]), np.searchsorted(times, own[row, 1], side="right")
        if high <= low:
            low = int(np.abs(times - own[row].mean()).argmin())
            high = low + 1
        frames = wide[low:high]
        pooled[row] = frames.max(axis=0) if how == "max" else frames[-1] if how == "last" else frames.mean(axis=0)
    return pooled, known
