"""Where decoded frames of sound lie: on the clock that their times tell, which may be rounded, stray, or begin anew."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.errors import MediaError
from mmcli.media import containers, limits

# Times coarser than a sample are rounded: two times of one clock differ by up to a tick from the count of samples.
JITTER_TICKS = 1.25
# Frames looked at before the first is placed, and before a jump is believed: their median is the clock, whatever one
# rounded time says.
AHEAD = 8


def placed(frames: Iterator[Any], zero: float, path: Path) -> Iterator[tuple[int, Any]]:
    """Frames of sound with the sample that each begins at, on the clip's clock.

    A frame follows the one before it as long as its time says so within ``JITTER_TICKS``. Where it does not, the place
    is the median of what the next frames say; a single frame that strays and comes back is not believed, and a clock
    that begins anew goes on where the old one ended.
    """
    ahead: deque[tuple[float | None, Any]] = deque()  # positions in samples, as the times say
    rate, expected, shift, slack, ticks, base = 0, None, 0.0, 2.0, 1.0, None
    start, most = 0.0, 0.0
    for frame in chain(frames, [None] * AHEAD):
        if frame is not None:
            if frame.sample_rate != rate or frame.time_base != base:
                if rate and frame.sample_rate != rate:
                    raise MediaError(f"changes its rate from {rate} to {frame.sample_rate} Hz on the way", source=path)
                rate, base = int(frame.sample_rate), frame.time_base
                ticks = rate * base.numerator / base.denominator if base else 1.0  # samples a tick
                slack = max(2.0, JITTER_TICKS * ticks)
                start, most = zero * rate, limits.MAX_DURATION_S * rate
            stamp = frame.pts
            raw = None if stamp is None else stamp * ticks - start
            if raw is not None and not -most <= raw <= most:
                raise MediaError(f"is damaged: a timestamp of {raw / rate:.1f} s", source=path)
            ahead.append((raw, frame))
            if len(ahead) < AHEAD:
                continue
        if not ahead:
            return
        raw, now = ahead[0]
        if expected is not None and (raw is None or -slack <= raw + shift - expected <= slack):
            position = expected
        elif raw is None:
            position = 0
        elif expected is not None and _strays(ahead, expected - shift, slack, containers.BACK_S * rate):
            position = expected
        else:
            if expected is not None and raw + shift < expected - containers.BACK_S * rate:
                # A clock that begins anew at zero may have a little before it: the priming of Opus, which is dropped.
                shift = expected - (max(raw, 0.0) if raw > -containers.BACK_S * rate else raw)
            position = _settled(ahead, shift, slack)
        expected = position + now.samples
        yield position, now
        ahead.popleft()


def _strays(ahead: Sequence[tuple[float | None, Any]], expected: float, slack: float, back: float) -> bool:
    """Whether the next frame lies where it would without the jump of this one, or on a clock that begins anew."""
    if len(ahead) < 2 or ahead[1][0] is None or ahead[0][0] is None:
        return False
    after = ahead[1][0]
    return abs(after - expected - ahead[0][1].samples) <= slack or after < ahead[0][0] - back


def _settled(ahead: Sequence[tuple[float | None, Any]], shift: float, slack: float) -> int:
    """The place of the first of the frames: the median of what they say, up to the next jump."""
    first = ahead[0][0] or 0.0
    told, count = [], 0
    for raw, frame in ahead:
        if raw is None or abs(raw - count - first) > 2 * slack:
            break
        told.append(raw - count)
        count += frame.samples
    return round(float(np.median(told)) + shift)
