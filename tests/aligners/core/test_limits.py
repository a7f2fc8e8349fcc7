"""Every number that decides does: moved by a quarter, it changes what is said of a small made input near its margin.

The inputs do not read the limits. For most of them one case lies below and one above, so that a value moved either way
is noticed, by the unmoved run here too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmcli.aligners.core import limits, odds, shuffle_test
from mmcli.aligners.core.limits import Limit
from mmcli.aligners.core.shuffle_test import Evidence
from mmcli.aligners.kernels import spoken
from mmcli.aligners.linear import breaks, choose, fit, trace, weigh, windows
from mmcli.aligners.linear.breaks import Piece
from mmcli.aligners.linear.choose import Choice
from mmcli.aligners.linear.consensus import Line
from mmcli.aligners.linear.fit import Fit, Lags, Material
from mmcli.aligners.linear.trace import Run
from mmcli.aligners.live import follower
from mmcli.aligners.methods import auto, motion, subtitles
from mmcli.aligners.output import stretch
from mmcli.aligners.speech import edges, language, phones, transcript
from mmcli.aligners.subtitles import activity, jumps
from mmcli.aligners.subtitles import curve as curve_test
from mmcli.aligners.subtitles.cues import is_a_sign
from mmcli.aligners.warp import keys, sections, structure, views
from mmcli.aligners.warp.structure import Section
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.errors import InputError, MismatchError
from mmcli.media.clips import AudioClip

RATE = 16_000
NAMES = [name for name, value in vars(limits).items() if isinstance(value, Limit)]
# The best of the wrong lies beyond the worst of the right, or the limit beyond both: texts of other languages that lack
# 0.44 of their words are taken for English.
THIN = {"STRANGE"}
CASES: dict[str, tuple[Callable[[], Any], Any]] = {}


def decides(name: str, expected: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Registers what is decided near a limit, and what of it is right."""

    def register(case: Callable[[], Any]) -> Callable[[], Any]:
        assert name not in CASES
        CASES[name] = case, expected
        return case

    return register


def near(name: str, function: Callable[[Any], Any], below: Any, above: Any, expected: Any = (False, True)) -> None:
    """A case of one function on either side of the limit."""
    decides(name, list(expected))(lambda: [function(below), function(above)])


def moved(limit: Limit, sign: int) -> Limit:
    """The limit a quarter lower or higher; whole numbers by one at least."""
    step = max(1, round(abs(limit.value) / 4)) if isinstance(limit.value, int) else abs(limit.value) / 4
    return dataclasses.replace(limit, value=limit.value + sign * step)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_decides_and_moved_by_a_quarter_decides_otherwise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, expected = CASES[name]
    assert case() == expected
    limit: Limit = getattr(limits, name)
    changes = []
    for sign in (-1, 1):
        monkeypatch.setattr(limits, name, moved(limit, sign))
        changes.append(case() != expected)
    assert all(changes), f"{name} moved down: {changes[0]}, up: {changes[1]}"


def test_every_case_is_of_a_limit() -> None:
    assert set(CASES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_lies_between_its_figures(name: str) -> None:
    """A margin that is closed shows here; the thin ones are listed."""
    limit: Limit = getattr(limits, name)
    if limit.right is None or limit.wrong is None:
        return
    low, high = sorted((limit.right, limit.wrong))
    closed = not low <= limit.value <= high or (limit.right > limit.wrong) != (name in HIGH_IS_RIGHT)
    assert closed == (name in THIN)


HIGH_IS_RIGHT = {"SHORT_ENOUGH", "PITCHES_VARIED", "VARIED", "LEAST_NULL", "WHOLE"}


def verdict(align: Callable[[], Any]) -> Any:
    """What comes of it, or "refused"."""
    try:
        return align()
    except MismatchError:
        return "refused"


# Two recordings, two sets of frames.


def walk(frames: int, dims: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((frames, dims)).cumsum(axis=0)


def at_another_pace(noise: float, dims: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A walk, and the same that slows down, in noise."""
    x = walk(240, dims)
    at = np.round(np.linspace(0, 1, 240) ** 1.15 * 239).astype(int)
    return x, x[at] + noise * np.random.default_rng(9).standard_normal((240, dims))


HISS = [AudioClip.from_array(np.random.default_rng(k).standard_normal(3 * RATE) / 9, RATE) for k in (0, 1)]


def kind_taken(ratio: float) -> str:
    """What `auto` takes two sounds with these statistics for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto, "_tested", lambda view, opened: Evidence(ratio, 1.0, 1.0))
        patch.setattr(views, "voices_test", lambda x, y: None)
        reason = auto._warped_sound(*HISS, 0.0, 0.0, auto.Config()).reason
    return reason.partition("taken for ")[2].partition(" (")[0]


near("MATCH", lambda p: odds.verdict(p), 0.78, 0.82, ("unsure", "match"))
near("NO", lambda p: odds.verdict(p), 0.13, 0.17, ("no match", "unsure"))
near("SAME", kind_taken, 0.50, 0.60, ("one recording twice", "two renditions"))
near("VOICES_SHORTEST_S", lambda t: views.may_be_heard([t, 30.0]), 1.8, 2.2)
near("VARIED", views.is_speech, 0.25, 0.35)
near("ANOTHER_KEY", lambda cost: keys.is_another_key(cost, 1.0), 0.6, 0.7, (True, False))


def statistic(cost: float, null: float, exchanged: float) -> float:
    """Of a query that warps at such a cost, shuffled and with its halves exchanged at others."""
    x = np.eye(40)
    costs = {0.0: cost, 20.0: exchanged}  # the frame that comes first tells which of them is measured
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            shuffle_test, "_warped", lambda x, y, metric, opened: (costs.get(float(np.argmax(y[0])), null), 1.0)
        )
        patch.setattr(shuffle_test, "shuffled", lambda y, block, seed: y[1:])
        return round(shuffle_test.measure(x, x, 0.1, "cosine", opened=(False, False)).ratio, 3)


near("MAY_REPEAT", lambda cost: statistic(cost, 1.0, 0.95), 0.75, 0.85, (0.789, 0.85))
near("LEAST_NULL", lambda null: statistic(0.9 * null, null, null), 0.3, 0.42, (0.925, 0.9))


near("PITCHES_VARIED", auto.have_order, 0.018, 0.022)
near("SECTIONS_GAIN", lambda gain: auto.is_music((gain, 10.0)), 31.0, 35.0)


def parted(frames: int) -> int:
    """How many sections two sides have of which one leaves out so many frames in the middle."""
    x = structure.unit(np.random.default_rng(7).standard_normal((260, 12)))
    y = np.concatenate([x[:100], x[100 + frames :]])
    return len(structure.find(x, y, 0.1, 0.8).sections)


near("JUMP_S", parted, 30, 36, (1, 2))


def kept_sections(frames: int) -> int:
    parts = sections.Sections(None, None)
    a = np.stack([np.arange(frames), np.arange(frames)], axis=1)
    b = np.stack([np.arange(60), np.arange(60)], axis=1) + 200
    grid = np.arange(400) * 0.1
    side = np.zeros((400, 2), np.float32), grid
    parts.__dict__["thin"] = (side, side)
    parts._find = lambda y, banned=None: structure.Structure((Section(a, 5.0), Section(b, 9.0)), 14.0, 0.1)
    return len(parts.found.sections)


near("SECTION_S", kept_sections, 28, 34, (1, 2))
near("WHOLE", weigh.is_torn, 0.57, 0.63, (True, False))
near("VOICES_LONGEST_S", lambda t: views.may_be_heard([30.0, t]), 270.0, 330.0, (True, False))


def frames_verdict(pair: tuple[np.ndarray, np.ndarray]) -> str:
    return odds.verdict(auto._warped_frames(*pair, auto.Config()).probability)


@decides("WIDE", ["no match", "match"])
def wide() -> list[str]:
    """Seven columns and eight of one walk, the first of them large and strange."""
    out = []
    for dims in (7, 8):
        x, y = at_another_pace(0.2, dims)
        x[:, 0], y[:, 0] = 30 * walk(240, 1, 5)[:, 0], 30 * walk(240, 1, 6)[:, 0]
        out.append(frames_verdict((x, y)))
    return out


def ends(shorter: int) -> list[tuple[bool, bool]]:
    x, y = np.zeros((100, 1), np.float32), np.zeros((shorter, 1), np.float32)
    return views.View(x, y, np.arange(100.0), np.arange(float(shorter)), "euclidean").ends()


WHOLE, PART = (False, False), (True, False)
near("PART", ends, 65, 80, ([WHOLE, PART], [WHOLE]))
near("PACE", ends, 25, 35, ([PART], [WHOLE, PART]))


# Following.

near("LIVE_STRANGE", follower.is_strange, 0.55, 0.70)
near("LIVE_PROVEN", follower.is_proven, 0.50, 0.60, (True, False))


# Lines.


def against(nats: float) -> int:
    """How many stretches speak against their place, where one does by so much."""
    return len(trace._against(np.array([1.0] * 5 + [-nats / 4] * 4 + [1.0] * 5)))


near("UNEXPLAINED", against, 5.0, 7.0, (0, 1))
near("BEYOND_CHANCE", lambda nats: trace.is_elsewhere(np.log(1001.0) + nats, 1000.0), 7.0, 9.0)
LINE = Run(0.0, 1.0, 0.0, 9.0)
near("LEAST_MOVE_S", trace.is_a_move, 0.025, 0.035)
near(
    "SHORTEST_S",
    lambda head: len(trace._inserted([Run(0.0, 1.0, 0.0, 9.0)], Run(5.0, 1.0, head, 9.0))),
    0.7,
    0.8,
    (1, 2),
)


def end(moved: float = 0.01, z: float = 9.0, count: int = 3, jitter: float = 0.0) -> bool:
    """Whether the first windows of a piece, so many, are heard at a lag of their own."""
    lags = [moved, moved + jitter, *[moved] * (count - 2)][:count]
    heard = iter([(lag, z) for lag in lags] + [(0.0, 99.0)] * 20)
    one = Material(hiss(10), np.arange(10.0), {}, np.zeros(99, np.float32), 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "refine", lambda x, y, rate, centre, lag, **_: next(heard))
        return trace._other_lag(one, one, Run(0.0, 1.0, 0.0, 20.0), at_end=False) is not None


near("END_OTHER_S", lambda moved: end(moved), 0.0035, 0.0045)
near("END_SAME_S", lambda jitter: end(jitter=jitter), 0.0018, 0.0022, (True, False))
near("END_Z", lambda z: end(z=z), 6.5, 7.5)
near("END_FEWEST", lambda count: end(count=count), 1, 2)
near("CLEAR_AHEAD", weigh.is_clear, 9.0, 11.0)


def lags(
    lag: Any, t: Any = None, z: Any = None, *, score: Any = None, hop: float = 0.1, window: float = 2.0, **more: Any
) -> Lags:
    lag = np.asarray(lag, dtype=np.float64)
    t = np.arange(len(lag), dtype=np.float64) if t is None else np.asarray(t, dtype=np.float64)
    score = np.ones(len(lag)) if score is None else np.asarray(score)
    z = None if z is None else np.asarray(z, dtype=np.float64)
    return Lags(t, lag, score, z, z is not None, 1.0, window, hop, **more)


def line(of: Lags, *, slope: float = 0.0, agree: Any = None, error: float = 0.01, rate: float | None = None) -> Fit:
    agree = np.ones(len(of.t), bool) if agree is None else np.asarray(agree)
    return Fit("affine", 0.0, rate or 1.0 + slope, of, Line(0.0, slope, agree, error))


def material(values: np.ndarray, hop: float = 0.1) -> Material:
    return Material(values, np.arange(len(values)) * hop, {"name": "made"})


def hiss(frames: int, seed: int = 0, dims: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((frames, dims))


def partly(strange: int) -> Choice:
    """Frames, and the same with the last ``strange`` of 300 others."""
    x = hiss(300)
    y = np.concatenate([x[: 300 - strange], hiss(strange, 1)])
    return choose.choose(material(x), material(y), window_s=2.0, step_s=1.0)


near("ENOUGH", lambda strange: partly(strange).believed, 141, 105, (False, True))


@decides("CLEAR", [True, False])
def clear() -> list[bool]:
    """Whether breaks were looked for, where a few frames are cut out near the end."""
    out = []
    for at in (1000, 1110):
        x = hiss(1200, dims=4)
        y = np.concatenate([x[:at], x[at + 8 :]])
        choice = choose.choose(material(x), material(y), window_s=2.0, step_s=1.0)
        out.append("piecewise" in choice.shares)
    return out


near("POINTS", lambda simpler: choose.as_good(simpler, 0.97), 0.85, 0.88)
near("BREAKS_AHEAD", lambda share: choose.is_ahead(share, 0.8), 0.818, 0.822)


def pieces_share(replaced: float) -> float:
    """The share of windows explained where 4 s of the reference stand in place of some seconds of the query."""
    t = np.arange(0.0, 30.0)
    agree = (t < 12) | (t > 12 + replaced)
    of = lags(np.where(t < 12, 0.0, 4.0 - replaced), t)
    first, second = (
        Piece(0.0, 0.0, 0.0, 11.0, agree & (t < 12)),
        Piece(4.0 - replaced, 0.0, 16.0, 29.0, agree & (t > 12)),
    )
    segments = [np.array([[0.0, 0.0], [12.0, 12.0]]), np.array([[16.0, 12.0 + replaced], [34.0, 30.0 + replaced]])]
    share, _ = choose._share_of_pieces(material(hiss(400)), of, [first, second], segments)
    return share


near("EVEN", lambda replaced: pieces_share(replaced) == 1.0, 2.8, 3.6, (True, False))


def searched(longer: float) -> str:
    x = hiss(int(200 * longer))
    return choose.choose(material(x[:200]), material(x), window_s=2.0, step_s=1.0).repeats


near("LONGER", searched, 1.1, 1.35, ("reference", "query"))


def believed(z: Any, agree: int) -> bool:
    of = lags(np.zeros(10), z=z)
    return choose._believed(line(of, agree=np.arange(10) < agree), np.arange(10) < agree)


near("FEWEST", lambda agree: believed(np.full(10, 20.0), agree), 2, 3)
near("CLEAR_Z", lambda z: believed(np.full(10, z), 10), 7.0, 9.0)
near("SHARP_Z", lambda z: lags([0.0], z=[z]).trusted.tolist(), 5.0, 7.0, ([0.0], [1.0]))
near("SHARP_SHARE", lambda n: fit.are_sharp(np.where(np.arange(20) < n, 20.0, 1.0)), 5, 7)

ROUGH = np.where(np.arange(40) % 2, 0.1, -0.1)  # about a line, so that no slope is chance


def sloped(deviations: float) -> Fit:
    """A line that many deviations of its slope steep."""
    slope = deviations * line(lags(ROUGH)).slope_deviation
    return line(lags(ROUGH + slope * np.arange(40)), slope=slope, error=0.01)


near("SURE", lambda deviations: choose._drifts(sloped(deviations)), 3.5, 4.5)


def name_of(beside: float, error: float = 0.1) -> str | None:
    """The name that is given to a rate beside 24/25."""
    rate = 24 / 25 + beside
    of = lags(ROUGH + (rate - 1.0) * np.arange(40))
    return choose._named(line(of, slope=rate - 1.0, error=error, rate=rate))[0]


near("NAMES_APART", name_of, 0.45e-3, 0.52e-3, ("24/25", None))
near("NAMED_WORSE", lambda error: name_of(0.1e-3, error), 0.046, 0.060, (None, "24/25"))


def ambiguous(share: float) -> bool:
    of = line(lags([0.0, 0.0], rival=(4.0, share)))
    return Choice("offset", of, [], 1.0, {"offset": 1.0}, None).ambiguous is not None


near("AMBIGUOUS", ambiguous, 0.85, 0.95)


def rival(lag: list[float], score: float = 0.9) -> float:
    """The share of windows that fit nearly as well at one other lag, where the chosen one scores 0.9 at lag 0."""
    places = np.array([[0.0, other] for other in lag])
    scores = np.array([[0.9, score]] * len(lag))
    found = windows.Positions(np.arange(float(len(lag))), places, scores, 2.0, 1.0)
    return windows.rival(found, np.zeros(len(lag), np.int64))[1]


near("NEARLY", lambda score: rival([4.0] * 4, score), 0.75, 0.88, (0.0, 1.0))
near("ELSEWHERE_S", lambda lag: rival([lag] * 4), 0.45, 0.55, (0.0, 1.0))
near("ALIKE_S", lambda apart: rival([4.0, 4.0 + apart]), 0.07, 0.09, (1.0, 0.5))


def tracked(gain: float) -> list[int]:
    """The candidates of three windows: the second correlates by ``gain`` more in two places that are jumps away."""
    lag, score = np.array([[0.0, 9.0], [0.0, 5.0], [0.0, 9.0]]), np.array([[0.9, 0.1], [0.1, 0.1 + gain], [0.9, 0.1]])
    found = windows.Positions(np.arange(3.0), lag, score, 2.0, 1.0)
    return windows.track(found).tolist()


near("JUMP_PRICE", tracked, 0.9, 1.1, ([0, 0, 0], [0, 1, 0]))


def short_ones(wrong: int, *, quiet: float = 1.0, length: int = 200) -> bool:
    """Whether short windows say that a line holds, whose last ``wrong`` frames are others, as loud as ``quiet``."""
    x = hiss(length, dims=64)
    y = np.concatenate([x[: length - wrong], quiet * hiss(wrong, 1, 64)])
    segment = np.array([[0.0, 0.0], [(length - 1) * 0.1] * 2])
    return choose.holds(material(x), material(y), lags([0.0], window=2.0), [segment])


def few_short_ones(frames: int) -> bool:
    """The same of so many frames that stand nowhere in the reference: as many windows as eights of them overlap."""
    end = (frames - 1) * 0.1
    segment = np.array([[3.0, 0.0], [3.0 + end, end]])
    return choose.holds(material(hiss(80)), material(hiss(frames, 2)), lags([0.0], window=2.0), [segment])


near("SHORT_ENOUGH", short_ones, 100, 60)
near("SHORT_FEWEST", few_short_ones, 12, 16, (True, False))
near("SHORT_QUIET", lambda quiet: short_ones(100, quiet=quiet), 0.21, 0.25, (True, False))

near("RATE_ENOUGH", lambda n: line(lags(np.zeros(20)), agree=np.arange(20) < n).is_enough, 11, 13)
near("UNSETTLED", lambda slope: line(lags(np.zeros(9)), slope=slope).is_settled, 0.0018, 0.0022, (True, False))


def groups(second: Any, *, score: float = 1.0, z: bool = False) -> int:
    """How many groups of windows there are: twelve at lag 0, and others."""
    lag = np.concatenate([np.zeros(12), second])
    quality = np.concatenate([np.ones(12), np.full(len(second), score)])
    of = lags(lag, z=20 * quality if z else None, score=quality)
    return len(breaks.groups(of, line(of)))


near("GROUP_FEWEST", lambda n: groups(np.full(n, 5.0)), 2, 3, (1, 2))
near("GROUP_SHARP_S", lambda apart: groups(np.full(6, apart), z=True), 0.0025, 0.0035, (1, 2))
near("GROUP_SCORE", lambda score: groups(np.full(6, 5.0), score=score), 0.25, 0.35, (1, 2))


def meeting(noise: float, lost: int = 60) -> tuple[float, float]:
    """Where two pieces end and begin about frames that the query lacks, ten of them in noise just before the break."""
    x = hiss(400)
    y = np.concatenate([x[:200], x[200 + lost :]])
    y[190:200] = noise * hiss(10, 3) + (1 - noise) * y[190:200]
    a, b = (Piece(lag, 0.0, s, e, np.ones(1, bool)) for lag, s, e in ((0.0, 0.0, 15.0), (lost / 10, 25.0, 33.0)))
    return breaks._meeting(material(x), material(y), a, b, 1.0, 0.1)


near("PARTNER", lambda noise: meeting(noise)[0] > 19.5, 0.65, 0.70, (True, False))


def replaced(frames: int) -> bool:
    """Whether some frames of 20 ms are said to have no partner on either side, before a second that the query lacks."""
    x = hiss(400)
    y = np.concatenate([x[:200], hiss(frames, 4), x[250 + frames :]])
    a, b = (Piece(lag, 0.0, s, e, np.ones(1, bool)) for lag, s, e in ((0.0, 0.0, 3.6), (1.0, 4.8, 6.6)))
    end, start = breaks._meeting(material(x, 0.02), material(y, 0.02), a, b, 1.0, 0.02)
    return start - end > 0.1


near("EVEN_S", replaced, 21, 29)


# A film without sound. Curves are zero but for what happens, every 10 ms.


def place_of(strength: float, rival: float) -> motion.Place:
    return motion.Place(0.0, 1.0, strength, rival)


near("MOTION_Z", lambda z: motion.doubt(place_of(0.5, 0.1), z, "", "a") is None, 5.0, 7.0)
near("MOTION_RIVAL", lambda rival: motion.doubt(place_of(1.0, rival), 20.0, "", "a") is None, 0.8, 0.9, (True, False))


def happening(seconds: float, seed: int = 0) -> np.ndarray:
    out = np.zeros(int(seconds * 100))
    rng = np.random.default_rng(seed)
    out[rng.choice(len(out), len(out) // 25, replace=False)] = rng.uniform(0.5, 1.0, len(out) // 25)
    return np.convolve(out, np.hanning(9), mode="same")


def beside(lag: float) -> bool:
    """Whether what happens twice, so many seconds apart, is another place."""
    once, k = np.zeros(3000), int(lag * 100)
    once[500:2500:400] = 1.0
    once = np.convolve(once, np.hanning(5), mode="same")
    return motion.place(once + np.roll(once, k), once).rival > 0.6


near("MOTION_NEAR_S", beside, 0.27, 0.33)


def shared(seconds: float, whole: float) -> bool:
    """Whether two curves that have so much in common are put where they have."""
    long = happening(2 * whole)
    x, y = long[: int(whole * 100)], long[int((whole - seconds) * 100) :][: int(whole * 100)]
    return abs(motion.place(x, y).offset_s - (whole - seconds)) < 0.05


near("MOTION_SHARED", lambda share: shared(share * 40.0, 40.0), 0.45, 0.55)
near("MOTION_SHARED_S", lambda seconds: shared(seconds, 12.0), 7.0, 9.0)


def rate_of(gain: float) -> float:
    """The rate, where a named one correlates so many times as well as 1."""
    with pytest.MonkeyPatch.context() as patch:
        curves = {1.0: 0.5, 24 / 25: 0.5 * gain}
        y = np.zeros(100)
        patch.setattr(motion, "stretched", lambda y, rate: np.full(1, curves.get(rate, 0.1)))
        patch.setattr(motion, "correlation", lambda x, y: (y, 0))
        return motion.place(y, y).rate


near("MOTION_NAMED", rate_of, 0.90, 1.15, (1.0, 24 / 25))


# Subtitles.


def programme(cues: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pauses, lengths = rng.uniform(0.6, 2.0, cues), rng.uniform(1.0, 4.0, cues)
    starts = np.cumsum(pauses + np.concatenate([[0.0], lengths[:-1]]))
    return np.column_stack([starts, starts + lengths])


def curve(cues: np.ndarray) -> np.ndarray:
    return activity.of_cues([(s, e) for s, e in cues], float(cues.max()) + 2.0)


def enough_cues(count: int) -> bool:
    cues = programme(count)
    try:
        subtitles.placed(curve(cues), [(s, e, "") for s, e in cues.tolist()], name="a.srt", force=True)
    except InputError:
        return False
    return True


near("FEWEST_CUES", enough_cues, 4, 5)


near("CUES_UNDER_A_SIGN", is_a_sign, 3, 4)
near("CUES_CLEAR", curve_test.is_clear, 50.0, 70.0)
near("CUES_OF_A_PIECE", curve_test.is_a_piece, 2, 3)
near("CUES_ONE_LAG_S", lambda apart: len(jumps._pieces(np.array([0.0] * 4 + [apart] * 4))), 0.45, 0.55, (1, 2))
near("CUES_SIMPLER", lambda nats: curve_test.is_as_good(np.sqrt(2 * nats), np.sqrt(20.0)), 6.8, 7.2)


def late(count: int, gain: float = 1.0) -> int:
    """Under how many offsets cues lie, the last so many of which are late by half a minute, where the activity is so
    clear."""
    cues = programme(40)
    whole = curve(cues)
    cells = gain * whole[: len(whole) // 5 * 5].reshape(-1, 5).mean(axis=1)
    moved = cues.copy()
    moved[len(cues) - count :] += 30.0
    shape = jumps.Shape(*curve_test._intervals(moved, None, 1.0))
    scale = limits.CUES_GAIN.value / 16
    placed = jumps.place(cells, 0.05, cues[:, 0], moved[:, 0], {1.0: shape}, scale)
    return 1 if placed is None else len(placed.pieces)


near("CUES_JUMP", lambda gain: late(2, gain), 0.85, 1.0, (1, 2))
near("CUES_GAIN", lambda gain: late(2, gain), 0.85, 1.0, (1, 2))


def restanding(more: float) -> bool:
    """Whether two pieces are worth their price that say so much more than one line."""
    said = {1: 5.0, 2: 5.0 + more, 3: 0.0}  # of the line, of the first piece, of the second
    contrast = SimpleNamespace(x=SimpleNamespace(times=[0.0]), speaks=lambda segment: said[int(segment[0, 1])])
    whole, part, none = (Run(0.0, 1.0, float(start), 9.0) for start in (1, 2, 3))
    return curve_test._restanding(curve_test.Standing(0.0, 0.0, 0.0), contrast, whole, [part, none]).nats > 0


near("CUES_MOVED", restanding, 2.6, 3.4)


def apart(seconds: float) -> int:
    """How many edges place cues that all end so much later than speech does."""
    cues = programme(12)
    run = Run(0.0, 1.0, 0.0, 99.0)
    return curve_test._sharpened(cues, run, cues[:, 0], np.sort(cues[:, 1] - seconds)).edges


near("CUES_APART_S", apart, 0.09, 0.11, (24, 12))


def settled(drift: float, usual: float) -> bool:
    """Whether a rate of 1 is taken of cues that lie so far about a line, which drifts by so much from end to end."""
    starts = np.linspace(0.0, 1000.0, 400)
    noise = np.random.default_rng(0).standard_normal(400) * usual / 0.6745
    cues = np.column_stack([starts, starts + 1.0])
    run = Run(0.0, 1.0, -1.0, 1001.0)
    return curve_test._settled(cues, [(0, 400, run)], 1.0, starts * (1.0 + drift / 1000.0) + noise)[0] == 1.0


near("CUES_SETTLED_S", lambda drift: settled(drift, 0.025), 0.10, 0.12, (True, False))
near("CUES_SAME_ERROR", lambda drift: settled(drift, 0.01), 0.06, 0.07, (True, False))


def speaks(level_db: float, ceiling_db: float = 0.0, floor_db: float = -60.0) -> bool:
    """Whether what is so loud is taken for speech, in a recording that is now at its floor and now at its ceiling."""
    levels = np.repeat([floor_db, ceiling_db] * 6, RATE // 2)
    levels[5 * RATE // 2 : 6 * RATE // 2] = level_db
    samples = 0.3 * 10 ** (levels / 20) * np.random.default_rng(0).standard_normal(len(levels))
    found = activity.of_sound(AudioClip.from_array(samples.astype(np.float32), RATE))
    return bool(np.median(found[260:290]) > 0)


near("SPEECH", speaks, -39.0, -33.0)
near("SPEECH_DB", lambda range_db: speaks(0.0, 0.0, -range_db), 4.0, 5.5)


# A text. Words of three states in recordings of nothing else.


def heard(cost: float, frames: int, foreign: bool = False) -> tuple[list[int], bool]:
    """Which of three words are spoken, and whether there is other speech, by the best way: the middle one takes so many
    frames, in which its states fit so many nats worse than the best sound."""
    ratios = np.full((18 + frames, 9), -200.0, np.float32)
    ratios[:9, :3] = ratios[9 + frames :, 6:] = 0.0
    ratios[9 : 9 + frames, 3:6] = -cost
    path = best_way(ratios, foreign)
    return sorted({int(state) // 3 for state in path if state >= 0}), bool(np.any(path == spoken.FILLER))


def best_way(ratios: np.ndarray, foreign: bool = False) -> np.ndarray:
    """What every frame is, where words of three states are a phrase each."""
    states = ratios.shape[1]
    chain = np.arange(states), np.arange(0, states + 1, 3), np.arange(states // 3 + 1)
    silence = np.full(len(ratios), -200.0, np.float32)
    return spoken.search(ratios, silence, *chain, transcript.prices(foreign=foreign), open_end=False)[0]


near("FILLER", lambda cost: heard(cost, 400)[1], 2.5, 2.65)
near("FILLER_FOREIGN", lambda cost: heard(cost, 400, True)[1], 3.5, 3.65)
near("FILLER_BEGIN", lambda cost: heard(cost, 20)[1], 4.0, 4.5)
near("SKIP", lambda cost: heard(cost, 20)[0], 21.0, 24.0, ([0, 1, 2], [0, 2]))
near("POOR", transcript.is_poor, -1.8, -1.4, (True, False))
near("LIKELY", lambda fit: transcript.is_likely(fit, spoken.Prices(2.5, 30.0, 60.0, 0.5)), -2.1, -1.9)


def trusted(gain: float) -> int | None:
    """Whether a window ends with a run of a phrase that is so much better than a filler."""
    window = transcript._Window(np.zeros(200, np.int32), [(0, 100, gain / 100 - 2.5)], np.zeros(3))
    return transcript._trusted(window, np.array([0, 1]), 190, 2.5)


near("TRUSTED", trusted, 350.0, 450.0, (None, 1))


def skipped(cost: float) -> list[int]:
    """Of four words, two in the middle are left out together, or the second of them only."""
    ratios = np.full((21, 12), -200.0, np.float32)
    ratios[:9, :3] = ratios[12:, 9:] = 0.0
    ratios[9:12, 6:9] = -cost / 3
    ratios[9:12, 9:] = 0.0
    return sorted({int(state) // 3 for state in best_way(ratios) if state >= 0})


near("SKIP_MORE", skipped, 0.45, 0.55, ([0, 2, 3], [0, 3]))


def told(german: int, english: int, strange: int, marked: int = 0) -> str:
    """The language of a text of so many words of German, of English, of none, and of German with other letters."""
    known = phones.dictionary()
    own = sorted(w for w in language.COMMON["de"].split() if w not in language.COMMON["en"].split() and w.isascii())
    own = [w for w in own if w in known]
    parts = [(own, german), (sorted(w for w in known if w.isalpha())[5000:], english), (["xqzvk"], strange)]
    text = " ".join(w for words, n in parts for w in [words[k % len(words)] for k in range(n)])
    return verdict(lambda: language.detect(f"{text} {' '.join(['für'] * marked)}", "a.txt"))


near("STRANGE", lambda n: told(0, 100 - n, n), 45, 55, ("en", "refused"))
near("STRANGE_WORDS", lambda n: told(0, 0, n), 4, 5, ("en", "refused"))
near("COMMON_AHEAD", lambda n: told(n, 80 - n, 20), 9, 11, ("en", "de"))
near("LACKING", lambda n: told(60, 40 - n, n), 13, 17, ("en", "de"))
near("MARKED", lambda n: told(600, 400 - n, 0, n), 45, 55, ("en", "de"))


def drawn(level: float, *, quiet: int = 0, loud: int = 40) -> list[tuple[float, float]]:
    """A word of 0.5 s at a level of the way from floor to ceiling for its first part, and after ``quiet`` another."""
    out = np.full(600, 0.0)
    out[100:300] = 100.0  # so that there is a ceiling
    out[340:400] = 100.0 * level
    out[400 : 400 + loud] = 100.0
    return edges.drawn_in([(0.5, 1.5), (1.7, 2.2)], out)


near("QUIET", lambda level: drawn(level)[1][0], 0.22, 0.28, (1.9, 1.7))


def closure(quiet: int) -> float:
    """Where a word ends that so many steps of 5 ms of quiet part from the next."""
    out = np.full(600, 0.0)
    out[100:300] = 100.0
    out[300 + quiet : 500] = 100.0
    return edges.drawn_in([(0.5, 1.5 + quiet * 0.0025), (1.5 + quiet * 0.0025, 2.5)], out)[0][1]


near("PAUSE_S", lambda quiet: closure(quiet) == 1.5, 14, 18)


def left(loud: int) -> float:
    """Where a word of 0.3 s begins of which so many steps of 5 ms are loud."""
    out = np.full(600, 0.0)
    out[100:300] = 100.0
    out[430 : 430 + loud] = 100.0
    return edges.drawn_in([(2.1, 2.4)], out)[0][0]


near("WORD_S", left, 5, 7, (2.1, 2.15))


def follows(rate: float) -> bool:
    knots = np.array([[0.0, 0.0], [10.0 * rate, 10.0]])
    return stretch.follows(TimeMap(knots, model="affine", offset_s=0.0, rate=rate))


near("DRIFT", follows, 1.0027, 1.0033, (True, False))
