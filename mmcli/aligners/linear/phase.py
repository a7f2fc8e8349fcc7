"""What the phase of the sound says about a place: whether it is heard there alone, and how exactly that can be said.

A room, a telephone or a codec answers a click by many: reflections, and bands that arrive at times of their own. The
phase correlation of a copy with its original, averaged over windows, is that answer with its spectrum made flat. Where
it holds several arrivals that are nearly as strong, no offset says which of them is the same moment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear.contrast import LEAST_INSIDE, Segment
from mmcli.aligners.linear.fit import PHASE_WINDOW_S, Material

CHUNK_S, MOST_CHUNKS = 8.0, 8  # of the query, that the phase is asked about
REACH_S = 30.0  # on either side of its place, that each is looked for in
OWN_S, OTHER_S = 0.004, 0.02  # around the place of a line; from where on it is another
MOST_HEARD = 3.0  # twenty times as high
LOWEST_HZ = 80.0
SPREAD_S = 0.02  # on either side, in which arrivals are looked for: 7 m of a detour
SPREAD_CHUNKS = 4


def phase_margin(x: Material, y: Material, segments: list[Segment]) -> float:
    """The logarithm of how many times as high the phase peaks at the lines are as the highest at any other place, 0
    to MOST_HEARD. Chunks of the query are looked for about their places, and those that fit in at another place are
    added up there and here. A ratio: clicks are heard very clearly, at every beat."""
    assert x.samples is not None
    half, own = round(REACH_S * x.rate_hz), round(OWN_S * x.rate_hz)
    there, here, count = np.zeros(2 * half + 1), np.zeros(2 * half + 1), np.zeros(2 * half + 1)
    for place, samples in _chunks(x, y, segments, CHUNK_S, MOST_CHUNKS):
        first = max(0, place - half)
        curve = _phases(x.samples[first : place + half + len(samples)], samples, x.rate_hz)
        at, middle = first - place + half, place - first
        curve = curve[: max(0, len(there) - at)]
        there[at : at + len(curve)] += curve
        here[at : at + len(curve)] += float(curve[max(0, middle - own) : middle + own + 1].max(initial=0.0))
        count[at : at + len(curve)] += 1
    other = round(OTHER_S * x.rate_hz)
    far = (count >= max(1.0, LEAST_INSIDE * float(count.max(initial=0.0)))) & (here > 0)
    far[half - other : half + other + 1] = False
    if not far.any():
        return 0.0
    highest = float((there[far] / here[far]).max())
    return float(np.clip(-np.log(max(highest, 1e-9)), 0.0, MOST_HEARD))


def spread(x: Material, y: Material, segments: list[Segment]) -> float | None:
    """How far from the place of lines, seconds, another arrival is nearly as strong as the strongest; None where the
    phase is not heard about there. Both sides have samples."""
    assert x.samples is not None
    reach = round(SPREAD_S * x.rate_hz)
    curves = []
    for place, samples in _chunks(x, y, segments, PHASE_WINDOW_S, SPREAD_CHUNKS):
        first = place - reach
        if first < 0:  # the first moments of a side
            samples, place, first = samples[-first:], place - first, 0
        around = x.samples[first : place + reach + len(samples)]
        curve = _phases(around, samples, x.rate_hz, least=len(around))
        if len(curve) == 2 * reach + 1:
            curves.append(curve)
    if not curves:
        return None
    mean = np.mean(curves, axis=0)
    height = np.abs(mean)  # a reflection may turn the wave over
    if not is_heard(float(height.max()) * float(np.sqrt(len(curves)))):
        return None
    return float(np.abs(arrivals(height) - reach).max() + 1) / x.rate_hz


def arrivals(height: NDArray[np.float64]) -> NDArray[np.int64]:
    """Where a curve of heights is nearly as high as at its highest."""
    return np.flatnonzero(height >= limits.ARRIVAL.value * height.max())


def is_heard(z: float) -> bool:
    """Whether the highest of the places about a line stands out, in deviations of their mean over some windows."""
    return z >= limits.CLEAR_Z.value


def _chunks(
    x: Material, y: Material, segments: list[Segment], longest_s: float, most: int
) -> list[tuple[int, NDArray[np.float32]]]:
    """Stretches of the query, at the pace of the reference, and where in its samples each belongs."""
    chunk_s = min(longest_s, max(1.0, sum(float(s[1, 1] - s[0, 1]) for s in segments) / most))
    places: list[tuple[float, float, float, float]] = []
    for (r0, q0), (r1, q1) in segments:
        count = max(1, int((q1 - q0) / chunk_s))
        rate = (r1 - r0) / (q1 - q0)
        length = min(chunk_s, (q1 - q0) / count)
        places += [(r0 + rate * k * (q1 - q0) / count, q0 + k * (q1 - q0) / count, length, rate) for k in range(count)]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).astype(int))
    out = []
    for r, q, length, rate in (places[k] for k in chosen.tolist()):
        samples = y.samples_at(rate)
        start, n = round(q * rate * x.rate_hz), int(length * rate * x.rate_hz)
        place = max(0, round(r * x.rate_hz))
        if n >= 0.5 * x.rate_hz and start + n <= len(samples) and place + n <= len(x.samples):  # type: ignore[arg-type]
            out.append((place, samples[start : start + n]))
    return out


def _phases(
    reference: NDArray[np.float32], query: NDArray[np.float32], rate_hz: float, *, least: int = 0
) -> NDArray[np.float64]:
    """The phase correlation at every place that the query fits in, mean 0 and deviation 1; ``least``: of samples that
    are transformed at once, else both sides behind each other."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = int(next_fast_len(least or len(reference) + len(query), real=True))
    cross = rfft(reference, size) * np.conj(rfft(query, size))
    magnitude = np.abs(cross)
    floor = 1e-3 * float(magnitude.mean())
    places = max(0, len(reference) - len(query) + 1)
    if floor <= 0:
        return np.zeros(places)
    cross /= magnitude + floor
    cross[: int(LOWEST_HZ * size / rate_hz)] = 0
    curve = np.asarray(irfft(cross, size)[:places], dtype=np.float64)
    spread = float(curve.std())
    return (curve - curve.mean()) / spread if spread > 0 else np.zeros(places)
