"""The unit of a time column: seconds, or what the user says; what is plainly neither is refused with the unit to give.

An epoch is told by its size: its times would lie between 2001 and 2100. Milliseconds and finer are told by their steps:
an even clock of steps of 2 or more that are no whole minutes, over so many rows, is a sensor's clock in another unit. A
logger that writes every ten seconds looks alike, which is why the answer is a question and no guess.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
EPOCH_S = (1e9, 4.1e9)  # 2001-09-09 to 2099-12-03
ROWS = 100  # of an even clock; where its steps are rounded (16, 17, 17 ms) a tenth of them tells
EVEN = 0.25  # of a step, that nine steps in ten stay within
MINUTE = 60.0


def seconds(times: NDArray[np.float64], unit: str | None, path: Path) -> NDArray[np.float64]:
    """Times in seconds; ``unit`` is a key of ``UNITS``, or None: seconds, unless they plainly are none.

    Raises :class:`MediaError` with the unit to give.

    >>> seconds(np.array([0.0, 500.0]), "ms", Path("a.csv")).tolist()
    [0.0, 0.5]
    """
    if unit is not None:
        return times if unit == "s" else times * UNITS[unit]
    told = plain_unit(times)
    if told is None:
        return times
    looks, unit = told
    raise MediaError(
        f"time column: {times[0]:.15g} to {times[-1]:.15g} looks like {looks}, not like seconds",
        source=path,
        hint=f"say --time-unit {unit}, or s if these are seconds (units: {', '.join(UNITS)})",
    )


def plain_unit(times: NDArray[np.float64]) -> tuple[str, str] | None:
    """What times look like and the unit to give; None for what may well be seconds.

    >>> plain_unit(1.7e12 + np.arange(5) * 20), plain_unit(np.arange(5) * 20.0)
    (('an epoch in ms', 'ms'), None)
    """
    if len(times) < 2 or not np.isfinite(times).all():
        return None
    for unit, scale in UNITS.items():
        if EPOCH_S[0] <= times[0] * scale and times[-1] * scale <= EPOCH_S[1]:
            return f"an epoch in {unit}", unit
    steps = np.diff(times)
    step = float(np.median(steps))
    if step < 2 or step % MINUTE == 0:
        return None
    off = np.abs(steps - step)
    rounded = bool((times == np.round(times)).all() and 0 < off.max() <= 1)
    if np.mean(off <= EVEN * step) < 0.9 or len(times) < (ROWS // 10 if rounded else ROWS):
        return None
    unit = "ms" if step < 1e3 else "us" if step < 1e6 else "ns"
    return f"{unit} (steps of {step:.6g})", unit
