"""The frames by which sound is compared where no feature is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats.features import Features
from mmcli.extractors import load
from mmcli.media.clips import AudioClip

HOP_S = 0.01  # the path is within half of it, averaged over neighbouring frames well below
SEMITONES = 36, 100  # MIDI numbers, C2 to D#7
SEMITONE_WINDOW_S = 0.093
RANGE_DB = 50.0  # below the loudest band: what is softer is taken as silence, so that noise floors cost nothing


_held: dict[str, WeakKeyDictionary[AudioClip, Features]] = {}


def held(name: str, sound: AudioClip) -> Features | None:
    """Frames that were taken of a clip under a name: once, however many stages ask, and forgotten with the clip."""
    return _held.setdefault(name, WeakKeyDictionary()).get(sound)


def hold(name: str, sound: AudioClip, features: Features) -> Features:
    """Keep frames for :func:`held`, and nobody may write to them."""
    features.values.flags.writeable = False
    _held.setdefault(name, WeakKeyDictionary())[sound] = features
    return features


def comparable(sound: AudioClip) -> Features:
    """Log-mel bands of an audio clip, float32 (frames, 64), every 10 ms, made fit for comparison.

    Everything softer than 50 dB below the loudest band counts as silence, and every band has mean 0 and deviation 1
    over the file: gain, equalisation and the noise floor then matter little, and the cosine compares shapes.
    """
    if (features := held("comparable", sound)) is not None:
        return features
    module = load("logmel")
    bands: Features = module.extract(sound, module.Config(hop_s=HOP_S))
    x = bands.flat()
    out = np.empty(x.shape, dtype=np.float32)
    floor = float(x.max()) - RANGE_DB
    for band in range(x.shape[1]):  # one at a time: an hour of all of them in float64 is 180 MB
        out[:, band] = standard(np.maximum(x[:, band], floor))
    return hold("comparable", sound, replace(bands, values=out))


def pitch_classes(sound: AudioClip) -> Features:
    """Chroma of an audio clip, float32 (frames, 12), every 20 ms, logarithmic so that soft notes count too.

    What two renditions of a piece share when instruments, voices and rooms differ.
    """
    if (features := held("pitch classes", sound)) is not None:
        return features
    chroma: Features = load("chroma").extract(sound)
    return hold("pitch classes", sound, replace(chroma, values=np.log1p(10.0 * chroma.values).astype(np.float32)))


def semitones(sound: AudioClip) -> Features:
    """Level of every semitone from C2 to D#7 of an audio clip, dB above the floor, float32 (frames, 64), every 10 ms.

    Windows of 93 ms: long enough to part semitones from the middle octave up, short enough to say when a note begins.
    """
    if (features := held("semitones", sound)) is not None:
        return features
    from mmcli.extractors import spectrum
    from mmcli.extractors.sound import SoundConfig, prepare

    prepared = prepare(sound, SoundConfig(sample_rate=22_050))
    clock = prepared.clock(SEMITONE_WINDOW_S, HOP_S)
    bins = np.arange(1 + clock.n_fft // 2) * clock.rate / clock.n_fft
    pitch = 69.0 + 12.0 * np.log2(np.maximum(bins, 1.0) / 440.0)
    filters = np.exp(-0.5 * ((pitch[:, None] - np.arange(*SEMITONES)) / 0.5) ** 2).astype(np.float32)
    power = np.concatenate([p @ filters for p in spectrum.powers(prepared.blocks(), clock)])
    level = 10.0 * np.log10(np.maximum(power, float(power.max()) * 10 ** (-RANGE_DB / 10) + 1e-20))
    values = np.asarray(level - level.min(), dtype=np.float32)
    return hold("semitones", sound, Features(values=values, times=clock.times(len(values)), meta={}))


def varied(values: NDArray[Any]) -> float:
    """The share of frames (n, d) that is not their mean, 0 (every frame is the same) to 1.

    >>> varied(np.array([[1.0, 1.0], [1.0, 1.0]])), varied(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    (0.0, 1.0)
    """
    wide = np.asarray(values, dtype=np.float64)
    centred = wide - wide.mean(axis=0)
    return float((centred * centred).sum() / max(float((wide * wide).sum()), 1e-12))


def standard(x: NDArray[Any]) -> NDArray[np.float64]:
    """Every column with mean 0 and deviation 1; a constant column becomes 0.

    >>> standard(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    x = np.asarray(x, dtype=np.float64)
    deviation = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(deviation > 1e-6, deviation, 1.0))


def coarse(values: NDArray[Any], times: NDArray[np.float64], factor: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Means of every ``factor`` frames, and their mean times; what is left over at the end is left out.

    >>> coarse(np.arange(5.0)[:, None], np.arange(5.0), 2)[0].ravel().tolist()
    [0.5, 2.5]
    """
    if factor <= 1 or len(values) < 2 * factor:
        return values, times
    n = len(values) // factor * factor
    return (
        values[:n].reshape(n // factor, factor, -1).mean(axis=1),
        times[:n].reshape(n // factor, factor).mean(axis=1),
    )


def stacked(values: NDArray[Any], width: int) -> NDArray[np.float32]:
    """Every frame together with its neighbours, ``width`` frames in all (odd), side by side; ends are repeated.

    >>> stacked(np.array([[1.0], [2.0], [3.0]]), 3).tolist()
    [[1.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 3.0]]
    """
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.hstack([padded[k : k + len(values)] for k in range(width)]).astype(np.float32)
