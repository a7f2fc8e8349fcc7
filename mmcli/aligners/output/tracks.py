"""Many recordings as a page: all tracks on one timeline, group by group, and a table of where they lie."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmcli.aligners.many.shoot import Placed, Shoot
from mmcli.artifacts.io import atomic, html

MOST_TICKS = 8
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def write(path: Path, shoot: Shoot) -> None:
    """Write the page. Raises OutputError where it cannot be written."""
    atomic.write_text(path, text(shoot))


def text(shoot: Shoot) -> str:
    """The page; the same solution gives the same page."""
    groups = [_group(shoot, clips) for clips in shoot.groups()]
    alone = [{"name": c.path.name, "why": "silent" if c.silent else "shares no sound"} for c in shoot.alone()]
    alone += [{"name": path.name, "why": f"not read: {reason}"} for path, reason in shoot.unread]
    values = {
        "said": said(shoot),
        "groups": groups,
        "alone": alone,
        "contradictions": shoot.contradictions(),
        "doubts": shoot.doubts(),
        "clips": len(shoot.clips) + len(shoot.unread),
        "pairs": len(shoot.edges),
    }
    return html.render("mmcli.aligners", "tracks", values)


def said(shoot: Shoot) -> str:
    """What came of it, in a sentence."""
    groups, alone = shoot.groups(), len(shoot.alone()) + len(shoot.unread)
    placed = sum(len(clips) for clips in groups)
    of = f"{placed} of {placed + alone} recordings stand on"
    clocks = "no common clock" if not groups else "one clock" if len(groups) == 1 else f"{len(groups)} clocks"
    wrong = len(shoot.contradictions())
    more = (
        "" if not wrong else f"; {wrong} pair{'s' if wrong > 1 else ''} contradict{'' if wrong > 1 else 's'} the rest"
    )
    return f"{of} {clocks}{more}"


def _group(shoot: Shoot, clips: list[Placed]) -> dict[str, Any]:
    begin, end = min(c.start_s for c in clips), max(c.end_s for c in clips)
    span = max(end - begin, 1e-9)
    step = next((s for s in STEPS_S if span / s <= MOST_TICKS), STEPS_S[-1])
    first = math.ceil(begin / step)
    ticks = [{"at": round((k * step - begin) / span * 100, 4), "label": clock(k * step)}
             for k in range(first, math.floor(end / step) + 1)]  # fmt: skip
    reference = shoot.reference(clips[0])
    return {
        "reference": reference.path.name,
        "ticks": ticks,
        "tracks": [
            {
                "name": c.path.name,
                "is_reference": c is reference,
                "film": c.pictures,
                "left": round((c.start_s - begin) / span * 100, 4),
                "width": round((c.end_s - c.start_s) / span * 100, 4),
                "start": f"{c.start_s + 0.0:+.4f}",
                "ppm": f"{(c.rate - 1.0) * 1e6:+.1f}",
                "half": "" if c.half_s is None else f"{c.half_s * 1e3:.1f}",
                "length": clock(c.duration_s),
                "with": heard_with(shoot, c),
            }
            for c in clips
        ],
    }


def heard_with(shoot: Shoot, clip: Placed) -> int:
    """With how many others it was measured, and that holds."""
    number = shoot.clips.index(clip)
    return sum(m.kept and number in (m.edge.a, m.edge.b) for m in shoot.edges)


def clock(seconds: float) -> str:
    """A time as it is read off.

    >>> clock(83), clock(-5), clock(3700)
    ('1:23', '-0:05', '1:01:40')
    """
    whole = round(abs(seconds))
    hours, rest = divmod(whole, 3600)
    shown = f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
    return f"-{shown}" if seconds < 0 and whole else shown
