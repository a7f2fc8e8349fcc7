"""Functionals: statistics over time of any other audio extractor, one vector a recording.

Axes: one frame, statistics of all columns in the order of ``statistics``. Unit: that of the extractor.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmcli.errors import UsageError
from mmcli.extractors import base, registry, statistics
from mmcli.extractors.base import AudioClip, Features, still

LONG = "whole"  # as the extractor underneath; its frames are held
KIND = "vector"
FITTED = False


@dataclass(frozen=True)
class Config:
    """Of what, and which statistics."""

    of: str = "mfcc"  # an audio extractor that gives a sequence
    settings: str = ""  # its configuration: FIELD=VALUE, separated by commas
    statistics: str = "mean,std,min,max"  # of mean std min max median p5 p25 p75 p95 range slope

    def __post_init__(self) -> None:
        statistics.check(self.statistics, "functionals.statistics")
        if self.of == "functionals":
            raise UsageError("functionals.of = 'functionals'", hint="name another audio extractor")
        module = registry("audio").load(self.of)
        if getattr(module, "NEEDS_FILE", False):
            raise UsageError(f"functionals.of = {self.of!r}", hint=f"{self.of} pools over time itself")
        base.configure(module.Config, self.settings, f"functionals.settings: {self.of}")


def extract(clip: AudioClip, config: Config = Config()) -> Features:
    """The statistics of a clip, float32 (1, statistics * columns).

    >>> import numpy as np
    >>> peak = extract(AudioClip.from_array(np.full(8000, 0.5, np.float32), 8000), Config(of="rms", statistics="max"))
    >>> peak.values.shape, peak.meta["columns"]
    ((1, 1), ['rms.max'])
    """
    module = registry("audio").load(config.of)
    inner = module.extract(clip, base.configure(module.Config, config.settings, "functionals.settings"))
    values, columns = statistics.over_time(inner.flat(), inner.times, inner.meta.get("columns"), config.statistics)
    return still(clip, values, config, kind=KIND, columns=columns)
