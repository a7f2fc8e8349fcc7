"""When somebody speaks: a curve from -1 (silence) to 1 (speech) on a regular grid, from sound or from cues.

The level of the speech bands is compared with its own floor and ceiling over the 20 s around: a loud passage and a
quiet one, a hissing room and a silent one then look alike. No voice is told from music by it; cues of a film with
music under everything fit less well, and the refusal test says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits

Vector = NDArray[np.float64]

HOP_S = 0.01
LOCAL_S = 20.0  # in which floor and ceiling are looked for
SMOOTH_S = 0.05


def of_sound(sound: Any) -> Vector:
    """The curve of an audio clip, float64 (frames,), every 10 ms from 0."""
    from scipy.ndimage import percentile_filter, uniform_filter1d

    from mmcli import extractors

    module = extractors.load("logmel")
    bands = module.extract(sound, module.Config(hop_s=HOP_S, bands=24, low_hz=100.0, high_hz=_highest(sound)))
    level = uniform_filter1d(bands.flat().max(axis=1).astype(np.float64), max(1, round(SMOOTH_S / HOP_S)))
    thin = 10
    width = max(3, round(LOCAL_S / HOP_S / thin))
    sampled = level[::thin]
    floor = np.repeat(percentile_filter(sampled, 8, width, mode="nearest"), thin)[: len(level)]
    ceiling = np.repeat(percentile_filter(sampled, 92, width, mode="nearest"), thin)[: len(level)]
    share = (level - floor) / np.maximum(ceiling - floor, limits.SPEECH_DB.value)
    return np.asarray(np.clip((share - limits.SPEECH.value) * 5.0, -1.0, 1.0), dtype=np.float64)


def of_cues(cues: Sequence[tuple[float, float]], duration_s: float) -> Vector:
    """The curve of intervals (start, end) in seconds: 1 inside, -1 outside.

    >>> of_cues([(0.01, 0.03)], 0.05).tolist()
    [-1.0, 1.0, 1.0, -1.0, -1.0]
    """
    out = np.full(max(1, round(duration_s / HOP_S)), -1.0)
    for start, end in cues:
        out[max(0, round(start / HOP_S)) : max(0, round(end / HOP_S))] = 1.0
    return out


def edges(activity: Vector, *, shortest_s: float = 0.15) -> tuple[Vector, Vector]:
    """Times where speech begins and where it ends, runs and pauses shorter than ``shortest_s`` left out.

    >>> [t.tolist() for t in edges(of_cues([(1.0, 2.0)], 3.0))]
    [[1.0], [2.0]]
    """
    on = activity > 0
    for value in (False, True):  # first short pauses are filled, then short runs removed
        change = np.flatnonzero(np.diff(on.astype(np.int8)))
        bounds = np.concatenate([[0], change + 1, [len(on)]])
        for a, b in pairwise(bounds.tolist()):
            if on[a] == value and b - a < shortest_s / HOP_S and a > 0 and b < len(on):
                on[a:b] = not value
    step = np.diff(np.concatenate([[0], on.astype(np.int8), [0]]))
    first, last = (np.asarray(np.flatnonzero(step == k) * HOP_S, dtype=np.float64) for k in (1, -1))
    return first, last


def _highest(sound: Any) -> float:
    return float(min(4000.0, 0.49 * sound.rate))
