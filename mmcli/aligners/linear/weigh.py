"""What speaks for lines: how well the frames fit, how much better than anywhere else, and what the phase says to that.

Lines are mended first (:mod:`.trace`), then weighed against the same lines at every other place of the reference:
loops, clicks and steady tones fit as well there, and two recordings that share nothing else fit nowhere. Where frames
leave a doubt, as in dubs that share the music under other voices, the phase of the sound is asked in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import limits
from mmcli.aligners.linear import breaks, trace
from mmcli.aligners.linear.alignment import overlap
from mmcli.aligners.linear.breaks import Piece
from mmcli.aligners.linear.choose import Choice
from mmcli.aligners.linear.contrast import LEAST_INSIDE, Contrast, Segment, evidence
from mmcli.aligners.linear.fit import Material
from mmcli.errors import MismatchError

PIECE_NATS = 12.0  # what each further piece costs: a place among thousands
CHUNK_S, MOST_CHUNKS = 8.0, 8  # of the query, that the phase is asked about
REACH_S = 30.0  # on either side of its place, that each is looked for in
OWN_S, OTHER_S = 0.004, 0.02  # around the place of a line; from where on it is another
MOST_HEARD = 3.0  # twenty times as high
LOWEST_HZ = 80.0
BLOCK_S = 1.0
ASTRAY_S = 0.5  # from a piece: what is heard further off stands at another place
BESIDE_S = 1.0  # a window at a break is heard on either side of it


@dataclass(frozen=True)
class Weighed:
    """A choice of lines, mended, with its ``segments`` [(t_reference, t_query)] * 2 in seconds and the ``evidence``
    that its odds are made of, on logarithmic scales: ``nats`` of the frames, by how many standard deviations they are
    ``ahead`` of the best other place, and how many times as high the phase of the sound is ``heard`` there as anywhere
    else; ``share`` of the windows that agree, ``covered`` share of the shorter side, ``pieces``, ``seconds`` mapped,
    and 1 where pieces are ``torn`` out of it."""

    choice: Choice
    segments: list[Segment]
    evidence: dict[str, float]
    rival_s: float  # how far away the best other place is, seconds of the reference
    astray: float  # see :func:`astray`


def weigh(x: Material, y: Material, choice: Choice) -> Weighed | None:
    """The choice mended and weighed; None where its lines leave nothing that both sides share."""
    try:
        segments = choice.segments or [overlap(x.span, y.span, choice.fit.offset_s, choice.fit.rate)]
    except MismatchError:
        return None
    contrast = Contrast(x, y)
    runs = trace.runs_of(segments)
    mended = trace.mend_ends(x, y, trace.mend(contrast, runs))
    if len(mended) != len(runs):
        rate = mended[0].slope
        nothing = np.zeros(len(choice.fit.lags.t), dtype=bool)
        pieces = [Piece(r.lag, 0.0, r.start * rate, r.end * rate, nothing) for r in mended]
        segments = breaks.segments(x, y, pieces, rate)
        fit = replace(choice.fit, model="piecewise", rate=rate)
        choice = replace(choice, model="piecewise", fit=fit, segments=segments)
    said = evidence(contrast, segments)
    heard = 0.0
    if x.samples is not None and not is_clear(said.ahead):
        heard = phase_margin(x, y, segments)
    seconds = float(sum(s[1, 1] - s[0, 1] for s in segments))
    covered = min(1.0, seconds / max(min(m.span[1] - m.span[0] for m in (x, y)), 1e-9))
    return Weighed(
        choice,
        segments,
        {
            "nats": float(np.log1p(max(said.nats - PIECE_NATS * (len(segments) - 1), 0.0))),
            "ahead": float(np.log1p(max(said.ahead, 0.0))),
            "heard": heard,
            "share": _share(choice, contrast, segments, said.gain),
            "covered": covered,
            "torn": float(len(segments) > 1 and is_torn(covered)),
            "pieces": float(len(segments)),
            "seconds": float(np.log1p(seconds)),
        },
        said.shift_s * x.unit_s,
        astray(choice, segments),
    )


def astray(choice: Choice, segments: list[Segment]) -> float:
    """The share of the windows that are clearly heard near a piece, and not on it: 0 for one line, and without sound,
    and 1 where next to none are clearly heard on the pieces.

    Pieces of a recording hold all of its windows, or are places away from them; a recording whose pace changes is heard
    a little before and behind each line that is laid across it.
    """
    lags = choice.fit.lags
    clear = lags.trusted > 0
    if len(segments) < 2 or lags.z is None:
        return 0.0
    t = lags.t[clear] / lags.rate
    heard = lags.t[clear] + lags.lag[clear]
    off = np.full(len(t), np.inf)
    for segment in segments:
        # windows are of the shorter side: where that is the reference, both sides are exchanged
        (r0, q0), (r1, q1) = segment[:, ::-1] if choice.repeats == "query" else segment
        beside = np.abs(r0 + (t - q0) * (r1 - r0) / (q1 - q0) - heard)
        off = np.where((t >= q0 - BESIDE_S) & (t <= q1 + BESIDE_S), np.minimum(off, beside), off)
    if np.sum(off <= lags.tolerance_s) < limits.FEWEST.value:
        return 1.0
    return float(np.mean((off > lags.tolerance_s) & (off < ASTRAY_S)))


def is_astray(share: float) -> bool:
    """Whether pieces leave so many windows beside them that they are laid across a warp."""
    return share >= limits.ASTRAY.value


def is_torn(covered: float) -> bool:
    """Whether pieces cover so little of the shorter side that its order is another one."""
    return covered < limits.WHOLE.value


def is_clear(ahead: float) -> bool:
    """Whether the frames are so many standard deviations ahead of all other places that the phase is not asked."""
    return ahead >= limits.CLEAR_AHEAD.value


def _share(choice: Choice, contrast: Contrast, segments: list[Segment], gain: float) -> float:
    """The share of the windows that agree; of frames alone no more than what they explain."""
    return choice.share if choice.believed else min(choice.share, explained(contrast, segments, gain))


def explained(contrast: Contrast, segments: list[Segment], gain: float) -> float:
    """The share of stretches of BLOCK_S that speak for their place: a line across a warp explains a part of it."""
    if gain <= 0:
        return 0.0
    width = max(1, round(BLOCK_S / contrast.hop_s))
    nats = []
    for segment in segments:
        rows, values = contrast.of_line(segment)
        value = contrast.nats(rows, values, gain)
        nats += [float(part.sum()) for part in np.array_split(value, max(1, len(value) // width)) if len(part)]
    return float(np.mean(np.array(nats) > 0)) if nats else 0.0


def phase_margin(x: Material, y: Material, segments: list[Segment]) -> float:
    """The logarithm of how many times as high the phase peaks at the lines are as the highest at any other place, 0
    to MOST_HEARD. Chunks of the query are looked for about their places, and those that fit in at another place are
    added up there and here. A ratio: clicks are heard very clearly, at every beat."""
    assert x.samples is not None
    half, own = round(REACH_S * x.rate_hz), round(OWN_S * x.rate_hz)
    there, here, count = np.zeros(2 * half + 1), np.zeros(2 * half + 1), np.zeros(2 * half + 1)
    for place, samples in _chunks(x, y, segments):
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


def _chunks(x: Material, y: Material, segments: list[Segment]) -> list[tuple[int, NDArray[np.float32]]]:
    """Stretches of the query, at the pace of the reference, and where in its samples each belongs."""
    chunk_s = min(CHUNK_S, max(1.0, sum(float(s[1, 1] - s[0, 1]) for s in segments) / MOST_CHUNKS))
    places: list[tuple[float, float, float, float]] = []
    for (r0, q0), (r1, q1) in segments:
        count = max(1, int((q1 - q0) / chunk_s))
        rate = (r1 - r0) / (q1 - q0)
        length = min(chunk_s, (q1 - q0) / count)
        places += [(r0 + rate * k * (q1 - q0) / count, q0 + k * (q1 - q0) / count, length, rate) for k in range(count)]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(MOST_CHUNKS, len(places))).astype(int))
    out = []
    for r, q, length, rate in (places[k] for k in chosen.tolist()):
        samples = y.samples_at(rate)
        start, n = round(q * rate * x.rate_hz), int(length * rate * x.rate_hz)
        place = max(0, round(r * x.rate_hz))
        if n >= 0.5 * x.rate_hz and start + n <= len(samples) and place + n <= len(x.samples):  # type: ignore[arg-type]
            out.append((place, samples[start : start + n]))
    return out


def _phases(reference: NDArray[np.float32], query: NDArray[np.float32], rate_hz: float) -> NDArray[np.float64]:
    """The phase correlation at every place that the query fits in, mean 0 and deviation 1."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = int(next_fast_len(len(reference) + len(query), real=True))
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
