"""Rates that have a name: the known ratios of film and television speeds."""

from __future__ import annotations

NAMED: dict[str, float] = {
    "24/25": 24 / 25,
    "25/24": 25 / 24,
    "23.976/25": 24 / 1.001 / 25,
    "25/23.976": 25 * 1.001 / 24,
    "1000/1001": 1000 / 1001,
    "1001/1000": 1001 / 1000,
}


def named(rate: float, tolerance: float) -> str | None:
    """The name of the known ratio within ``tolerance`` of ``rate``, the nearest; None where there is none.

    >>> named(0.96004, 1e-4), named(0.9590, 1e-4), named(0.97, 1e-4)
    ('24/25', '23.976/25', None)
    """
    name = min(NAMED, key=lambda n: abs(NAMED[n] - rate))
    return name if abs(NAMED[name] - rate) <= tolerance else None


def inverse(name: str | None) -> str | None:
    """The name of a known ratio the other way round; None for None.

    >>> inverse("24/25")
    '25/24'
    """
    return None if name is None else "/".join(reversed(name.split("/")))
