"""A map put to use: a file that lives on the query's clock is put on the reference's, or the other way round.

What a file holds besides times stays as it is, byte for byte where the file is text. Times for which the map says
nothing (in a break, before the first knot, after the last) are put as far from the nearest known time as they were;
how many those were is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.output import stretch
from mmcli.aligners.output.texts import TEXTS, retimed
from mmcli.artifacts.formats import features as features_file
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import atomic
from mmcli.errors import InputError, MediaError, MissingError, UsageError
from mmcli.media import subtitles, transcripts
from mmcli.media.clips import SubtitleClip

Times = NDArray[np.float64]

FILM = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
SOUND = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff")
CUES = tuple(subtitles.FORMATS)
MAX_TEXT_BYTES = 64 << 20


@dataclass
class Clock:
    """Maps times and counts those that the map says nothing about; ``remark``: what became of the file besides."""

    map: TimeMap
    inverse: bool = False
    told: int = 0
    guessed: int = 0
    remark: str = ""

    def __call__(self, t: float) -> float:
        """The time on the other clock, not below 0."""
        return max(0.0, float(self.all(np.array([t]))[0]))

    def all(self, t: Times) -> Times:
        """The times on the other clock; unknown ones lie as far from the nearest known one as before."""
        out = self.map.to_query(t) if self.inverse else self.map.to_reference(t)
        unknown = ~np.isfinite(out)
        self.told += len(t)
        self.guessed += int(unknown.sum())
        if unknown.any():
            source, target = (0, 1) if self.inverse else (1, 0)
            ends = np.concatenate([s[[0, -1]] for s in self.map.segments])
            near = np.abs(t[unknown][:, None] - ends[None, :, source]).argmin(axis=1)
            out[unknown] = ends[near, target] + (t[unknown] - ends[near, source])
        return np.asarray(out)


def output_name(name: str) -> str:
    """What a file is called on another clock: sound is written as wav, all else keeps its name.

    >>> output_name("talk.mp3"), output_name("talk.srt")
    ('talk.wav', 'talk.srt')
    """
    path = Path(name)
    return path.with_suffix(".wav").name if path.suffix.lower() in SOUND else name


def warp_file(path: Path | str, alignment: Any, output: Path, *, inverse: bool = False) -> Clock:
    """Write the file on the other clock: features (npz), film, sound, subtitles, TextGrid or a table with times.

    ``alignment``: an Alignment or TimeMap. Returns the clock with its counts; sound is written as wav, of a film too
    where the output is one. Raises MissingError, InputError or UsageError.
    """
    path = Path(path)
    clock = Clock(alignment if isinstance(alignment, TimeMap) else TimeMap(alignment), inverse)
    if not clock.map.segments:
        raise InputError("the map holds no knots: a text was aligned", source=path.name)
    if not path.is_file():
        raise MissingError("no such file", source=path)
    suffix, wanted = path.suffix.lower(), output.suffix.lower()
    if wanted in CUES and wanted != suffix and (suffix in CUES or transcripts.format_of(path) is not None):
        _cues(path, clock, output)
        return clock
    if suffix in (".npz", *TEXTS) and wanted not in ("", suffix):
        raise UsageError(f"{path.name} stays {suffix[1:]} on another clock", source=output)
    if suffix == ".npz":
        _features(path, clock, output)
    elif suffix in TEXTS:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise MediaError(f"is larger than {MAX_TEXT_BYTES >> 20} MiB", source=path.name)
        atomic.write_bytes(output, retimed(path.read_bytes(), suffix, clock, path.name))
    elif suffix in FILM and output.suffix.lower() != ".wav":
        clock.remark = stretch.rewritten(path, output, clock.map.invert() if inverse else clock.map, clock.all)
    elif suffix in SOUND + FILM:
        if output.suffix.lower() != ".wav":
            raise UsageError(f"sound is written as wav, not as {output.suffix or output.name}")
        _sound(path, clock, output)
    else:
        raise UsageError(
            f"{path.name} cannot be put on another clock",
            hint="known: npz " + " ".join(t[1:] for t in FILM + SOUND + TEXTS),
        )
    return clock


def _cues(path: Path, clock: Clock, output: Path) -> None:
    """Subtitles in another of their formats."""
    from mmcli.media import open_clip

    clip = open_clip(path, "subtitle")
    assert isinstance(clip, SubtitleClip)
    cues = [(clock(start), clock(end), words) for start, end, words in clip.cues]
    atomic.write_bytes(output, subtitles.rendered(cues, output.suffix.lower()))
    clock.remark = f"the cues of {path.name} as {output.suffix[1:].lower()}, without its styles"


def _features(path: Path, clock: Clock, output: Path) -> None:
    features = features_file.load(path)
    times = clock.all(features.times)
    if np.any(np.diff(times) <= 0):  # across a break both ends may meet
        times = np.maximum.accumulate(times) + 1e-6 * np.arange(len(times))
    meta = {k: v for k, v in features.meta.items() if k not in ("rate_hz", "hop_s")}
    features_file.save(output, replace(features, times=times, meta=meta))


def _sound(path: Path, clock: Clock, output: Path) -> None:
    from mmcli.media import MediaOptions, open_clip

    clip: Any = open_clip(path, "audio")
    heard = clip.samples()
    if clip.channels > 1:
        clips: list[Any] = [open_clip(path, "audio", options=MediaOptions(channel=k)) for k in range(clip.channels)]
        heard = np.column_stack([c.samples() for c in clips])
    try:
        parts = stretch.pieces(heard, clip.rate, clock.map.invert() if clock.inverse else clock.map)
        clock.told += stretch.write(output, parts, clip.rate)
    except MediaError as error:
        raise MediaError(error.what, source=path.name, hint=error.hint) from error
