"""A long recording as windows of equal length: items to train on, and places to answer for.

Window ``k`` of ``window`` seconds begins at ``k * hop``; all lie inside the recording. It speaks for the stretch of
``hop`` seconds about its middle, the first one from the start on and the last one to the end, so that the windows of a
recording say something of every moment once. In training it has the label that holds at its middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mmcli.batch.plan.items import Item
from mmcli.errors import InputError, UsageError
from mmcli.media import AudioClip, MediaOptions, SeriesClip, VideoClip, open_clip
from mmcli.media.intervals import Interval, label_at

MOST = 1_000_000  # windows of one recording


@dataclass(frozen=True)
class Windows:
    """Length and distance of windows in seconds."""

    window: float
    hop: float

    def __post_init__(self) -> None:
        for name in ("window", "hop"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.001):
                raise UsageError(f"--{name} {value:g}: seconds, at least 0.001")

    def starts(self, duration: float) -> list[float]:
        """Where windows begin, seconds; a recording shorter than one has one window.

        >>> Windows(2.0, 1.0).starts(4.5)
        [0.0, 1.0, 2.0]
        """
        count = max(1, math.floor((duration - self.window) / self.hop + 1e-9) + 1)
        if count > MOST:
            raise UsageError(f"{count:,} windows of one recording are too many", hint="a longer --hop")
        return [k * self.hop for k in range(count)]

    def middle(self, start: float) -> float:
        """Of the window that begins there, seconds."""
        return start + self.window / 2

    def stretch(self, number: int, count: int, duration: float) -> tuple[float, float]:
        """What window ``number`` of ``count`` speaks for, seconds.

        >>> [Windows(2.0, 1.0).stretch(k, 3, 4.5) for k in range(3)]
        [(0.0, 1.5), (1.5, 2.5), (2.5, 4.5)]
        """
        middle = self.middle(number * self.hop)
        start = 0.0 if number == 0 else middle - self.hop / 2
        return start, duration if number == count - 1 else min(middle + self.hop / 2, duration)


def cut(item: Item, windows: Windows, intervals: Sequence[Interval] | None = None) -> list[Item]:
    """An item in windows: ``ID/0001`` and so on, all of one group, with labels where ``intervals`` has them.

    Raises :class:`InputError` where the item has no media with a length.
    """
    duration = duration_of(item)
    starts = windows.starts(duration)
    width = max(4, len(str(len(starts))))
    first = item.start or 0.0
    return [
        replace(
            item,
            id=f"{item.id}/{number:0{width}d}",
            start=first + start,
            end=first + min(start + windows.window, duration),
            label=item.label if intervals is None else label_at(intervals, first + windows.middle(start)),
            group=item.group or item.id,
        )
        for number, start in enumerate(starts, start=1)
    ]


def duration_of(item: Item) -> float:
    """Seconds of the longest of its media, less what lies outside the item's own start and end."""
    lengths = []
    for cell in item.cells:
        if cell.path is None or cell.modality not in ("audio", "video", "series"):
            continue
        clip = open_clip(cell.path, cell.modality, options=MediaOptions(row=cell.row, member=cell.member))
        if isinstance(clip, AudioClip | VideoClip):
            lengths.append(clip.duration_s)
        elif isinstance(clip, SeriesClip):
            lengths.append(float(clip.times[-1]))
    if not lengths:
        raise InputError("has no sound, film or series to cut into windows", source=item.id)
    duration = max(lengths) if item.end is None else min(max(lengths), item.end)
    return duration - (item.start or 0.0)
