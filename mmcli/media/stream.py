"""Sound that is still coming in: raw samples, or what libav decodes from a pipe. Nothing is read before it is needed.

The samples do not depend on the pieces in which the bytes come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError, UsageError
from mmcli.media import containers, limits
from mmcli.media.frames import values

Float32 = NDArray[np.float32]
Read = Callable[[int], bytes]  # at most so many bytes, as soon as there are any; none at the end

KINDS: dict[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
AT_ONCE = 1 << 16  # bytes
PIECES_S = 50  # pieces a second that are resampled: always the same, so that the samples are
PROBE = 1 << 16  # bytes in which a container has to say what it is
UNKNOWN = 0x7FFF0000  # a wav header that announces as much was written to a pipe


def raw(read: Read, kind: str, rate: int, channels: int, name: str) -> tuple[int, Iterator[Float32]]:
    """The rate, and samples float32 (n,) of raw PCM, channels mixed to one.

    Raises :class:`UsageError` for a kind, rate or channels that cannot be, and, on the way, :class:`MediaError` with
    the byte offset for NaN or Inf and for an end inside a sample.
    """
    if kind not in KINDS:
        raise UsageError(f"--raw {kind}: no such samples", hint="one of " + ", ".join(KINDS))
    if not limits.MIN_RATE_HZ <= rate <= limits.MAX_RATE_HZ:
        raise UsageError(f"--rate {rate} is no rate of sound")
    if not 1 <= channels <= limits.MAX_CHANNELS:
        raise UsageError(f"--channels {channels} is no number of channels")
    return rate, _raw(read, KINDS[kind], channels, name)


def _raw(read: Read, dtype: np.dtype[Any], channels: int, name: str) -> Iterator[Float32]:
    size = dtype.itemsize * channels
    held, at = b"", 0
    while data := read(AT_ONCE):
        held += data
        whole = len(held) // size * size
        if not whole:
            continue
        samples = np.frombuffer(held[:whole], dtype).reshape(-1, channels)
        if dtype.kind == "f":
            _check(samples, at, dtype.itemsize, name)
            values = samples.astype(np.float32)
        else:
            values = samples.astype(np.float32) / np.float32(32768)
        at += whole
        held = held[whole:]
        yield values[:, 0].copy() if channels == 1 else values.mean(axis=1, dtype=np.float32)
    if held:
        raise MediaError(f"ends at byte {at + len(held)}, inside a sample of {size} bytes", source=name)


def _check(samples: NDArray[Any], at: int, size: int, name: str) -> None:
    bad = ~np.isfinite(samples.ravel())
    if bad.any():
        raise MediaError(f"holds NaN or Inf at byte {at + int(bad.argmax()) * size}", source=name)


class _Counted:
    """What libav reads from: counts the bytes, and keeps the first ones."""

    def __init__(self, read: Read) -> None:
        self._read, self.count, self.head = read, 0, b""

    def read(self, size: int) -> bytes:
        """As a file's, but for as much as is there."""
        data = self._read(size)
        if len(self.head) < PROBE:
            self.head += data[: PROBE - len(self.head)]
        self.count += len(data)
        return data


def decoded(read: Read, name: str) -> tuple[int, Iterator[Float32]]:
    """The rate, and samples float32 (n,) of the first sound track of a container, channels mixed to one.

    Raises :class:`MediaError` where nothing that libav knows comes in, and on the way for damage and for a wav that
    ends before what its header announces, with the byte offset.
    """
    pieces = _decoded(_Counted(read), name)
    rate = next(pieces)
    assert isinstance(rate, int)
    return rate, pieces  # type: ignore[return-value]


def _decoded(source: _Counted, name: str) -> Iterator[Float32 | int]:
    import av

    options = {"format_whitelist": containers.DEMUXERS, "protocol_whitelist": "", "probesize": str(PROBE)}
    rate = 0
    with _at_byte(source, name), containers.decoding(name):
        container = av.open(source, "r", options={**options}, **containers.tags())
        with container:
            track = containers.track(container, "audio", 0, name)
            track.codec_context.thread_count = 1
            for frame in container.decode(track):
                if not rate:
                    rate = int(frame.sample_rate)
                    if not limits.MIN_RATE_HZ <= rate <= limits.MAX_RATE_HZ:
                        raise MediaError(f"declares a rate of {rate} Hz", source=name)
                    yield rate
                if frame.sample_rate != rate:
                    raise MediaError(f"changes its rate from {rate} to {frame.sample_rate} Hz", source=name)
                samples = values(frame, name).T.mean(axis=0, dtype=np.float32)
                if not np.isfinite(samples).all():
                    raise MediaError("holds NaN or Inf", source=name)
                yield samples
        missing = _missing(source)
        if missing > 0:
            raise MediaError(f"ends {missing:,} bytes before what its header announces", source=name)
        if not rate:
            raise MediaError("holds no sound", source=name)


class _at_byte:  # noqa: N801 - read as a phrase
    """Adds to an error how many bytes had come in."""

    def __init__(self, source: _Counted, name: str) -> None:
        self.source, self.name = source, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, MediaError):
            raise MediaError(f"{error.what} (byte {self.source.count})", source=self.name) from error


def _missing(source: _Counted) -> int:
    """Bytes that a wav header announces and that did not come."""
    head = source.head
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return 0
    at = 12
    while at + 8 <= len(head):
        length = int.from_bytes(head[at + 4 : at + 8], "little")
        if head[at : at + 4] == b"data":
            return 0 if length == 0 or length >= UNKNOWN else at + 8 + length - 64 - source.count
        at += 8 + length + (length & 1)
    return 0


def at_rate(pieces: Iterable[Float32], rate: int, wanted: int) -> Iterator[Float32]:
    """The samples at another rate, in Hz, a fiftieth of a second after another.

    >>> [len(p) for p in at_rate([np.zeros(30, np.float32), np.zeros(10, np.float32)], 1000, 1000)]
    [20, 20]
    """
    import soxr

    step = max(1, rate // PIECES_S)
    stream = None if rate == wanted else soxr.ResampleStream(float(rate), float(wanted), 1, dtype="float32")
    held = np.zeros(0, np.float32)
    for piece in pieces:
        held = np.concatenate([held, piece])
        at = 0
        while at + step <= len(held):
            some = held[at : at + step]
            yield some if stream is None else stream.resample_chunk(some, last=False)
            at += step
        held = held[at:]
    rest = held if stream is None else stream.resample_chunk(held, last=True)
    if len(rest):
        yield rest
