"""Recordings of the Lab Streaming Layer (XDF 1.0): one stream as a series or as sound, on the clock that all share.

pyxdf (extra ``xdf``) reads them and brings the streams onto one clock. What it would pass over in silence is looked for
first: chunks that are longer than the file, and samples that do not fit into their chunk. Stamps within a stretch are
put on the straight line through them, as its users expect; a jump ends the stretch, stays where it is, and is said.

Reference: the XDF 1.0 specification, https://github.com/sccn/xdf.
"""

from __future__ import annotations

import itertools
import logging
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError, MissingError
from mmcli.media import limits
from mmcli.media.clips import AudioClip

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

Float64 = NDArray[np.float64]

MARK = b"XDF:"
HEADER, SAMPLES = 2, 3  # tags of chunks
WIDTHS = {"double64": 8, "float32": 4, "int64": 8, "int32": 4, "int16": 2, "int8": 1}  # bytes of a number
LARGEST_HEADER = 1 << 20  # bytes of XML
JUMP_S = 0.1  # from stamp to stamp, more or less than the rate says, from which on a stretch ends,
JUMP_SAMPLES = 3  # and of slow streams so many samples
MOVED_S = 0.01  # that a stamp may be moved by, to be even, without a word
LISTED = 5  # jumps that are said one by one


@dataclass
class Stream:
    """What the header of a stream says; ``number`` counts all streams of the file from 0."""

    number: int
    key: int
    name: str
    kind: str
    format: str
    channels: int
    rate: float
    labels: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether its samples are sound: it says so, and its rate could be."""
        return self.kind.lower() == "audio" and self.format in WIDTHS and self.rate >= limits.MIN_RATE_HZ

    @property
    def is_series(self) -> bool:
        """Whether it holds numbers that are no sound."""
        return self.format in WIDTHS and not self.is_sound

    def __str__(self) -> str:
        rate = f"{self.rate:g} Hz" if self.rate else "irregular"
        return f"{self.number}: {self.name} ({self.kind or 'no type'}, {self.channels} x {self.format}, {rate})"


def streams(path: Path) -> list[Stream]:
    """The streams of a file. Raises :class:`MediaError` where it is cut off or its chunks do not fit."""
    listed: list[Stream] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != MARK:
            raise MediaError("is no XDF file", source=path)
        for tag, at, length in _chunks(file, size, path):
            if tag == HEADER:
                if length > LARGEST_HEADER:
                    raise MediaError(f"has a stream header of {length:,} bytes", source=path)
                key = int.from_bytes(file.read(4), "little")
                listed.append(_stream(len(listed), key, file.read(length - 4), path))
            elif tag == SAMPLES:
                key = int.from_bytes(file.read(4), "little")
                _check(next((s for s in listed if s.key == key), None), _whole(file), at, length - 4, path)
    return listed


def _chunks(file: BinaryIO, size: int, path: Path) -> Iterator[tuple[int, int, int]]:
    """Tag, offset and length of the content of each chunk; the file stands at its content."""
    at = 4
    while at < size:
        file.seek(at)
        length = _whole(file)
        tag = file.read(2)
        begun = file.tell()
        if length is None or len(tag) < 2 or length < 2 or begun - 2 + length > size:
            raise MediaError(f"is cut off or damaged at byte {at:,}", source=path)
        yield struct.unpack("<H", tag)[0], begun, length - 2
        at = begun - 2 + length


def _whole(file: BinaryIO) -> int | None:
    """A length as XDF writes them: its own size in bytes (1, 4, 8), then itself."""
    size = file.read(1)
    if not size or size[0] not in (1, 4, 8):
        return None
    data = file.read(size[0])
    return int.from_bytes(data, "little") if len(data) == size[0] else None


def _stream(number: int, key: int, xml: bytes, path: Path) -> Stream:
    if b"<!" in xml.replace(b"<!--", b""):  # no declarations: nothing that an entity could grow from
        raise MediaError(f"stream {number} has a header with declarations", source=path)
    try:
        info = ElementTree.fromstring(xml.decode("utf-8", "replace"))
        said = {name: (info.findtext(name) or "").strip() for name in ("name", "type", "channel_format")}
        channels, rate = int(info.findtext("channel_count") or ""), float(info.findtext("nominal_srate") or "")
    except (ElementTree.ParseError, ValueError) as problem:
        raise MediaError(f"stream {number} has a header that cannot be read ({problem})", source=path) from problem
    if not 0 < channels <= limits.MAX_SERIES_COLUMNS or not (0 <= rate < 1e9):
        raise MediaError(f"stream {number} declares {channels} channels at {rate:g} Hz", source=path)
    labels = [(e.findtext("label") or "").strip() for e in info.findall("desc/channels/channel")]
    usable = len(labels) == channels and all(labels) and len(set(labels)) == channels
    return Stream(
        number, key, said["name"], said["type"], said["channel_format"], channels, rate, labels if usable else []
    )


def _check(stream: Stream | None, count: int | None, at: int, length: int, path: Path) -> None:
    if stream is None or count is None:
        raise MediaError(f"holds samples of no stream at byte {at:,}", source=path)
    least = 1 + stream.channels * WIDTHS.get(stream.format, 1)
    if count * least > length:
        raise MediaError(f"declares {count:,} samples in {length:,} bytes at byte {at:,}", source=path)


def modality(path: Path) -> str:
    """``audio`` where sound is all that it holds, else ``series``."""
    listed = streams(path)
    return "audio" if any(s.is_sound for s in listed) and not any(s.is_series for s in listed) else "series"


@dataclass(frozen=True, eq=False)
class Recorded:
    """One stream: ``values`` (n, channels), ``times`` float64 (n,) in seconds from the first stamp of the file."""

    stream: Stream
    values: NDArray[Any]
    times: Float64
    remarks: list[str]


def load(path: Path, options: MediaOptions, *, sound: bool) -> Recorded:
    """The stream that ``options.track`` numbers, or the only one that is a series, or sound.

    Raises :class:`MediaError` where there is none or more than one, where it is damaged, or its stamps go back, and
    :class:`MissingError` where pyxdf is not installed.
    """
    chosen = _chosen(streams(path), options.track, sound, path)
    raw, first = _read(path)
    return _recorded(chosen, raw[chosen.key], first, path)


def _recorded(chosen: Stream, raw: dict[str, Any], first: float, path: Path) -> Recorded:
    stamps = np.asarray(raw["time_stamps"], np.float64)
    values = np.asarray(raw["time_series"])
    if not len(stamps):
        raise MediaError(f"stream {chosen.number} holds no samples", source=path)
    if not np.isfinite(stamps).all():
        raise MediaError(f"stream {chosen.number} has a stamp that is no number", source=path)
    times, remarks = _evened(stamps, chosen.rate)
    steps = np.diff(times)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0))
        raise MediaError(
            f"stream {chosen.number}: stamps go from {times[row] - first:.3f} back to {times[row + 1] - first:.3f} s "
            f"(sample {row + 1})",
            source=path,
            hint="what comes before and after cannot stand on one clock: record them as two files",
        )
    return Recorded(chosen, values, times - first, _said(remarks, first))


def _chosen(listed: list[Stream], track: int | None, sound: bool, path: Path) -> Stream:
    what = "sound" if sound else "numbers over time"
    usable = [s for s in listed if (s.is_sound if sound else s.is_series)]
    if track is not None:
        usable = [s for s in listed if s.number == track and s.format in WIDTHS]
        if not usable:
            raise MediaError(f"has no stream {track} of {what}", source=path, hint=_list(listed))
    if not usable:
        raise MediaError(f"has no stream of {what}", source=path, hint=_list(listed))
    if len(usable) > 1:
        raise MediaError(f"has {len(usable)} streams of {what}", source=path, hint=f"--track N, of {_list(usable)}")
    return usable[0]


def _list(listed: list[Stream]) -> str:
    return "; ".join(map(str, listed)) or "it holds no streams"


class _Kept(logging.Handler):
    """What pyxdf says of a file instead of refusing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


# What pyxdf raises on damaged files (found by flipping their bytes).
_DAMAGE = (
    *(ValueError, LookupError, AttributeError, TypeError, ArithmeticError, OSError, EOFError),
    *(struct.error, ElementTree.ParseError),
)


def _read(path: Path) -> tuple[dict[int, dict[str, Any]], float]:
    """The streams as pyxdf reads them, stamps on the common clock but not yet even, and the first of all stamps."""
    try:
        import pyxdf
    except ImportError as problem:
        raise MissingError(".xdf needs pyxdf", source=path, hint="pip install 'mmcli[xdf]'") from problem
    logger, kept = logging.getLogger("pyxdf.pyxdf"), _Kept()
    logger.addHandler(kept)
    before, logger.propagate = logger.propagate, False
    try:
        loaded, _ = pyxdf.load_xdf(path, dejitter_timestamps=False, verbose=False)
    except (*_DAMAGE, MemoryError) as problem:
        raise MediaError(f"is damaged ({problem})", source=path) from problem
    finally:
        logger.removeHandler(kept)
        logger.propagate = before
    wrong = [record.getMessage() for record in kept.records if record.levelno >= logging.ERROR]
    if wrong:
        raise MediaError(f"is damaged: {wrong[0].splitlines()[0][:160]}", source=path)
    firsts = [float(s["time_stamps"][0]) for s in loaded if len(s["time_stamps"])]
    return {s["info"]["stream_id"]: s for s in loaded}, min((t for t in firsts if math.isfinite(t)), default=0.0)


def describe(path: Path) -> list[dict[str, Any]]:
    """Every stream in plain values: what its header says, its samples, first and last time, and what is odd about them.

    Raises as :func:`load` does; what is wrong with one stream alone is said as its ``problem``.
    """
    listed, (raw, first) = streams(path), _read(path)
    entries = []
    for s in listed:
        entry = {"number": s.number, "name": s.name, "type": s.kind, "format": s.format, "channels": s.channels}
        entry |= {"rate_hz": s.rate or None, "samples": len(raw[s.key]["time_stamps"])}
        if s.format in WIDTHS:
            try:
                recorded = _recorded(s, raw[s.key], first, path)
                entry |= {"start_s": round(recorded.times[0], 6), "end_s": round(recorded.times[-1], 6)}
                entry |= {"remarks": recorded.remarks} if recorded.remarks else {}
            except MediaError as problem:
                entry["problem"] = problem.what
        entries.append(entry)
    return entries


Remark = tuple[str, float]  # a sentence with a place for a time, and that time


def _evened(stamps: Float64, rate: float) -> tuple[Float64, list[Remark]]:
    """Stamps on straight lines between jumps, and what is to be said of them. Irregular streams keep theirs.

    >>> t = np.arange(300) / 100.0
    >>> t[200:] += 7.5
    >>> times, said = _evened(t, 100.0)
    >>> bool(np.allclose(times, t)), [text.format(at) for text, at in said]
    (True, ['stamps jump by 7.500 s at 1.990 s'])
    """
    if rate <= 0 or len(stamps) < 2:
        return stamps, []
    off = np.diff(stamps) - 1 / rate
    cuts = np.flatnonzero(np.abs(off) > max(JUMP_S, JUMP_SAMPLES / rate))
    said: list[Remark] = [(f"stamps jump by {off[k]:.3f} s at {{:.3f}} s", float(stamps[k])) for k in cuts[:LISTED]]
    if len(cuts) > LISTED:
        said.append((f"and {len(cuts) - LISTED} more times, the last at {{:.3f}} s", float(stamps[cuts[-1]])))
    times, edges = stamps.copy(), [0, *(cuts + 1).tolist(), len(stamps)]
    for begin, end in itertools.pairwise(edges):
        if end - begin > 2:
            k = np.arange(end - begin, dtype=np.float64)
            slope, start = np.polyfit(k, stamps[begin:end], 1)
            times[begin:end] = start + slope * k
    moved = np.abs(times - stamps)
    if moved.max() > MOVED_S:
        worst = int(moved.argmax())
        said.append((f"stamps are evened out by up to {moved[worst] * 1000:.0f} ms, most at {{:.3f}} s", stamps[worst]))
    return times, said


def _said(remarks: list[Remark], first: float) -> list[str]:
    return [text.format(at - first) for text, at in remarks]


def read_sound(path: Path, options: MediaOptions) -> AudioClip:
    """A stream of sound as a clip at its nominal rate: sample ``i`` lies ``i / rate`` seconds after the first.

    Raises as :func:`load` does, and where the stamps jump: sound has one clock.
    """
    recorded = load(path, options, sound=True)
    jump = next((said for said in recorded.remarks if "jump" in said), None)
    if jump is not None:
        raise MediaError(
            f"sound with holes: {jump}", source=path, hint="record anew, or take it as a series: --series raw"
        )
    values = recorded.values
    if values.dtype.kind in "iu":
        values = values / np.float32(2 ** (8 * values.dtype.itemsize - 1))
    rate = round(recorded.stream.rate)
    start = round((options.start or 0.0) * rate)
    values = values[start : None if options.end is None else round(options.end * rate)]
    if not len(values):
        raise MediaError("has no sound in the segment", source=path)
    picked = values if options.channel is None else values[:, options.channel : options.channel + 1]
    if picked.shape[1] == 0:
        raise MediaError(f"has {values.shape[1]} channels: there is no channel {options.channel}", source=path)
    if not np.isfinite(picked).all():
        raise MediaError("holds NaN or Inf", source=path)
    clip = AudioClip.from_array(picked, rate, name=path.name)
    clip.path, clip.channels, clip.remarks = path, values.shape[1], recorded.remarks
    return clip
