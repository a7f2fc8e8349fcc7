"""One frame of the filter that follows a live stream, in numpy: what csrc/live_rows.h computes, to read and to test by.

A row holds ``LANE`` zeros and then the states, to a multiple of ``LANE``; only the first ``states`` of them count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LANE = 16  # floats; that of csrc/live.h

Row = NDArray[np.float32]


def advance(
    reference: Row,
    query: Row,
    playing: Row,
    paused: Row,
    playing2: Row,
    paused2: Row,
    emission: Row,
    states: int,
    sharpness: float,
    scale: float,
    pause: float,
    stay: float,
    step: float,
    skip: float,
    enter: float,
    leave: float,
    jump: float,
) -> tuple[float, float, float, int]:
    """The probabilities of all states after one more frame, into ``playing2`` and ``paused2``.

    ``reference`` float32 (dims, width), one row a dimension; ``query`` (dims,); the rows (LANE + width,) float32. A
    state that plays explains the frame by ``exp(-sharpness * scale * distance)``, kept in ``emission``; a pause by
    ``pause``, below 0 by as much as the best state does. From frame to frame a playing state stays, goes one or two
    states on, pauses where it is with ``enter``, and is anywhere with ``jump``; a pause ends with ``leave``.

    Returns the emission of the pause, the scaled distance of the best state, the probability of pausing and the
    likeliest state.

    >>> rows = [np.zeros(2 * LANE, np.float32) for _ in range(5)]
    >>> rows[0][LANE] = 1.0
    >>> line = np.arange(LANE, dtype=np.float32)[None]
    >>> advance(line, np.ones(1, np.float32), *rows, 4, 4.0, 1.0, 0.01, 0.2, 0.6, 0.2, 0.0, 0.0, 0.0)[3]
    1
    """
    with np.errstate(under="ignore"):
        distance = np.sqrt(((reference - query[:, None]) ** 2).sum(axis=0)) * np.float32(scale)
        least = float(distance[:states].min())
        held = float(np.exp(-sharpness * least)) if pause < 0 else pause
        now, still = playing[LANE:].astype(np.float64), paused[LANE:].astype(np.float64)
        moved = stay * now + step * _behind(now, 1) + skip * _behind(now, 2)
        explained = np.exp(-np.minimum(sharpness * distance, 87.0))
        here = explained * (moved * (1 - enter) * (1 - jump) + leave * still + jump / states)
        there = (still * (1 - leave) + now * enter) * held
        here[states:] = there[states:] = 0.0
        total = here.sum() + there.sum()
        emission[LANE:] = explained
        playing2[LANE:] = here / total
        paused2[LANE:] = there / total
    return held, least, float(there.sum() / total), int((here + there).argmax())


def _behind(row: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(by), row[:-by]])


def kernel_name() -> str:
    """What runs."""
    return "twin"
