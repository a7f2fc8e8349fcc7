"""OpenTimelineIO, and through its adapters Final Cut Pro X (fcpxml) and edit decision lists (edl, CMX 3600).

An edl has one track and whole frames: it holds the query's pieces alone, at 25 frames a second. A piece at another pace
has a linear time warp.
"""

from __future__ import annotations

from typing import Any

from mmcli.aligners.core.timeline import Timeline, Track
from mmcli.errors import MissingError, UsageError

SUFFIXES = (".otio", ".edl", ".fcpxml")
MANY = (".otio", ".fcpxml")
SOUND_HZ, PICTURES_HZ = 48_000.0, 25.0  # what times are counted in; an edl knows frames only
ADAPTERS = {".otio": "otio_json", ".edl": "cmx_3600", ".fcpxml": "fcpx_xml"}
STEADY = 1e-4  # a pace nearer to 1 is the drift of a clock, which editors round away


def render(timeline: Timeline, suffix: str) -> bytes:
    """The project of a suffix in ``SUFFIXES``. Raises MissingError without the libraries, UsageError where an edl has
    no place for the pieces."""
    try:
        import opentimelineio as otio
    except ImportError as error:
        raise MissingError("OpenTimelineIO is not installed", hint="pip install 'mmcli[editors]'") from error
    if ADAPTERS[suffix] not in otio.adapters.available_adapter_names():
        raise MissingError(f"OpenTimelineIO writes no {suffix} here", hint="pip install 'mmcli[editors]'")
    rate = SOUND_HZ if suffix == ".otio" else PICTURES_HZ
    whole = otio.schema.Timeline(timeline.query.path.stem)
    tracks = [timeline.query] if suffix == ".edl" else list(timeline.tracks)
    end = max(track.pieces[-1].until for track in tracks)
    if suffix == ".fcpxml" and not any(track.pictures for track in tracks):
        # Its first track of pictures carries the others; two sounds hang on an empty one.
        empty = otio.schema.Track("pictures", kind=otio.schema.TrackKind.Video)
        empty.append(_gap(otio, end, rate))
        whole.tracks.append(empty)
    for track in tracks:
        whole.tracks.append(_track(otio, track, rate, suffix, end))
    try:
        text: str = otio.adapters.write_to_string(whole, ADAPTERS[suffix])
    except otio.exceptions.OTIOError as error:
        raise UsageError(f"{suffix[1:]} has no place for this map: {error}") from error
    return text.encode()


def _track(otio: Any, track: Track, rate: float, suffix: str, end: float) -> Any:
    pictures = track.pictures or suffix == ".edl"
    out = otio.schema.Track(
        track.path.stem, kind=otio.schema.TrackKind.Video if pictures else otio.schema.TrackKind.Audio
    )
    name = track.path.name
    if suffix == ".fcpxml":
        name = name.replace("'", "\u2019")  # the adapter looks its clips up by name, between such marks
    at = 0.0
    for piece in track.pieces:
        if piece.at - at > 0.5 / rate:
            out.append(_gap(otio, piece.at - at, rate))
        media = otio.schema.ExternalReference(track.path.resolve().as_uri(), _span(otio, 0.0, track.duration_s, rate))
        # Of a piece at another pace the range is as long as it plays, and the effect says how fast.
        clip = otio.schema.Clip(name, media, _span(otio, piece.start, piece.until - piece.at, rate))
        if abs(piece.speed - 1.0) > STEADY:
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=piece.speed))
        out.append(clip)
        at = piece.until
    if suffix == ".fcpxml" and pictures and end > at:  # as long as what it carries
        out.append(_gap(otio, end - at + 1.0 / rate, rate))
    return out


def _gap(otio: Any, seconds: float, rate: float) -> Any:
    return otio.schema.Gap(source_range=_span(otio, 0.0, seconds, rate))


def _span(otio: Any, start: float, length: float, rate: float) -> Any:
    times = (otio.opentime.RationalTime(round(seconds * rate), rate) for seconds in (start, length))
    return otio.opentime.TimeRange(*times)
