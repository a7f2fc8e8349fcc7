"""A project of Reaper (rpp): a track a recording, an item a piece, at its place and pace."""

from __future__ import annotations

from mmcli.aligners.core.timeline import Piece, Timeline, Track

SUFFIXES = MANY = (".rpp",)
SOURCES = {".wav": "WAVE", ".flac": "FLAC", ".mp3": "MP3", ".ogg": "VORBIS", ".opus": "VORBIS"}  # else a film


def render(timeline: Timeline, suffix: str) -> bytes:
    """The project as text, UTF-8."""
    tracks = [line for track in timeline.tracks for line in _track(track)]
    return "\n".join(["<REAPER_PROJECT 0.1", *tracks, ">", ""]).encode()


def _track(track: Track) -> list[str]:
    lines = ["  <TRACK", f"    NAME {quoted(track.path.stem)}"]
    for piece in track.pieces:
        lines += _item(track, piece)
    return [*lines, "  >"]


def _item(track: Track, piece: Piece) -> list[str]:
    source = SOURCES.get(track.path.suffix.lower(), "VIDEO")
    return [
        "    <ITEM",
        f"      POSITION {piece.at:.9f}",
        f"      LENGTH {piece.until - piece.at:.9f}",
        f"      SOFFS {piece.start:.9f}",
        f"      PLAYRATE {piece.speed:.9f} 1 0 -1",  # 1: pitch is kept
        f"      NAME {quoted(track.path.name)}",
        f"      <SOURCE {source}",
        f"        FILE {quoted(str(track.path.resolve()))}",
        "      >",
        "    >",
    ]


def quoted(text: str) -> str:
    """The text as Reaper quotes it: in the first mark that it does not hold; line ends become spaces.

    >>> quoted('a "b"')
    '\\'a "b"\\''
    """
    flat = " ".join(text.splitlines())
    mark = next((m for m in "\"'`" if m not in flat), None)
    return f"{mark}{flat}{mark}" if mark else f"`{flat.replace('`', chr(39))}`"
