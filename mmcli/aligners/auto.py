"""The simplest map that explains the pair: an offset, an offset and a rate, or a free warp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmcli.aligners import _inputs, _lines, _rates, _result
from mmcli.artifacts.alignment import Alignment

INPUTS = ("audio", "features")
ENOUGH = 0.6  # of the windows must agree before a line is taken for the whole map


@dataclass(frozen=True)
class Config:
    """Nothing needs to be set."""

    window_s: float = 10.0  # length of the windows that lines are fitted to, seconds, above 0
    step_s: float = 4.0  # from one window to the next, seconds, above 0


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The map between ``x`` (the reference) and ``y``: arrays (frames, dims), Features or AudioClips.

    A line is taken where most windows of the query agree with one, and an offset where a rate does not explain more;
    else a warping path is found. Raises as the methods do.
    """
    a, b = _lines.materials(x, y)
    line = _rates.best_line(a, b, window_s=config.window_s, step_s=config.step_s)
    if line.agreeing >= ENOUGH and (line.lags.sharp or a.samples is None):
        constant = _lines.fit(line.lags, "offset") if line.lags.rate == 1.0 else line
        fit = constant if constant.agreeing >= line.agreeing - 0.1 else line
        return _result.straight(a, b, fit, name="auto", config=config)
    from mmcli.aligners._sides import comparable
    from mmcli.aligners.kernels import engine

    metric = "euclidean"
    if hasattr(x, "samples"):
        x, y, metric = comparable(x), comparable(y), "cosine"
    (xv, _), (yv, _) = _inputs.checked(x, y)
    found = engine.align(xv, yv, metric=metric)
    return _result.warped(x, y, found.path, found.cost, name="auto", config=config)
