"""Small drawings inside a page: intervals, curves over time, cells over a picture, shaded words; all plain SVG or HTML.

Everything that comes from a report is a number here, or passes through escaping.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 136, 16
BARS = 60  # of a strip over time


def forest(value: float, bounds: Sequence[float] | None, scale: tuple[float, float]) -> Markup:
    """A dot with its interval on an axis from ``scale[0]`` to ``scale[1]``, with a line at zero."""
    low, high = scale
    span = (high - low) or 1.0

    def x(v: float) -> float:
        return round(4 + (min(max(v, low), high) - low) / span * (WIDTH - 8), 1)

    clear = bounds is not None and (bounds[0] > 0 or bounds[1] < 0)
    colour = "var(--soft)" if not clear else "var(--good)" if value > 0 else "var(--bad)"
    parts = [f'<line x1="{x(0.0)}" x2="{x(0.0)}" y1="0" y2="{HEIGHT}" stroke="var(--rule)"/>']
    if bounds is not None:
        parts.append(_line(x(bounds[0]), x(bounds[1]), colour))
    parts.append(f'<circle cx="{x(value)}" cy="{HEIGHT / 2}" r="3.6" fill="{colour}"/>')
    return _svg(parts)


def gauge(entry: dict[str, Any]) -> Markup:
    """A figure between 0 and 1 with its interval; nothing for other figures."""
    value, bounds = entry["value"], entry["interval"]
    if value is None or not 0 <= value <= 1 or (bounds is not None and not 0 <= bounds[0] <= bounds[1] <= 1):
        return Markup("")
    length = WIDTH - 8
    parts = [f'<line x1="4" x2="{WIDTH - 4}" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}" stroke="var(--rule)"/>']
    if bounds is not None:
        parts.append(_line(4 + bounds[0] * length, 4 + bounds[1] * length, "var(--bar)"))
    parts.append(f'<circle cx="{4 + value * length:.1f}" cy="{HEIGHT / 2}" r="3.6" fill="var(--bar)"/>')
    return _svg(parts)


def strip(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """The shares of frames gathered into at most BARS bars of equal length, each the sum of what falls into it.

    Sums, because a stream of five hundred frames says no less than one of fifty: its frames say less each.
    """
    if len(values) <= BARS:
        return list(map(float, values))
    sums, _ = np.histogram(times, bins=BARS, weights=np.asarray(values, dtype=np.float64))
    return list(map(float, sums))


def curve(bars: Sequence[float], most: float, ends: tuple[float, float] | None = None) -> Markup:
    """Bars: above the line what spoke for the prediction, below what spoke against it; ``most`` is a full bar.

    ``ends``: where they are bars over time, its first and last second.
    """
    n = max(1, len(bars))
    drawn = []
    for i, v in enumerate(bars):
        size = abs(v) / (most or 1.0) * 20
        colour = "var(--bar)" if v > 0 else "var(--bad)"
        y = 22 - size if v > 0 else 22
        drawn.append(
            f'<rect x="{i * 300 / n:.2f}" y="{y:.2f}" width="{300 / n:.2f}" height="{size:.2f}" fill="{colour}"/>'
        )
    line = '<line x1="0" x2="300" y1="22" y2="22" stroke="var(--rule)" vector-effect="non-scaling-stroke"/>'
    picture = f'<svg class="curve" viewBox="0 0 300 44" preserveAspectRatio="none">{line}{"".join(drawn)}</svg>'
    said = "" if ends is None else f"<span>{ends[0]:.2f} s</span><span>{ends[1]:.2f} s</span>"
    return Markup(f'{picture}<div class="ends">{said}</div>')


def cells(grid: Sequence[Sequence[float]], picture: str | None, most: float = 1.0) -> Markup:
    """A picture with the cells that spoke laid over it: blue for the prediction, red against; ``most`` is darkest."""
    rows, columns = len(grid), len(grid[0]) if grid else 0
    rects = []
    for r, row in enumerate(grid):
        for c, v in enumerate(row):
            strength = 0.75 * abs(v) / (most or 1.0)
            if strength >= 0.04:
                colour = "47,111,159" if v > 0 else "200,60,20"
                rects.append(f'<rect x="{c}" y="{r}" width="1" height="1" fill="rgba({colour},{strength:.2f})"/>')
    image = f'<img alt="" src="{escape(picture)}">' if picture else ""
    square = "" if picture else f' style="aspect-ratio:{columns}/{rows};background:#888"'
    drawn = f'<svg viewBox="0 0 {columns} {rows}" preserveAspectRatio="none">{"".join(rects)}</svg>'
    return Markup(f'<div class="pic"{square}>{image}{drawn if grid else ""}</div>')


def shaded(words: Sequence[str], values: Sequence[float], most: float) -> Markup:
    """A text with each word shaded by how much it spoke: blue for the prediction, red against; ``most`` is darkest."""
    parts = []
    for word, v in zip(words, values, strict=True):
        colour = "var(--for)" if v > 0 else "var(--against)"
        title = f"{v:+.3f}"
        shade = f"rgba({colour},{0.75 * abs(v) / (most or 1.0):.2f})"
        parts.append(f'<span style="background:{shade}" title="{title}">{escape(word)}</span>')
    return Markup(f'<p class="words">{" ".join(parts)}</p>')


def thumbnail(uri: str) -> Markup:
    """A small picture in a row of a table."""
    return Markup(f'<img class="thumb" alt="" src="{escape(uri)}">')


def waveform(swing: Sequence[float]) -> Markup:
    """A small picture of a sound: how far it swings over time, each from 0 to 1."""
    upper = [f"{i},{12 - 11 * value:.1f}" for i, value in enumerate(swing)]
    lower = [f"{i},{12 + 11 * value:.1f}" for i, value in reversed(list(enumerate(swing)))]
    shape = f'<polygon points="{" ".join(upper + lower)}" fill="var(--bar)"/>'
    return Markup(
        f'<svg class="thumb" viewBox="0 0 {max(1, len(swing) - 1)} 24" preserveAspectRatio="none" aria-hidden="true">'
        f'<line x1="0" x2="{len(swing)}" y1="12" y2="12" stroke="var(--bar)"/>{shape}</svg>'
    )


def player(uri: str) -> Markup:
    """A sound player."""
    return Markup(f'<audio controls preload="metadata" src="{escape(uri)}"></audio>')


def _line(x1: float, x2: float, colour: str) -> str:
    middle = HEIGHT / 2
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{middle}" y2="{middle}" stroke="{colour}" stroke-width="2"/>'


def _svg(parts: list[str]) -> Markup:
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>')
