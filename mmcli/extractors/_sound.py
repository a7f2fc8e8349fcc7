"""What all audio extractors share: the sample rate and the other preparation of the samples, read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import _check, _frames

if TYPE_CHECKING:
    from mmcli.media.clips import AudioClip

BLOCK_S = 30.0


@dataclass(frozen=True)
class SoundConfig:
    """The fields that every audio extractor has.

    Sounds of different native rates are brought to one rate, so that a column means the same in every item of a data
    set. A recording of a lower rate holds nothing above half its own rate: those bands lie at the floor.
    """

    sample_rate: _frames.Rate = 16_000  # Hz, 1,000 to 192,000; "native": the rate of each file

    def __post_init__(self) -> None:
        rate = self.sample_rate
        if rate != "native" and not (isinstance(rate, int) and 1_000 <= rate <= 192_000):
            raise UsageError(f"{_check.name_of(self)}.sample_rate = {rate!r}", hint='1,000 to 192,000 Hz, or "native"')


def rate_of(clip: AudioClip, config: SoundConfig) -> int:
    """The rate in Hz at which the samples of a clip are used."""
    return clip.rate if config.sample_rate == "native" else config.sample_rate


def blocks(clip: AudioClip, config: SoundConfig, seconds: float | None = None) -> Iterator[np.ndarray]:
    """The prepared samples, float32 (n,) a block of ``seconds`` (default: BLOCK_S), mono."""
    return clip.blocks(rate_of(clip, config), BLOCK_S if seconds is None else seconds)
