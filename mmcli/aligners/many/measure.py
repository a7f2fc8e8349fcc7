"""How exactly two recordings lie to each other near a lag that is suspected: by the phase of short windows."""

from __future__ import annotations

import numpy as np

from mmcli.aligners.core import limits
from mmcli.aligners.linear import consensus
from mmcli.aligners.linear.windows import refine
from mmcli.aligners.many.graph import Edge
from mmcli.aligners.many.heard import RATE_HZ, Heard

WINDOW_S, SHORTEST_S = 4.0, 1.0  # of a window, as phase is measured everywhere; shorter where little overlaps
FEWEST, FIRST, MOST = 5, 16, 60  # windows: of a short overlap; that decide whether to go on; of a long one
SEARCH_S = 0.3  # about the suspected lag: two coarse frames, and 300 ppm of half an hour
TOLERANCE_S = 0.008  # from the line, as of all lines that phase measures
LEAST_ERROR_S = 2e-4  # what no lag is known better than, with two microphones in a room: 7 cm of way
MOST_SLOPE = 1e-3  # of two recorders' clocks: the worst that are sold lie at some 100 ppm


def near(x: Heard, y: Heard, lag_s: float, numbers: tuple[int, int], strength: float = 0.0) -> Edge | None:
    """The edge between two recordings, where windows of what both heard agree on a line near ``lag_s``; else None.

    ``numbers`` are those of the clips in the graph; ``strength`` is how well their shapes fit there. Phase does not
    tell the place where all of the sound is the same from one where only a tune that repeats is.
    """
    start, end = max(0.0, -lag_s), min(y.duration_s, x.duration_s - lag_s)
    length = end - start
    window = min(WINDOW_S, max(SHORTEST_S, length / FEWEST))
    count = min(MOST, int(length / window))
    if count < limits.MANY_FEWEST.value:
        return None
    centres = start + window / 2 + np.arange(count) * (length - window) / max(1, count - 1)
    order = np.argsort(np.arange(count) * 0.6180339887 % 1.0)  # the first few lie everywhere: golden section
    lags, z = np.full(count, np.nan), np.zeros(count)
    for done, k in enumerate(order.tolist(), 1):
        at, sharp = refine(x.samples, y.samples, RATE_HZ, float(centres[k]), lag_s, window_s=window, search_s=SEARCH_S)
        lags[k], z[k] = at, sharp
        if done == FIRST and not (z >= limits.SHARP_Z.value).any():
            return None
    heard = np.isfinite(lags) & (z > 0)
    sharp_ones = heard & (z >= limits.SHARP_Z.value)
    if sharp_ones.sum() < limits.MANY_FEWEST.value:
        return None
    t, lag = centres[sharp_ones], lags[sharp_ones]
    line = consensus.line(t, lag, np.ones(len(t)), TOLERANCE_S, most_slope=MOST_SLOPE)
    agree = int(line.agree.sum())
    if not is_enough(agree, int(heard.sum())):
        return None
    deviation = max(1.4826 * line.error_s, LEAST_ERROR_S)
    first, last = float(t[line.agree].min()), float(t[line.agree].max())
    return Edge(
        *numbers,
        offset_s=line.at_zero,
        rate=1.0 + line.slope,
        start_s=first,
        end_s=last,
        deviation_s=deviation * 2.0 / np.sqrt(agree),  # of a fitted line at its ends
        windows=agree,
        share=agree / float(heard.sum()),
        strength=strength,
    )


def is_enough(agree: int, sounding: int) -> bool:
    """Whether so many windows agree, of those that sound, that two recordings heard the same."""
    return agree >= limits.MANY_FEWEST.value and agree >= limits.MANY_SHARE.value * sounding
