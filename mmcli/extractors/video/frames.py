"""Any image extractor, applied to frames sampled from a video.

Axes: frames, then what the image extractor gives. Times are the frames' own presentation times. With the extractor
``pixels`` the kind is "frames" (frames, height, width, channels), else "sequence" (frames, dims).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import base, is_fitted, registry, spectrum
from mmcli.extractors.base import Features, ImageClip, VideoClip, features

LONG = "streams"
KIND = "frames"
FITTED = False


def _inner(config: Config) -> tuple[Any, Any]:
    module = registry("image").load(config.image)
    if getattr(module, "NEEDS_FILE", False):
        raise UsageError(f"frames.image = {config.image!r}", hint=f"--video {config.image}:FILE looks at frames itself")
    if is_fitted(module):
        raise UsageError(f"frames.image = {config.image!r} needs to be fitted, which frames does not do")
    return module, base.configure(module.Config, config.settings, f"frames.settings: {config.image}")


@dataclass(frozen=True)
class Config:
    """Which frames, and what is taken from each."""

    rate: float = 2.0  # Hz, 0.001 to 1000: frames a second that are looked at
    image: str = "pixels"  # an image extractor
    settings: str = "width=32,height=32"  # its configuration: FIELD=VALUE, separated by commas

    def __post_init__(self) -> None:
        base.within(self, rate=(0.001, 1000.0))
        _inner(self)


def extract(clip: VideoClip, config: Config = Config()) -> Features:
    """The features of the sampled frames, float32 (frames, ...).

    >>> black = VideoClip.from_array(np.zeros((10, 48, 64, 3), np.uint8), rate_hz=10)
    >>> extract(black).values.shape
    (2, 32, 32, 3)
    """
    module, inner = _inner(config)
    times: list[float] = []
    meta: dict[str, Any] = {}

    def parts() -> Iterator[np.ndarray]:
        for time, pixels in clip.frames(config.rate):
            picture = module.extract(ImageClip.from_array(pixels, clip.name), inner)
            times.append(time)
            meta.update({k: picture.meta[k] for k in ("columns",) if k in picture.meta})
            yield picture.values

    values = spectrum.gather(parts(), 2 + int(clip.duration_s * min(config.rate, clip.rate_hz or config.rate)))
    kind = "frames" if module.KIND == "image" else "sequence"
    if kind == "sequence":
        values = values.reshape(len(values), -1)
    return features(clip, values, np.array(times), config, kind=kind, rate_hz=config.rate, **meta)
