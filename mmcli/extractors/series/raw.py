"""The series itself: the numbers at the times at which they were taken.

Axes: frames, columns of the file. Unit: that of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmcli.errors import InputError
from mmcli.extractors import base
from mmcli.extractors.base import Features, SeriesClip, features

LONG = "whole"
KIND = "sequence"  # "vector" where there is one frame
FITTED = False


@dataclass(frozen=True)
class Config:
    """The clock of files without one."""

    rate: float | None = None  # Hz, above 0 to 1,000,000: of files without a time column; None: such files are refused

    def __post_init__(self) -> None:
        if self.rate is not None:
            base.within(self, rate=(1e-6, 1e6))


def extract(clip: SeriesClip, config: Config = Config()) -> Features:
    """The values of a series, float32 (frames, columns).

    >>> extract(SeriesClip.from_array([[1, 2], [3, 4]], rate_hz=10)).times.tolist()
    [0.0, 0.1]
    """
    times, rate = clip.times, clip.rate_hz
    if not clip.timed:
        if config.rate is None and len(times) > 1:
            raise InputError(
                "has no time column", source=clip.name, hint="give its rate in Hz, for example --set raw.rate=100"
            )
        rate = config.rate
        times = np.arange(len(times)) / (rate or 1.0)
    kind = KIND if len(times) > 1 else "vector"
    with np.errstate(over="ignore"):
        values = base.finite(clip.values.astype(np.float32), clip.name)  # above 3.4e38 is infinite in float32
    if kind == "vector":
        times = np.zeros(1)
    columns = list(clip.columns)
    notes = base.lost_steps(clip.values, columns) or None
    return features(clip, values, times, config, kind=kind, columns=columns, rate_hz=rate or None, notes=notes)
