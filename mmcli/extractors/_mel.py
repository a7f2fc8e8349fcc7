"""Mel bands of a clip, block by block; the ground of logmel, mfcc and onset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import _features, _sound, _spectrum


@dataclass(frozen=True)
class MelConfig(_sound.SoundConfig):
    """Mel bands: the fields that logmel, mfcc and onset share."""

    window_s: float = 0.025  # seconds, 0.001 to 2: length of the Hann window
    hop_s: float = 0.010  # seconds, 0.0005 to 2: from frame to frame
    bands: int = 64  # mel bands, 1 to 512
    low_hz: float = 0.0  # Hz: lower edge of the lowest band
    high_hz: float | None = None  # Hz: upper edge of the highest band; None: half the sample rate

    def __post_init__(self) -> None:
        super().__post_init__()
        _features.within(self, window_s=(0.001, 2.0), hop_s=(0.0005, 2.0), bands=(1, 512), low_hz=(0.0, 96_000.0))
        if self.high_hz is not None:
            _features.within(self, high_hz=(self.low_hz + 1.0, 96_000.0))


def mel_powers(sound: _sound.Sound, clock: _spectrum.Clock, config: MelConfig) -> Iterator[np.ndarray]:
    """Mel power of centred frames, float32 (frames, bands) a block."""
    high = clock.rate / 2 if config.high_hz is None else config.high_hz
    if not config.low_hz < high <= clock.rate / 2:
        raise UsageError(
            f"{_features.name_of(config)}: bands from {config.low_hz:g} to {high:g} Hz at {clock.rate} samples a "
            "second",
            hint=f"high_hz must lie above low_hz and at most at {clock.rate / 2:g} Hz",
        )
    filters = _spectrum.mel_filters(clock.rate, clock.n_fft, config.bands, config.low_hz, high)
    for power in _spectrum.powers(sound.blocks(), clock):
        yield power @ filters
