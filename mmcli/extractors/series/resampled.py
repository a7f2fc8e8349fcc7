"""A series on an even clock: interpolated along straight lines between its points.

Axes: frames, columns of the file. Unit: that of the file. The first frame lies at the first point, the last one not
after the last point.
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

MAX_FRAMES = 50_000_000


@dataclass(frozen=True)
class Config:
    """The clock."""

    hz: float = 10.0  # Hz, above 0 to 1,000,000: frames a second
    rate: float | None = None  # Hz: of files without a time column; None: such files are refused

    def __post_init__(self) -> None:
        base.within(self, hz=(1e-6, 1e6))
        if self.rate is not None:
            base.within(self, rate=(1e-6, 1e6))


def extract(clip: SeriesClip, config: Config = Config()) -> Features:
    """The series at ``hz``, float32 (frames, columns).

    >>> extract(SeriesClip.from_array([0.0, 1.0, 2.0], rate_hz=1), Config(hz=2.0)).values.ravel().tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    if not clip.timed and config.rate is None and len(clip.times) > 1:
        raise InputError("has no time column", source=clip.name, hint="give its rate in Hz: --set resampled.rate=100")
    times = clip.times if clip.timed or config.rate is None else np.arange(len(clip.times)) / config.rate
    count = int(np.floor((times[-1] - times[0]) * config.hz + 1e-9)) + 1
    if count > MAX_FRAMES:
        raise InputError(
            f"would have {count:,} frames at {config.hz:g} Hz", source=clip.name, hint="lower resampled.hz"
        )
    even = times[0] + np.arange(count) / config.hz
    values = np.stack([np.interp(even, times, column) for column in clip.values.T], axis=1)
    with np.errstate(over="ignore"):
        narrow = base.finite(values.astype(np.float32), clip.name)
    kind = KIND if count > 1 else "vector"
    if kind == "vector":
        even = np.zeros(1)
    return features(clip, narrow, even, config, kind=kind, columns=list(clip.columns), rate_hz=config.hz)
