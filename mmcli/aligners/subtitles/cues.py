"""Which cues of a subtitle are spoken: signs and karaoke over the picture are told from speech before they count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits

Cues = list[tuple[float, float, str]]


def is_a_sign(under: int) -> bool:
    """Whether a cue under which so many others begin is a sign over the picture."""
    return under > limits.CUES_UNDER_A_SIGN.value


def spoken_spans(cues: Cues) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Start and end of the cues that are spoken, in order, float64 (k, 2), and how many letters each holds.

    A cue that another begins in ends there: two that overlap are held on, or signs under speech. A cue that lasts over
    many others is a sign, and is left out.

    >>> spoken_spans([(0.0, 9.0, "a"), (2.0, 3.0, "bb"), (2.0, 3.0, "cc")])[0].tolist()
    [[0.0, 2.0], [2.0, 3.0]]
    """
    ordered = sorted((s, e, text) for s, e, text in cues if e > s)
    starts = np.array([s for s, _, _ in ordered])
    spans: list[tuple[float, float]] = []
    letters: list[int] = []
    for k, (start, end, text) in enumerate(ordered):
        under = int(np.searchsorted(starts, end)) - int(np.searchsorted(starts, start, side="right"))
        if is_a_sign(under):
            continue
        following = next((s for s, _, _ in ordered[k + 1 :] if s > start), end)
        if spans and start <= spans[-1][0] + 1e-3:  # two that begin together are one
            letters[-1] += len(text)
            continue
        spans.append((start, min(end, following)))
        letters.append(len(text))
    return np.array(spans, dtype=np.float64).reshape(-1, 2), np.array(letters, dtype=np.int64)
