"""Spectral gating: steady noise is turned down where nothing rises above it.

Two passes. The first finds the noise floor of every frequency: a low quantile over time of the smoothed power,
brought to the mean that steady Gaussian noise of that quantile has. The second turns every place of the spectrogram
down, fully where its smoothed power is within ``LOW_DB`` of the floor, not at all from ``HIGH_DB`` on, and adds the
frames up again. Noise that comes and goes stays; so does what is louder than the floor, with the noise beneath it.
Speech in white noise 10 dB below it gains 5 to 6 dB, tones with pauses 9 to 11 dB
(tests/extractors/test_denoise.py).

Reference: S. Boll, Suppression of acoustic noise in speech using spectral subtraction, IEEE Trans. ASSP 27(2), 1979,
for the floor and its residue; the gate is the one of audio editors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mmcli.extractors import spectrum

Blocks = Callable[[], Iterator[np.ndarray]]

WINDOW_S = 0.032  # about; the nearest power of two in samples
REACH = 2  # frames to each side that the power is averaged over
QUANTILE = 0.2  # pauses take at least this much of most recordings
BIAS = 0.514  # that quantile of steady Gaussian noise over its mean power, with this window, hop and reach
LOW_DB, HIGH_DB = 3.0, 8.0  # above the floor
_LEAST_DB, _STEP_DB, _STEPS = -120.0, 0.25, 800  # of the histogram: -120 dB to 80 dB; what is below is digital silence


def denoised(blocks: Blocks, rate: int, depth_db: float) -> Blocks:
    """The same samples with steady noise turned down by ``depth_db``; blocks() is read twice.

    >>> rng = np.random.default_rng(0)
    >>> hiss = (0.01 * rng.standard_normal(32000)).astype(np.float32)
    >>> quiet = np.concatenate(list(denoised(lambda: iter([hiss]), 16000, 20.0)()))
    >>> len(quiet), bool(np.square(quiet).mean() < 0.1 * np.square(hiss).mean())
    (32000, True)
    """
    size = 1 << max(4, round(np.log2(WINDOW_S * rate)))
    floor = _floor(blocks, size)
    if floor is None:
        return blocks

    def gated() -> Iterator[np.ndarray]:
        total = 0

        def counted() -> Iterator[np.ndarray]:
            nonlocal total
            for block in blocks():
                total += len(block)
                yield block

        given = 0
        frames = (_turned_down(s, p, floor, depth_db) for s, p in _smoothed(counted(), size))
        for block in _added(frames, size):
            block = block[: total - given]  # all samples of a frame have been read when it is complete
            given += len(block)
            if len(block):
                yield block

    return gated


def _smoothed(blocks: Iterable[np.ndarray], size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Spectra and their power averaged over neighbouring frames, complex128 and float64 (frames, bins) a group."""
    taper = spectrum.window(size, size)
    spectra = np.zeros((0, size // 2 + 1), np.complex128)
    before = 0  # frames at the front that were given already and are only seen
    for group in spectrum.frames(blocks, size, size // 4):
        spectra = np.concatenate([spectra, np.fft.rfft(group * taper, axis=-1)])
        ready = len(spectra) - REACH
        if ready > before:
            yield spectra[before:ready], _averaged(spectra)[before:ready]
            kept = max(0, ready - REACH)
            spectra, before = spectra[kept:], ready - kept
    if len(spectra) > before:
        yield spectra[before:], _averaged(spectra)[before:]


def _averaged(spectra: np.ndarray) -> np.ndarray:
    """Power over 2 REACH + 1 frames, over as many as there are at the ends."""
    power = spectra.real**2 + spectra.imag**2
    summed, count = np.zeros_like(power), np.zeros((len(power), 1))
    for shift in range(-REACH, REACH + 1):
        here = slice(max(0, -shift), len(power) - max(0, shift))
        there = slice(max(0, shift), len(power) - max(0, -shift))
        summed[here] += power[there]
        count[here] += 1
    mean: np.ndarray = summed / count
    return mean


def _floor(blocks: Blocks, size: int) -> np.ndarray | None:
    """Mean noise power of each bin, float64 (bins,); None where there is nothing but digital silence."""
    bins = size // 2 + 1
    counts = np.zeros((bins, _STEPS), np.int64)
    for _, power in _smoothed(blocks(), size):
        level = 10.0 * np.log10(np.maximum(power, 1e-30))
        place = np.floor((level - _LEAST_DB) / _STEP_DB).astype(np.int64)
        heard = place >= 0
        index = np.minimum(place, _STEPS - 1) + np.arange(bins) * _STEPS
        counts += np.bincount(index[heard], minlength=bins * _STEPS).reshape(bins, _STEPS)
    totals = counts.sum(axis=1)
    if not totals.any():
        return None
    below = np.cumsum(counts, axis=1)
    at = (below >= np.maximum(QUANTILE * totals, 1)[:, np.newaxis]).argmax(axis=1)
    level = _LEAST_DB + _STEP_DB * (at + 0.5)
    return np.where(totals > 0, 10.0 ** (level / 10.0) / BIAS, 0.0)


def _turned_down(spectra: np.ndarray, power: np.ndarray, floor: np.ndarray, depth_db: float) -> np.ndarray:
    """The gate: gains in dB, straight between the two levels, averaged over three bins."""
    above = 10.0 * np.log10(np.maximum(power, 1e-30) / np.maximum(floor, 1e-30))
    gain = -depth_db * np.clip((HIGH_DB - above) / (HIGH_DB - LOW_DB), 0.0, 1.0)
    wide = np.pad(gain, ((0, 0), (1, 1)), mode="edge")
    gain = (wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]) / 3.0
    gated: np.ndarray = spectra * 10.0 ** (gain / 20.0)
    return gated


def _added(spectra: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Frames put where they came from and added up, float32 blocks; the half frame before the first sample is left out.

    Each sample is divided by the windows that lie over it, so that frames that nobody touched give the samples back.
    """
    hop, taper = size // 4, spectrum.window(size, size)
    sound, weight = np.zeros(0), np.zeros(0)
    skip = size // 2
    for group in spectra:
        frames = np.fft.irfft(group, n=size, axis=-1) * taper
        length = (len(frames) - 1) * hop + size
        sound = np.concatenate([sound, np.zeros(max(0, length - len(sound)))])
        weight = np.concatenate([weight, np.zeros(max(0, length - len(weight)))])
        for quarter in range(4):
            part = slice(quarter * hop, quarter * hop + hop)
            sound.reshape(-1, hop)[quarter : quarter + len(frames)] += frames[:, part]
            weight.reshape(-1, hop)[quarter : quarter + len(frames)] += taper[part] ** 2
        done = len(frames) * hop
        yield _divided(sound[:done], weight[:done])[min(skip, done) :]
        skip -= min(skip, done)
        sound, weight = sound[done:], weight[done:]
    yield _divided(sound, weight)[skip:]


def _divided(sound: np.ndarray, weight: np.ndarray) -> np.ndarray:
    samples: np.ndarray = (sound / np.maximum(weight, 1e-6)).astype(np.float32)
    return samples
