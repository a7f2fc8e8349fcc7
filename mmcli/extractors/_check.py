"""Checks at the door of an extractor: configurations that make no sense, clips that hold nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from mmcli.errors import InputError, UsageError


def within(config: Any, **ranges: tuple[float, float]) -> None:
    """Every named field of ``config`` lies in its closed range. Raises :class:`UsageError`."""
    for field, (low, high) in ranges.items():
        value = getattr(config, field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UsageError(
                f"{name_of(config)}.{field} = {value!r}", hint=f"{field} lies between {low:g} and {high:g}"
            )


def one_of(config: Any, field: str, values: Collection[str]) -> None:
    """The field holds one of the values. Raises :class:`UsageError`."""
    value = getattr(config, field)
    if value not in values:
        raise UsageError(f"{name_of(config)}.{field} = {value!r}", hint="one of: " + ", ".join(values))


def name_of(config: Any) -> str:
    """The extractor that a Config belongs to."""
    return str(type(config).__module__.rpartition(".")[2])


def finite(values: np.ndarray, name: str) -> np.ndarray:
    """The array itself, after a look for NaN and infinity. Raises :class:`InputError`."""
    if not np.isfinite(values).all():
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        raise InputError(
            f"{bad} of {values.size} values are NaN or infinite", source=name, hint="clean the input first"
        )
    return values


def nonempty(length: int, name: str, what: str) -> None:
    """Refuse a clip that holds nothing. Raises :class:`InputError`."""
    if length <= 0:
        raise InputError(f"holds no {what}", source=name)


def at_most(seconds: float, most: float, name: str) -> None:
    """Refuse a clip that is too long to be held whole. Raises :class:`InputError`."""
    if seconds > most:
        raise InputError(
            f"{seconds:.0f} s is longer than the {most:.0f} s that are held whole here",
            source=name,
            hint="cut it into segments (start, end in a manifest), or use an extractor that streams",
        )
