"""A map put to use: a file that lives on the query's clock is put on the reference's, or the other way round.

What a file holds besides times stays as it is, byte for byte where the file is text. Times for which the map says
nothing (in a break, before the first knot, after the last) are put as far from the nearest known time as they were;
how many those were is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners import _film, _stretch
from mmcli.aligners.timemap import TimeMap
from mmcli.artifacts import atomic
from mmcli.artifacts import features as features_file
from mmcli.errors import InputError, MediaError, MissingError, UsageError

Times = NDArray[np.float64]

FILM = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
SOUND = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a")
TEXTS = (".srt", ".vtt", ".ass", ".ssa", ".textgrid", ".csv", ".tsv")
TIME_COLUMNS = (b"time", b"t", b"time_s", b"start", b"end", b"start_s", b"end_s", b"seconds")
MAX_TEXT_BYTES = 64 << 20
_CUE = rb"((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})"
_ARROW = re.compile(rb"^(\s*)" + _CUE + rb"(\s*-->\s*)" + _CUE, re.M)
_EVENT = re.compile(rb"^((?:Dialogue|Comment):[^,\r\n]*,\s*)" + _CUE + rb"(\s*,\s*)" + _CUE, re.M)
_GRID = re.compile(rb"((?:xmin|xmax|number|time)\s*=\s*)(\d+(?:\.\d*)?)")


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


def warp_file(path: Path | str, found: Any, output: Path, *, inverse: bool = False) -> Clock:
    """Write the file on the other clock: features (npz), film, sound, subtitles, TextGrid or a table with times.

    ``found``: an Alignment or TimeMap. Returns the clock with its counts; sound is written as wav, of a film too where
    the output is one. Raises MissingError, InputError or UsageError.
    """
    path = Path(path)
    clock = Clock(found if isinstance(found, TimeMap) else TimeMap(found), inverse)
    if not clock.map.segments:
        raise InputError("the map holds no knots: a text was aligned", source=path.name)
    if not path.is_file():
        raise MissingError("no such file", source=path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        _features(path, clock, output)
    elif suffix in TEXTS:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise MediaError(f"is larger than {MAX_TEXT_BYTES >> 20} MiB", source=path.name)
        atomic.write_bytes(output, retimed(path.read_bytes(), suffix, clock, path.name))
    elif suffix in FILM and output.suffix.lower() != ".wav":
        clock.remark = _film.rewritten(path, output, clock.map.invert() if inverse else clock.map, clock.all)
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


def retimed(data: bytes, suffix: str, clock: Callable[[float], float], name: str) -> bytes:
    """The bytes of a text file with its times on another clock and everything else as it was.

    >>> retimed(b"1\\n00:00:01,000 --> 00:00:02,500 X1:1\\nhi\\n", ".srt", lambda t: t + 60, "a.srt")
    b'1\\n00:01:01,000 --> 00:01:02,500 X1:1\\nhi\\n'
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise MediaError("is UTF-16; save it as UTF-8 first", source=name)
    if suffix in (".csv", ".tsv"):
        return _table(data, b"\t" if suffix == ".tsv" else b",", clock, name)
    if suffix == ".textgrid":
        return _grid(data, clock, name)
    pattern = _EVENT if suffix in (".ass", ".ssa") else _ARROW
    out, count = pattern.subn(
        lambda m: m[1] + _stamp(clock(_seconds(m[2])), m[2]) + m[3] + _stamp(clock(_seconds(m[4])), m[4]), data
    )
    if count == 0:
        raise MediaError("holds no cues", source=name)
    return out


def _seconds(stamp: bytes) -> float:
    *hours, minutes, seconds = stamp.replace(b",", b".").split(b":")
    return (int(hours[0]) if hours else 0) * 3600 + int(minutes) * 60 + float(seconds)


def _stamp(t: float, like: bytes) -> bytes:
    """The time written as another one is: same mark, same digits; hours where it has them or an hour is reached.

    >>> _stamp(3725.5, b"0:00:01.00")
    b'1:02:05.50'
    """
    mark = b"," if b"," in like else b"."
    digits = len(like.partition(mark)[2])
    units = round(t * 10**digits)
    whole, rest = divmod(units, 10**digits)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    text = b"%02d:%02d%s%0*d" % (minutes, seconds, mark, digits, rest)
    if like.count(b":") == 2:
        return b"%0*d:" % (len(like.partition(b":")[0]), hours) + text
    return (b"%02d:" % hours if hours else b"") + text


def _table(data: bytes, comma: bytes, clock: Callable[[float], float], name: str) -> bytes:
    """The columns whose names say time, start or end; all other cells untouched."""
    lines = data.splitlines(keepends=True)
    if not lines:
        raise MediaError("is empty", source=name)
    head = [c.strip().strip(b'"').lower().removeprefix(b"\xef\xbb\xbf") for c in lines[0].rstrip(b"\r\n").split(comma)]
    columns = [k for k, c in enumerate(head) if c in TIME_COLUMNS]
    if not columns:
        wanted = ", ".join(c.decode() for c in TIME_COLUMNS)
        raise MediaError("has no column of times in its first line", source=name, hint=f"name it one of: {wanted}")
    out = [lines[0]]
    for number, line in enumerate(lines[1:], 2):
        body = line.rstrip(b"\r\n")
        cells = body.split(comma)
        for k in columns:
            if k < len(cells) and cells[k].strip():
                try:
                    t = float(cells[k])
                except ValueError as error:
                    raise MediaError(f"line {number}: {cells[k]!r} is no time", source=name) from error
                cells[k] = b"%.6f" % clock(t)
        out.append(comma.join(cells) + line[len(body) :])
    return b"".join(out)


def _grid(data: bytes, clock: Callable[[float], float], name: str) -> bytes:
    """A TextGrid, long or short format."""
    if b"xmin" in data:
        return _GRID.sub(lambda m: m[1] + b"%.6f" % clock(float(m[2])), data)
    # Short format: a number alone on a line with a point in it is a time; counts have none.
    lone = re.compile(rb"^(\d+\.\d+)([ \t]*\r?)$", re.M)
    out, count = lone.subn(lambda m: b"%.6f" % clock(float(m[1])) + m[2], data)
    if count == 0:
        raise MediaError("holds no times", source=name)
    return out


def _features(path: Path, clock: Clock, output: Path) -> None:
    found = features_file.load(path)
    times = clock.all(found.times)
    if np.any(np.diff(times) <= 0):  # across a break both ends may meet
        times = np.maximum.accumulate(times) + 1e-6 * np.arange(len(times))
    meta = {k: v for k, v in found.meta.items() if k not in ("rate_hz", "hop_s")}
    features_file.save(output, replace(found, times=times, meta=meta))


def _sound(path: Path, clock: Clock, output: Path) -> None:
    from mmcli.media import open_clip

    clip: Any = open_clip(path, "audio")
    samples = _stretch.retimed(clip.samples(), clip.rate, clock.map.invert() if clock.inverse else clock.map)
    clock.told += len(samples)
    _stretch.write(output, samples, clip.rate)
