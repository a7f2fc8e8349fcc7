"""`mmcli align REF QUERY QUERY...`: many recordings on one clock."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.cli import console, progress
from mmcli.cli.align.options import AlignOptions
from mmcli.errors import BatchFailedError, MismatchError, UsageError, printable

if TYPE_CHECKING:
    from mmcli.aligners.many.shoot import Placed, Shoot

AUTO = "auto"
OWN = ("reference", "query", "more", "clock", "output", "page", "json")  # what has a meaning for many


def align(given: AlignOptions) -> None:
    """Put all recordings on one clock, write and print it."""
    paths = [p for p in (given.reference, given.query, *(given.more or [])) if p is not None]
    usual = AlignOptions()
    for field in dataclasses.fields(given):
        if field.name not in OWN and getattr(given, field.name) not in (getattr(usual, field.name), []):
            option = field.name.rstrip("_").replace("_", "-")
            raise UsageError(f"--{option} is for one pair or for --pairs, {len(paths)} recordings were given")
    reference = _reference(given, paths)
    console.apart({"--output": given.output, "--page": given.page}, paths)
    if given.page is not None and given.page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--page writes html, not {given.page.suffix[1:] or given.page.name}", source=given.page)
    from mmcli.aligners.many import shoot
    from mmcli.aligners.output import together, tracks

    made = None if given.output is None else together.made(given.output)
    with progress.bar("align", float(len(paths)), "recordings") as bar:
        result = shoot.place(paths, reference, lambda step, message: bar.advance(step, message))
    if not result.groups():
        if given.json:
            console.emit({"schema": shoot.SCHEMA, "output": None, "shoot": result.to_json()})
        raise MismatchError(
            "no two of the recordings share a stretch of sound that both would show", hint=_without(result)
        )
    if made is not None:
        made.write(result)
    if given.page is not None:
        tracks.write(given.page, result)
    _tell(result, given)
    if result.unread:
        for path, reason in result.unread:
            console.warn(f"{path.name}: left out: {reason}{_by_itself(path, paths)}")
        raise BatchFailedError(f"{len(result.unread)} of {len(paths)} recordings could not be read")


def _by_itself(path: Path, paths: list[Path]) -> str:
    """Of subtitles what puts them on the clock of the first recording."""
    from mmcli.media.door import SUFFIXES

    if SUFFIXES.get(path.suffix.lower()) not in ("subtitle", "text"):
        return ""
    suffix = path.suffix if path.suffix.lower() in (".srt", ".vtt", ".ass") else ".srt"
    words = ("mmcli", "align", str(paths[0]), str(path), "-o", f"{path.stem}.fixed{suffix}")
    return f"; by itself: {shlex.join(words)}"


def _reference(given: AlignOptions, paths: list[Path]) -> Path | None:
    """The recording whose clock counts; None: the longest of each group. Raises UsageError for a stranger."""
    if len(paths) < 2:
        raise UsageError("REFERENCE and QUERY are needed", hint="two recordings or more")
    twice = next((p for k, p in enumerate(paths) if p in paths[:k]), None)
    if twice is not None:
        raise UsageError("is given twice", source=twice)
    if given.clock == AUTO:
        return None
    if given.clock is None:
        return paths[0]
    if Path(given.clock) not in paths:
        raise UsageError(f"--reference {given.clock} is none of the recordings", hint="auto, or one of those given")
    return Path(given.clock)


def _without(shoot: Shoot) -> str | None:
    silent = [c.path.name for c in shoot.clips if c.silent]
    return f"silent: {', '.join(silent)}" if silent else None


def _tell(shoot: Shoot, given: AlignOptions) -> None:
    """Each group as a table, then what is alone and what contradicts; without an output that is the data."""
    from mmcli.aligners.output import tracks

    if given.json:
        output = None if given.output is None else str(given.output)
        console.emit({"schema": "mmcli/shoot@1", "output": output, "shoot": shoot.to_json()})
    shown = given.output is None and not given.json
    say = console.data if shown else console.say
    for number, clips in enumerate(shoot.groups(), 1):
        title = f"group {number}: {len(clips)} recordings on the clock of {shoot.reference(clips[0]).path.name}"
        rows = [_row(shoot, clip) for clip in clips]
        if shown:
            console.data(printable(title))
            width = max(len(row[0]) for row in rows)
            for name, *cells in rows:
                console.data(
                    printable(f"  {name:{width}}  {cells[0]:>12} s  {cells[1]:>9}  {cells[2]:>12}  {cells[3]}")
                )
        else:
            console.table(title, ["recording", "begins at, s", "±", "clock", "heard with"], rows)
    for clip in shoot.alone():
        say(printable(f"{clip.path.name}: {'silent' if clip.silent else 'shares no sound with any other'}"))
    for line in shoot.contradictions():
        say(printable(f"contradicts the rest: {line}"))
    for line in shoot.doubts():
        say(printable(f"in doubt: {line}"))
    say(tracks.said(shoot) + ("" if given.output is None else f"  -> {given.output}"))


def _row(shoot: Shoot, clip: Placed) -> tuple[str, str, str, str, str]:
    from mmcli.aligners.output import tracks

    half = "reference" if clip.half_s is None else f"{clip.half_s * 1e3:.1f} ms"
    others = tracks.heard_with(shoot, clip)
    return (
        clip.path.name,
        f"{clip.start_s + 0.0:+.4f}",
        half,
        f"{(clip.rate - 1.0) * 1e6:+.1f} ppm",
        f"{others} other{'s' if others > 1 else ''}",
    )
