"""The door of the room: which modality a file belongs to, and the clip of a file."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmcli.errors import MediaError, UsageError
from mmcli.media import files
from mmcli.media.clips import Clip

SUFFIXES: dict[str, str] = {
    **dict.fromkeys((".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff"), "audio"),
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".webm", ".mkv"), "video"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif"), "image"),
    **dict.fromkeys((".txt", ".text", ".md"), "text"),
    **dict.fromkeys((".csv", ".tsv", ".npy", ".npz"), "series"),
    **dict.fromkeys((".srt", ".vtt", ".ass", ".ssa"), "subtitle"),
}

# Imported when the first file of a modality is opened: each brings its decoder with it.
READERS: dict[str, str] = {
    "audio": "mmcli.media.audio",
    "image": "mmcli.media.image",
    "video": "mmcli.media.video",
    "text": "mmcli.media.text",
    "series": "mmcli.media.series",
    "subtitle": "mmcli.media.subtitles",
}


@dataclass(frozen=True, kw_only=True)
class MediaOptions:
    """How to read a file. What does not concern a modality is ignored by it."""

    track: int | None = None  # which audio (or video) track, counted from 0; None: the default one, else the first
    channel: int | None = None  # which audio channel, counted from 0; None mixes all down to mono
    start: float | None = None  # seconds; the clip begins here and its times count from here
    end: float | None = None  # seconds
    rate: float | None = None  # Hz, of a series without a time column
    missing: Literal["refuse", "interpolate"] = "refuse"  # NaN in a series
    row: int | None = None  # one row of a 2-D array file (PATH#ROW): one frame at 0.0

    def __post_init__(self) -> None:
        for name in ("start", "end", "rate"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name} {value!r} is no time or rate")
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise UsageError(f"segment ends at {self.end:g} s, not after its start at {self.start:g} s")
        if (self.track is not None and self.track < 0) or (self.channel is not None and self.channel < 0):
            raise UsageError("tracks and channels count from 0")
        if self.rate is not None and self.rate <= 0:
            raise UsageError(f"a rate of {self.rate:g} Hz gives no times")
        if self.missing not in ("refuse", "interpolate"):
            raise UsageError(f"missing is 'refuse' or 'interpolate', not {self.missing!r}")


def modality_of(path: Path | str) -> str:
    """``audio``, ``image``, ``video``, ``text``, ``series``, ``subtitle`` or ``features``, by suffix, then by content.

    An npz that carries a member ``meta`` is one of mmcli's own files: ``features``. Raises :class:`MissingError` where
    there is no such file and :class:`MediaError` where neither suffix nor content says what it is.
    """
    path = files.regular(path)
    suffix = path.suffix.lower()
    if suffix == ".npz" and files.npz_has(path, "meta"):
        return "features"
    found = SUFFIXES.get(suffix) or files.sniffed(path)
    if found is None:
        raise MediaError(
            "neither its suffix nor its first bytes say what it holds",
            source=path.name,
            hint="known suffixes: " + " ".join(sorted(SUFFIXES)),
        )
    return found


def open_clip(path: Path | str, modality: str, *, options: MediaOptions | None = None) -> Clip:
    """The clip of a file: an :class:`AudioClip` for ``"audio"``, and so on for image, video, text, series, subtitle.

    A video file opened as ``"audio"`` gives its audio track. Raises :class:`MediaError` with one clear line for
    everything that is wrong with the file, :class:`MissingError` where it does not exist, :class:`UsageError` for a
    modality that is not in a file.
    """
    opts = options or MediaOptions()
    if modality not in READERS:
        raise UsageError(f"no file holds the modality {modality!r}", hint="known: " + ", ".join(READERS))
    # One row of an npy file is read alone, however large the file is.
    alone = opts.row is not None and Path(path).suffix.lower() == ".npy"
    path = files.regular(path, None if alone else modality)
    reader = importlib.import_module(READERS[modality])
    clip: Clip = reader.read(path, opts)
    return clip
