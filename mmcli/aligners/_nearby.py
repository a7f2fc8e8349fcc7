"""Whether a line found by long windows also holds for short ones: a free warp crosses a line, and agrees on average.

A window of ten seconds that is placed by its frames lies where most of it fits. Where the pace wanders by a quarter of
a second, such windows still agree with one line, and what lies inside them does not. So windows of four tenths of the
length are looked for around where the line puts them; most of them must fit best just there. Sound needs no such test:
its phase is measured in short windows from the start.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners import _windows
from mmcli.aligners._correlation import Searched
from mmcli.aligners._lines import Lags, Material

# Of the short windows, that must fit best where the line puts them. On 110 right lines and 28 wrong ones, through six
# kinds of features of speech, music and a film (offsets in noise, rates, smooth warps), right ones gave 0.77 and more
# but for three of noisy onsets, wrong ones 0.69 and less.
ENOUGH = 0.7
SHORTER = 0.4  # of the length of the long windows, as phase windows are
LEAST, LEAST_REACH = 8, 8  # frames of a short window, and of the way that it is looked for on either side
FEWEST = 3  # short windows, below which nothing is said
QUIET = 0.1  # of the mean energy: a window in which less happens fits anywhere


def holds(x: Material, y: Material, lags: Lags, segments: list[NDArray[np.float64]]) -> bool:
    """Whether most short windows of the query ``y`` lie where ``segments`` [(t_reference, t_query)] * 2 put them.

    True where there are too few of them to tell.
    """
    hop = _windows.hop_for(x.times, y.times * lags.rate, lags.hop_s)
    grid = x.searched(hop)
    length = max(LEAST, round(SHORTER * lags.window_s / hop))
    found = [_misses(grid, y, s, length) for s in segments]
    energy = np.concatenate([e for e, _ in found])
    misses = np.concatenate([m for _, m in found])[energy > QUIET * energy.mean()] if len(energy) else energy
    if len(misses) < FEWEST:
        return True
    near = max(lags.tolerance_s / hop, 2.0) + 0.5  # half a frame: places are whole frames here
    return bool(np.mean(np.abs(misses) <= near) >= ENOUGH)


def _misses(
    x: Searched, y: Material, segment: NDArray[np.float64], length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The energy of every window on a line, and how many frames from the line it fits best."""
    (r0, q0), (r1, q1) = segment
    rate = float((r1 - r0) / (q1 - q0))
    values, start = _windows.uniform(y.frames, y.times * rate, x.hop)
    values = _windows.standard(values)
    reach = max(LEAST_REACH, length // 4)
    spread = x.spread(length)
    first, last = (int(np.ceil((q * rate - start) / x.hop)) for q in (q0, q1))
    energies, misses = [], []
    for k in range(max(0, first), min(len(values), last + 1) - length + 1, max(1, length // 2)):
        at = (r0 + start + x.hop * k - q0 * rate - x.start) / x.hop
        low, high = max(0, round(at) - reach), min(len(x.grid) - length, round(at) + reach)
        if not low <= round(at) <= high:
            continue
        window = values[k : k + length] - values[k : k + length].mean(axis=0)
        energy = float((window * window).sum())
        if energy <= 0.0:
            continue
        views = np.lib.stride_tricks.sliding_window_view(x.grid[low : high + length], length, axis=0)
        fit = np.einsum("kdl,ld->k", views, window) / np.sqrt(spread[low : high + 1])
        energies.append(energy)
        misses.append(low + int(np.argmax(fit)) - at)
    return np.array(energies), np.array(misses)
