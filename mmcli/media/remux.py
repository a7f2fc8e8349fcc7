"""A film on another clock: the times of its packets are rewritten, their bytes are not, and nothing is decoded.

Pictures that depend on others are stored before them, so a packet has a time of decoding beside that of showing.
Showing times go through the clock; decoding times are laid anew below them, in order, as late as the order of the
packets allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError, UsageError
from mmcli.media import containers, files, limits

Times = NDArray[np.float64]
Clock = Callable[[Times], tuple[Times, NDArray[np.bool_]]]  # new times, and which have no place there

_Column = tuple[str, Times, Times, NDArray[np.bool_]]

TICKS = 90_000  # a second, in which times are laid: 11 microseconds
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
PRIMING_S = 0.1  # of sound before time zero is what its decoder starts with; mp4 and mov have a place for it
MAX_PACKETS = 20_000_000
COPIED = ("video", "audio", "subtitle")


@dataclass
class Copied:
    """What became of a film: packets written and left out by kind of track, and the tracks that were left out."""

    written: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    tracks_left_out: list[str] = field(default_factory=list)


@dataclass
class _Plan:
    """New times of a track's packets in the order of the file, ticks; ``keep``: those that are written."""

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    duration: NDArray[np.int64]
    keep: NDArray[np.bool_]

    @property
    def rate(self) -> Fraction:
        """The usual number of pictures a second."""
        usual = int(np.median(self.duration[self.keep])) if self.keep.any() else 0
        return Fraction(TICKS, max(1, usual)).limit_denominator(1001)


def retimed(source: Path, lent: Path, clock: Clock, *, suffix: str, sound: bool) -> Copied:
    """Write the film ``source`` to ``lent``, a temporary path, with its showing times through ``clock``.

    ``suffix`` names the container. Pictures that have no place on the new clock are left out where no other needs
    them, else they pass within a tick; sound and subtitles that have none are left out. Without ``sound`` no sound is
    written.

    Raises :class:`UsageError` for a container that cannot be written or does not take the codecs, :class:`MediaError`
    for a damaged film.
    """
    if suffix.lower() not in FORMATS:
        raise UsageError(
            f"a film is written as {' '.join(s[1:] for s in FORMATS)}, not as {suffix or 'a file of no kind'}"
        )
    files.refuse_foreign(source, "video", ("video", "audio"))
    copied = Copied()
    with containers.opened(source) as container, containers.decoding(source):
        chosen = _chosen(container, copied, sound)
        zero = containers.origin(container)
        ends = {s.index: containers.declared(container, s) for s in container.streams if chosen.get(s.index) == "video"}
        seen = _times(container, chosen, source, zero)
    for index, end in ends.items():
        last = float(np.max(seen[index][1], initial=0.0))
        if end is not None and last < end - max(1.0, 0.02 * end) - limits.DURATION_SLACK_S:
            raise MediaError(f"is truncated: declares {end:.2f} s of video, ends at {last:.2f} s", source=source)
    form = FORMATS[suffix.lower()]
    earliest = -PRIMING_S if form in ("mp4", "mov") else 0.0
    plans = {
        index: _pictures(start, length, key, clock) if kind == "video" else _lone(start, length, clock, earliest)
        for index, (kind, start, length, key) in seen.items()
    }
    with containers.opened(source) as container, containers.decoding(source):
        _write(container, lent, form, plans, copied)
    return copied


def _chosen(container: Any, copied: Copied, sound: bool) -> dict[int, str]:
    chosen: dict[int, str] = {}
    for stream in container.streams:
        cover = containers.is_cover(stream)
        if (
            stream.type in COPIED
            and not cover
            and (sound or stream.type != "audio")
            and stream.codec_context is not None
        ):
            chosen[stream.index] = stream.type
        else:
            copied.tracks_left_out.append("cover picture" if cover else str(stream.type))
    if "video" not in chosen.values():
        raise MediaError("has no video track", source=container.name)
    return chosen


def _packets(container: Any, indices: Any) -> Iterator[Any]:
    """The packets of some tracks in the order of the file; those without data end a track and are passed over."""
    for packet in container.demux([s for s in container.streams if s.index in indices]):
        if packet.size:
            yield packet


def _times(container: Any, chosen: dict[int, str], source: Path, zero: float) -> dict[int, _Column]:
    """Of each track its kind, showing times and durations in seconds, and which packets can be decoded alone."""
    columns: dict[int, tuple[list[float], list[float], list[bool]]] = {index: ([], [], []) for index in chosen}
    for count, packet in enumerate(_packets(container, chosen)):
        at = packet.pts if packet.pts is not None else packet.dts
        if at is None or packet.time_base is None:
            raise MediaError("has packets without a time", source=source)
        if count > MAX_PACKETS or abs(at * packet.time_base) > limits.MAX_DURATION_S:
            raise MediaError("is damaged or too long", source=source)
        start, duration, key = columns[packet.stream.index]
        start.append(float(at * packet.time_base) - zero)
        duration.append(float((packet.duration or 0) * packet.time_base))
        key.append(bool(packet.is_keyframe))
    return {
        index: (chosen[index], np.array(start), np.array(duration), np.array(key, dtype=bool))
        for index, (start, duration, key) in columns.items()
    }


def _pictures(start: Times, duration: Times, key: NDArray[np.bool_], clock: Clock) -> _Plan:
    """Of a video track: showing times strictly in order, decoding times below them."""
    n = len(start)
    moved, gone = clock(start)
    group = np.cumsum(key)
    lost = np.zeros(n, dtype=bool)
    if gone.any():  # pictures up to the next that can be decoded alone go together, or not at all
        whole = np.bincount(group, weights=~gone, minlength=1) == 0
        lost = whole[group] & gone
    keep = np.flatnonzero(~lost)
    pts = np.zeros(n, dtype=np.int64)
    dts, length = pts.copy(), pts.copy()
    order = keep[np.argsort(start[keep], kind="stable")]
    laid = np.round(np.maximum(moved[order], 0.0) * TICKS).astype(np.int64)
    laid = np.maximum.accumulate(laid - np.arange(len(laid))) + np.arange(len(laid))  # each at least a tick later
    laid[:1] = (
        0  # the first picture stands until the second comes: readers take the earliest time of a file for its zero
    )
    pts[order] = laid
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(len(order))
    delay = int(np.max(np.arange(len(keep)) - rank[keep], initial=0))
    usual = int(np.median(np.diff(laid))) if len(laid) > 1 else 1
    before = laid[:1] - np.arange(delay, 0, -1) * usual
    dts[keep] = np.concatenate([before, laid])[: len(keep)]
    if len(order):
        end, _ = clock(start[order[-1:]] + np.maximum(duration[order[-1:]], 1e-3))
        last = max(1, int(np.round(end[0] * TICKS)) - int(laid[-1]))
        length[order] = np.append(np.diff(laid), last)
    return _Plan(pts, dts, length, ~lost)


def _lone(start: Times, duration: Times, clock: Clock, earliest: float) -> _Plan:
    """Of a track whose packets stand alone: sound, subtitles."""
    moved, gone = clock(start)
    ends, _ = clock(start + duration)
    lost = gone | (moved < earliest)
    pts = np.round(moved * TICKS).astype(np.int64)
    length = np.maximum(np.round(ends * TICKS).astype(np.int64) - pts, 0)
    kept = np.flatnonzero(~lost)
    pts[kept] = np.maximum.accumulate(pts[kept] - np.arange(len(kept))) + np.arange(len(kept))
    return _Plan(pts, pts, length, ~lost)


def _write(container: Any, lent: Path, form: str, plans: dict[int, _Plan], copied: Copied) -> None:
    import av

    with av.open(
        str(lent.absolute()),
        "w",
        format=form,
        container_options={"fflags": "+bitexact", "avoid_negative_ts": "disabled"},
    ) as out:
        tracks: dict[int, Any] = {}
        for index in list(plans):
            stream = container.streams[index]
            name = stream.codec_context.name
            try:
                track = out.add_stream_from_template(stream)
            except (av.error.FFmpegError, ValueError) as error:
                if stream.type == "video":
                    raise UsageError(f"{form} does not take {name}", hint="try .mkv") from error
                del plans[index]
                copied.tracks_left_out.append(f"{stream.type} ({form} does not take {name})")
                continue
            track.metadata.update(stream.metadata)
            track.time_base = Fraction(1, TICKS)
            if stream.type == "video":
                track.codec_context.framerate = plans[index].rate
            tracks[index] = track
        try:
            out.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            names = ", ".join(container.streams[i].codec_context.name for i in plans)
            raise UsageError(f"{form} does not take {names}", hint="try .mkv") from error
        at = dict.fromkeys(plans, 0)
        for packet in _packets(container, plans):
            index = packet.stream.index
            plan, n = plans[index], at[index]
            at[index] += 1
            kind = packet.stream.type
            if not plan.keep[n]:
                copied.left_out[kind] = copied.left_out.get(kind, 0) + 1
                continue
            packet.stream = tracks[index]
            packet.time_base = Fraction(1, TICKS)
            packet.pts, packet.dts, packet.duration = int(plan.pts[n]), int(plan.dts[n]), int(plan.duration[n])
            out.mux(packet)
            copied.written[kind] = copied.written.get(kind, 0) + 1
