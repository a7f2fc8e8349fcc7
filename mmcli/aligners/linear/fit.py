"""Offset and rate between two inputs: local lags of many windows, and the line that most of them agree on.

Frames give each window's position (:mod:`.windows`), sound then sharpens it to a fraction of a sample
(:func:`.windows.refine`), and the consensus (:mod:`.consensus`) makes a line of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs, limits
from mmcli.aligners.core.frames import coarse, comparable
from mmcli.aligners.linear import consensus, rates, windows
from mmcli.aligners.linear.consensus import Line
from mmcli.aligners.linear.windows import Searched, refine
from mmcli.artifacts.formats.features import Features
from mmcli.errors import MismatchError
from mmcli.media.clips import AudioClip

Vector = NDArray[np.float64]

PHASE_WINDOW_S = 4.0  # a drift of 100 ppm moves the ends of such a window by 0.2 ms to either side
PHASE_SMEAR_S = 5e-5  # a window whose ends move more than this is corrected for the rate found, and measured again
NEAR = 4.0  # tolerances: a window that misses a line by less was found at the right place, not well measured
LONG_S = 1200.0  # past this, phase is measured at half the sampling rate
HOPS_S = 0.01, 0.1  # frames as far apart are what windows, tolerances and breaks are laid out for
# Share of windows that may peak in phase: none of 54 pairs of two voices; over one click track 0.23 and more of 31.
CLEAR_BY_CHANCE = 0.15


@dataclass
class Material:
    """One side of a pair, read once: frames (n, dims) at ``times``, and for sound the samples at ``rate_hz``.

    ``unit_s``: seconds of a unit of ``times``. Frames that are nearer together or further apart than HOPS_S, a reading
    an hour for example, are looked at on a clock where they are not.
    """

    frames: NDArray[Any]
    times: Vector
    about: dict[str, Any]
    samples: NDArray[np.float32] | None = None
    rate_hz: float = 0.0
    unit_s: float = 1.0
    shown_s: float = 0.0  # of pictures, how long each is shown: which moment of that they are of, they do not say
    stretched: dict[float, NDArray[np.float32]] = field(default_factory=dict)
    ready: dict[float, Searched] = field(default_factory=dict)

    @property
    def hop_s(self) -> float:
        """Seconds between two frames."""
        return inputs.hop_of(self.times)

    @property
    def span(self) -> tuple[float, float]:
        """Where it begins and ends on its own clock, seconds."""
        if self.samples is not None:
            return 0.0, len(self.samples) / self.rate_hz
        return float(self.times[0]), float(self.times[-1])

    def searched(self, hop: float) -> Searched:
        """This side on a grid of ``hop`` seconds, made ready for windows of the other to be looked for in it."""
        if hop not in self.ready:
            self.ready.clear()  # one at a time: an hour is 20 MB
            self.ready[hop] = windows.searched(self.frames, self.times, hop)
        return self.ready[hop]

    def samples_at(self, rate: float) -> NDArray[np.float32]:
        """The samples played ``1 / rate`` times as fast, so that they last ``rate`` times as long."""
        assert self.samples is not None
        if rate == 1.0:
            return self.samples
        key = round(rate, 9)
        if key not in self.stretched:
            import soxr

            self.stretched.clear()  # one at a time: an hour is 200 MB
            self.stretched[key] = np.asarray(
                soxr.resample(self.samples, self.rate_hz, self.rate_hz * rate, quality="MQ"), dtype=np.float32
            )
        return self.stretched[key]


@dataclass(frozen=True)
class Lags:
    """Local lags. ``t`` (k,) query seconds times ``rate``; ``lag`` (k,) reference minus that; ``score`` (k,) of the
    frames; ``z`` (k,) of the phase peaks, or None without sound; ``sharp``: the lags come from the phase."""

    t: Vector
    lag: Vector
    score: Vector
    z: Vector | None
    sharp: bool
    rate: float
    window_s: float
    hop_s: float
    rival: tuple[float, float] = (0.0, 0.0)  # see :func:`.windows.rival`
    unit_s: float = 1.0  # see :class:`Material`

    @property
    def tolerance_s(self) -> float:
        """How far a lag may lie from a line that it agrees with: 8 ms where phase measured it, else two frames."""
        return 0.008 if self.sharp else max(0.02, 2 * self.hop_s)

    @property
    def trusted(self) -> Vector:
        """The share of windows whose phase peak stands out, per window 0 or 1; all ones without sound."""
        return np.ones(len(self.t)) if self.z is None else np.asarray(self.z >= limits.SHARP_Z.value, dtype=np.float64)


@dataclass(frozen=True)
class Fit:
    """``t_reference = offset_s + rate * t_query`` with its evidence."""

    model: str
    offset_s: float
    rate: float
    lags: Lags
    line: Line

    @property
    def agreeing(self) -> float:
        """The share of windows that agree with the line, 0 to 1."""
        return float(self.line.agree.mean())

    @property
    def strength(self) -> tuple[bool, float]:
        """What one fit is preferred to another by: measured by phase, then the share of trusted windows that agree."""
        share = self.line.agree * self.lags.trusted if self.lags.sharp else self.line.agree
        return self.lags.sharp, float(share.mean())

    @property
    def z(self) -> float | None:
        """Median phase peak of the windows that agree."""
        return None if self.lags.z is None else float(np.median(self.lags.z[self.line.agree]))

    @property
    def deviation_s(self) -> float:
        """How far windows lie from the line, root mean square: of those that agree, and of those that miss by a few
        tolerances. A window further off was found in another place, and says nothing about this one."""
        error = np.abs(self.lags.lag - self.line.lag(self.lags.t))
        counted = error <= NEAR * self.lags.tolerance_s
        if self.lags.sharp:
            counted &= self.lags.trusted > 0
        return float(np.sqrt(np.mean(error[counted] ** 2))) if counted.any() else self.lags.tolerance_s

    @property
    def independent(self) -> float:
        """How many windows agree that share no sound with each other."""
        n = float(self.line.agree.sum())
        window = min(PHASE_WINDOW_S, self.lags.window_s) if self.lags.sharp else self.lags.window_s
        step = float(np.median(np.diff(self.lags.t))) if len(self.lags.t) > 1 else window
        return max(1.0, n * min(1.0, step / window))

    @property
    def slope_deviation(self) -> float:
        """Standard deviation of the slope, seconds per second."""
        t = self.lags.t[self.line.agree]
        return self.deviation_s / float(np.sqrt(self.independent) * t.std()) if len(t) > 1 else np.inf

    @property
    def is_enough(self) -> bool:
        """Whether other rates need not be tried."""
        return self.agreeing >= limits.RATE_ENOUGH.value and self.is_settled

    @property
    def is_settled(self) -> bool:
        """Whether its rate was followed to its end."""
        return abs(self.line.slope) < limits.UNSETTLED.value

    @property
    def score(self) -> float:
        """Mean frame correlation of the windows that agree."""
        return float(self.lags.score[self.line.agree].mean())

    @property
    def clear(self) -> float:
        """The share of the windows whose phase peaks far above what strangers reach, at whatever lags, less what may by
        chance: those of two talks over one click track peak at any beat. No less than :attr:`copied`."""
        if self.lags.z is None:
            return 0.0
        return max(self.copied, float(np.mean(self.lags.z >= limits.CLEAR_Z.value)) - CLEAR_BY_CHANCE)

    @property
    def copied(self) -> float:
        """The share of the windows whose phase peaks far above what strangers reach, at one lag with others that reach
        over more than a window: they hold the same recording, as copies do, and loops, clicks and jingles. Two players
        never do; one voice of a machine twice, or two takes on one set of samples, peak here and there, and each at a
        lag of its own."""
        if self.lags.z is None:
            return 0.0
        clear = self.lags.z >= limits.CLEAR_Z.value
        t, lag = self.lags.t[clear], self.lags.lag[clear]
        same = np.abs(lag[:, None] - lag) <= limits.GROUP_SHARP_S.value
        reach = np.where(same, t, -np.inf).max(axis=1, initial=-np.inf) - np.where(same, t, np.inf).min(
            axis=1, initial=np.inf
        )
        return float(np.sum(reach >= min(PHASE_WINDOW_S, self.lags.window_s))) / len(self.lags.t)

    def evidence(self) -> str:
        """One clause for people."""
        n, k = len(self.lags.t), int(self.line.agree.sum())
        text = f"{k} of {n} windows agree within {said(self.lags.tolerance_s * self.lags.unit_s)}"
        return text if self.z is None else f"{text}, phase peak z = {self.z:.1f}"


def said(seconds: float) -> str:
    """A short time for people.

    >>> said(0.008), said(2 / 24), said(2.0), said(7200.0)
    ('8 ms', '83 ms', '2 s', '7200 s')
    """
    return f"{seconds:g} s" if seconds >= 1.0 else f"{seconds * 1e3:.0f} ms"


def materials(x: Any, y: Any) -> tuple[Material, Material]:
    """Both sides as frames and, of audio clips, samples on one sampling rate. Raises as :func:`.inputs.checked` does,
    and MismatchError where one is sound and the other is not."""
    if isinstance(x, AudioClip) and isinstance(y, AudioClip):
        seen = [comparable(clip) for clip in (x, y)]
        rate_hz = min(min(int(c.rate), 16_000 if c.duration_s <= LONG_S else 8_000) for c in (x, y))
        a, b = (
            Material(f.flat(), f.times, inputs.about(c), c.samples(rate_hz), float(rate_hz))
            for f, c in zip(seen, (x, y), strict=True)
        )
        return a, b
    if isinstance(x, AudioClip) or isinstance(y, AudioClip):
        raise inputs.incomparable(
            [inputs.kind_of(v) for v in (x, y)],
            [inputs.name_of(v) for v in (x, y)],
            hint="give two media files, or extract features of both first",
        )
    (xv, xt), (yv, yt) = inputs.checked(x, y)
    hop = max(inputs.hop_of(t) for t in (xt, yt))
    unit = hop / float(np.clip(hop, *HOPS_S))
    shown = [inputs.hop_of(t) if isinstance(v, Features) and v.meta.get("modality") == "video" else 0.0
             for v, t in ((x, xt), (y, yt))]  # fmt: skip
    return (
        Material(xv, xt / unit, inputs.about(x), unit_s=unit, shown_s=shown[0]),
        Material(yv, yt / unit, inputs.about(y), unit_s=unit, shown_s=shown[1]),
    )


def local_lags(
    x: Material,
    y: Material,
    *,
    rate: float = 1.0,
    window_s: float = 10.0,
    step_s: float = 4.0,
    most_ppm: float = 2000.0,
) -> Lags:
    """The lag of every window of the query, the query first stretched by ``rate``."""
    hop = max(x.hop_s, y.hop_s)
    grid = x.searched(windows.hop_for(x.times, y.times * rate, hop))
    positions = windows.positions(grid, y.frames, y.times * rate, window_s=window_s, step_s=step_s)
    choice = windows.track(positions, most_ppm=most_ppm)
    rows = np.flatnonzero(choice >= 0)
    if len(rows) == 0:
        raise MismatchError(
            "no window of the query could be looked for in the reference",
            source=y.about["name"],
            hint="a side is silent, constant or shorter than a few frames",
        )
    rival = windows.rival(positions, choice)
    t, lag = positions.centre[rows], positions.lag[rows, choice[rows]]
    score = positions.score[rows, choice[rows]]
    if x.samples is None or y.samples is None:
        return Lags(t, lag, score, None, False, rate, positions.window_s, hop, rival, x.unit_s)
    search = max(0.1, 3 * hop)
    samples = y.samples_at(rate)
    window = min(PHASE_WINDOW_S, positions.window_s)
    fine = [refine(x.samples, samples, x.rate_hz, c, g, window_s=window, search_s=search)
            for c, g in zip(t.tolist(), lag.tolist(), strict=True)]  # fmt: skip
    sharpened = np.array([f[0] for f in fine])
    z = np.array([f[1] for f in fine])
    missing = ~np.isfinite(sharpened)
    z[missing] = 0.0
    sharp = are_sharp(z)
    if sharp:
        lag = np.where(missing, lag, sharpened)
    return Lags(t, lag, score, z, sharp, rate, positions.window_s, hop, rival)


def are_sharp(z: Vector) -> bool:
    """Whether so many phase peaks stand out that lags are measured by them."""
    return float(np.mean(z >= limits.SHARP_Z.value)) >= limits.SHARP_SHARE.value


def fitted(lags: Lags, model: str, *, tolerance_s: float | None = None, most_ppm: float = 6000.0) -> Fit:
    """The offset, or the offset and rate, that most windows agree with; sharp windows count ten times as much."""
    weight = 0.1 + lags.trusted if lags.sharp else np.maximum(lags.score, 0.01)
    tolerance = tolerance_s or lags.tolerance_s
    if model == "offset":
        best = consensus.constant(lags.t, lags.lag, weight, tolerance)
    else:
        best = consensus.line(lags.t, lags.lag, weight, tolerance, most_slope=most_ppm * 1e-6)
    return Fit(model, best.at_zero, (1.0 + best.slope) * lags.rate, lags, best)


# Which rates are tried, and how one is fitted to the last part per million.

GRID = 0.004  # between tried rates: half of it moves the ends of a 10 s window by 10 ms either way
PROBE_DIMS, PROBE_FRAMES = 16, 16_384  # what rates are compared by; an hour then takes 0.2 s a frame
PROBES = 24  # windows that a tried rate is judged by
ROUNDS = 4  # of measuring again with the rate found


def best_line(
    x: Material,
    y: Material,
    *,
    window_s: float,
    step_s: float,
    tolerance_s: float = 0.0,
    most_ppm: float = 2000.0,
    most_stretch: float = 0.06,
) -> Fit:
    """The line with the rate that explains most windows; other rates are tried where a rate near 1 does not do."""

    def at(rate: float) -> Fit:
        lags = local_lags(x, y, rate=rate, window_s=window_s, step_s=step_s, most_ppm=most_ppm)
        return fitted(lags, "affine", tolerance_s=tolerance_s)

    first = polish(x, y, at(1.0), window_s=window_s, step_s=step_s, tolerance_s=tolerance_s)
    if most_stretch == 0 or (first.is_enough):
        return first
    tried = probe(x, y, most_stretch=most_stretch, window_s=window_s)
    if abs(tried - 1.0) < GRID / 2:
        return first
    second = polish(x, y, at(tried), window_s=window_s, step_s=step_s, tolerance_s=tolerance_s)
    if second.strength == first.strength:
        return first if first.is_settled else second
    return second if second.strength > first.strength else first


def polish(x: Material, y: Material, fit: Fit, *, window_s: float, step_s: float, tolerance_s: float = 0.0) -> Fit:
    """The line measured again with the query stretched by its rate, until the rate no longer blurs the windows."""
    window = min(PHASE_WINDOW_S, fit.lags.window_s) if x.samples is not None else fit.lags.window_s
    blur = PHASE_SMEAR_S if x.samples is not None else 0.25 * x.hop_s
    for _ in range(ROUNDS):
        if abs(fit.line.slope) * window / 2 <= blur or fit.line.agree.sum() < 3:
            break
        lags = local_lags(x, y, rate=fit.rate, window_s=window_s, step_s=step_s)
        again = fitted(lags, "affine", tolerance_s=tolerance_s)
        if again.strength < fit.strength:
            break
        fit = again
    return fit


def probe(x: Material, y: Material, *, most_stretch: float, window_s: float) -> float:
    """Of the named rates and a grid, the one under which a few windows of the query fit the reference best."""
    grid = np.arange(-round(most_stretch / GRID), round(most_stretch / GRID) + 1) * GRID + 1.0
    named = [r for r in rates.NAMED.values() if abs(r - 1) <= most_stretch]
    tried = np.unique(np.concatenate([grid, named]))
    hop = max(x.hop_s, y.hop_s, 0.02, float(max(x.times[-1] - x.times[0], y.times[-1] - y.times[0])) / PROBE_FRAMES)
    a = windows.searched(_pooled(x.frames), x.times, hop)
    b, b_times = coarse(_pooled(y.frames), y.times, max(1, round(hop / y.hop_s)))  # once for all rates
    scores, step = [], window_s / 2
    for rate in tried.tolist():
        positions = windows.positions(a, b, b_times * rate, window_s=window_s, step_s=step, candidates=8, most=PROBES)
        choice = windows.track(positions)
        rows = np.flatnonzero(choice >= 0)
        scores.append(float(positions.score[rows, choice[rows]].mean()) if len(rows) else -1.0)
    return float(tried[int(np.argmax(scores))])


def _pooled(frames: NDArray[Any]) -> NDArray[Any]:
    """Means of neighbouring columns, PROBE_DIMS of them where there are twice as many: enough to compare rates."""
    group = frames.shape[1] // PROBE_DIMS
    if group < 2:
        return frames
    return np.asarray(frames[:, : group * PROBE_DIMS].reshape(len(frames), PROBE_DIMS, group).mean(axis=2))
