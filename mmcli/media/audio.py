"""Sound from files: plain wav as it lies there, libsndfile for what it is right about (wav, w64, aiff, caf; FLAC, mp3
and Vorbis that say how long they are and are), PyAV for all else (opus, m4a, mp4, webm, mkv, avi, ts and their kin).

Both ways give the same sample clock: sample 0 lies at time zero of the file, encoder delay is removed, a track that
begins late in its container is preceded by silence, gaps in the timestamps are silence, so that a lost packet moves
nothing after it. Several channels are averaged, unless one of them is asked for.

A segment is reached by seeking and equals that stretch of the whole (in mkv and webm, whose clock ticks in
milliseconds, to one of them). In files whose seek points are not exact (mp3, opus, aac, avi, ts) everything before the
segment is decoded and dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import announced, clock, containers, files, limits, wav
from mmcli.media.clips import AudioClip
from mmcli.media.frames import values

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

Float32 = NDArray[np.float32]

# What libsndfile may be asked for. Its lengths of mp3 without a tag are guesses (a variable bit rate read to 16.8 of
# 36.8 s), of chained ogg files it reads the first part: those are for PyAV, as is Opus, three times as fast there
# (five minutes in 0.33 s against 0.92 s). Of Vorbis the clock of libav lies a block late, so a plain file stays here.
SNDFILE_FORMATS = ("wav", "w64", "aiff", "caf", "flac", "ogg", "mp3")
NO_SEEK = ("MP3", "MPEG")  # measured: a seek in an mp3 lands elsewhere
# Decoded and dropped before a segment: Opus needs 80 ms to converge (RFC 7845, 4.6), AAC two frames, Vorbis one block.
PREROLL_S = 0.25
# Two channels cancel where their mean is 30 dB below each: alike voices in two microphones are at most 15 dB below.
# Whether they do is asked only where no sample of the mean passes 0.03 in the first seconds.
CANCELLED = 0.03
FAINT = 0.03
FAINT_S = 3.0


def read(path: Path, options: MediaOptions) -> AudioClip:
    """The clip of a sound file, or of the audio track of a video."""
    first = files.head(path, wav.LOOK)
    if files.container(first) == "xdf":
        from mmcli.media import xdf

        return xdf.read_sound(path, options)
    files.refuse_foreign(path, "audio", ("audio", "video"), first)
    kind = files.container(first)
    announced.refuse_truncated(path, kind or "")
    clip = None
    if not options.track and kind in SNDFILE_FORMATS and _believed(path, kind, first):
        plain = wav.layout(first, path.stat().st_size)
        if plain is not None and plain.rate:
            decode = partial(wav.pieces, where=plain)
            return _clip(path, options, plain.rate, plain.channels, plain.frames / plain.rate, decode)
        clip = _by_sndfile(path, options)
    return clip if clip is not None else _by_av(path, options)


def _believed(path: Path, kind: str, first: bytes) -> bool:
    """Whether libsndfile is right about this file."""
    if kind == "flac":
        return announced.is_plain_flac(path)
    if kind == "mp3":
        return announced.is_whole_mp3(path)
    if kind == "ogg":
        return first[29:35] == b"vorbis" and announced.is_one_ogg(path)
    return True


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
    size = path.stat().st_size
    if duration * rate * channels > limits.audio_values(size):
        raise MediaError(
            f"unpacks to {duration:.0f} s of sound, far more than its {size:,} bytes: refused", source=path
        )
    start, end = options.start or 0.0, options.end
    first, stop, segment = round(start * rate), None, None
    if options.start is not None or end is not None:
        containers.check_segment(start, end, duration, path)
        stop = None if end is None else round(end * rate)
        segment = {"start": start, "end": duration if end is None else min(end, duration)}
        duration = segment["end"] - start
    remarks: list[str] = []
    pieces = partial(decode, path, first, stop, options)
    if channels == 2 and options.channel is None:
        pieces = partial(_upright, decode, path, first, stop, options, rate, remarks)
    return AudioClip(
        name=path.name,
        path=path,
        rate=rate,
        channels=channels,
        duration_s=duration,
        decode=pieces,
        segment=segment,
        remarks=remarks,
    )


def _upright(
    decode: Any, path: Path, first: int, stop: int | None, options: MediaOptions, rate: int, remarks: list[str]
) -> Iterator[Float32]:
    """The mean of two channels; where one of them was recorded upside down, so that they cancel, the left one.

    It is told from the first seconds, and only where their mean is faint: a normal file costs nothing.
    """
    mixed = decode(path, first, stop, options)
    held: list[Float32] = []
    count = 0
    for piece in mixed:
        held.append(piece)
        count += len(piece)
        if np.abs(piece).max() > FAINT or count > FAINT_S * rate:
            break
    if held and np.abs(held[-1]).max() <= FAINT:
        level = _level(held)
        sides = [_level(decode(path, first, first + count, replace(options, channel=k))) for k in (0, 1)]
        if level < CANCELLED * min(sides):
            told = "the channels cancel each other (one is upside down); channel 0 is read alone"
            if told not in remarks:
                remarks.append(told)
            yield from decode(path, first, stop, replace(options, channel=0))
            return
    yield from held
    yield from mixed


def _level(pieces: Iterable[Float32]) -> float:
    """The root of the mean square."""
    squares, count = 0.0, 0
    for piece in pieces:
        squares += float(np.dot(piece.astype(np.float64), piece))
        count += len(piece)
    return float(np.sqrt(squares / max(1, count)))


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
        streams = containers.tracks(container, "audio")
        end = containers.declared(container, stream)
        # The header may declare half the rate and half the channels (HE-AAC): the first frame is right.
        frame = next(_whole(container, stream), None)
        if frame is None:
            raise MediaError("holds no sound", source=path)
        rate, channels = int(frame.sample_rate), len(frame.layout.channels)
    if end is None:
        with containers.opened(path) as container:
            end = containers.counted(container, containers.track(container, "audio", options.track, path))
    clip = _clip(path, options, rate, channels, end, _av_pieces)
    if len(streams) > 1:
        clip.track, clip.tracks = streams.index(stream), len(streams)
        if options.track is None:
            clip.remarks.append(f"sound track {clip.track} of {len(streams)} is taken (counted from 0)")
    return clip


def _av_pieces(path: Path, first: int, stop: int | None, options: MediaOptions) -> Iterator[Float32]:
    size = path.stat().st_size
    with containers.opened(path) as container:
        stream = containers.track(container, "audio", options.track, path)
        end = containers.declared(container, stream)
        zero = containers.origin(container)
        rate = 0
        at = first  # the next sample to give
        silent = 0
        names = container.format.name.split(",")
        seekable = any(name in names for name in containers.SEEKABLE)
        frames = _frames(container, stream, first, seekable, zero)
        if "ogg" in names and stream.codec_context.name == "vorbis":
            frames, late = _vorbis(frames, stream)
            zero += late
        for position, frame in clock.placed(frames, zero, path):
            if not rate:
                rate = int(frame.sample_rate)
                if end is not None and "mov" in names:  # the edit list says where the sound ends and padding begins
                    stop = round(end * rate) if stop is None else min(stop, round(end * rate))
            data = values(frame, path)
            if options.channel is not None and options.channel >= data.shape[1]:
                raise MediaError(f"drops to {data.shape[1]} channel(s) on the way", source=path)
            if position > at:
                gap = min(position, position if stop is None else stop) - at
                silent += gap
                if silent > limits.silence_s(size) * rate:
                    raise MediaError(
                        f"has {silent / rate:.0f} s without sound, more than a file of its size may have", source=path
                    )
                yield from _silence(gap)
                at = position
            if position + len(data) > at:
                piece = _mono(data[at - position :], options.channel)
                piece = piece if stop is None else piece[: max(0, stop - at)]
                if len(piece):
                    yield piece
                at = max(at, position + len(data))
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
    yield from _whole(container, stream)


def _vorbis(frames: Iterator[Any], stream: Any) -> tuple[Iterator[Any], float]:
    """The same frames, and how many seconds late their times are: libav gives the first packet a length, but it only
    primes the decoder, and the sound begins with the second (Vorbis I, 4.3.8)."""
    first = next(frames, None)
    if first is None:
        return frames, 0.0
    late = 0.0 if first.pts is None else float((first.pts - (stream.start_time or 0)) * first.time_base)
    return chain([first], frames), late if 0 < late * first.sample_rate <= 8192 else 0.0


def _whole(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames; a packet that cannot be decoded is passed over as long as others can: its place becomes silence.

    Raises what the decoder raised where nothing, or less than half of the packets, can be decoded.
    """
    import av

    good, bad = 0, 0
    failure: Exception | None = None
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            bad += 1
            failure = error
            continue
        good += 1
        yield from frames
    if failure is not None and bad >= good:
        raise failure


def _silence(samples: int) -> Iterator[Float32]:
    while samples > 0:
        yield np.zeros(min(samples, limits.AUDIO_PIECE), np.float32)
        samples -= limits.AUDIO_PIECE
