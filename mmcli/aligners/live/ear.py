"""Frames of a sound that is still coming in: 50 a second, each from what was heard until then and nothing later.

The same frames are taken of the reference, so that both sides are bent alike by what they only know so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.artifacts.formats.features import Features
from mmcli.errors import InputError, UsageError
from mmcli.extractors import spectrum
from mmcli.extractors.audio.chroma import chroma_filters
from mmcli.media.clips import AudioClip

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

RATE = 22_050  # Hz
HOP = 441  # samples: 50 frames a second
MEL_FLOOR = 3e-2  # of the usual power, added to every band: softer ones do not count
QUIET = 1e-3  # of the usual power, below which a frame is quiet: 30 dB
SOFT = 0.05  # the same of the reference, below which noise in the stream may hide it
USUAL = 500  # frames after which what was usual has faded to a third
LEVEL = 1500  # the same of the level that quiet is measured by,
RELEASE = 500  # and in quiet: after a minute of sound that is 30 dB softer, that sound is what is usual
SCALE = 250  # frames over which a feature is centred and scaled
WARM = 50  # frames that are heard before the first is described: what is usual in them, and in the reference, begins it
AT_ONCE = 256  # spectra of a reference that are taken together


@dataclass(frozen=True)
class Frame:
    """``time``: the middle of what was heard, seconds. ``values``: float32 (dims,). ``quiet``: next to nothing;
    ``level``: its power over what is usual."""

    time: float
    values: Float32
    quiet: bool
    level: float = 1.0


class Feature:
    """How a frame is described. ``window``: samples of one; ``sharpness``: that of the filter over them.
    ``width`` and ``grain_s``: what the half-width of the 90 % interval is made of, times the deviation that the filter
    gives, with seconds that frames leave open; chosen on s2 and timbl, of notes on s6.
    """

    window: int
    sharpness: float
    dims: int
    width: float
    grain_s: float

    @cached_property
    def taper(self) -> Float64:
        """The analysis window."""
        return spectrum.window(self.window, self.window)

    def power(self, samples: Float32) -> Float64:
        """Power spectra (frames, bins) of frames (frames, window)."""
        z = np.fft.rfft(samples * self.taper, axis=-1)
        return np.asarray(z.real**2 + z.imag**2)

    def bands(self, power: Float64) -> Float64:
        """What is kept of spectra (frames, bins)."""
        raise NotImplementedError

    def fresh(self) -> Feature:
        """The same feature for another stream, as if nothing had been heard."""
        raise NotImplementedError

    def begin(self, bands: Float64) -> None:
        """Learn what is usual from the bands (frames, bands) of the first frames that are not quiet."""

    def describe(self, bands: Float64, hold: bool) -> Float64:
        """The values of the next frame from its bands; with ``hold`` it does not change what is usual."""
        raise NotImplementedError


class Timbre(Feature):
    """The shape of the spectrum, cepstra 1 to 20 of 40 mel bands: two copies of one recording."""

    window, sharpness, dims = 1024, 8.0, 20
    width, grain_s = 1.35, 0.006

    def __init__(self, usual: tuple[Float64, Float64] | None = None) -> None:
        self.level = Running(USUAL, 25)
        self.usual = usual  # mean and variance of the whole reference
        self.mean, self.variance = usual if usual is not None else (np.zeros(self.dims), np.ones(self.dims))
        self.heard = WARM if usual is not None else 0

    def fresh(self) -> Timbre:
        """A new one."""
        return Timbre(self.usual)

    @cached_property
    def mel(self) -> Float32:
        """Filters (bins, 40)."""
        return spectrum.mel_filters(RATE, self.window, 40, 60.0, 8000.0)

    @cached_property
    def cosines(self) -> Float64:
        """The orthonormal cosine transform of 40 bands, its rows 1 to 20, (40, 20)."""
        k, n = np.arange(1, self.dims + 1), np.arange(40)
        return np.asarray(np.sqrt(2 / 40) * np.cos(np.pi / 40 * (n[:, None] + 0.5) * k))

    def bands(self, power: Float64) -> Float64:
        """As of :class:`Feature`."""
        return np.asarray(power @ self.mel)

    def begin(self, bands: Float64) -> None:
        """As of :class:`Feature`."""
        if self.usual is None or not len(bands):
            return
        x = np.log(bands + MEL_FLOOR * bands.mean() + 1e-9) @ self.cosines
        self.mean, self.variance = x.mean(axis=0), x.var(axis=0)

    def describe(self, bands: Float64, hold: bool) -> Float64:
        """As of :class:`Feature`."""
        floor = self.level.update(float(bands.mean()), hold=hold)
        x = np.log(bands + MEL_FLOOR * floor + 1e-9) @ self.cosines
        if not hold:
            self.heard += 1
            rate = 1 / min(self.heard, SCALE)
            self.mean = self.mean + rate * (x - self.mean)
            self.variance = self.variance + rate * ((x - self.mean) ** 2 - self.variance)
        return np.asarray((x - self.mean) / np.sqrt(self.variance + 1e-6))


class Notes(Feature):
    """Pitch classes and what begins in 24 bands: a score and its rendition, or two renditions."""

    window, sharpness, dims = 4096, 4.0, 36
    width, grain_s = 2.5, 0.012

    def __init__(self) -> None:
        self.tone, self.band, self.rise = Running(USUAL, 25), Running(USUAL, 25), Running(USUAL, 25)
        self.before: Float64 | None = None

    def fresh(self) -> Notes:
        """A new one."""
        return Notes()

    @cached_property
    def filters(self) -> Float64:
        """Pitch classes beside mel bands, (bins, 12 + 24 + 1); the last column sums all."""
        chroma = np.asarray(chroma_filters(RATE, self.window, 0.0))
        chroma = chroma if chroma.shape[0] == self.window // 2 + 1 else chroma.T
        mel = spectrum.mel_filters(RATE, self.window, 24, 100.0, 8000.0)
        return np.hstack([chroma, mel, np.ones((len(mel), 1))])

    def bands(self, power: Float64) -> Float64:
        """As of :class:`Feature`."""
        return np.asarray(power @ self.filters)

    def describe(self, bands: Float64, hold: bool) -> Float64:
        """As of :class:`Feature`."""
        chroma, mel, total = bands[:12], bands[12:36], float(bands[36])
        usual = self.tone.update(total, hold=hold)
        tones = chroma / (np.linalg.norm(chroma) + 1e-3 * np.sqrt(usual) + 1e-9)
        level = np.log(mel + 1e-2 * self.band.update(float(mel.mean()), hold=hold) + 1e-9)
        rise = np.maximum(0.0, level - (level if self.before is None else self.before))
        self.before = level
        begun = 1.5 * rise / (4 * self.rise.update(float(rise.sum()), hold=hold) + 1e-6)
        return np.concatenate([tones, begun])


class Running:
    """A running mean: of all so far until ``warm`` values were there, then fading over ``length``."""

    def __init__(self, length: int, warm: int, release: int | None = None) -> None:
        self.length, self.warm, self.release = length, warm, release
        self.value, self.count = 0.0, 0

    def update(self, x: float, *, hold: bool = False) -> float:
        """The mean with one more value. Held, it stays, or falls over ``release`` where that is given."""
        if hold and self.count:
            if self.release is not None:
                self.value += (x - self.value) / self.release
            return self.value
        self.count += 1
        self.value += (x - self.value) / min(self.count, self.length)
        return self.value


class Ear:
    """Samples in, frames out, at :data:`RATE`. The frames do not depend on how the samples come in pieces."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        self.level = Running(LEVEL, 25, RELEASE)
        self.held = np.zeros(0, np.float32)
        self.count = 0
        self.first: list[tuple[Float64, float, bool]] | None = []  # bands, power, quiet, until all are warm
        self.hold = False  # whether what is heard is not to change what is usual

    def feed(self, samples: Float32) -> Iterator[Frame]:
        """The frames that are complete with these samples."""
        self.held = np.concatenate([self.held, samples]) if len(self.held) else samples
        size, at = self.feature.window, 0
        while at + size <= len(self.held):
            heard = self.held[at : at + size]
            yield from self._take(heard, self.feature.bands(self.feature.power(heard[None]))[0])
            at += HOP
        self.held = self.held[at:].copy()

    def end(self) -> Iterator[Frame]:
        """The frames of a stream that ends before the first were described."""
        self.feature.begin(np.array([bands for bands, _, quiet in self.first or [] if not quiet]))
        waiting, self.first = self.first or [], None
        for bands, power, _ in waiting:
            yield self._frame(bands, power)

    def listen(self, pieces: Iterable[Float32]) -> Iterator[Frame]:
        """All frames of a sound that is there as a whole, its spectra taken many at a time."""
        size = self.feature.window
        held = np.zeros(0, np.float32)
        for piece in pieces:
            held = np.concatenate([held, piece])
            count = (len(held) - size) // HOP + 1 if len(held) >= size else 0
            for first in range(0, count, AT_ONCE):
                some = range(first, min(first + AT_ONCE, count))
                heard = np.stack([held[k * HOP : k * HOP + size] for k in some])
                for row, bands in zip(heard, self.feature.bands(self.feature.power(heard)), strict=True):
                    yield from self._take(row, bands)
            held = held[count * HOP :]
        yield from self.end()

    def _take(self, heard: Float32, bands: Float64) -> Iterator[Frame]:
        power = float(np.dot(heard, heard)) / len(heard)
        if self.first is None:
            yield self._frame(bands, power)
            return
        self.first.append((bands, power, power < 1e-12))
        if len(self.first) >= WARM:
            yield from self.end()

    def _frame(self, bands: Float64, power: float) -> Frame:
        quiet = power < QUIET * self.level.value or power < 1e-12
        level = power / max(self.level.value, 1e-30)
        self.level.update(power, hold=quiet or self.hold)
        values = self.feature.describe(bands, quiet or self.hold).astype(np.float32)
        time = (self.count * HOP + self.feature.window / 2) / RATE
        self.count += 1
        return Frame(time, values, quiet, level)


@dataclass(frozen=True, eq=False)
class Heard:
    """A reference as it is followed: ``values`` float32 (frames, dims), ``times`` (frames,), every ``hop_s`` seconds.

    ``loud`` (frames,): 1 where something is to be heard, 0 where not. ``feature`` is what a stream of sound is
    described by beside it, None where frames were given; ``sharpness`` and ``width`` as of the
    feature.
    """

    values: Float32
    times: Float64
    hop_s: float
    sharpness: float
    loud: Float32
    feature: Feature | None = None
    width: tuple[float, float] = (Timbre.width, Timbre.grain_s)

    def ear(self) -> Ear:
        """The ear for a stream of sound. Raises :class:`UsageError` where the reference holds no sound."""
        if self.feature is None:
            raise UsageError("the reference is no sound, so a stream of sound cannot be followed along it")
        return Ear(self.feature.fresh())


def reference(sound: AudioClip, notes: bool) -> Heard:
    """The frames of a whole recording. Raises :class:`InputError` where it is shorter than one of them."""
    feature: Feature = Notes() if notes else Timbre()
    frames = list(Ear(feature).listen(sound.blocks(RATE, 30.0)))
    if not frames:
        raise InputError(f"is shorter than {feature.window / RATE:.2f} s, too short to follow", source=sound.name)
    if isinstance(feature, Timbre):  # what is usual in all of it is known now: both sides begin with that
        feature = Timbre((feature.mean, feature.variance))
        frames = list(Ear(feature).listen(sound.blocks(RATE, 30.0)))
    values, times = np.stack([f.values for f in frames]), np.array([f.time for f in frames])
    loud = np.array([f.level >= SOFT for f in frames], np.float32)
    return Heard(values, times, HOP / RATE, feature.sharpness, loud, feature, (feature.width, feature.grain_s))


def given(reference: Features, query: Features) -> tuple[Heard, list[Frame]]:
    """Features of both sides as they are followed, each column on the scale that it has in the reference.

    Raises :class:`MismatchError` where they have different widths.
    """
    (x, times), (y, t) = inputs.checked(reference, query)
    center, scale = x.mean(axis=0), x.std(axis=0) + 1e-6
    heard = Heard(
        ((x - center) / scale).astype(np.float32),
        times,
        inputs.hop_of(times),
        Timbre.sharpness,
        np.ones(len(x), np.float32),
    )
    return heard, [
        Frame(float(a), row, False) for a, row in zip(t, ((y - center) / scale).astype(np.float32), strict=True)
    ]
