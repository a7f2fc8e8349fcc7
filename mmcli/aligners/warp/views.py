"""A free warp between two recordings or two feature files, with its interval where that is calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import frames, inputs, limits, shuffle_test
from mmcli.aligners.core.inputs import hop_of, method_entry
from mmcli.aligners.kernels import coarse, corridor, costs, engine, hmm
from mmcli.aligners.speech import edges, phones
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.errors import InputError
from mmcli.media.clips import AudioClip

Vector = NDArray[np.float64]

LARGE = 400_000_000  # cells; larger pairs are warped coarsely first and exactly in a corridor about that
DELTA = 2  # frames on either side that a change is measured over: 40 ms at 10 ms
NOTES_WEIGH = float(np.sqrt(2.0))  # squared, in the costs
KEY_FRAME_S = 0.5
MOST_KEY_FRAMES = 1500  # of a side; longer recordings more coarsely


@dataclass(frozen=True)
class View:
    """Both sides as one kind of comparison sees them: frames on a common grid, and the metric between them."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    x_times: Vector
    y_times: Vector
    metric: str
    opened: tuple[bool, bool] = (False, False)  # whether the ends of x, of y may be left out

    def ends(self) -> list[tuple[bool, bool]]:
        """What ``opened`` may be, by the lengths: all of both, a part of the longer one, or either."""
        shorter, longer = sorted((len(self.x), len(self.y)))
        ends = [(False, False)] if shorter >= limits.PACE.value * longer else []
        if shorter < limits.PART.value * longer:
            ends.append((len(self.x) > len(self.y), len(self.y) > len(self.x)))
        return ends


@dataclass(frozen=True)
class Warp:
    """The path, its cost, and the posterior about it (None where it is not calibrated, or cannot follow)."""

    path: NDArray[np.int64]
    cost: float
    posterior: Posterior | None


def same_recording(sounds: tuple[Any, Any]) -> View:
    """What two copies of one recording share: log-mel bands and how they change; cosine."""
    bands = [frames.comparable(s) for s in sounds]
    x, y = (np.hstack([f.values, _change(f.values)]).astype(np.float32) for f in bands)
    return View(x, y, bands[0].times, bands[1].times, "cosine")


def rendition(sounds: tuple[Any, Any]) -> View:
    """What two renditions of a piece or text share: pitch classes, the shape of the spectrum, onsets of its bands, and
    onsets of single semitones, which weigh twice as much: they say which note begins when (Ewert, Mueller and Grosche
    2009, "High resolution audio synchronization using chroma onset features")."""
    sides = []
    key = transposition(*sounds)
    for sound, semitones in zip(sounds, (0, key), strict=True):  # the query in the reference's key
        bands, chroma, notes = frames.comparable(sound), frames.pitch_classes(sound), frames.semitones(sound)
        parts = [
            _unit(np.roll(_on(bands.times, chroma), semitones, axis=1)),
            _unit(bands.values.astype(np.float64)),
            _onsets(bands.values.astype(np.float64)),
            NOTES_WEIGH * _onsets(np.roll(_on(bands.times, notes), semitones, axis=1)),
        ]
        sides.append((np.hstack(parts).astype(np.float32), bands.times))
    return View(sides[0][0], sides[1][0], sides[0][1], sides[1][1], "sqeuclidean")


def find(view: View, *, kind: str | None, doubt: float = 1.0) -> Warp:
    """The cheapest warp; ``kind`` names the calibration of its interval, "same", "rendition", "voices", "frames" or
    None, and it is ``doubt`` times as wide as that.

    Long pairs are warped coarsely first, and exactly in a corridor about that.
    """
    x, y, opened = view.x, view.y, view.opened
    cost: float
    if len(x) * len(y) > LARGE and opened == (False, False):
        rough = coarse.align(x, y, factor=8, radius=25, certify=False, metric=view.metric)
        cost, path = rough.cost, rough.path
    else:
        cost, path = engine.align(x, y, metric=view.metric, open_begin=opened, open_end=opened)
    posterior = None
    if kind is not None:
        posterior = about_path(x, y, view.x_times, view.y_times, path, metric=view.metric, kind=kind, doubt=doubt)
    return Warp(path, cost, posterior)


def _on(times: Vector, other: Any) -> NDArray[np.float64]:
    """Features on other times, linearly interpolated."""
    return np.column_stack([np.interp(times, other.times, column) for column in other.values.T])


def _onsets(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much louder each band becomes, fading, with a usual length of 1."""
    rises = _decaying(np.maximum(_change(values), 0.0))
    return np.asarray(rises / max(float(np.sqrt((rises * rises).sum(axis=1)).mean()), 1e-9))


def _change(values: NDArray[Any]) -> NDArray[np.float64]:
    """How much louder each band is DELTA frames later than DELTA frames before."""
    out = np.zeros(values.shape)
    if len(values) > 2 * DELTA:
        out[DELTA:-DELTA] = values[2 * DELTA :] - values[: -2 * DELTA]
    return out


def _decaying(rises: NDArray[np.float64]) -> NDArray[np.float64]:
    """Onsets that fade over five frames, so that those a frame or two apart still meet."""
    out = rises.copy()
    for k, share in enumerate((0.8, 0.6, 0.4, 0.2), start=1):
        out[k:] = np.maximum(out[k:], share * rises[:-k])
    return out


def _unit(values: NDArray[Any]) -> NDArray[np.float64]:
    norm = np.sqrt((values * values).sum(axis=1, keepdims=True))
    return np.asarray(values / np.maximum(norm, 1e-9), dtype=np.float64)


# What is said in a recording, whoever says it: how likely each sound of English is, every 10 ms.
#
# A person and a synthetic voice share little of their spectra, and two voices in another order share as much. What the
# acoustic model hears in them is closer: the probabilities of its 42 sounds, pauses and noises among them, as square
# roots, so that their squared distance is that of Hellinger. Other languages are heard in English sounds, alike on
# both sides. It takes 3 s of CPU a minute, so only pairs of speech that spectra and pitch classes would refuse are
# asked.

SOFT = 2.0  # by which log-likelihoods are divided: neighbouring frames are no independent witnesses
MIDDLE_S = 0.0128  # of a frame of the model, from its beginning
TEST_HOP_S = 0.05
BELOW_DB = 30.0  # the loudest twentieth of a recording: silence
# A sentence of a second and a half has but one block of a second, which no shuffle moves; so few blocks also differ
# much from shuffle to shuffle.
FEWEST_BLOCKS, LEAST_BLOCK_S = 6, 0.2
SHORT_S, SHUFFLES_SHORT, SHUFFLES_LONG = 20.0, 8, 4


def voices_test(x: Any, y: Any) -> tuple[shuffle_test.Evidence, tuple[bool, bool]] | None:
    """The statistic of two AudioClips, and which ends it leaves open; None where they are too short or too long, or
    nobody speaks.

    Silence at the ends is left out: that two sentences begin and end in it says nothing of their words, but puts them
    ahead of any shuffled ones. Of 87 strangers the four nearest lay at 0.67 to 0.81 with it and lie at 0.84 to 0.90
    without, of 24 right pairs (choose, check) none above 0.83.
    """
    if not may_be_heard([float(frames.comparable(v).times[-1]) for v in (x, y)]):
        return None
    sides = [_sounded(v) for v in (x, y)]
    if not all(is_speech(frames.varied(f.values)) for f in sides):
        return None
    sides = [_sounded(v, "sounds between silence") for v in (x, y)]
    (a, at), (b, bt) = (
        frames.coarse(f.values - f.values.mean(axis=0), f.times, round(TEST_HOP_S / frames.HOP_S)) for f in sides
    )
    shorter = min(len(a), len(b)) * TEST_HOP_S
    block = min(shuffle_test.BLOCK_S, max(LEAST_BLOCK_S, shorter / FEWEST_BLOCKS))
    thin = View(a, b, at, bt, "cosine")
    few = SHUFFLES_SHORT if shorter < SHORT_S else SHUFFLES_LONG
    return shuffle_test.best(a, b, TEST_HOP_S, "cosine", ends=thin.ends(), shuffles=few, block_s=block)


def _without_silence(sounds: Features, samples: NDArray[Any]) -> Features:
    """The frames from the first to the last that is loud."""
    level = edges.levels(samples, phones.RATE)
    loud = np.flatnonzero(level > np.percentile(level, 95) - BELOW_DB) * edges.HOP_S
    kept = (sounds.times >= loud[0]) & (sounds.times <= loud[-1] + edges.HOP_S)
    return replace(sounds, values=sounds.values[kept], times=sounds.times[kept])


def may_be_heard(lengths_s: list[float]) -> bool:
    """Whether two recordings are long enough for what is said in them to tell, and not too long to be asked."""
    return min(lengths_s) >= limits.VOICES_SHORTEST_S.value and max(lengths_s) <= limits.VOICES_LONGEST_S.value


def is_speech(varied: float) -> bool:
    """Whether what the acoustic model hears changes so much that somebody may speak: tones and hiss are one sound."""
    return varied >= limits.VARIED.value


def voices(x: Any, y: Any) -> View:
    """Both sides as what is heard in them."""
    a, b = (_sounded(v) for v in (x, y))
    return View(a.values, b.values, a.times, b.times, "sqeuclidean")


def _sounded(sound: AudioClip, wanted: str = "sounds of speech") -> Features:
    """Square roots of the probabilities of the sounds, float32 (frames, 42), every 10 ms; as "sounds between silence"
    without that at the ends."""
    if (features := frames.held(wanted, sound)) is not None:
        return features
    samples = sound.samples(phones.RATE)
    ratios = phones.hear(samples, inputs.name_of(sound)).ratios.astype(np.float32)
    best: NDArray[np.float32] = ratios.reshape(len(ratios), len(phones.names()), -1).max(axis=2)
    chance = np.exp(best / SOFT)
    values = np.sqrt(chance / chance.sum(axis=1, keepdims=True)).astype(np.float32)
    times = np.asarray(MIDDLE_S + frames.HOP_S * np.arange(len(values)), dtype=np.float64)
    whole = Features(values=values, times=times, meta={})
    kept = {"sounds of speech": whole, "sounds between silence": _without_silence(whole, samples)}
    return {name: frames.hold(name, sound, features) for name, features in kept.items()}[wanted]


# How sure a warp is: the posterior of a pair hidden Markov model about it.
#
# Frames of the reference are the time, frames of the query the states; a state emits a frame with probability ``exp(-c
# / (temperature * mean c))``, where c is the local cost and its mean is taken along the path. Forward and backward
# give, for every frame of the reference, the distribution over the frames of the query. Its mean is a better map than
# the cheapest path, above all in noise, and its spread says how well the pair pins the map down.
#
# The spread is not yet an interval: neighbouring frames overlap and are no independent witnesses. What makes it one is
# measured, not derived: ``sqrt((NARROW * half)^2 + (FLOOR * hop)^2)`` either side. On copies of ten recordings (voices
# of espeak-ng, digits, sampled instruments), re-timed by our own stretcher and by both of rubberband's, clean and at
# +10 dB and 0 dB of white noise, it held the truth at 84 to 96 % of the points; part of what it misses is where a
# stretcher put the sound, up to 10 ms beside its own map. Of 17 scores and their renditions on sampled instruments 14
# held 80 % and more; the others are bowed or an organ, which are heard 30 to 50 ms after their keys go down.
# tests/benchmarks/bench_intervals.py measures both on other recordings.

RADIUS_S = 0.6  # of the corridor about the path
STAY, NEXT, SKIPS = 0.25, 0.45, (0.2, 0.07, 0.03)  # chance of moving 0, 1, 2, 3 and 4 query frames on
# voices: of 120 words, said by a person and by espeak-ng
NARROW = {"same": 0.27, "rendition": 1.0, "voices": 2.5, "frames": 1.0}
# Times as wide where the two are less alike, by the statistic of what they are compared by: two pianists that share a
# piano are taken for one recording, and what is bowed or blown in a hall is heard later than struck. On choose of the
# corpus renditions need 2 to 3, orchestras 1.7 to 7.6, covers 1.9 to 4.2; scores and copies 0.5 to 1.4.
DOUBT = {"same": ((0.2, 1.0), (0.35, 3.0)), "rendition": ((0.5, 1.0), (0.6, 3.0))}
FLOOR = 1.0  # frame: no interval is narrower than the frames are apart


def doubt(kind: str, ratio: float) -> float:
    """By how much wider than usual an interval is, for the statistic of the spectra ("same") or pitch classes.

    >>> doubt("same", 0.1), doubt("rendition", 0.55), doubt("rendition", 0.8)
    (1.0, 2.0, 3.0)
    """
    (low, one), (high, most) = DOUBT[kind]
    return round(float(np.interp(ratio, [low, high], [one, most])), 3)


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
    doubt: float = 1.0,
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
        summary = hmm.posterior_summary(
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
    mean = np.interp(summary.mean, at, own)
    spread = (summary.quantiles[:, -1] - summary.quantiles[:, 0]) / 2 * hop
    half = doubt * np.sqrt((NARROW[kind] * spread) ** 2 + (FLOOR * hop) ** 2)
    return Posterior(x_times[rows], np.maximum.accumulate(mean), half)


def _mean_cost(x: NDArray[Any], y: NDArray[Any], path: NDArray[np.int64], metric: str) -> float:
    pattern = "symmetric1" if np.diff(path, axis=0).max(initial=0) <= 1 else "slope2"
    return costs.path_cost(x, y, path, metric, pattern) / len(path)


# A free warp as the alignment artifact.


def freely(x: Any, y: Any, view: View, warp: Warp, quality: dict[str, Any], name: str, config: Any) -> Alignment:
    """The alignment of a warp: knots from the posterior mean with its interval, else from the path."""
    confidence = None
    if warp.posterior is None:
        knots = timemap.from_path(warp.path, view.x_times, view.y_times)
    else:
        p = warp.posterior
        knots = timemap.from_curve(p.t, p.mean)
        confidence = [round(float(v), 6) for v in np.interp(knots[:, 0], p.t, p.half)]
    return Alignment(
        model="warp",
        knots=knots,
        confidence_s=confidence,
        quality=quality,
        method=method_entry(name, config),
        cost=float(warp.cost),
        reference=inputs.about(x),
        query=inputs.about(y),
        path=np.ascontiguousarray(warp.path, dtype=np.int64),
    )


def transposition(x: AudioClip, y: AudioClip, opened: tuple[bool, bool] = (False, False)) -> int:
    """By how many semitones ``y`` has to be raised, -5 to 6, to stand in the key of ``x``; 0 where none is much nearer.

    The key in which a coarse warp of their pitch classes is cheapest. Which pitch classes a piece has on the whole says
    it for many (Serra and Gomez 2008, "Audio cover song identification based on tonal sequence alignment", the optimal
    transposition index), and is a fifth off for others, where a piece goes through keys. Their order says it better,
    and half a second a frame is enough for it.

    ``opened``: whether the ends of x, of y may be left out.
    """
    a, b = (_thin(frames.pitch_classes(s)) for s in (x, y))
    cost = [_key_cost(a, np.roll(b, k, axis=1), opened) for k in range(12)]
    k = int(np.argmin(cost))
    if not is_another_key(cost[k], cost[0]):
        return 0
    return k - 12 if k > 6 else k


def is_another_key(cost: float, as_it_is: float) -> bool:
    """Whether a warp in another key is so much cheaper than without."""
    return cost < limits.ANOTHER_KEY.value * as_it_is


def _thin(chroma: Any) -> NDArray[np.float32]:
    factor = max(1, round(KEY_FRAME_S / hop_of(chroma.times)), -(-len(chroma.values) // MOST_KEY_FRAMES))
    values, _ = frames.coarse(chroma.values, chroma.times, factor)
    return np.asarray(values - values.mean(), dtype=np.float32)


def _key_cost(x: NDArray[np.float32], y: NDArray[np.float32], opened: tuple[bool, bool]) -> float:
    warp = engine.align(x, np.ascontiguousarray(y), metric="cosine", open_begin=opened, open_end=opened)
    return warp.cost / len(warp.path)
