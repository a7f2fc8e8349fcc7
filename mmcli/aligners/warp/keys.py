"""By how much one of two renditions is transposed: the key in which a coarse warp of their pitch classes is cheapest.

Which pitch classes a piece has on the whole says it for many (Serra and Gomez 2008, "Audio cover song identification
based on tonal sequence alignment", the optimal transposition index), and is a fifth off for others, where a piece goes
through keys. Their order says it better, and half a second a frame is enough for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import frames, limits
from mmcli.aligners.core.inputs import hop_of
from mmcli.aligners.kernels import engine
from mmcli.media.clips import AudioClip

FRAME_S = 0.5
MOST_FRAMES = 1500  # of a side; longer recordings more coarsely


def transposition(x: AudioClip, y: AudioClip, opened: tuple[bool, bool] = (False, False)) -> int:
    """By how many semitones ``y`` has to be raised, -5 to 6, to stand in the key of ``x``; 0 where none is much nearer.

    ``opened``: whether the ends of x, of y may be left out.
    """
    a, b = (_thin(frames.pitch_classes(s)) for s in (x, y))
    cost = [_cost(a, np.roll(b, k, axis=1), opened) for k in range(12)]
    k = int(np.argmin(cost))
    if not is_another_key(cost[k], cost[0]):
        return 0
    return k - 12 if k > 6 else k


def is_another_key(cost: float, as_it_is: float) -> bool:
    """Whether a warp in another key is so much cheaper than without."""
    return cost < limits.ANOTHER_KEY.value * as_it_is


def _thin(chroma: Any) -> NDArray[np.float32]:
    factor = max(1, round(FRAME_S / hop_of(chroma.times)), -(-len(chroma.values) // MOST_FRAMES))
    values, _ = frames.coarse(chroma.values, chroma.times, factor)
    return np.asarray(values - values.mean(), dtype=np.float32)


def _cost(x: NDArray[np.float32], y: NDArray[np.float32], opened: tuple[bool, bool]) -> float:
    warp = engine.align(x, np.ascontiguousarray(y), metric="cosine", open_begin=opened, open_end=opened)
    return warp.cost / len(warp.path)
