"""The edges of spoken words drawn in to where their sound begins and ends, at pauses.

A decoder that has no better place for a pause gives it to a word: before a voice sets in, words began 30 ms early on
recordings of people. The level of the sound decides: what is softer (limits.QUIET) next to the floor and the ceiling of
the ten seconds around, at the outer edge of a word, is not the word. Quiet between two words that is shorter than a
pause (limits.PAUSE_S) is the closure of a stop, and stays where the decoder put it.

A short word that a line begins with ("A lion.") is heard as the last breath of the line before as soon as in front of
its noun, a pause away; the longer pause tells where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits

Vector = NDArray[np.float64]

HOP_S = 0.005
WINDOW_S = 0.02
BLOCK = 10_000  # levels computed at once, so that hours need no more memory than minutes
AROUND_S = 5.0  # on either side of a word, in which floor and ceiling are looked for
MOST_S = 0.2  # that an edge is moved by
# Of a pause behind the first word of a line that none half as long goes before, and of that word. Lists of short names
# by four voices of programs (320 lines): begun more than 0.1 s early 1.6 % without, none with; by four others 0.6 and
# 0.3 %; lines of sentences are not moved. A fifth more or less of either changes nothing there.
LEAD_PAUSE_S, LEAD_WORD_S = 0.25, 0.15


def levels(samples: NDArray[Any], rate_hz: int) -> Vector:
    """The level in dB every HOP_S, float64 (n,)."""
    hop, width = round(HOP_S * rate_hz), round(WINDOW_S * rate_hz)
    window = np.hanning(width + 2)[1:-1]
    out = np.empty(-(-len(samples) // hop))
    for first in range(0, len(out), BLOCK):
        last = min(first + BLOCK, len(out))
        start, end = max(first * hop - width, 0), min(last * hop + width, len(samples))
        power = np.convolve(np.square(samples[start:end], dtype=np.float64), window / window.sum(), mode="same")
        out[first:last] = power[first * hop - start :: hop][: last - first]
    return np.asarray(10.0 * np.log10(out + 1e-10))


def drawn_in(words: list[tuple[float, float]], level: Vector) -> list[tuple[float, float]]:
    """Start and end of words, in seconds and in order, without the pauses at their edges.

    >>> level = np.full(400, -80.0)
    >>> level[120:180] = -20.0
    >>> drawn_in([(0.5, 1.0)], level)
    [(0.6, 0.9)]
    """
    sounding = [_sounding(start, end, level) for start, end in words]
    out = []
    for k, ((start, end), (begins, ends)) in enumerate(zip(words, sounding, strict=True)):
        before = begins - sounding[k - 1][1] if k else limits.PAUSE_S.value
        after = sounding[k + 1][0] - ends if k + 1 < len(words) else limits.PAUSE_S.value
        out.append(
            (begins if before >= limits.PAUSE_S.value else start, ends if after >= limits.PAUSE_S.value else end)
        )
    return out


def _sounding(start: float, end: float, level: Vector) -> tuple[float, float]:
    """The part of a word that is not quiet at either end."""
    first, last = round(start / HOP_S), min(round(end / HOP_S), len(level))
    reach = round(AROUND_S / HOP_S)
    around = level[max(0, first - reach) : last + reach]
    if last - first <= limits.WORD_S.value / HOP_S or len(around) == 0:
        return start, end
    floor, ceiling = np.percentile(around, (5, 95))
    loud = np.flatnonzero(level[first:last] > floor + limits.QUIET.value * (ceiling - floor))
    if len(loud) == 0 or (loud[-1] + 1 - loud[0]) * HOP_S < limits.WORD_S.value:
        return start, end
    begins = min(start + float(loud[0]) * HOP_S, start + MOST_S)
    ends = max(end - (last - first - 1 - float(loud[-1])) * HOP_S, end - MOST_S)
    return round(begins, 4), round(ends, 4)


Edges = tuple[float, float]


def led_in(lines: list[list[Edges]]) -> list[list[Edges]]:
    """Start and end of the words of each line in order, where a short first word stands behind the pause.

    >>> led_in([[(0.0, 1.0)], [(1.0, 1.04), (1.5, 2.0)]])
    [[(0.0, 1.0)], [(1.5, 1.54), (1.54, 2.0)]]
    """
    out, before = [], -np.inf
    for line in lines:
        line = list(line)
        if len(line) > 1:
            (start, end), (begins, ends) = line[:2]
            pause = begins - end
            if pause >= LEAD_PAUSE_S and start - before <= pause / 2 and end - start <= LEAD_WORD_S:
                until = round(begins + min(end - start, (ends - begins) / 2), 4)
                line[:2] = [(begins, until), (until, ends)]
        before = line[-1][1] if line else before
        out.append(line)
    return out
