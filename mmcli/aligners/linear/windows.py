"""Where short windows of the query lie in the reference: normalised cross-correlation of feature frames.

Each window of the query is compared with every position of the reference, mean removed per band over the window, so
that neither gain nor equalisation matters; the best few positions of each window are kept. One best position is not
enough: two windows of repeated music lock onto the wrong bar with full confidence. A Viterbi search then takes the
sequence of positions that agrees best from window to window, where a drift is free and a jump has a price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits

Times = NDArray[np.float64]

MOST_FRAMES = 32_768  # frames of the longer side: past this the grid is made coarser (an hour is searched at 0.11 s)
FEWEST_WINDOWS = 12  # of a short query: they overlap more
MOST_WINDOWS = 320  # of the query


@dataclass(frozen=True)
class Positions:
    """The best positions of each window.

    ``centre`` (k,): middle of each window, query seconds. ``lag`` (k, candidates): reference minus query time in
    seconds, NaN where there are fewer. ``score`` (k, candidates): normalised correlation, -1 to 1, falling.
    """

    centre: Times
    lag: NDArray[np.float64]
    score: NDArray[np.float64]
    window_s: float
    step_s: float


def uniform(values: NDArray[Any], times: Times, hop: float) -> tuple[NDArray[np.float32], float]:
    """Frames on a regular grid that starts at the first time, linearly interpolated: (frames, dims) float32, start.

    >>> uniform(np.array([[0.0], [2.0]]), np.array([1.0, 2.0]), 0.5)[0].ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    if len(times) == 1:
        return np.asarray(values, dtype=np.float32), float(times[0])
    span = float(times[-1] - times[0])
    usual = np.median(np.diff(times))
    width = max(1, round(hop / usual)) if hop > 1.5 * usual else 1  # average, or detail folds into the coarse grid
    grid = times[0] + hop * np.arange(int(span / hop + 1e-9) + 1)
    if width == 1 and len(grid) == len(times) and np.allclose(grid, times, atol=hop * 1e-3):
        return np.asarray(values, dtype=np.float32), float(times[0])
    left = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(times) - 2)
    share = ((grid - times[left]) / (times[left + 1] - times[left])).astype(np.float32)[:, None]
    before, after = (_averaged(values, at, width) for at in (left, left + 1))
    return np.asarray(before * (1 - share) + after * share, dtype=np.float32), float(times[0])


def _averaged(values: NDArray[Any], at: NDArray[np.int64], width: int) -> NDArray[np.float32]:
    """Means over ``width`` frames about some frames, (frames, dims) float32; the ends are repeated. Of an even number
    the outermost two count half: taken whole on one side alone they would move everything by half a frame.

    >>> _averaged(np.array([[1.0], [2.0], [6.0]]), np.array([0, 1, 2]), 3).ravel().astype(float).round(2).tolist()
    [1.33, 3.0, 4.67]
    >>> _averaged(np.array([[1.0], [2.0], [6.0]]), np.array([1]), 2).ravel().tolist()
    [2.75]
    """
    total = np.zeros((len(at), values.shape[1]), np.float32)
    for k, weight in enumerate(centred(width).tolist()):
        total += weight * values[np.clip(at - width // 2 + k, 0, len(values) - 1)]
    return np.asarray(total, dtype=np.float32)


def centred(width: int) -> NDArray[np.float64]:
    """Weights of a mean over ``width`` frames whose middle is a frame: an odd number of them, in all 1.

    >>> centred(3).round(2).tolist(), centred(2).tolist()
    ([0.33, 0.33, 0.33], [0.25, 0.5, 0.25])
    """
    weights = np.ones(width // 2 * 2 + 1)
    if width % 2 == 0:
        weights[[0, -1]] = 0.5
    return np.asarray(weights / weights.sum())


def searched(x: NDArray[Any], x_times: Times, hop: float) -> Searched:
    """A side (frames, dims) with times in seconds, made ready for windows to be looked for in it."""
    grid, start = uniform(x, x_times, hop)
    return Searched(standard(grid), start, hop)


def hop_for(x_times: Times, y_times: Times, hop: float) -> float:
    """The hop of the common grid of two sides: ``hop``, or what keeps the longer side to MOST_FRAMES."""
    return max(hop, max(float(t[-1] - t[0]) for t in (x_times, y_times)) / MOST_FRAMES)


def positions(
    x: Searched,
    y: NDArray[Any],
    y_times: Times,
    *,
    window_s: float = 10.0,
    step_s: float = 4.0,
    candidates: int = 24,
    most: int = MOST_WINDOWS,
) -> Positions:
    """The best positions in ``x`` (reference) of windows of ``y`` (query), (frames, dims) with times in seconds.

    Windows shrink to a third of the shorter side where it is short, and are set further apart where there would be
    more than ``most``. A window must lie inside the reference whole.
    """
    hop = x.hop
    yg, y0 = uniform(y, y_times, hop)
    yg = standard(yg)
    shorter = min(len(x.grid), len(yg))
    length = max(2, min(round(window_s / hop), max(shorter // 3, min(shorter, 8))))
    step_s = min(step_s, length * hop / 2, (len(yg) - length) * hop / FEWEST_WINDOWS)
    step = max(1, round(step_s / hop), -(-(len(yg) - length) // most))
    starts = np.arange(0, len(yg) - length + 1, step)

    centre: Times = np.asarray(y0 + hop * (starts + (length - 1) / 2), dtype=np.float64)
    lag = np.full((len(starts), candidates), np.nan)
    score = np.full((len(starts), candidates), -1.0)
    apart = max(1, round(0.1 / hop))
    windows = yg[starts[:, None] + np.arange(length)]
    windows -= windows.mean(axis=1, keepdims=True)
    energy = np.einsum("ktd,ktd->k", windows, windows, dtype=np.float64)
    sounding = np.flatnonzero(energy > 1e-9 * windows[0].size)
    spread = x.spread(length)
    for k, cross in zip(sounding.tolist(), x.correlations(windows[sounding]), strict=True):
        at, height = _peaks(cross / np.sqrt(energy[k] * spread), candidates, apart)
        lag[k, : len(at)] = x.start - y0 + hop * (at - starts[k])
        score[k, : len(at)] = height
    return Positions(centre, lag, score, length * hop, step * hop)


def track(p: Positions, *, most_ppm: float = 2000.0) -> NDArray[np.int64]:
    """The sequence of candidates (one a window, -1 where a window has none) that agrees best: Viterbi.

    A change of lag within ``most_ppm`` of the time between the windows, and 20 ms for the grid, is free; any other
    costs some correlation (JUMP_PRICE).
    """
    usable = np.flatnonzero(np.isfinite(p.lag[:, 0]))
    best = np.full(len(p.centre), -1, dtype=np.int64)
    if len(usable) == 0:
        return best
    total = p.score[usable[0]].copy()
    total[~np.isfinite(p.lag[usable[0]])] = -np.inf
    came: list[NDArray[np.int64]] = []
    for before, now in pairwise(usable.tolist()):
        free = most_ppm * 1e-6 * (p.centre[now] - p.centre[before]) + 0.02
        change = np.abs(p.lag[now][:, None] - p.lag[before][None, :])
        with np.errstate(invalid="ignore"):
            value = total[None, :] - np.where(change <= free, 0.0, limits.JUMP_PRICE.value)
        came.append(np.argmax(value, axis=1))
        total = value.max(axis=1) + np.where(np.isfinite(p.lag[now]), p.score[now], -np.inf)
    at = int(np.argmax(total))
    best[usable[-1]] = at
    for k in range(len(usable) - 2, -1, -1):
        at = int(came[k][at])
        best[usable[k]] = at
    return best


def rival(p: Positions, choice: NDArray[np.int64]) -> tuple[float, float]:
    """How far from the chosen positions (reference seconds) another place lies where windows fit nearly as well, all by
    the same lag, and the share of windows that do; zeros where there is none.

    >>> lag, score = np.array([[1.0, 9.0], [1.0, 9.0]]), np.array([[0.9, 0.89], [0.9, 0.4]])
    >>> rival(Positions(np.arange(2.0), lag, score, 1.0, 1.0), np.zeros(2, dtype=np.int64))
    (8.0, 0.5)
    """
    rows = np.flatnonzero(choice >= 0)
    if len(rows) == 0:
        return 0.0, 0.0
    own = choice[rows]
    moved = p.lag[rows] - p.lag[rows, own][:, None]
    with np.errstate(invalid="ignore"):
        near = (np.abs(moved) > limits.ELSEWHERE_S.value) & (
            p.score[rows] >= limits.NEARLY.value * p.score[rows, own][:, None]
        )
    values = np.sort(moved[near])
    if len(values) == 0:
        return 0.0, 0.0
    inside = np.searchsorted(values, values + limits.ALIKE_S.value, side="right") - np.arange(len(values))
    k = int(np.argmax(inside))
    return float(np.median(values[k : k + inside[k]])), min(1.0, float(inside[k]) / len(rows))


def standard(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every band with mean 0 and, where it moves at all, standard deviation 1."""
    deviation = x.std(axis=0)
    largest = float(deviation.max(initial=0.0))
    return np.asarray((x - x.mean(axis=0)) / np.where(deviation > 1e-4 * largest, deviation, np.inf), dtype=np.float32)


def _peaks(curve: NDArray[np.float64], most: int, apart: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (parabola through three points) and heights of the highest maxima, falling, ``apart`` frames apart."""
    padded = np.concatenate([[-np.inf], curve, [-np.inf]])
    maxima = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:]))
    if len(maxima) > 8 * most:
        maxima = maxima[np.argpartition(-curve[maxima], 8 * most)[: 8 * most]]
    kept: list[int] = []
    for i in maxima[np.argsort(-curve[maxima], kind="stable")].tolist():
        if all(abs(i - j) > apart for j in kept):
            kept.append(i)
            if len(kept) == most:
                break
    at = np.array(kept, dtype=np.float64)
    inner = [k for k, i in enumerate(kept) if 0 < i < len(curve) - 1]
    for k in inner:
        at[k] += vertex(*curve[kept[k] - 1 : kept[k] + 2])
    return at, curve[kept] if kept else np.empty(0)


def nearest(times: Times, at: Times) -> NDArray[np.int64]:
    """Indices of the frames nearest to some times, int64.

    >>> nearest(np.array([0.0, 1.0, 2.0]), np.array([-3.0, 0.6, 1.4, 9.0])).tolist()
    [0, 1, 1, 2]
    """
    right = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(times) - 1)
    return np.where(np.abs(times[right] - at) < np.abs(at - times[left]), right, left)


# Cross-correlation of many short windows with a long side, block by block (overlap-save).
#
# A Fourier transform as long as the whole side would be almost empty for every window. In blocks a few windows long
# the transforms are small, and the sum over bands becomes one matrix product per frequency for all windows at once.

BLOCK_WINDOWS, LEAST_BLOCK = 4, 512  # a block is so many windows long, and at least so many frames
AT_ONCE = 4_000_000  # values of the product of spectra that are held at a time


@dataclass
class Searched:
    """The side that windows are looked for in: ``grid`` float32 (frames, bands), mean 0 and deviation 1 by band, with
    its first time ``start`` and its ``hop`` in seconds. What depends on the length of the windows is kept."""

    grid: NDArray[np.float32]
    start: float
    hop: float
    _spectra: dict[tuple[int, int], NDArray[np.complex64]] = field(default_factory=dict)
    _spread: dict[int, NDArray[np.float64]] = field(default_factory=dict)

    def spread(self, length: int) -> NDArray[np.float64]:
        """Sum of squares about the local mean of every stretch of ``length`` frames over all bands, float64
        (frames - length + 1,); floored, for near silence every shape correlates with every other."""
        if length not in self._spread:
            self._spread.clear()
            wide = self.grid.astype(np.float64)
            one = np.concatenate([np.zeros((1, wide.shape[1])), np.cumsum(wide, axis=0)])
            two = np.concatenate([[0.0], np.cumsum((wide * wide).sum(axis=1))])
            mean = (one[length:] - one[:-length]) / length
            spread = (two[length:] - two[:-length]) - length * (mean * mean).sum(axis=1)
            self._spread[length] = np.maximum(spread, 0.05 * float(np.median(spread)) + 1e-9)
        return self._spread[length]

    def spectra(self, length: int, size: int) -> NDArray[np.complex64]:
        """Of blocks of ``size`` frames that overlap by ``length - 1``: complex64 (frequencies, blocks, bands)."""
        from scipy.fft import rfft

        if (length, size) not in self._spectra:
            self._spectra.clear()
            valid = size - length + 1
            count = max(1, -(-(len(self.grid) - length + 1) // valid))
            padded = np.zeros(((count - 1) * valid + size, self.grid.shape[1]), np.float32)
            n = min(len(self.grid), len(padded))
            padded[:n] = self.grid[:n]
            out = np.empty((size // 2 + 1, count, self.grid.shape[1]), np.complex64)
            for k in range(count):
                out[:, k] = rfft(np.ascontiguousarray(padded[k * valid : k * valid + size].T)).T
            self._spectra[length, size] = out
        return self._spectra[length, size]

    def correlations(self, windows: NDArray[Any]) -> Iterator[NDArray[np.float32]]:
        """For every window (k, length, bands) in turn its sum of products with the side at every place it fits in:
        float32 (frames - length + 1,).

        >>> side = Searched(np.array([[1.0], [2.0], [0.0], [3.0]], np.float32), 0.0, 1.0)
        >>> [np.round(c).tolist() for c in side.correlations(np.array([[[1.0], [1.0]]]))]
        [[3.0, 2.0, 3.0]]
        """
        from scipy.fft import irfft, next_fast_len, rfft

        length = windows.shape[1]
        places = len(self.grid) - length + 1
        whole = int(next_fast_len(len(self.grid), real=True))
        size = min(whole, int(next_fast_len(max(BLOCK_WINDOWS * length, LEAST_BLOCK), real=True)))
        spectra = self.spectra(length, size)
        step = max(1, AT_ONCE // (spectra.shape[0] * spectra.shape[1]))
        for first in range(0, len(windows), step):
            some = np.ascontiguousarray(windows[first : first + step].transpose(0, 2, 1), dtype=np.float32)
            own = np.conj(rfft(some, size)).transpose(2, 1, 0)  # (frequencies, bands, windows)
            product = np.ascontiguousarray((spectra @ np.ascontiguousarray(own)).transpose(2, 1, 0))
            for blocks in product:
                yield irfft(blocks, size)[:, : size - length + 1].ravel()[:places]


# Between samples: where a curve is highest near its highest sample.


def vertex(before: float, top: float, after: float) -> float:
    """How far the vertex of the parabola through three neighbouring values lies from the middle one, in samples.

    >>> vertex(1.0, 2.0, 2.0), vertex(1.0, 1.0, 1.0)
    (0.5, 0.0)
    """
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


# Where a window of one signal lies in another to a fraction of a sample: generalised cross-correlation, phase only.
#
# Knapp and Carter 1976, "The generalized correlation method for estimation of time delay", the PHAT weighting: the
# cross-spectrum is divided by its magnitude, so that every frequency votes with the same weight and the peak is as
# narrow as the band is wide, whatever the spectrum of speech or the room looks like.


def delay(reference: NDArray[Any], query: NDArray[Any], rate_hz: float, *, low_hz: float = 80.0) -> tuple[float, float]:
    """Where ``query`` (m,) begins in ``reference`` (n,), n >= m, in seconds, and how far the peak stands out.

    The second value is the height of the peak over the mean of all positions in standard deviations (z). Signals of
    another origin give 4 to 5 by chance, the largest of thousands of positions. ``(0.0, 0.0)`` where one is silent.

    >>> s = np.random.default_rng(0).standard_normal(4000)
    >>> at, z = delay(s, s[800:2400], 8000.0)
    >>> round(at, 4), z > 20
    (0.1, True)
    """
    from scipy.fft import irfft, next_fast_len, rfft

    size = int(next_fast_len(len(reference), real=True))
    a = rfft(np.asarray(reference, dtype=np.float32), size)
    b = rfft(np.asarray(query, dtype=np.float32), size)
    cross = a * np.conj(b)
    magnitude = np.abs(cross)
    floor = 1e-3 * float(magnitude.mean())
    if floor <= 0:
        return 0.0, 0.0
    cross /= magnitude + floor
    cross[: int(low_hz * size / rate_hz)] = 0  # rumble and hum: a few bins that agree between any two recordings
    curve = irfft(cross, size)[: len(reference) - len(query) + 1]
    k = int(np.argmax(curve))
    spread = float(curve.std())
    if spread <= 0:
        return 0.0, 0.0
    z = (float(curve[k]) - float(curve.mean())) / spread
    at = float(k)
    if 0 < k < len(curve) - 1:
        at += vertex(*(float(v) for v in curve[k - 1 : k + 2]))
    return at / rate_hz, z


def refine(
    x: NDArray[Any], y: NDArray[Any], rate_hz: float, centre: float, lag: float, *, window_s: float, search_s: float
) -> tuple[float, float]:
    """The lag (reference minus query, seconds) of the query window about ``centre`` near ``lag``, and z.

    ``x``, ``y``: samples (n,) at ``rate_hz``. NaN and 0 where the window does not fit into both.
    """
    m = min(round(window_s * rate_hz), len(y))
    start = min(max(round((centre - window_s / 2) * rate_hz), 0), len(y) - m)
    reach = round(search_s * rate_hz)
    near = start + round(lag * rate_hz)
    a, b = max(near - reach, 0), min(near + m + reach, len(x))
    if b - a < m + reach:  # less than half of the positions to be searched are there
        return float("nan"), 0.0
    at, z = delay(x[a:b], y[start : start + m], rate_hz)
    return a / rate_hz + at - start / rate_hz, z
