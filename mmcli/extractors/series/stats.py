"""Statistics of a series over time, one vector a series.

Axes: one frame, statistics of all columns in the order of ``statistics``. Unit: that of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmcli.extractors import statistics
from mmcli.extractors.base import Features, SeriesClip, still

LONG = "whole"
KIND = "vector"
FITTED = False


@dataclass(frozen=True)
class Config:
    """Which statistics."""

    statistics: str = "mean,std,min,max"  # of mean std min max median p5 p25 p75 p95 range slope (per second)

    def __post_init__(self) -> None:
        statistics.check(self.statistics, "stats.statistics")


def extract(clip: SeriesClip, config: Config = Config()) -> Features:
    """The statistics of a series, float32 (1, statistics * columns).

    >>> extract(SeriesClip.from_array([1.0, 3.0], rate_hz=1), Config(statistics="mean,max")).values.tolist()
    [[2.0, 3.0]]
    """
    values, columns = statistics.over_time(clip.values, clip.times, list(clip.columns), config.statistics)
    return still(clip, values, config, kind=KIND, columns=columns)
