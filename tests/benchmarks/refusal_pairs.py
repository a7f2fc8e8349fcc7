"""Copies of recordings and of subtitles, right and wrong ones, for :mod:`bench_refusal` and the suite.

A copy of a recording comes with the time of the recording for each of its moments, so that a pair that is accepted can
also be asked whether its map is right. Everything is made with numpy, soxr and the codecs of libsndfile, from a seed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from mmcli.aligners.output.stretch import retimed
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.media.clips import AudioClip

RATE = 16_000
Samples = np.ndarray
Times = np.ndarray


@dataclass(frozen=True)
class Copy:
    """Samples at RATE, and pairs (time in the original, time in the copy) that its map must follow."""

    kind: str
    samples: Samples
    truth: np.ndarray


def clip(samples: Samples, name: str = "copy") -> AudioClip:
    """A clip of samples at RATE."""
    return AudioClip.from_array(np.ascontiguousarray(samples, dtype=np.float32), RATE, name)


def copies(a: Samples, seed: int) -> Iterator[Copy]:
    """Copies of one recording: cut, noisy, drifted, sped up, broken, filtered, re-encoded, re-timed."""
    rng = np.random.default_rng(seed)
    d = len(a) / RATE
    whole = np.array([0.0, d])
    same = np.column_stack([whole, whole])
    first, last = 0.1 * d, 0.85 * d
    part = a[int(first * RATE) : int(last * RATE)]
    part_truth = np.array([[first, 0.0], [last, last - first]])
    yield Copy("cut", part, part_truth)
    yield Copy("cut, +5 dB of noise", noisy(part, 5.0, rng), part_truth)
    for kind, rate, noise in (("drift of 145 ppm", 1 + 145e-6, 20.0), ("at 25/24 of its speed", 24 / 25, None)):
        moved = soxr.resample(a, RATE, RATE * rate)
        yield Copy(kind, moved if noise is None else noisy(moved, noise, rng), same * [1.0, rate])
    yield Copy("re-encoded, telephone band", telephone(a), same)
    yield Copy("re-encoded as mp3, quiet", 0.1 * encoded(a, "MP3", "MPEG_LAYER_III"), same)
    yield Copy("in a room, +15 dB of noise", noisy(in_a_room(a, rng), 15.0, rng), same)
    if d > 20:
        c = 0.4 * d
        gone = min(6.0, 0.2 * d)
        cut = np.concatenate([a[: int(c * RATE)], a[int((c + gone) * RATE) :]])
        truth = np.array([[0.0, 0.0], [c - 1, c - 1], [c + gone + 1, c + 1], [d, d - gone]])
        yield Copy("a stretch cut out", noisy(cut, 20.0, rng), truth)
    for kind, reach, noise in (("re-timed", 0.12, None), ("re-timed, +10 dB of noise", 0.2, 10.0)):
        knots = wander(d, reach, rng)
        moved = retimed(np.asarray(a, dtype=np.float32), RATE, TimeMap(knots))
        yield Copy(kind, moved if noise is None else noisy(moved, noise, rng), knots[:, ::-1])


def noisy(a: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    """With white noise so far below its mean power."""
    level = np.sqrt(float(np.mean(np.square(a, dtype=np.float64))) / 10 ** (snr_db / 10))
    return (a + level * rng.standard_normal(len(a))).astype(np.float32)


def encoded(a: Samples, form: str, subtype: str, rate: int = RATE) -> Samples:
    """What a codec of libsndfile leaves of samples at ``rate``; the delay of the codec is taken off."""
    file = io.BytesIO()
    soundfile.write(file, a, rate, format=form, subtype=subtype)
    file.seek(0)
    found, _ = soundfile.read(file, dtype="float32")
    spectrum = np.fft.rfft(found[: 8 * rate], 16 * rate) * np.conj(np.fft.rfft(a[: 8 * rate], 16 * rate))
    late = int(np.argmax(np.fft.irfft(spectrum)[:4000]))
    return np.asarray(np.pad(found[late:], (0, max(0, len(a) - len(found) + late)))[: len(a)], dtype=np.float32)


def telephone(a: Samples) -> Samples:
    """8,000 Hz, 300 to 3,400 Hz, mu-law."""
    from scipy.signal import butter, sosfilt

    narrow = sosfilt(butter(4, [300, 3400], "bandpass", fs=8000, output="sos"), soxr.resample(a, RATE, 8000))
    narrow = encoded(np.clip(narrow, -1, 1).astype(np.float32), "WAV", "ULAW", 8000)
    return np.asarray(soxr.resample(narrow, 8000, RATE), dtype=np.float32)


def in_a_room(a: Samples, rng: np.random.Generator) -> Samples:
    """With an echo that fades within 0.4 s and a tilt of the spectrum."""
    from scipy.signal import fftconvolve, lfilter

    n = int(0.4 * RATE)
    echo = 0.25 * rng.standard_normal(n) * np.exp(-np.arange(n) / (0.08 * RATE)) / np.sqrt(0.04 * RATE)
    echo[0] = 1.0
    return np.asarray(lfilter([1.0, -0.5], [1.0], fftconvolve(a, echo)[: len(a)]), dtype=np.float32)


def wander(d: float, reach: float, rng: np.random.Generator) -> np.ndarray:
    """Knots (time of the copy, time of the original) of a tempo that wanders by up to ``reach`` either way."""
    t = np.arange(0.0, d + 0.25, 0.25)
    pace = np.interp(t, np.arange(0.0, d + 4.0, 3.0), rng.uniform(-reach, reach, len(np.arange(0.0, d + 4.0, 3.0))))
    copy = np.concatenate([[0.0], np.cumsum(0.25 * np.exp(pace[:-1]))])
    return np.column_stack([copy, np.minimum(t, d)])[t <= d]


Cues = np.ndarray  # (k, 2) start and end, seconds


def right_cues(c: Cues, seed: int) -> Iterator[tuple[str, Cues]]:
    """Subtitles that belong to the same programme: late, early, at other rates, by hand, thinned, broken."""
    rng = np.random.default_rng(seed)
    middle = float(c[len(c) // 2, 0]) - 0.05
    yield "as they are", c
    yield "41.7 s late", c + 41.7
    yield "13.2 s early", c[c[:, 0] > 13.4] - 13.2
    for name, rate in (("25/23.976", 25 * 1.001 / 24), ("24/25", 24 / 25), ("0.5 % drift", 1.005)):
        yield name, c * rate + rng.uniform(-5, 5)
    for spread in (0.15, 0.3):
        shifted = c[rng.random(len(c)) > 0.14] + 5.0
        yield f"set by hand within {spread} s", shifted + rng.uniform(-spread, spread, (len(shifted), 1))
    yield "every second cue missing", c[::2] + 2.0
    late = c.copy()
    late[c[:, 0] > middle] += 30.0
    yield "30 s inserted", late
    kept = c[(c[:, 0] < middle) | (c[:, 0] > middle + 20.0)].copy()
    kept[kept[:, 0] > middle] -= 20.0
    yield "20 s cut out", kept
    joined = np.column_stack([c[:-1:2, 0], c[1::2, 1]]) if len(c) > 20 else c
    yield "cues joined two by two", joined + 3.0
    held = c.copy()
    held[:-1, 1] = np.minimum(np.maximum(c[:-1, 1] + 0.8, c[:-1, 0] + 1.2), c[1:, 0] - 0.05)
    yield "cues held on for reading", held - 1.0


def wrong_cues(c: Cues, duration_s: float, others: list[tuple[str, Cues]], seed: int) -> Iterator[tuple[str, Cues]]:
    """Subtitles that do not belong to the programme: time-reversed, in another order, of others, at random."""
    rng = np.random.default_rng(seed)
    reverse = duration_s - c[::-1, ::-1]
    yield "time-reversed", reverse
    yield "time-reversed, 7 s late", reverse + 7.0
    yield "time-reversed, 24/25", reverse * 24 / 25
    for k in range(2):
        pauses = rng.permutation(np.maximum(c[1:, 0] - c[:-1, 1], 0.0))
        lengths = rng.permutation(c[:, 1] - c[:, 0])
        starts = c[0, 0] + np.concatenate([[0.0], np.cumsum(lengths[:-1] + pauses)])
        yield f"in another order {k + 1}", np.column_stack([starts, starts + lengths])
    starts = np.cumsum(rng.uniform(2.5, 6.0, max(8, int(duration_s / 4.5))))
    yield "at random", np.column_stack([starts, starts + rng.uniform(0.8, 2.4, len(starts))])
    for name, other in others:
        yield f"of {name}", other
        yield f"of {name}, 24/25 and late", other * 24 / 25 + 11.0


def each(pairs: Iterator[tuple[str, Cues]]) -> list[tuple[str, Cues]]:
    """The subtitles that have enough cues to say anything (8 or more)."""
    return [(name, cues) for name, cues in pairs if len(cues) >= 8]
