"""The door of the room: which modality a file belongs to, and the clip of a file."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmcli.errors import MediaError, UsageError
from mmcli.media import announced, files, transcripts
from mmcli.media.clips import Clip

_AUDIO = (
    ".wav .flac .mp3 .ogg .oga .opus .m4a .m4b .aac .aif .aiff .aifc .caf .w64 .rf64 .bwf .au .snd .wma .amr .ac3 "
    ".eac3 .mp2 .mka .weba .wv .ape .tta .dts .voc"
)
_VIDEO = ".mp4 .m4v .mov .webm .mkv .avi .mts .m2ts .mpg .mpeg .vob .wmv .asf .flv .f4v .3gp .3g2 .ogv .mxf"
_IMAGE = ".png .jpg .jpeg .webp .gif .tif .tiff .bmp .avif .heic .heif .hif"
# What a name says. A .ts is left to its content: most are programs.
SUFFIXES: dict[str, str] = {
    **dict.fromkeys(_AUDIO.split(), "audio"),
    **dict.fromkeys(_VIDEO.split(), "video"),
    **dict.fromkeys(_IMAGE.split(), "image"),
    **dict.fromkeys((".txt", ".text", ".md"), "text"),
    **dict.fromkeys((".csv", ".tsv", ".npy", ".npz", ".xdf"), "series"),
    **dict.fromkeys((".srt", ".vtt", ".ass", ".ssa", *transcripts.SUFFIXES), "subtitle"),
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

    track: int | None = (
        None  # which audio or video track, or stream of an .xdf, from 0; None: the default one, else the first
    )
    channel: int | None = None  # which audio channel, counted from 0; None mixes all down to mono
    start: float | None = None  # seconds; the clip begins here and its times count from here
    end: float | None = None  # seconds
    rate: float | None = None  # Hz, of a series without a time column
    missing: Literal["refuse", "interpolate", "mark"] = "refuse"  # NaN in a series; mark: limits.MISSING in its place
    time_unit: str | None = None  # of a time column: s, ms, us, ns; None: seconds, unless it plainly is something else
    row: int | None = None  # one row of an array file (PATH#ROW): one frame at 0.0, or the frames of that row
    member: str | None = None  # which array of an npz or HDF5 file (PATH:MEMBER#ROW)

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
        if self.time_unit not in (None, "s", "ms", "us", "ns"):
            raise UsageError(f"time unit {self.time_unit!r}", hint="s, ms, us or ns")
        if self.missing not in ("refuse", "interpolate", "mark"):
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
    if suffix == ".xdf":
        from mmcli.media import xdf

        return xdf.modality(path)
    modality = SUFFIXES.get(suffix)
    kind = files.container(files.head(path)) if modality in (None, "video", "audio") else None
    content = files.MODALITY.get(kind or "")
    if content == "image" and modality is not None:
        return modality  # refused with both names when it is opened
    if content == "video" or (kind is None and modality == "video"):
        return "video" if _has_pictures(path, kind or "") else "audio"
    modality = modality or content
    if modality is None and transcripts.format_of(path) is not None:
        return "subtitle"
    if modality is None and _libav_knows(path):
        modality = "video" if _has_pictures(path, "") else "audio"
    if modality is None:
        raise MediaError(
            "neither its suffix nor its first bytes say what it holds",
            source=path.name,
            hint="known suffixes: " + " ".join(sorted(SUFFIXES)),
        )
    return modality


def _has_pictures(path: Path, kind: str) -> bool:
    """Whether a container has a track of pictures; damaged ones pass, to be refused when they are opened."""
    told = announced.has_pictures(path, kind)
    if told is not None:
        return told
    from mmcli.media import containers

    try:
        with containers.opened(path) as container:
            return bool(containers.tracks(container, "video")) or not containers.tracks(container, "audio")
    except MediaError:
        return True


def _libav_knows(path: Path) -> bool:
    """Whether libav finds a track to decode in a binary file of no known mark."""
    first = files.head(path, 4096)
    if b"\x00" not in first and not any(byte > 0xF4 for byte in first):
        return False  # text
    from mmcli.media import containers

    try:
        with containers.opened(path) as container:
            kinds = [*containers.tracks(container, "audio"), *containers.tracks(container, "video")]
            return any(next(iter(container.decode(stream)), None) is not None for stream in kinds[:1])
    except MediaError:
        return False


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
