"""How strong a movement is, whatever sensor measured it and however it was turned: what two series can share besides
their columns.

Columns come in triples (x, y, z of one sensor); a turned sensor changes them all, and not their length. A gyroscope
and an accelerometer on one limb share when it moves, not how: there the length of what is left without the slow part
(gravity, drift) is compared.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.aligners.linear.windows import centred
from mmcli.artifacts.formats.features import Features

Values = NDArray[np.float64]

AXES = 3
SLOW_S = 1.0  # what changes more slowly is gravity or drift
SMOOTH_S = 0.1
MOST_COLUMNS = 24  # more are no sensors


def strengths(x: Features, y: Features) -> list[tuple[Features, Features]]:
    """Pairs of one-column features to be compared instead of two series: lengths, and lengths of what moves.

    Empty where either has too many columns for sensors, or is too short for its slow part to be told.

    >>> import numpy as np
    >>> t = np.arange(800) / 100
    >>> v = np.column_stack([np.sin(5 * t), np.cos(3 * t), t])
    >>> turned = v[:, [1, 2, 0]] * [1, -1, 1]
    >>> pair = strengths(*(Features(values=a.astype(np.float32), times=t, meta={}) for a in (v, turned)))[0]
    >>> bool(np.allclose(pair[0].values, pair[1].values))
    True
    """
    sides = [(inputs.frames(v, role)) for v, role in ((x, "reference"), (y, "query"))]
    if any(v.shape[1] > MOST_COLUMNS or t[-1] - t[0] < 4 * SLOW_S for v, t in sides):
        return []
    (xv, xt), (yv, yt) = sides
    return [(_features(length(xv, xt), xt, x), _features(length(yv, yt), yt, y)) for length in (_length, _moving)]


def _features(values: NDArray[np.float64], times: NDArray[np.float64], side: Features) -> Features:
    meta = getattr(side, "meta", {})
    about = {k: v for k, v in meta.items() if k in ("source", "name")}
    return Features(values=values[:, None].astype(np.float32), times=times, meta=about)


def _length(values: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest of the lengths of the triples, each over its usual one."""
    return _joined(values, lambda v: v)


def _moving(values: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same without the slow part, smoothed, on a logarithmic scale."""
    from scipy.ndimage import convolve1d

    hop = inputs.hop_of(times)
    slow, smooth = max(3, round(SLOW_S / hop)), max(1, round(SMOOTH_S / hop))
    length = _joined(values, lambda v: v - convolve1d(v, centred(slow), axis=0, mode="nearest"))
    return np.asarray(np.log1p(convolve1d(length, centred(smooth), mode="nearest")))


def _joined(values: NDArray[np.float64], prepared: Callable[[Values], Values]) -> NDArray[np.float64]:
    lengths = []
    for first in range(0, values.shape[1], AXES):
        group = prepared(np.asarray(values[:, first : first + AXES], dtype=np.float64))
        length = np.sqrt((group * group).sum(axis=1))
        usual = float(np.median(length))
        lengths.append(length / usual if usual > 0 else length)
    return np.asarray(np.mean(lengths, axis=0))
