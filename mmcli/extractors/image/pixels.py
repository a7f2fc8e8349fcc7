"""The picture itself, at one size: what a convolutional network takes.

Axes: one frame, height, width, channels (1 grey or 3 RGB). Unit: intensity in [0, 1]; with ``normalise`` = "imagenet"
less the mean and over the deviation of each colour in ImageNet, as pretrained networks expect it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import base, picture
from mmcli.extractors.base import Features, ImageClip, still

LONG = "whole"
KIND = "image"
FITTED = False

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class Config(picture.PictureConfig):
    """Size and colour of the pixels."""

    color: str = "rgb"  # rgb or grey: grey pictures become three equal channels under rgb
    normalise: str = "none"  # none, or imagenet (rgb only)

    def __post_init__(self) -> None:
        super().__post_init__()
        base.one_of(self, "color", picture.COLOURS)
        base.one_of(self, "normalise", ("none", "imagenet"))
        if self.normalise == "imagenet" and self.color != "rgb":
            raise UsageError("pixels.normalise = 'imagenet' needs pixels.color = 'rgb'")


def extract(clip: ImageClip, config: Config = Config()) -> Features:
    """The pixels of a picture, float32 (1, height, width, channels).

    >>> extract(ImageClip.from_array(np.full((20, 10), 0.5)), Config(color="grey")).values.shape
    (1, 64, 64, 1)
    """
    pixels = picture.rgb(clip.pixels) if config.color == "rgb" else picture.grey(clip.pixels)
    values = picture.sized(pixels, config)
    if config.normalise == "imagenet":
        values = (values - _MEAN) / _DEVIATION
    return still(clip, values, config, kind=KIND)
