"""How sure a warp is: the posterior of a pair hidden Markov model about it.

Frames of the reference are the time, frames of the query the states; a state emits a frame with probability ``exp(-c /
(temperature * mean c))``, where c is the local cost and its mean is taken along the path. Forward and backward give,
for every frame of the reference, the distribution over the frames of the query. Its mean is a better map than the
cheapest path, above all in noise, and its spread says how well the pair pins the map down.

The spread is not yet an interval: neighbouring frames overlap and are no independent witnesses. What makes it one is
measured, not derived: ``sqrt((NARROW * half)^2 + (FLOOR * hop)^2)`` either side. On copies of ten recordings (voices of
espeak-ng, digits, sampled instruments), re-timed by our own stretcher and by both of rubberband's, clean and at +10 dB
and 0 dB of white noise, it held the truth at 84 to 96 % of the points; part of what it misses is where a stretcher put
the sound, up to 10 ms beside its own map. Of 17 scores and their renditions on sampled instruments 14 held 80 % and
more; the others are bowed or an organ, which are heard 30 to 50 ms after their keys go down.
tests/benchmarks/bench_intervals.py measures both on other recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.aligners.kernels import corridor, hmm, twin
from mmcli.errors import InputError

Vector = NDArray[np.float64]

RADIUS_S = 0.6  # of the corridor about the path
STAY, NEXT, SKIPS = 0.25, 0.45, (0.2, 0.07, 0.03)  # chance of moving 0, 1, 2, 3 and 4 query frames on
NARROW = {"same": 0.27, "rendition": 1.0, "voices": 2.5}  # voices: of 120 words, said by a person and by espeak-ng
FLOOR = 1.0  # frame: no interval is narrower than the frames are apart


@dataclass(frozen=True)
class Posterior:
    """Per reference frame, all (frames,) in seconds: its time ``t``, the posterior ``mean`` of the query time, and
    ``half`` the width of the 90 % interval."""

    t: Vector
    mean: Vector
    half: Vector


def about_path(
    x: NDArray[Any],
    y: NDArray[Any],
    x_times: Vector,
    y_times: Vector,
    path: NDArray[np.int64],
    *,
    metric: str,
    kind: str,
    temperature: float = 1.0,
) -> Posterior | None:
    """The posterior in a corridor about ``path`` between frames ``x`` (n, d) and ``y`` (m, d).

    None where the path moves faster than the model can. ``kind``: "same" recording, another
    "rendition", or two "voices".
    """
    hop = inputs.hop_of(y_times)
    radius = max(3, round(RADIUS_S / hop))
    # Open ends: the model starts and ends where the path does.
    first, last = path[0], path[-1]
    rows = slice(int(first[0]), int(last[0]) + 1)
    columns = slice(int(first[1]), int(last[1]) + 1)
    a, b = x[rows], y[columns]
    moved = path - first
    ranges = corridor.around(moved, len(a), len(b), radius)
    scale = temperature * max(_mean_cost(a, b, moved, metric), 1e-6)
    try:
        found = hmm.posterior_summary(
            hmm.costs(a, b, metric, scale),
            float(np.log(STAY)),
            float(np.log(NEXT)),
            [float(np.log(s)) for s in SKIPS],
            ranges=ranges,
        )
    except InputError:
        return None
    at = np.arange(len(b), dtype=np.float64)
    own = y_times[columns]
    mean = np.interp(found.mean, at, own)
    spread = (found.quantiles[:, -1] - found.quantiles[:, 0]) / 2 * hop
    half = np.sqrt((NARROW[kind] * spread) ** 2 + (FLOOR * hop) ** 2)
    return Posterior(x_times[rows], np.maximum.accumulate(mean), half)


def _mean_cost(x: NDArray[Any], y: NDArray[Any], path: NDArray[np.int64], metric: str) -> float:
    pattern = "symmetric1" if np.diff(path, axis=0).max(initial=0) <= 1 else "slope2"
    return twin.path_cost(x, y, path, metric, pattern) / len(path)
