"""A film without sound against a sound: sudden movement against onsets.

What is seen to hit, jump or flash is often heard too. Both become a curve of how suddenly something happens; the lag at
which the two correlate best, over the named rates, is the answer. It is believed where it stands out of what the film
gives with its seconds in another order, and where no other lag is nearly as good, as it would be for a steady beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs, limits, shuffle_test
from mmcli.aligners.core.inputs import refusal
from mmcli.aligners.linear import rates
from mmcli.aligners.linear.alignment import overlap
from mmcli.aligners.linear.windows import vertex
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import MismatchError
from mmcli.media.clips import AudioClip, VideoClip

ACCEPTS = (("video", "audio"), ("audio", "video"))
Curve = NDArray[np.float64]

HOP_S = 0.01
LOCAL_S = 1.0  # over which the usual level of a curve is taken away
BLOCK_S = 1.5  # of the film, whose order is changed for the null
SHUFFLES = 40
EXPONENT = 0.5  # of the curves: one explosion is not to outweigh a hundred steps


@dataclass(frozen=True)
class Config:
    """What happens to a pair that does not match."""

    force: bool = False  # make a map even where the pair does not match


@dataclass(frozen=True)
class Place:
    """Where the query lies: ``offset_s`` and ``rate`` as in a map, the correlation there, and its next best rival's."""

    offset_s: float
    rate: float
    strength: float
    rival: float


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The map between ``x`` (the reference) and ``y``, a video clip and a sound in either order: an offset, or one and
    a named rate.

    Raises MismatchError with the statistic where the two do not move together, or do so at more than one place.
    """
    film, sound = (x, y) if isinstance(x, VideoClip) else (y, x)
    if not (isinstance(film, VideoClip) and isinstance(sound, AudioClip)):
        raise inputs.incomparable([inputs.kind_of(v) for v in (x, y)], [inputs.name_of(v) for v in (x, y)])
    a, b = (seen(v) if v is film else heard(v) for v in (x, y))
    at = place(a, b)
    z, mean, deviation = stands_out(a, b, at, x is film)
    evidence = (
        f"movement against onsets correlate by {at.strength:.2f}, with the film's seconds in another order by "
        f"{mean:.2f} +- {deviation:.2f}: z = {z:.1f}"
    )
    problem = doubt(at, z, evidence, y.name)
    if problem is not None and not config.force:
        raise problem
    rate_name = next((n for n, r in rates.NAMED.items() if r == at.rate), None)
    frame = 1.0 / (film.rate_hz or 25.0)  # nothing is seen more finely
    return Alignment(
        model="offset" if at.rate == 1.0 else "affine",
        knots=overlap((0.0, x.duration_s), (0.0, y.duration_s), at.offset_s, at.rate),
        offset_s=at.offset_s,
        rate=at.rate,
        ppm=(at.rate - 1.0) * 1e6,
        confidence_s=[round(frame, 6)] * 2,
        quality={
            "ratio": None,
            "verdict": "match" if problem is None else "no match (forced)",
            "reason": evidence if rate_name is None else f"{evidence}; rate {rate_name}",
        },
        method=inputs.method_entry("motion", config),
        cost=1.0 - at.strength,
        reference=inputs.about(x),
        query=inputs.about(y),
    )


def doubt(at: Place, z: float, evidence: str, name: str) -> MismatchError | None:
    """Why a place is not believed; None where it is. ``name`` is that of the query."""
    least, most = limits.MOTION_Z.value, limits.MOTION_RIVAL.value
    if z < least:
        reason = f"{evidence}, below the limit of {least:g}"
        return refusal(reason, name, statistic="z of movement against onsets", value=z, limit=least)
    if at.rival > most * at.strength:
        reason = f"another place is nearly as good ({at.rival:.2f} after {at.strength:.2f}): what is steady repeats"
        return refusal(reason, name, statistic="second best place over best", value=at.rival / at.strength, limit=most)
    return None


def seen(video: VideoClip) -> Curve:
    """How suddenly the pictures of a video clip change, every ``HOP_S``; float64 (n,)."""
    from mmcli import extractors

    module = extractors.load("video.motion")
    movement = module.extract(video, module.Config(rate=None))
    half = 0.5 * float(np.median(np.diff(movement.times))) if len(movement.times) > 1 else 0.0  # between two frames
    return curve(movement.times - half, movement.flat().astype(np.float64).sum(axis=1), float(video.duration_s))


def heard(sound: AudioClip) -> Curve:
    """How suddenly a sound gets louder, every ``HOP_S``; float64 (n,)."""
    from mmcli import extractors

    onsets = extractors.load("audio.onset").extract(sound)
    return curve(onsets.times, onsets.values[:, 0].astype(np.float64), float(sound.duration_s))


def curve(times: Curve, values: Curve, duration: float) -> Curve:
    """Values at times as a curve on the common grid: large ones compressed, the usual level of a second taken away.

    >>> int(curve(np.arange(0.0, 3.0, 0.04), np.eye(75)[25], 3.0).argmax())
    100
    """
    t = np.arange(max(1, int(duration / HOP_S))) * HOP_S
    strong = np.interp(t, times, np.maximum(values, 0.0) ** EXPONENT, left=0.0, right=0.0)
    smooth = np.hanning(9) / np.hanning(9).sum()  # 40 ms: frames are as far apart
    out = np.convolve(strong, smooth, mode="same")
    width = min(len(out), round(LOCAL_S / HOP_S))
    level = np.convolve(out, np.ones(width), mode="same") / np.convolve(np.ones(len(out)), np.ones(width), mode="same")
    return np.asarray(np.maximum(out - level, 0.0))


def place(x: Curve, y: Curve) -> Place:
    """Where the query's curve ``y`` fits the reference's best, over the named rates."""
    best: Place | None = None
    for rate in (1.0, *rates.NAMED.values()):
        strength, first = correlation(x, stretched(y, rate))
        k = int(np.argmax(strength))
        far = np.abs(np.arange(len(strength)) - k) > limits.MOTION_NEAR_S.value / HOP_S
        rival = float(strength[far].max()) if far.any() else 0.0
        if best is None or strength[k] > best.strength * (1.0 if best.rate != 1.0 else limits.MOTION_NAMED.value):
            beside = vertex(*strength[k - 1 : k + 2]) if 0 < k < len(strength) - 1 else 0.0
            offset = (first + k + beside) * HOP_S
            best = Place(float(offset), rate, float(strength[k]), rival)
    assert best is not None
    return best


def stands_out(x: Curve, y: Curve, at: Place, turn_x: bool) -> tuple[float, float, float]:
    """By how many deviations the correlation lies above those with one curve's blocks in another order; and those."""
    y = stretched(y, at.rate)
    turned, kept = (x, y) if turn_x else (y, x)
    block = min(round(BLOCK_S / HOP_S), max(1, len(turned) // 2))
    nulls = []
    for seed in range(SHUFFLES):
        other = shuffle_test.shuffled(turned, block, seed)
        a, b = (other, kept) if turn_x else (kept, other)
        nulls.append(float(correlation(a, b)[0].max()))
    mean, deviation = float(np.mean(nulls)), max(float(np.std(nulls)), 0.01)
    return (at.strength - mean) / deviation, mean, deviation


def correlation(x: Curve, y: Curve) -> tuple[Curve, int]:
    """The correlation of the stretch that both share, for every lag with enough of it, and the first of the lags.

    ``y`` lies ``lag`` frames after the beginning of ``x``. A smaller share counts less, as its chance is greater.
    """
    n, m = len(x), len(y)
    size = 1 << int(np.ceil(np.log2(n + m)))
    spectra = [np.fft.rfft(v, size) for v in (x, y, x * x, y * y, np.ones(n), np.ones(m))]

    def at_all(a: Any, b: Any) -> Curve:
        product = np.fft.irfft(a * np.conj(b), size)
        return np.concatenate([product[size - (m - 1) :], product[:n]])

    both = at_all(spectra[0], spectra[1])
    ex, ey = at_all(spectra[2], spectra[5]), at_all(spectra[4], spectra[3])
    shared = np.round(at_all(spectra[4], spectra[5]))
    need = max(limits.MOTION_SHARED.value * min(n, m), min(limits.MOTION_SHARED_S.value / HOP_S, min(n, m)))
    energy = np.sqrt(np.maximum(ex, 0.0) * np.maximum(ey, 0.0))
    strength = np.where(energy > 1e-9 * max(energy.max(), 1e-30), both / np.maximum(energy, 1e-30), 0.0)
    strength = np.where(shared >= need, strength * np.sqrt(shared / min(n, m)), 0.0)
    return strength, -(m - 1)


def stretched(y: Curve, rate: float) -> Curve:
    """The curve at another rate: ``rate`` seconds for one of its own."""
    if rate == 1.0:
        return y
    return np.interp(np.arange(int(len(y) * rate)) / rate, np.arange(len(y)), y)
