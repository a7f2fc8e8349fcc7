"""Lines, whole or with breaks between them, as the alignment artifact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core.inputs import method_entry
from mmcli.aligners.linear import phase
from mmcli.aligners.linear.fit import Fit, Material
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import MismatchError

# Of a hop, that frames may be off together: filters of two sensors differ. On 36 pairs of sensors of the corpus's
# choose, check and last lags of windows were 0.2 ms off at a hop of 10 ms (median), 0.9 ms at one of 20.
UNSEEN = 0.12
# Of recordings in rooms so reverberant that no phase is heard, whose lines rest on their frames alone: 4, 6, 14, 18 and
# 29 ms off on choose, check and last of the corpus.
SMEARED_S = 0.02


def straight(x: Material, y: Material, fit: Fit, *, name: str, config: Any) -> Alignment:
    """The alignment of a line; its knots are the ends of the overlap.

    Raises MismatchError where the line leaves no overlap.
    """
    rate = 1.0 if fit.model == "offset" else fit.rate
    unit, offset = x.unit_s, fit.offset_s * x.unit_s
    (x0, x1), (y0, y1) = x.span, y.span
    knots = overlap((x0 * unit, x1 * unit), (y0 * unit, y1 * unit), offset, rate)
    quality = {"ratio": None, "verdict": "not judged", "reason": fit.evidence()}
    least = told_to(x, y, [knots / unit])
    return Alignment(
        model=fit.model,
        knots=knots,
        breaks=[],
        offset_s=float(offset),
        rate=float(rate),
        ppm=float((rate - 1.0) * 1e6),
        confidence_s=[max(half_width(fit, t / unit), least) for t in knots[:, 1].tolist()],
        quality=quality,
        method=method_entry(name, config),
        cost=max(0.0, float(1.0 - fit.score)),
        reference=x.about,
        query=y.about,
        path=None,
    )


def broken(
    x: Material, y: Material, segments: list[NDArray[np.float64]], fit: Fit, *, name: str, config: Any
) -> Alignment:
    """The alignment of lines with breaks between them: ``segments`` [(t_reference, t_query)] * 2 each."""
    half = max(half_width(fit), told_to(x, y, segments))
    lines = timemap.from_segments([s * x.unit_s for s in segments], "piecewise")
    return Alignment(
        model="piecewise",
        knots=lines.knots,
        breaks=lines.breaks,
        confidence_s=[half] * len(lines.knots),
        quality={"ratio": None, "verdict": "not judged", "reason": fit.evidence()},
        method=method_entry(name, config),
        cost=max(0.0, float(1.0 - fit.score)),
        reference=x.about,
        query=y.about,
    )


def half_width(fit: Fit, t_query: float | None = None) -> float:
    """Half of the 90 % interval of a line in seconds, at least one sample: of its lag, and of its slope away from the
    middle, at ``t_query`` of the clock of its windows."""
    if fit.model == "piecewise":
        deviation = 1.4826 * fit.line.error_s  # of a normal distribution with this median of absolute values
    else:
        deviation = fit.deviation_s
    variance = deviation**2 / fit.independent
    if t_query is not None and (fit.model == "affine" or not fit.lags.sharp):  # what frames tell of no drift is little
        away = t_query * fit.lags.rate - float(fit.lags.t[fit.line.agree].mean())
        variance += (fit.slope_deviation * away) ** 2
    least = 1e-4 if fit.lags.sharp else UNSEEN * fit.lags.hop_s
    return round(max(1.645 * float(np.sqrt(variance)), least) * fit.lags.unit_s, 6)


def told_to(x: Material, y: Material, segments: list[NDArray[np.float64]]) -> float:
    """Seconds that both sides tell a place to: how long a picture is shown; of sound, the reach of its arrivals where
    the phase hears them (:func:`.phase.spread`), else what rooms smear its frames by. 0 of other frames."""
    if x.samples is None or y.samples is None:
        return max(x.shown_s, y.shown_s)
    reach = phase.spread(x, y, segments)
    return round(SMEARED_S if reach is None else reach, 6)


def overlap(
    x_span: tuple[float, float], y_span: tuple[float, float], offset: float, rate: float
) -> NDArray[np.float64]:
    """The two knots at the ends of what both sides share under ``t_reference = offset + rate * t_query``.

    >>> overlap((0.0, 10.0), (0.0, 8.0), 5.0, 1.0).tolist()
    [[5.0, 0.0], [10.0, 5.0]]
    """
    start = max(x_span[0], offset + rate * y_span[0])
    end = min(x_span[1], offset + rate * y_span[1])
    if not end > start:
        raise MismatchError(f"an offset of {offset:.3f} s leaves no time that both files share")
    t = np.array([start, end])
    return np.column_stack([t, (t - offset) / rate])
