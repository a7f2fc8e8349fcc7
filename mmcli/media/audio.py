"""Sound from files: plain wav as it lies there, libsndfile where it can (wav, flac, ogg, opus, mp3, aiff), PyAV
otherwise (m4a, mp4, webm, mkv).

Both ways give the same sample clock: sample 0 lies at time zero of the file, encoder delay is removed, a track that
begins late in its container is preceded by silence, gaps in the timestamps are silence. Several channels are averaged,
unless one of them is asked for.

A segment is reached by seeking and equals that stretch of the whole (in mkv and webm, whose clock ticks in
milliseconds, to one of them). Only in mp3 and bare aac, whose seek points are not exact, is everything before the
segment decoded and dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import containers, files, limits, wav
from mmcli.media.clips import AudioClip

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

Float32 = NDArray[np.float32]

SNDFILE_FORMATS = ("wav", "flac", "ogg", "mp3", "aiff")
# What libsndfile cannot seek exactly (measured: a seek in an mp3 lands elsewhere).
NO_SEEK = ("MP3", "MPEG")
# Decoded and dropped before a segment: Opus needs 80 ms to converge (RFC 7845, 4.6), AAC two frames, Vorbis one block.
PREROLL_S = 0.25
# Timestamps closer than this to the running count are rounding (Matroska counts milliseconds), not gaps.
JITTER_S = 0.02


def read(path: Path, options: MediaOptions) -> AudioClip:
    """The clip of a sound file, or of the audio track of a video."""
    first = files.head(path, wav.LOOK)
    files.refuse_foreign(path, "audio", ("audio", "video"), first)
    kind = files.container(first)
    clip = None
    if options.track == 0 and kind in SNDFILE_FORMATS:
        plain = wav.layout(first, path.stat().st_size)
        if plain is not None and plain.rate:
            decode = partial(wav.pieces, where=plain)
            return _clip(path, options, plain.rate, plain.channels, plain.frames / plain.rate, decode)
        refuse_truncated(path, kind)
        clip = _by_sndfile(path, options)
    return clip if clip is not None else _by_av(path, options)


def _clip(path: Path, options: MediaOptions, rate: int, channels: int, duration: float, decode: Any) -> AudioClip:
    """The clip once rate, channels and duration of the whole file are known; ``decode(first, stop, channel)``."""
    if not limits.MIN_RATE_HZ <= rate <= limits.MAX_RATE_HZ:
        raise MediaError(f"declares a rate of {rate} Hz", source=path)
    if not 1 <= channels <= limits.MAX_CHANNELS:
        raise MediaError(f"declares {channels} channels", source=path)
    if not 0 <= duration <= limits.MAX_DURATION_S:
        raise MediaError(f"declares a length of {duration:g} s", source=path)
    if options.channel is not None and options.channel >= channels:
        raise MediaError(
            f"has {channels} channel(s), counted from 0: there is no channel {options.channel}", source=path
        )
    if duration == 0:
        raise MediaError("holds no sound", source=path)
    start, end = options.start or 0.0, options.end
    first, stop, segment = round(start * rate), None, None
    if options.start is not None or end is not None:
        containers.check_segment(start, end, duration, path)
        stop = None if end is None else round(end * rate)
        segment = {"start": start, "end": duration if end is None else min(end, duration)}
        duration = segment["end"] - start
    return AudioClip(
        name=path.name,
        path=path,
        rate=rate,
        channels=channels,
        duration_s=duration,
        decode=partial(decode, path, first, stop, options),
        segment=segment,
    )


def _mono(data: Float32, channel: int | None) -> Float32:
    """Samples ``(n, channels)`` as ``(n,)``: one channel, or their mean."""
    if data.shape[1] == 1:
        return np.ascontiguousarray(data[:, 0])
    if channel is not None:
        return np.ascontiguousarray(data[:, channel])
    mixed: Float32 = data.mean(axis=1, dtype=np.float32)
    return mixed


def _by_sndfile(path: Path, options: MediaOptions) -> AudioClip | None:
    """The clip as libsndfile reads it; None where it does not know the codec inside."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate, channels, frames = file.samplerate, file.channels, file.frames
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError):
        return None
    if not limits.MIN_RATE_HZ <= rate <= limits.MAX_RATE_HZ:
        raise MediaError(f"declares a rate of {rate} Hz", source=path)
    return _clip(path, options, rate, channels, frames / rate, _sndfile_pieces)


def _sndfile_pieces(path: Path, first: int, stop: int | None, options: MediaOptions) -> Iterator[Float32]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            total = file.frames
            at = 0
            if first and file.format not in NO_SEEK:
                at = file.seek(first)
            end = total if stop is None else min(stop, total)
            while at < end:
                data = file.read(min(limits.AUDIO_PIECE, end - at), dtype="float32", always_2d=True)
                if not len(data):
                    break
                if at + len(data) > first:
                    yield _mono(data[max(0, first - at) :], options.channel)
                at += len(data)
            if end - at > limits.DURATION_SLACK_S * file.samplerate:
                raise MediaError(
                    f"is truncated: declares {total / file.samplerate:.2f} s, ends at {at / file.samplerate:.2f} s",
                    source=path,
                )
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError) as error:
        reason = getattr(error, "error_string", None) or str(error) or type(error).__name__
        raise MediaError(f"is damaged: {reason}", source=path) from error


def _by_av(path: Path, options: MediaOptions) -> AudioClip:
    with containers.opened(path) as container:
        stream = containers.track(container, "audio", options.track, path)
        end = containers.declared(container, stream)
        # The header may declare half the rate and half the channels (HE-AAC): the first frame is right.
        frame = next(iter(container.decode(stream)), None)
        if frame is None:
            raise MediaError("holds no sound", source=path)
        rate, channels = int(frame.sample_rate), len(frame.layout.channels)
    if end is None:  # a live recording: only counting tells
        whole = _av_pieces(path, 0, None, options)
        end = sum(len(piece) for piece in whole) / rate
    return _clip(path, options, rate, channels, end, _av_pieces)


def _av_pieces(path: Path, first: int, stop: int | None, options: MediaOptions) -> Iterator[Float32]:
    with containers.opened(path) as container:
        stream = containers.track(container, "audio", options.track, path)
        end = containers.declared(container, stream)
        zero = containers.origin(container)
        rate = 0
        at = first  # the next sample to give
        expected: int | None = None  # where the next frame should begin
        names = container.format.name.split(",")
        seekable = any(name in names for name in containers.SEEKABLE)
        for frame in _frames(container, stream, first, seekable, zero):
            if not rate:
                rate = int(frame.sample_rate)
                if end is not None and "mov" in names:  # the edit list says where the sound ends and padding begins
                    stop = round(end * rate) if stop is None else min(stop, round(end * rate))
            if frame.sample_rate != rate:
                raise MediaError(f"changes its rate from {rate} to {frame.sample_rate} Hz on the way", source=path)
            position = _position(frame, rate, zero, expected)
            data = _as_float(frame, path)
            if options.channel is not None and options.channel >= data.shape[1]:
                raise MediaError(f"drops to {data.shape[1]} channel(s) on the way", source=path)
            expected = position + len(data)
            if position > at:
                most = limits.MAX_DURATION_S if end is None else end + 1.0
                if position > most * rate:
                    raise MediaError(f"is damaged: a timestamp of {position / rate:.1f} s", source=path)
                yield from _silence(min(position, stop or position) - at)
                at = position
            if expected > at:
                piece = _mono(data[at - position :], options.channel)
                piece = piece if stop is None else piece[: max(0, stop - at)]
                if len(piece):
                    yield piece
                at = max(at, expected)
            if stop is not None and at >= stop:
                return
        done = at / rate if rate else 0.0
        if end is not None and done < end - max(limits.DURATION_SLACK_S, 0.01 * end):
            raise MediaError(f"is truncated: declares {end:.2f} s of sound, ends at {done:.2f} s", source=path)


def _frames(container: Any, stream: Any, first: int, seekable: bool, zero: float) -> Iterator[Any]:
    """Decoded frames, from a little before sample ``first`` where the container can seek."""
    stream.codec_context.thread_count = 1  # audio decoders gain nothing from threads
    if first and seekable and stream.rate:
        target = zero + first / stream.rate - PREROLL_S
        if target > 0:
            container.seek(int(target / stream.time_base), stream=stream, backward=True)
    yield from container.decode(stream)


def _position(frame: Any, rate: int, zero: float, expected: int | None) -> int:
    """The sample that a frame begins at, on the clip's clock."""
    if frame.pts is None or frame.time_base is None:
        return expected or 0
    position = round((float(frame.pts * frame.time_base) - zero) * rate)
    if expected is not None and abs(position - expected) <= JITTER_S * rate:
        return expected
    return position


def _silence(samples: int) -> Iterator[Float32]:
    while samples > 0:
        yield np.zeros(min(samples, limits.AUDIO_PIECE), np.float32)
        samples -= limits.AUDIO_PIECE


def _as_float(frame: Any, path: Path) -> Float32:
    """The samples of a PyAV frame, float32 ``(n, channels)``; integers scaled to [-1, 1) as libsndfile does."""
    data: NDArray[Any] = frame.to_ndarray()
    channels = len(frame.layout.channels)
    data = data.T if frame.format.is_planar else data.reshape(-1, channels)
    if data.dtype == np.uint8:
        return np.asarray((data.astype(np.float32) - 128) / 128, np.float32)
    if data.dtype.kind == "i":
        return np.asarray(data / float(2 ** (8 * data.dtype.itemsize - 1)), np.float32)
    if data.dtype.kind == "f":
        return np.asarray(data, np.float32)
    raise MediaError(f"has samples of an unknown kind ({frame.format.name})", source=path)


def refuse_truncated(path: Path, kind: str) -> None:
    """Raises :class:`MediaError` for a wav or ogg file that ends inside what it announces.

    libsndfile reads such files to their end without a word.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        missing = _missing_of_wav(file, size) if kind == "wav" else _missing_of_ogg(file, size) if kind == "ogg" else 0
    if missing > 0:
        raise MediaError(f"is truncated: {missing:,} bytes of what it announces are missing", source=path)


def _missing_of_wav(file: IO[bytes], size: int) -> int:
    """Bytes that the data chunk announces beyond the end of the file; 0 for lengths that say 'unknown'."""
    if file.read(4) != b"RIFF":
        return 0
    at = 12
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            unknown = length == 0 or length >= 0x7FFF0000  # written to a pipe
            # Some writers count the header in: 64 bytes too many are not a cut.
            return 0 if unknown or at + 8 + length <= size + 64 else at + 8 + length - size
        at += 8 + length + (length & 1)
    return 0


def _missing_of_ogg(file: IO[bytes], size: int) -> int:
    """Bytes that the last page announces beyond the end of the file (RFC 3533, 6)."""
    window = min(size, 2 * 65_307)  # the largest page
    file.seek(size - window)
    tail = file.read(window)
    at = tail.rfind(b"OggS")
    if at < 0:
        return 0
    if at + 27 > len(tail):
        return at + 27 - len(tail)
    table = tail[at + 27 : at + 27 + tail[at + 26]]
    return max(0, at + 27 + tail[at + 26] + sum(table) - len(tail))
