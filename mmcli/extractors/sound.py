"""What all audio extractors share: the rate and the preparation of the samples, read block by block.

Order of the preparation: resample, turn noise down, trim silence, bring to a loudness, pre-emphasis. Noise, trimming
and loudness need a pass over the clip each, before the last one; nothing is ever held whole.

References: ITU-R BS.1770-4 for loudness (K-weighting, gating at -70 LUFS and 10 LU below the mean).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mmcli.errors import UsageError
from mmcli.extractors import base, denoise, spectrum
from mmcli.extractors.base import AudioClip

BLOCK_S = 30.0
_TRIM_WINDOW, _TRIM_HOP = 2048, 512  # samples, as librosa.effects.trim

Blocks = Callable[[], Iterator[np.ndarray]]


@dataclass(frozen=True)
class SoundConfig:
    """The fields that every audio extractor has.

    Sounds of different native rates are brought to one rate, so that a column means the same in every item of a data
    set. A recording of a lower rate holds nothing above half its own rate: those bands lie at the floor.
    """

    sample_rate: spectrum.Rate = 16_000  # Hz, 1,000 to 192,000; "native": the rate of each file
    denoise_db: float | None = None  # dB, 1 to 60: turn steady noise down by this much (spectral gating)
    trim_db: float | None = None  # dB, 1 to 200: cut silence this far below the peak off both ends; times stay
    loudness_lufs: float | None = None  # LUFS, -70 to 0: bring the whole to this loudness
    pre_emphasis: float = 0.0  # 0 to 1: y[n] - a y[n - 1]

    def __post_init__(self) -> None:
        rate = self.sample_rate
        if rate != "native" and not (isinstance(rate, int) and 1_000 <= rate <= 192_000):
            raise UsageError(f"{base.name_of(self)}.sample_rate = {rate!r}", hint='1,000 to 192,000 Hz, or "native"')
        base.within(self, pre_emphasis=(0.0, 1.0))
        if self.denoise_db is not None:
            base.within(self, denoise_db=(1.0, 60.0))
        if self.trim_db is not None:
            base.within(self, trim_db=(1.0, 200.0))
        if self.loudness_lufs is not None:
            base.within(self, loudness_lufs=(-70.0, 0.0))


@dataclass(frozen=True)
class Sound:
    """A clip as an extractor takes it: ``blocks()`` gives the samples, float32 (n,) each, as often as wanted.

    ``offset_s`` is where the first sample lies in the clip; ``duration_s`` is the length, as far as it is known.
    """

    rate: int
    duration_s: float
    offset_s: float
    blocks: Blocks

    def clock(self, window_s: float, hop_s: float) -> spectrum.Clock:
        """Window and hop in samples of this sound."""
        return spectrum.clock(self.rate, window_s, hop_s, self.offset_s)

    def whole(self, name: str, most_s: float) -> np.ndarray:
        """All samples, float32 (n,). Raises :class:`mmcli.errors.InputError` for more than ``most_s`` seconds."""
        base.at_most(self.duration_s, most_s, name)
        return np.concatenate(list(self.blocks()))


def prepare(clip: AudioClip, config: SoundConfig) -> Sound:
    """The prepared sound of a clip."""
    rate = clip.rate if config.sample_rate == "native" else config.sample_rate

    def resampled() -> Iterator[np.ndarray]:
        return clip.blocks(rate, BLOCK_S)

    sound = Sound(rate, clip.duration_s, 0.0, resampled)
    if config.denoise_db is not None:
        sound = _with(sound, denoise.denoised(sound.blocks, rate, config.denoise_db))
    if config.trim_db is not None:
        sound = _trimmed(sound, config.trim_db)
    if config.loudness_lufs is not None:
        sound = _scaled(sound, _gain(sound, config.loudness_lufs))
    if config.pre_emphasis:
        sound = _emphasised(sound, config.pre_emphasis)
    return sound


def _with(sound: Sound, blocks: Blocks) -> Sound:
    return Sound(sound.rate, sound.duration_s, sound.offset_s, blocks)


def _trimmed(sound: Sound, top_db: float) -> Sound:
    """Without the silence at both ends; a sound that is silent throughout stays as it is."""
    powers = [
        np.einsum("ij,ij->i", f, f) / _TRIM_WINDOW for f in spectrum.frames(sound.blocks(), _TRIM_WINDOW, _TRIM_HOP)
    ]
    power = np.maximum(np.concatenate(powers), 1e-10)
    loud = np.flatnonzero(power > power.max() * 10 ** (-top_db / 10))
    if not len(loud):
        return sound
    first, last = int(loud[0]) * _TRIM_HOP, int(loud[-1] + 1) * _TRIM_HOP

    def blocks() -> Iterator[np.ndarray]:
        position = 0
        for block in sound.blocks():
            kept = block[max(0, first - position) : max(0, last - position)]
            position += len(block)
            if len(kept):
                yield kept

    return Sound(sound.rate, (last - first) / sound.rate, sound.offset_s + first / sound.rate, blocks)


def _scaled(sound: Sound, gain: float) -> Sound:
    return _with(sound, lambda: (block * np.float32(gain) for block in sound.blocks()))


def _emphasised(sound: Sound, a: float) -> Sound:
    def blocks() -> Iterator[np.ndarray]:
        before: np.ndarray | None = None
        for block in sound.blocks():
            earlier = np.concatenate([np.zeros(1, np.float32) if before is None else before, block[:-1]])
            yield block - np.float32(a) * earlier
            before = block[-1:]

    return _with(sound, blocks)


def _gain(sound: Sound, target: float) -> float:
    measured = loudness(sound)
    return 1.0 if measured == -math.inf else 10.0 ** ((target - measured) / 20.0)


def loudness(sound: Sound) -> float:
    """Integrated loudness in LUFS of a mono sound; -inf where nothing is above -70 LUFS.

    >>> t = np.arange(48000 * 2) / 48000
    >>> tone = np.sin(2 * np.pi * 997 * t).astype(np.float32)
    >>> round(loudness(Sound(48000, 2.0, 0.0, lambda: iter([tone]))), 2)  # the calibration tone of BS.1770
    -3.01
    """
    from scipy.signal import lfilter

    stages = [(_shelf(sound.rate), np.zeros(2)), (_high_pass(sound.rate), np.zeros(2))]
    step = max(1, round(sound.rate * 0.1))
    sums: list[float] = []
    rest = np.zeros(0)
    for block in sound.blocks():
        y = block.astype(np.float64)
        for i, ((b, a), state) in enumerate(stages):
            y, state = lfilter(b, a, y, zi=state)
            stages[i] = ((b, a), state)
        rest = np.concatenate([rest, y])
        steps = len(rest) // step
        sums.extend((rest[: steps * step].reshape(steps, step) ** 2).sum(axis=1).tolist())
        rest = rest[steps * step :]
    if len(sums) < 4:  # shorter than one gating block: all of it is the block
        sums = [sum(sums) + float((rest**2).sum())]
        power = np.array(sums) / max(1, round(sound.duration_s * sound.rate))
    else:
        power = np.convolve(sums, np.ones(4), "valid") / (4 * step)
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    if not len(power):
        return -math.inf
    power = power[power > 0.1 * power.mean()]
    return float(-0.691 + 10 * np.log10(power.mean()))


def _shelf(rate: int) -> tuple[np.ndarray, np.ndarray]:
    """The head filter of BS.1770 as an analogue prototype, brought to any rate by the bilinear transform."""
    k = math.tan(math.pi * min(1681.974450955533 / rate, 0.499))
    q, vh = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    vb = vh**0.4996667741545416
    a0 = 1 + k / q + k * k
    b = np.array([vh + vb * k / q + k * k, 2 * (k * k - vh), vh - vb * k / q + k * k]) / a0
    return b, np.array([1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])


def _high_pass(rate: int) -> tuple[np.ndarray, np.ndarray]:
    """The RLB weighting of BS.1770, brought to any rate."""
    k = math.tan(math.pi * 38.13547087602444 / rate)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    return np.array([1.0, -2.0, 1.0]), np.array([1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])


# Mel bands of a clip, block by block; the ground of logmel, mfcc and onset.


@dataclass(frozen=True)
class MelConfig(SoundConfig):
    """Mel bands: the fields that logmel, mfcc and onset share."""

    window_s: float = 0.025  # seconds, 0.001 to 2: length of the Hann window
    hop_s: float = 0.010  # seconds, 0.0005 to 2: from frame to frame
    bands: int = 64  # mel bands, 1 to 512
    low_hz: float = 0.0  # Hz: lower edge of the lowest band
    high_hz: float | None = None  # Hz: upper edge of the highest band; None: half the sample rate

    def __post_init__(self) -> None:
        super().__post_init__()
        base.within(self, window_s=(0.001, 2.0), hop_s=(0.0005, 2.0), bands=(1, 512), low_hz=(0.0, 96_000.0))
        if self.high_hz is not None:
            base.within(self, high_hz=(self.low_hz + 1.0, 96_000.0))


def mel_powers(sound: Sound, clock: spectrum.Clock, config: MelConfig) -> Iterator[np.ndarray]:
    """Mel power of centred frames, float32 (frames, bands) a block."""
    high = clock.rate / 2 if config.high_hz is None else config.high_hz
    if not config.low_hz < high <= clock.rate / 2:
        raise UsageError(
            f"{base.name_of(config)}: bands from {config.low_hz:g} to {high:g} Hz at {clock.rate} samples a second",
            hint=f"high_hz must lie above low_hz and at most at {clock.rate / 2:g} Hz",
        )
    filters = spectrum.mel_filters(clock.rate, clock.n_fft, config.bands, config.low_hz, high)
    return (power @ filters for power in spectrum.powers(sound.blocks(), clock))
