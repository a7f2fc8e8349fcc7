"""How much better the frames of a map fit where it puts them than elsewhere, in nats: one scale for lines and pieces.

The similarity of a frame of the query to its place in the reference says little by itself: silence is like silence,
and one beat of a metronome like every other. What counts is how much more alike they are than the same frame and any
place of the reference, on average. Under no map this contrast has mean 0 and the deviation ``spread``; under the right
one it has the mean ``gain``. The logarithm of the likelihood ratio of the two normal distributions is linear in it, and
neighbouring frames count as one observation for as long as the contrast of wrong places stays like itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.linear.fit import Material
from mmcli.aligners.linear.windows import centred, nearest

Vector = NDArray[np.float64]
Segment = NDArray[np.float64]  # [(t_reference, t_query)] * 2

NULLS = 8  # wrong places for every frame, that spread and memory are measured at
LONGEST_MEMORY = 100  # frames
LEAST_GAIN = 0.05  # of a correlation: below it a map is no better than its neighbourhood
LEAST_INSIDE = 0.3  # of the power of the frames that a map moved elsewhere must leave inside
ELSEWHERE_S = 0.25  # another place lies at least so far away
MOST_PLACES = 8192  # of the reference, that a map is moved over
BLOCK = 16_384  # frames that are compared at once
NARROW = 4  # columns, below which frames have no direction worth comparing and their distance counts


@dataclass
class Contrast:
    """Both sides of a pair, made ready: frames of the query against the mean over all places of the reference."""

    x: Material
    y: Material
    as_they_are: bool = False  # the product of two frames is their likeness already
    power: Vector = field(init=False)  # of the query's frames: what they can say; 1 where all are of length 1
    spread: float = field(init=False)
    memory: float = field(init=False)  # frames that count as one

    def __post_init__(self) -> None:
        sides = self.x.frames, self.y.frames
        self._x: NDArray[np.float32]
        self._y: NDArray[np.float32]
        self._x, self._y = sides if self.as_they_are else _directions(*sides)
        self._usual = self._y @ self._x.mean(axis=0)
        rng = np.random.default_rng(0)
        places = rng.integers(0, len(self._x), NULLS)
        rows = np.arange(len(self._y))
        wrong = np.stack([self._likeness(rows, (rows + p) % len(self._x)) - self._usual for p in places])
        self.power = np.einsum("ij,ij->i", self._y, self._y, dtype=np.float64)
        self.spread = max(float(np.sqrt(np.mean(wrong * wrong) / max(self.power.mean(), 1e-12))), 1e-3)
        self.memory = _memory(wrong)

    @property
    def hop_s(self) -> float:
        """Seconds from one frame of the query to the next."""
        return self.y.hop_s

    def of_line(self, segment: Segment) -> tuple[NDArray[np.int64], Vector]:
        """The rows of the query's frames in a segment, and the contrast of each; 0 where the reference is over."""
        (r0, q0), (r1, q1) = segment
        rows = np.flatnonzero((self.y.times >= q0) & (self.y.times <= q1))
        slope = (r1 - r0) / (q1 - q0) if q1 > q0 else 1.0
        return rows, self.at(rows, r0 + slope * (self.y.times[rows] - q0))

    def speaks(self, segment: Segment) -> float:
        """Nats of a segment at the gain that explains it best; 0 where that is below none."""
        rows, values = self.of_line(segment)
        total, power = float(values.sum()), float(self.power[rows].sum())
        return total**2 / (2 * power * self.spread**2 * self.memory) if total > 0 and power > 0 else 0.0

    def at(self, rows: NDArray[np.int64], t_reference: Vector) -> Vector:
        """The contrast of some frames of the query at some times of the reference (as many)."""
        column = np.clip(nearest(self.x.times, t_reference), 0, len(self._x) - 1)
        value = self._likeness(rows, column) - self._usual[rows]
        half = self.x.hop_s
        outside = (t_reference < self.x.times[0] - half) | (t_reference > self.x.times[-1] + half)
        return np.asarray(np.where(outside, 0.0, value), dtype=np.float64)

    def _likeness(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of frames of the query and frames of the reference (as many), a block at a time: copies of an hour of both
        are 100 MB each."""
        out = np.empty(len(rows), np.float32)
        for at in range(0, len(rows), BLOCK):
            block = slice(at, at + BLOCK)
            np.einsum("ij,ij->i", self._y[rows[block]], self._x[columns[block]], out=out[block])
        return out

    def moved(self, segment: Segment, factor: int, reach: int) -> tuple[Vector, Vector, Vector]:
        """The sum of the contrasts of a segment moved by -reach to reach places of ``factor`` frames of the reference;
        for the frames that lie inside of it then the same sum at their own place, and their power: float64
        (2 reach + 1,) each."""
        from scipy.fft import irfft, next_fast_len, rfft

        (r0, q0), (r1, q1) = segment
        hop = self.x.hop_s * factor
        grid = np.arange(r0 + hop / 2, r1, hop)
        x, y = _thin(self._x, factor), np.empty((len(grid), self._x.shape[1]), np.float32)
        rows = np.clip(nearest(self.y.times, q0 + (grid - r0) * (q1 - q0) / (r1 - r0)), 0, len(self._y) - 1)
        y[:] = _thin_at(self._y, rows, factor)
        usual, power = y @ x.mean(axis=0), np.einsum("ij,ij->i", y, y)
        size = int(next_fast_len(len(x) + 2 * len(y), real=True))
        product = np.zeros(size // 2 + 1, np.complex128)
        for column in range(x.shape[1]):
            product += rfft(x[:, column], size) * np.conj(rfft(y[:, column], size))
        curve = irfft(product, size)  # at k: y begins at frame k of x, negative ones at the end
        first = round((r0 - float(self.x.times[0])) / hop)
        at = first + np.arange(-reach, reach + 1)
        low, high = np.clip(-at, 0, len(y)), np.clip(len(x) - at, 0, len(y))
        place = np.clip(first + np.arange(len(y)), 0, len(x) - 1)
        own = np.einsum("ij,ij->i", y, x[place]) - usual
        met = (at > -len(y)) & (at < len(x)) & (high > low)

        def inside(values: NDArray[np.float32]) -> Vector:
            sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
            return np.asarray(np.where(met, sums[np.maximum(high, low)] - sums[low], 0.0))

        return np.where(met, curve[at % size], 0.0) - inside(usual), inside(own), inside(power)

    def directions(
        self, rows: NDArray[np.int64], left: int, count: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Frames of the query, and ``count`` frames of the reference from the one numbered ``left`` on."""
        return self._y[rows], self._x[max(0, left) : max(0, left) + count]

    def usual(self, rows: NDArray[np.int64]) -> float:
        """What some frames of the query have in common with the reference on average, in all."""
        return float(self._usual[rows].sum())

    def nats(self, rows: NDArray[np.int64], contrast: Vector, gain: float) -> Vector:
        """Log-likelihood ratio of some frames: at their place, where ``gain`` times their power is met, or at none."""
        scale = self.spread**2 * self.memory
        return np.asarray((contrast - gain / 2 * self.power[rows]) * gain / scale, dtype=np.float64)


@dataclass(frozen=True)
class Evidence:
    """``nats`` that the frames speak for a map, and the mean ``gain`` in contrast of what it maps. ``ahead``: by how
    many standard deviations its place is better than the best other one, ``shift_s`` seconds away in the reference, for
    the frames that lie inside of the reference in both."""

    nats: float
    gain: float
    ahead: float
    shift_s: float


def evidence(contrast: Contrast, segments: list[Segment]) -> Evidence:
    """What the frames say for lines, and how much more than for the same lines elsewhere: what repeats itself fits
    there as well. Nats are those of the gain that explains the frames best: their squared sum over twice their power,
    spread and memory. Another place counts where it leaves LEAST_INSIDE of the frames inside.
    """
    hop = contrast.x.hop_s
    factor = max(1, -(-len(contrast.x.times) // MOST_PLACES))
    reach = len(contrast.x.times) // factor
    total, here, power = (np.zeros(2 * reach + 1) for _ in range(3))
    for segment in segments:
        for sums, more in zip((total, here, power), contrast.moved(segment, factor, reach), strict=True):
            sums += more
    whole = float(power[reach])
    if not whole > 0:
        return Evidence(0.0, 0.0, 0.0, 0.0)
    scale = contrast.spread * float(np.sqrt(2 * contrast.memory / factor))
    near = max(1, round(max(ELSEWHERE_S, contrast.memory * contrast.hop_s / 2) / (hop * factor)))
    far = power >= LEAST_INSIDE * whole
    far[max(0, reach - near) : reach + near + 1] = False
    better = np.where(far, (here - total) / np.maximum(power, 1e-12), np.inf) * float(np.sqrt(whole)) / scale
    k = int(np.argmin(better))
    value = float(total[reach])
    ahead = float(better[k]) if far.any() else value / float(np.sqrt(whole)) / scale
    return Evidence((max(value, 0.0) / scale) ** 2 / whole, value / whole, ahead, float((k - reach) * hop * factor))


def _directions(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Frames whose product is their likeness: of length 1, or narrow ones lifted so that it falls with their distance.

    A narrow frame v becomes (v, 1 - |v|^2 / 2, 1) and on the other side (v, 1, -|v|^2 / 2): products are then 1 less
    half of the squared distance.
    """
    sides = [np.asarray(v, dtype=np.float32).reshape(len(v), -1) for v in (x, y)]
    if sides[0].shape[1] >= NARROW:
        a, b = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6) for v in sides)
        return a, b
    a, b = ((v - v.mean(axis=0)) / np.maximum(v.std(axis=0), 1e-9) for v in sides)
    one = [np.ones((len(v), 1), np.float32) for v in (a, b)]
    half = [(v * v).sum(axis=1, keepdims=True) / 2 for v in (a, b)]
    return np.hstack([a, 1 - half[0], one[0]]), np.hstack([b, one[1], -half[1]])


def _thin(frames: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means of every ``factor`` frames."""
    n = len(frames) // factor * factor
    return frames if factor == 1 else np.asarray(frames[:n].reshape(n // factor, factor, -1).mean(axis=1))


def _thin_at(frames: NDArray[np.float32], rows: NDArray[np.int64], factor: int) -> NDArray[np.float32]:
    """Means of ``factor`` frames about each of some rows."""
    total = np.zeros((len(rows), frames.shape[1]), np.float32)
    for k, weight in enumerate(centred(factor).tolist()):
        total += weight * frames[np.clip(rows - factor // 2 + k, 0, len(frames) - 1)]
    return np.asarray(total, dtype=np.float32)


def _memory(wrong: NDArray[np.float64]) -> float:
    """Frames for which a contrast stays like itself: one and twice the sum of its correlations."""
    power: Vector = np.zeros(wrong.shape[1] + 1)
    for row in wrong:  # one by one: an hour of frames has spectra of 50 MB
        spectrum = np.fft.rfft(row - row.mean(), 2 * len(row))
        power += spectrum.real**2 + spectrum.imag**2
    correlation = np.fft.irfft(power / len(wrong))[: min(LONGEST_MEMORY, wrong.shape[1])]
    if not correlation[0] > 0:
        return float(LONGEST_MEMORY)
    correlation = correlation / correlation[0]
    low = np.flatnonzero(correlation < 0.05)
    return float(1.0 + 2.0 * correlation[1 : int(low[0]) if len(low) else len(correlation)].sum())
