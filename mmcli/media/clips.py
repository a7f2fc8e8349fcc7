"""The values that extractors take: one clip per modality, from a file (:func:`mmcli.media.open_clip`) or from arrays.

A clip knows its name, its sizes and where it came from. Audio and video are decoded when asked for, block by block, and
every call decodes anew, so a clip can be read several times. Times are seconds from the start of the clip, or of the
segment where one was chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import limits

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]


@dataclass(eq=False, kw_only=True)
class Clip:
    """What all clips share. ``path`` is None for a clip that was made from arrays."""

    name: str
    path: Path | None = None

    @cached_property
    def source(self) -> dict[str, Any] | None:
        """``{name, size, sha256}`` of the file, computed on first use; None for a clip made from arrays."""
        if self.path is None:
            return None
        try:
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise MediaError(f"cannot be read: {error.strerror}", source=self.name) from error
        return {"name": self.path.name, "size": size, "sha256": digest}


@dataclass(eq=False, kw_only=True)
class AudioClip(Clip):
    """Sound on one sample clock: sample ``i`` of :meth:`samples` lies at ``i / rate`` seconds, whatever decoded it.

    ``rate`` is the native rate in Hz, ``channels`` the native channel count (the samples are a mono mixdown or the
    channel that was asked for), ``duration_s`` the length in seconds as far as it is known before decoding.
    ``decode`` yields the mono samples at the native rate, float32, in pieces of any length.

    >>> tone = AudioClip.from_array(np.sin(np.arange(800) * 0.3), rate=8000)
    >>> tone.samples(16000).shape, tone.samples().dtype.name, tone.duration_s
    ((1600,), 'float32', 0.1)
    >>> [len(block) for block in tone.blocks(seconds=0.04)]
    [320, 320, 160]
    """

    rate: int
    channels: int
    duration_s: float
    decode: Callable[[], Iterable[Float32]] = field(repr=False)
    segment: dict[str, float] | None = None
    track: int | None = None  # the sound track taken, counted from 0; None where the file has one only
    tracks: int = 1
    remarks: list[str] = field(default_factory=list)  # what a listener would want to know; complete once it was decoded

    def samples(self, rate: int | None = None) -> Float32:
        """The whole clip, float32 ``(n,)``, at ``rate`` Hz (None: the native rate).

        Raises :class:`MediaError` for damaged sound, NaN or Inf, no samples at all, and clips too long to hold whole.
        """
        wanted = self.rate if rate is None else rate
        expected = int(self.duration_s * wanted) + 1
        most = limits.whole_samples(None if self.path is None else self.path.stat().st_size)
        if expected > most:
            raise MediaError(
                f"{self.duration_s:.0f} s at {wanted} Hz is too long to hold whole",
                source=self.name,
                hint="use an extractor that streams, a lower rate, or a segment (start, end)",
            )
        out = np.empty(expected, np.float32)
        filled = 0
        for piece in self._resampled(wanted):
            if filled + len(piece) > len(out):
                if filled + len(piece) > most:
                    raise MediaError("holds more samples than it declares, too many to hold", source=self.name)
                out = np.concatenate([out[:filled], np.empty(max(len(piece), len(out) // 2), np.float32)])
            out[filled : filled + len(piece)] = piece
            filled += len(piece)
        return out[:filled] if filled == len(out) else out[:filled].copy()

    def blocks(self, rate: int | None = None, seconds: float = 30.0) -> Iterator[Float32]:
        """The same samples in blocks of ``seconds``, the last one shorter; joined they equal :meth:`samples`."""
        wanted = self.rate if rate is None else rate
        size = max(1, round(seconds * wanted))
        return _cut(self._resampled(wanted), size)

    def _resampled(self, rate: int) -> Iterator[Float32]:
        """Pieces at ``rate``; the pieces given to the resampler never depend on the block size asked for."""
        if not isinstance(rate, int | np.integer) or not limits.MIN_RATE_HZ <= rate <= limits.MAX_RATE_HZ:
            raise MediaError(f"cannot be resampled to {rate!r} Hz", source=self.name)
        stream: Any = None
        if rate != self.rate:
            import soxr

            stream = soxr.ResampleStream(float(self.rate), float(rate), 1, dtype="float32", quality="HQ")
        taken = total = 0
        for piece in _cut(self.decode(), limits.AUDIO_PIECE):
            if not (finite := np.isfinite(piece)).all():
                at = (taken + int(finite.argmin())) / self.rate
                raise MediaError(f"holds NaN or Inf near {at:.2f} s", source=self.name)
            taken += len(piece)
            out = piece if stream is None else stream.resample_chunk(piece, last=False)
            total += len(out)
            yield out
        if taken == 0:
            raise MediaError("holds no sound", source=self.name)
        if stream is None:
            return
        out = stream.resample_chunk(np.empty(0, np.float32), last=True)
        yield out
        if total + len(out) == 0:
            raise MediaError(f"is too short to be resampled to {rate} Hz", source=self.name)

    @classmethod
    def from_array(cls, samples: Any, rate: int, name: str = "array") -> AudioClip:
        """A clip of samples ``(n,)`` or ``(n, channels)`` at ``rate`` Hz; integers are taken as they are, unscaled."""
        data = np.asarray(samples, dtype=np.float32)
        if data.ndim not in (1, 2) or data.size == 0:
            raise MediaError(f"samples of shape {data.shape} are no sound: (n,) or (n, channels) is", source=name)
        channels = 1 if data.ndim == 1 else data.shape[1]
        mono = np.ascontiguousarray(data if data.ndim == 1 else data.mean(axis=1, dtype=np.float32))
        return cls(name=name, rate=int(rate), channels=channels, duration_s=len(mono) / rate, decode=lambda: [mono])


@dataclass(eq=False, kw_only=True)
class ImageClip(Clip):
    """One picture: ``pixels`` float32 ``(height, width, channels)`` in [0, 1], channels 1 (grey) or 3 (RGB)."""

    pixels: Float32 = field(repr=False)

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
            raise MediaError(f"pixels of shape {shape} are no picture: (height, width, 1 or 3) is", source=self.name)
        if not np.isfinite(self.pixels).all():
            raise MediaError("pixels hold NaN or Inf", source=self.name)

    @classmethod
    def from_array(cls, pixels: Any, name: str = "array") -> ImageClip:
        """A clip of pixels ``(h, w)`` or ``(h, w, 1 or 3)``: uint8, uint16, or floats in [0, 1]."""
        data = np.asarray(pixels)
        whole = np.iinfo(data.dtype).max if data.dtype in (np.uint8, np.uint16) else None
        data = np.array(data, np.float32, order="C")
        if whole is not None:
            data /= np.float32(whole)  # in place: a copy of a picture costs as much as the division
        return cls(name=name, pixels=data[:, :, None] if data.ndim == 2 else data)


@dataclass(eq=False, kw_only=True)
class VideoClip(Clip):
    """Moving pictures. ``width`` and ``height`` are as shown (rotation applied), ``rate_hz`` is nominal (0: unknown).

    ``decode`` yields ``(time_s, uint8 (height, width, 3))`` in order of presentation.
    """

    width: int
    height: int
    rate_hz: float
    duration_s: float
    decode: Callable[[float | None], Iterable[tuple[float, UInt8]]] = field(repr=False)
    has_audio: bool = False
    segment: dict[str, float] | None = None

    def frames(self, rate: float | None = None) -> Iterator[tuple[float, UInt8]]:
        """Frames with their own presentation times, strictly increasing.

        With ``rate`` (Hz) the first frame at or after each tick of ``1 / rate`` seconds; none is repeated.
        Raises :class:`MediaError` for damaged video and for video without a frame.
        """
        if rate is not None and not rate > 0:
            raise MediaError(f"cannot give {rate!r} frames a second", source=self.name)
        last = -np.inf
        for time, pixels in self.decode(rate):
            if time > last:
                yield time, pixels
                last = time
        if last == -np.inf:
            raise MediaError("holds no picture", source=self.name)

    @classmethod
    def from_array(cls, frames: Any, rate_hz: float, name: str = "array") -> VideoClip:
        """A clip of frames uint8 ``(n, height, width, 3)`` shown at ``rate_hz``.

        >>> clip = VideoClip.from_array(np.zeros((4, 2, 2, 3), np.uint8), rate_hz=4.0)
        >>> [time for time, _ in clip.frames(rate=2.0)]
        [0.0, 0.5]
        """
        data = np.asarray(frames)
        if data.dtype != np.uint8 or data.ndim != 4 or data.shape[3] != 3 or data.size == 0:
            raise MediaError(f"{data.dtype} {data.shape} is no video: uint8 (frames, height, width, 3) is", source=name)

        def decode(rate: float | None) -> Iterator[tuple[float, UInt8]]:
            return at_rate(((i / rate_hz, frame) for i, frame in enumerate(data)), rate)

        _, height, width, _ = data.shape
        return cls(
            name=name, width=width, height=height, rate_hz=rate_hz, duration_s=len(data) / rate_hz, decode=decode
        )


@dataclass(eq=False, kw_only=True)
class TextClip(Clip):
    """Written language: ``text`` without a byte order mark, line ends as ``\\n``."""

    text: str


@dataclass(eq=False, kw_only=True)
class SeriesClip(Clip):
    """Numbers over time: ``values`` float64 ``(frames, dims)``, ``times`` float64 ``(frames,)`` seconds, increasing.

    ``timed`` is False where the file has no time column and no rate was given; ``times`` then count the rows (one a
    second) and whoever uses them must ask for a rate. ``missing`` counts values that were interpolated.
    """

    values: Float64 = field(repr=False)
    times: Float64 = field(repr=False)
    columns: list[str]
    rate_hz: float | None = None
    timed: bool = True
    missing: int = 0
    remarks: list[str] = field(default_factory=list)  # what a user of its times would want to know

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or 0 in self.values.shape or self.times.shape != self.values.shape[:1]:
            raise MediaError(
                f"values {self.values.shape} with times {self.times.shape} are no series", source=self.name
            )
        if len(self.columns) != self.values.shape[1]:
            raise MediaError(f"{len(self.columns)} names for {self.values.shape[1]} columns", source=self.name)
        if not (np.isfinite(self.values).all() and np.isfinite(self.times).all()):
            raise MediaError("holds NaN or Inf", source=self.name, hint="use --missing interpolate to fill gaps")
        if not (np.diff(self.times) > 0).all():
            raise MediaError("times do not increase", source=self.name)

    @classmethod
    def from_array(cls, values: Any, rate_hz: float, name: str = "array") -> SeriesClip:
        """A clip of values ``(frames,)`` or ``(frames, dims)`` at ``rate_hz``.

        >>> SeriesClip.from_array([[1, 2], [3, 4]], rate_hz=10).times.tolist()
        [0.0, 0.1]
        """
        data = np.asarray(values, dtype=np.float64)
        data = np.ascontiguousarray(data[:, None] if data.ndim == 1 else data)
        times = np.arange(len(data)) / rate_hz
        columns = [f"c{i}" for i in range(data.shape[1] if data.ndim == 2 else 0)]
        return cls(name=name, values=data, times=times, columns=columns, rate_hz=float(rate_hz))


@dataclass(eq=False, kw_only=True)
class TableClip(Clip):
    """One row of a table: ``numbers`` and ``categories`` by column name; None where the cell is empty."""

    numbers: dict[str, float | None] = field(default_factory=dict)
    categories: dict[str, str | None] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class SubtitleClip(Clip):
    """Timed text: ``cues`` of ``(start_s, end_s, text)`` in order of their start; ``mended`` says what of the file
    could not be taken as it was written."""

    cues: list[tuple[float, float, str]]
    mended: tuple[str, ...] = ()


def at_rate(frames: Iterable[tuple[float, Any]], rate: float | None) -> Iterator[tuple[float, Any]]:
    """The first frame at or after each tick of ``1 / rate`` seconds, with its own time; all frames for None.

    >>> list(at_rate([(0.0, "a"), (0.3, "b"), (0.6, "c"), (1.1, "d")], 2.0))
    [(0.0, 'a'), (0.6, 'c'), (1.1, 'd')]
    """
    due = -np.inf
    for time, frame in frames:
        if rate is None:
            yield time, frame
        elif time * rate >= due - 1e-6:  # a presentation time is rounded to the container's time base
            yield time, frame
            due = np.floor(time * rate + 1e-6) + 1


def _cut(pieces: Iterable[Float32], size: int) -> Iterator[Float32]:
    """The samples of ``pieces`` in blocks of exactly ``size``, the last one shorter."""
    held: list[Float32] = []
    count = 0
    for piece in pieces:
        while count + len(piece) >= size:
            take = size - count
            held.append(piece[:take])
            yield held[0] if len(held) == 1 else np.concatenate(held)
            held, count, piece = [], 0, piece[take:]
        if len(piece):
            held.append(piece)
            count += len(piece)
    if held:
        yield held[0] if len(held) == 1 else np.concatenate(held)
