"""Small drawings inside a page: intervals, curves over time, cells over a picture, shaded words; all plain SVG or HTML.

Everything that comes from a report is a number here, or passes through escaping.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

WIDTH, HEIGHT = 136, 16


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


def curve(times: Sequence[float], values: Sequence[float]) -> Markup:
    """Bars over time: above the line what spoke for the prediction, below what spoke against it."""
    most = max((abs(v) for v in values), default=0.0) or 1.0
    n = max(1, len(values))
    bars = []
    for i, v in enumerate(values):
        size = abs(v) / most * 20
        colour = "var(--bar)" if v > 0 else "var(--bad)"
        y = 22 - size if v > 0 else 22
        bars.append(
            f'<rect x="{i * 300 / n:.2f}" y="{y:.2f}" width="{300 / n:.2f}" height="{size:.2f}" fill="{colour}"/>'
        )
    drawn = f'<svg class="curve" viewBox="0 0 300 44" preserveAspectRatio="none">{"".join(bars)}</svg>'
    ends = f"<span>{times[0]:.2f} s</span><span>{times[-1]:.2f} s</span>" if len(times) else ""
    return Markup(f'{drawn}<div class="ends">{ends}</div>')


def cells(grid: Sequence[Sequence[float]], picture: str | None) -> Markup:
    """A picture with the cells that spoke laid over it: blue for the prediction, red against."""
    most = max((abs(v) for row in grid for v in row), default=0.0) or 1.0
    rows, columns = len(grid), len(grid[0]) if grid else 0
    rects = []
    for r, row in enumerate(grid):
        for c, v in enumerate(row):
            strength = 0.75 * abs(v) / most
            if strength >= 0.04:
                colour = "47,111,159" if v > 0 else "200,60,20"
                rects.append(f'<rect x="{c}" y="{r}" width="1" height="1" fill="rgba({colour},{strength:.2f})"/>')
    image = f'<img alt="" src="{escape(picture)}">' if picture else ""
    square = "" if picture else f' style="aspect-ratio:{columns}/{rows};background:#888"'
    drawn = f'<svg viewBox="0 0 {columns} {rows}" preserveAspectRatio="none">{"".join(rects)}</svg>'
    return Markup(f'<div class="pic"{square}>{image}{drawn}</div>')


def shaded(words: Sequence[str], values: Sequence[float]) -> Markup:
    """A text with each word shaded by how much it spoke: blue for the prediction, red against."""
    most = max((abs(v) for v in values), default=0.0) or 1.0
    parts = []
    for word, v in zip(words, values, strict=True):
        colour = "var(--tint)" if v > 0 else "200,60,20"
        title = f"{v:+.3f}"
        shade = f"rgba({colour},{0.75 * abs(v) / most:.2f})"
        parts.append(f'<span style="background:{shade}" title="{title}">{escape(word)}</span>')
    return Markup(f'<p class="words">{" ".join(parts)}</p>')


def player(uri: str) -> Markup:
    """A sound player."""
    return Markup(f'<audio controls preload="metadata" src="{escape(uri)}"></audio>')


def _line(x1: float, x2: float, colour: str) -> str:
    middle = HEIGHT / 2
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{middle}" y2="{middle}" stroke="{colour}" stroke-width="2"/>'


def _svg(parts: list[str]) -> Markup:
    return Markup(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>')
