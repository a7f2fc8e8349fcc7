"""An annotation file of ELAN (eaf): both recordings linked, from where both play on, and tiers of the map.

A text gives a tier of lines and one of words; all else a tier ``map`` of the stretches with a partner.
"""

from __future__ import annotations

from typing import Any

from mmcli.aligners.core.timeline import Timeline
from mmcli.errors import MissingError

SUFFIXES, MANY = (".eaf",), ()


def render(timeline: Timeline, suffix: str) -> bytes:
    """The file as XML. Raises MissingError without the library."""
    try:
        from pympi.Elan import Eaf, to_eaf
    except ImportError as error:
        raise MissingError("pympi is not installed", hint="pip install 'mmcli[editors]'") from error
    file = Eaf(author="mmcli")
    file.adocument["DATE"] = "1980-01-01T00:00:00+00:00"  # the same bytes whenever they are made
    file.remove_tier("default")
    zero = _zero(timeline)
    for track in (timeline.reference, timeline.query) if timeline.query.pieces else (timeline.reference,):
        first = track.pieces[0]
        origin = round((zero - first.at) * first.speed * 1000)
        file.add_linked_file(track.path.resolve().as_uri(), mimetype=_mime(track.path.suffix), time_origin=origin)
    for name, rows in _tiers(timeline).items():
        file.add_tier(name)
        for start, end, text in rows:
            a, b = max(0, round(start * 1000)), round(end * 1000)
            if b > a:
                file.add_annotation(name, a, b, text)
    return _written(file, to_eaf)


def _zero(timeline: Timeline) -> float:
    """Where both recordings play: ELAN begins with some moment of each, and knows no negative one."""
    tracks = [track for track in (timeline.reference, timeline.query) if track.pieces]
    return max(track.pieces[0].at for track in tracks)


def _written(file: Any, to_eaf: Any) -> bytes:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.eaf"
        to_eaf(str(path), file)
        return path.read_bytes()


def _tiers(timeline: Timeline) -> dict[str, list[tuple[float, float, str]]]:
    segments = None if timeline.alignment is None else timeline.alignment.segments
    if segments is None:
        zero = _zero(timeline)
        rows = [(p.at - zero, p.until - zero, f"{p.start:.3f} to {p.end:.3f} s") for p in timeline.query.pieces]
        return {"map": rows}
    return {
        f"{kind}s": [(s["start"], s["end"], s["text"]) for s in segments if s["kind"] == kind and s["spoken"]]
        for kind in ("line", "word")
    }


def _mime(suffix: str) -> str:
    sounds = {".wav": "audio/x-wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".flac": "audio/flac"}
    return sounds.get(suffix.lower(), "video/mp4" if suffix.lower() in (".mp4", ".m4v", ".mov") else "unknown")
