"""Right, refused or wrong: what a reader tells of a cell beside what ffmpeg tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from matrix.cell import Cell


def differs(cell: Cell, wanted: Any, told: Any) -> str | None:
    """What is wrong, or None."""
    if cell.kind == "video":
        if len(wanted) != len(told):
            return f"{len(told)} frames for {len(wanted)}"
        steps = np.diff(wanted)
        half = float(np.median(steps)) / 2 if len(steps) else 0.02
        off = float(np.abs(np.array(wanted) - np.array(told)).max()) if len(told) else 0.0
        return f"a frame is {off * 1000:.0f} ms off" if off > half else None
    (samples, rate, ends), (ours, own_rate) = wanted, told
    if rate != own_rate:
        return f"rate {own_rate} for {rate}"
    length, exact = len(ours) / rate, len(samples) / rate
    fair = [exact, *ends, *cell.also]
    if min(abs(length - end) for end in fair) > cell.fair + 1.0 / rate:
        return f"{length:.4f} s for {' or '.join(f'{e:.4f}' for e in fair)}"
    width, reach = round(0.08 * rate), round(0.03 * rate)
    for begin in range(reach, min(len(samples), len(ours)) - width - reach, round(0.2 * rate)):
        there, here = samples[begin : begin + width], ours[begin - reach : begin + width + reach]
        level, own = float(np.sqrt(np.mean(there**2))), float(np.sqrt(np.mean(here[reach:-reach] ** 2)))
        if level < 1e-4:
            if own > 3e-3:
                return f"sound at {begin / rate:.2f} s where there is none"
            continue
        if own < 0.3 * level:
            return f"too little sound at {begin / rate:.2f} s"
        lags = np.correlate(here, there, "valid")
        energy = np.sqrt(np.convolve(here**2, np.ones(width), "valid") * np.sum(there**2)) + 1e-12
        lag = (int(np.argmax(lags / energy)) - reach) / rate
        if abs(lag) > cell.fair + 1.0 / rate:
            return f"{lag * 1000:+.1f} ms at {begin / rate:.2f} s"
    return None


@dataclass(frozen=True)
class Outcome:
    verdict: str  # right, refused, refused unfairly, wrong
    reason: str


def judged(path: Path, cell: Cell, wanted: Any, erred: bool, reads: Callable[[Path, Cell], Any]) -> Outcome:
    fair = cell.cut or erred
    try:
        told = reads(path, cell)
    except Exception as error:  # noqa: BLE001 - peers raise what they like; a refusal is a refusal
        return Outcome(
            "refused" if fair else "refused unfairly", str(error).splitlines()[0][:160] if str(error) else repr(error)
        )
    wrong = "ffmpeg reads nothing" if wanted is None else differs(cell, wanted, told)
    return Outcome("right" if wrong is None else "wrong", wrong or "")
