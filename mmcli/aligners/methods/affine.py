"""An offset and a rate: ``t_reference = offset_s + rate * t_query``, for clocks that drift and films that were sped up.

As :mod:`.offset`, with a line through the local offsets instead of a constant. A drift up to ``most_ppm`` is found
directly. Larger rates blur every window, so they are tried one after another: the known ratios of film and television
speeds and a grid of 0.4 % up to ``most_stretch``; the query is stretched by each, and the rate under which its windows
fit best is fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmcli.aligners.linear.alignment import straight
from mmcli.aligners.linear.fit import best_line, materials
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import UsageError

ACCEPTS = (("audio", "audio"), ("features", "features"))


@dataclass(frozen=True)
class Config:
    """How windows are laid, when they agree, and which rates are looked for."""

    window_s: float = 10.0  # length of a window of the query, seconds, above 0; shorter where a side is short
    step_s: float = 4.0  # from one window to the next, seconds, above 0
    tolerance_s: float = 0.0  # how far agreeing windows lie from the line, seconds; 0: 8 ms by phase, else two frames
    most_ppm: float = 2000.0  # drift found directly, parts per million, 0 to 5000
    most_stretch: float = 0.06  # largest rate difference that is tried, 0 (none) to 0.2

    def __post_init__(self) -> None:
        if not (self.window_s > 0 and self.step_s > 0 and self.tolerance_s >= 0):
            raise UsageError("window_s and step_s must be above 0, tolerance_s at least 0")
        if not (0 <= self.most_ppm <= 5000 and 0 <= self.most_stretch <= 0.2):
            raise UsageError("most_ppm must lie in 0 to 5000 and most_stretch in 0 to 0.2")


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """Offset and rate between two recordings or two feature files, ``x`` the reference.

    ``x``, ``y``: arrays (frames, dims) at one frame a second, Features, or AudioClips. The result's ``cost`` is one
    minus the mean correlation of the windows that agree. Raises InputError for NaN, Inf and empty input, MismatchError
    for differing widths and where no window of the query can be line.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((400, 4)).cumsum(axis=0)
    >>> line = align(x, x[50:350])
    >>> round(line.offset_s, 1), round(line.rate, 3)
    (50.0, 1.0)
    """
    a, b = materials(x, y)
    fit = best_line(
        a,
        b,
        window_s=config.window_s,
        step_s=config.step_s,
        tolerance_s=config.tolerance_s / a.unit_s,
        most_ppm=config.most_ppm,
        most_stretch=config.most_stretch,
    )
    return straight(a, b, fit, name="affine", config=config)
