"""New samples from real ones: small changes that leave the meaning as it is, by what a stream holds.

spectrogram  noise, gain, shift in time, masked bands and stretches (SpecAugment: D. Park et al., Interspeech 2019)
image        shift by up to a tenth (a crop of the padded picture), an erased rectangle (Z. Zhong et al., AAAI 2020);
             where asked for, mirrored left to right for one in two
tokens       some words become unknown
else         noise, and a step towards another sample of the class (mixup within it: H. Zhang et al., ICLR 2018)

Values are those of a data set: on the normaliser's scale, where a training column has deviation 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOISE = 0.2  # deviations
GAIN = 0.2
MASKED = 0.2  # the largest share of bands, of time, of a picture's side
SHIFT = 0.1
UNKNOWN = 0.15  # the share of words that are lost
PADDING_ID, UNKNOWN_ID = 0, 1


@dataclass(frozen=True)
class Config:
    """``flip``: mirror pictures too. A mirrored cat is a cat; a mirrored digit, letter or road sign is another one."""

    flip: bool = False


def sample(
    values: np.ndarray, kind: str, partner: np.ndarray | None, rng: np.random.Generator, config: Config = Config()
) -> np.ndarray:
    """A changed copy of ``values`` float32 ``(frames, ...)``, of the same shape.

    ``partner`` is another sample of the same class, used where it has the same shape.
    """
    if kind == "spectrogram":
        return _spectrogram(values, rng)
    if kind in ("image", "frames"):
        return _picture(values, rng, config.flip)
    if kind == "tokens":
        lost = (rng.random(values.shape) < UNKNOWN) & (values != PADDING_ID)
        return np.where(lost, UNKNOWN_ID, values).astype(np.float32)
    mixed = values
    if partner is not None and partner.shape == values.shape:
        mixed = values + rng.uniform(0.0, 0.5) * (partner - values)
    return (mixed + rng.normal(0.0, NOISE, values.shape)).astype(np.float32)


def _spectrogram(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    frames, bands = values.shape[0], values.shape[-1]
    changed = np.roll(values, round(rng.uniform(-SHIFT, SHIFT) * frames), axis=0) + rng.normal(0.0, GAIN)
    changed = changed + rng.normal(0.0, NOISE, changed.shape)
    start, length = _stretch(frames, rng)
    changed[start : start + length] = 0.0  # the training mean
    start, length = _stretch(bands, rng)
    changed[..., start : start + length] = 0.0
    return changed.astype(np.float32)


def _picture(values: np.ndarray, rng: np.random.Generator, flip: bool) -> np.ndarray:
    height, width = values.shape[1:3]
    changed = values[:, :, ::-1] if flip and rng.random() < 0.5 else values
    for axis, size in ((1, height), (2, width)):
        reach = int(SHIFT * size)
        by = int(rng.integers(-reach, reach + 1))
        changed = np.take(changed, np.clip(np.arange(size) - by, 0, size - 1), axis=axis)
    top, tall = _stretch(height, rng)
    left, wide = _stretch(width, rng)
    changed[:, top : top + tall, left : left + wide] = 0.0
    return np.ascontiguousarray(changed, dtype=np.float32)


def _stretch(size: int, rng: np.random.Generator) -> tuple[int, int]:
    length = int(rng.integers(0, int(MASKED * size) + 1))
    return int(rng.integers(0, size - length + 1)), length
