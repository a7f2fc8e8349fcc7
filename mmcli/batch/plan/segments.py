"""The intervals of an annotation as items: pieces of one recording, each with its label."""

from __future__ import annotations

from dataclasses import replace

from mmcli.batch.plan.inputs import Item
from mmcli.media.intervals import Interval, read

__all__ = ["Interval", "cut", "read"]


def cut(item: Item, intervals: list[Interval]) -> list[Item]:
    """An item in pieces: ``ID/0001`` and so on, each with its interval and label, all of one group."""
    width = max(4, len(str(len(intervals))))
    return [
        replace(
            item,
            id=f"{item.id}/{number:0{width}d}",
            start=start,
            end=end,
            label=label,
            group=item.group or item.id,
        )
        for number, (start, end, label) in enumerate(intervals, start=1)
    ]
