"""One constant offset: ``t_reference = offset_s + t_query``.

Windows of the query are looked for in the reference by normalised cross-correlation of their frames, each position is
sharpened by the phase of the sound where there is sound (Knapp and Carter 1976), and the offset that most windows agree
with is taken. Windows that locked onto a repetition, or lie in a stretch that only one side has, do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmcli.aligners.linear.alignment import straight
from mmcli.aligners.linear.fit import fitted, local_lags, materials
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import UsageError

ACCEPTS = (("audio", "audio"), ("features", "features"))


@dataclass(frozen=True)
class Config:
    """How windows are laid and when they agree."""

    window_s: float = 10.0  # length of a window of the query, seconds, above 0; shorter where a side is short
    step_s: float = 4.0  # from one window to the next, seconds, above 0
    tolerance_s: float = 0.0  # how far agreeing windows may differ, seconds; 0: 8 ms by phase, else two frames

    def __post_init__(self) -> None:
        if not (self.window_s > 0 and self.step_s > 0 and self.tolerance_s >= 0):
            raise UsageError("window_s and step_s must be above 0, tolerance_s at least 0")


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The offset between two recordings or two feature files, ``x`` the reference.

    ``x``, ``y``: arrays (frames, dims) at one frame a second, Features, or AudioClips. The result's ``cost`` is one
    minus the mean correlation of the windows that agree. Raises InputError for NaN, Inf and empty input, MismatchError
    for differing widths and where no window of the query can be found.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 4)).cumsum(axis=0)
    >>> round(align(x, x[30:80]).offset_s, 1)
    30.0
    """
    a, b = materials(x, y)
    lags = local_lags(a, b, window_s=config.window_s, step_s=config.step_s)
    fit = fitted(lags, "offset", tolerance_s=config.tolerance_s / a.unit_s)
    return straight(a, b, fit, name="offset", config=config)
