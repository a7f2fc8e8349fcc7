"""Between samples: where a curve is highest near its highest sample."""

from __future__ import annotations


def vertex(before: float, top: float, after: float) -> float:
    """How far the vertex of the parabola through three neighbouring values lies from the middle one, in samples.

    >>> vertex(1.0, 2.0, 2.0), vertex(1.0, 1.0, 1.0)
    (0.5, 0.0)
    """
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
