"""The simplest map that explains the pair, or a refusal: an offset, an offset and a rate, lines with breaks, or a warp.

Lines are tried first (:mod:`.choose`); recordings that share one are the same recording, and their phase says so
beyond doubt. Where none fits, the pair is tested for belonging together (:mod:`.shuffle_test`), then warped by what it
shares: two copies of one recording by their spectra, two renditions of one piece or text by pitch classes, spectra and
onsets, two voices that share neither by the sounds of speech (:func:`.views.voices`). A pair that does not belong
together raises MismatchError with the evidence, unless ``force`` is set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mmcli.aligners.core import frames, inputs, limits, odds, shuffle_test
from mmcli.aligners.core.odds import settled
from mmcli.aligners.linear import choose, fit, movement, weigh
from mmcli.aligners.linear.alignment import broken, overlap, straight
from mmcli.aligners.linear.strength import strengths
from mmcli.aligners.warp import canonical, sections, views
from mmcli.aligners.warp.views import View, find, freely
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.errors import UsageError
from mmcli.media.clips import AudioClip

ACCEPTS = (("audio", "audio"), ("features", "features"))
WIDTHS = "any"  # of features of two kinds: those are warped through what they share
TEST_HOP_S = 0.05  # of the frames that the test for belonging together compares
STEADY_AHEAD, STEADY_SHARE = 0.5, 0.7
PITCHES_S = 10.0  # shorter than that, pitch classes are so few that their order is like another's by chance
PACES = (1.0, 2.5, 0.4)  # of a score against its performance; about each, slopes between 1/3 and 3 are found
SAME_PLACE_S = 0.15  # at the middle of the query
MOVED_HALF_S = 0.03  # half of the 90 % interval of an offset by when both move: 0 to 24 ms off in 9 pairs of the corpus
CONTEXT = 9  # of them, 0.45 s, stand together: what single frames share by chance, so long a stretch does not


@dataclass(frozen=True)
class Config:
    """What kind of pair it is, and what happens to one that does not match."""

    kind: Literal["auto", "same", "rendition"] = "auto"  # one recording twice, or two renditions; auto: by the spectra
    force: bool = False  # make a map even where the pair does not match
    window_s: float = 10.0  # length of the windows that lines are fitted to, seconds, above 0
    step_s: float = 4.0  # from one window to the next, seconds, above 0
    repeats: Literal["auto", "written"] = (
        "auto"  # of two renditions: whether one may leave out sections or play them again
    )

    def __post_init__(self) -> None:
        if not (self.window_s > 0 and self.step_s > 0):
            raise UsageError("window_s and step_s must be above 0")


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The map between ``x`` (the reference) and ``y``: arrays (frames, dims), Features or AudioClips.

    Raises MismatchError with the probability where the pair does not match or that cannot be told.
    """
    candidate = best(x, y, config)
    weighed = [odds.said(c.decision, c.evidence) for c in (candidate, *candidate.others)]
    verdict = settled(
        candidate.probability,
        candidate.reason,
        inputs.name_of(y) or None,
        force=config.force,
        decides=candidate.decides,
        evidence={"candidates": weighed},
    )
    quality = {
        "ratio": candidate.ratio,
        "verdict": verdict,
        "reason": candidate.reason,
        "probability": candidate.probability,
        "candidates": weighed,
    }
    return replace(candidate.make(), quality=quality)


@dataclass(frozen=True)
class Candidate:
    """A map that may be right: the ``decision`` whose odds say how likely, the ``evidence`` they are made of, a clause
    with the ``reason``, and how it is made."""

    decision: str
    evidence: dict[str, float]
    reason: str
    make: Callable[[], Alignment]
    ratio: float | None = None
    decides: str = "a longer piece of either side would decide it"
    others: tuple[Candidate, ...] = ()  # that were weighed too
    line: tuple[float, float] | None = None  # offset in seconds and rate, where it is one line
    astray: bool = False  # pieces beside which much is heard: a warp that matches is nearer the truth

    @property
    def probability(self) -> float:
        """That it is right."""
        return odds.probability(self.decision, self.evidence)

    def beside(self, *others: Candidate | None) -> Candidate:
        """The same with the others that were weighed too."""
        more = [c for other in others if other is not None for c in (other, *other.others)]
        return replace(self, others=(*self.others, *more))


def best(x: Any, y: Any, config: Config = Config()) -> Candidate:
    """The likelier of the candidates: lines where they are sure, else what is likelier of lines and a warp."""
    if inputs.differ(x, y):
        return _likelier(_of_two_kinds(x, y, config), x, y, config)
    a, b = fit.materials(x, y)
    line, runner_up, choice = None, None, None
    if config.kind != "rendition":
        choice = choose.choose(a, b, window_s=config.window_s, step_s=config.step_s)
        line = _line(a, b, choice, config)
        if line is not None and odds.verdict(line.probability) == "match" and not line.astray:
            return line
        runner_up = {"model": choice.model, "share": round(choice.share, 4)}
    fits = choice is not None and weigh.fits_well(choice.fit.score)
    steady = _steady(line.evidence) if line is not None and fits else 0.0
    copied, clear = (0.0, 0.0) if choice is None else (choice.fit.copied, choice.fit.clear)
    sound = isinstance(x, AudioClip)
    warp = _warped_sound(x, y, steady, copied, config, clear) if sound else _warped_frames(x, y, config)
    if line is not None and line.astray and odds.verdict(warp.probability) == "match":
        return _changed(warp, runner_up=runner_up).beside(line)
    if line is not None and choice is not None and choice.believed and (a.samples is None or is_whole(choice.share)):
        # What belongs together by a warp is a line where all its windows say so: smooth frames are never far ahead.
        if odds.verdict(warp.probability) == "match":
            return replace(warp, reason=line.reason, make=line.make, line=line.line).beside(line)
        if a.samples is None and odds.verdict((both := _both_say(line, warp)).probability) == "match":
            return both.beside(line, warp)
    if line is not None and line.probability > warp.probability:
        line = line.beside(warp)
        return line if a.samples is not None else _likelier(line, x, y, config)
    warp = _changed(warp, runner_up=runner_up).beside(line)
    return warp if a.samples is not None else _likelier(warp, x, y, config)


def is_whole(share: float) -> bool:
    """Whether a line holds so many of the windows of a sound that it stands where the pair belongs together."""
    return share >= limits.CLEAR.value


def _both_say(line: Candidate, warp: Candidate) -> Candidate:
    """The line, with what its windows and the warp say of the pair together: two witnesses of one thing."""
    evidence = {"line": odds.logarithm(line.probability), "warp": odds.logarithm(warp.probability)}
    return replace(line, decision="line and warp", evidence=evidence)


def _changed(candidate: Candidate, **fields: Any) -> Candidate:
    """The candidate with other fields of its map."""
    return replace(candidate, make=lambda: replace(candidate.make(), **fields))


def _likelier(candidate: Candidate, x: Any, y: Any, config: Config) -> Candidate:
    """The candidate, or where it is no match a line by the strength of two movements that is likelier."""
    if odds.verdict(candidate.probability) == "match" or not (isinstance(x, Features) and isinstance(y, Features)):
        return candidate
    for a, b in (fit.materials(*pair) for pair in strengths(x, y)):
        choice = choose.choose(a, b, window_s=config.window_s, step_s=config.step_s)
        line = _line(a, b, choice, config)
        if line is not None and line.probability > candidate.probability:
            reason = f"{line.reason}, by the strength of the movement"
            about = {"reference": inputs.about(x), "query": inputs.about(y)}
            candidate = replace(_changed(line, **about), reason=reason).beside(candidate)
        else:
            candidate = candidate.beside(line)
    if odds.verdict(candidate.probability) == "match":
        return candidate
    lines = [c.line for c in (candidate, *candidate.others) if c.line is not None]
    if (moved := _moved(x, y, lines, config)) is None:
        return candidate
    return moved.beside(candidate) if moved.probability > candidate.probability else candidate.beside(moved)


def _moved(x: Features, y: Features, lines: list[tuple[float, float]], config: Config) -> Candidate | None:
    """One offset by when two sensors move; of the ``lines`` weighed before one that says the same is a witness."""
    if (at := movement.place(x, y)) is None:
        return None
    middle = float(np.mean(inputs.times_of(y)[[0, -1]]))
    agree = any(abs(offset + (rate - 1.0) * middle - at.offset_s) <= SAME_PLACE_S for offset, rate in lines)

    def make() -> Alignment:
        (x0, x1), (y0, y1) = ((float(t[0]), float(t[-1])) for t in (inputs.times_of(v) for v in (x, y)))
        return Alignment(
            model="offset",
            knots=overlap((x0, x1), (y0, y1), at.offset_s, 1.0),
            offset_s=at.offset_s,
            rate=1.0,
            ppm=0.0,
            confidence_s=[MOVED_HALF_S] * 2,
            method=inputs.method_entry("auto", config),
            reference=inputs.about(x),
            query=inputs.about(y),
        )

    reason = f"when both move correlates by z = {at.z:.1f}, at the next place by {at.rival:.1f}"
    return Candidate("movement", {**at.evidence, "agrees": float(agree)}, reason, make)


def _line(a: fit.Material, b: fit.Material, choice: choose.Choice, config: Config) -> Candidate | None:
    weighed = weigh.weigh(a, b, choice)
    if weighed is None:
        return None
    choice = weighed.choice

    def make() -> Alignment:
        if choice.model == "piecewise":
            alignment = broken(a, b, weighed.segments, choice.fit, name="auto", config=config)
        else:
            alignment = straight(a, b, replace(choice.fit, model=choice.model), name="auto", config=config)
        return replace(alignment, runner_up=choice.runner_up, ambiguous=choice.ambiguous)

    decision = "line" if a.samples is not None else "line of frames" if choice.believed else "line in doubt"
    decides = "the material repeats itself: a piece of it that comes once would decide it"
    line = None if choice.model == "piecewise" else (choice.fit.offset_s * a.unit_s, choice.fit.rate)
    lost = weigh.is_astray(weighed.astray)
    return Candidate(decision, weighed.evidence, choice.evidence(), make, decides=decides, line=line, astray=lost)


def _steady(evidence: dict[str, float]) -> float:
    """0 to 1: how far all windows agree on a line no better than elsewhere: tones, hum and loops, which can be warped
    onto themselves anywhere. Short strangers agree so by chance, and do not fit: :func:`.weigh.fits_well`."""
    if evidence["ahead"] > STEADY_AHEAD or evidence["heard"] > 0:
        return 0.0
    return max(0.0, evidence["share"] - STEADY_SHARE) / (1.0 - STEADY_SHARE)


def _warped_sound(x: Any, y: Any, steady: float, copied: float, config: Config, clear: float = 0.0) -> Candidate:
    seen = _spectra(x, y), _pitches(x, y)
    ends = {opened: [_tested(v, opened) for v in seen] for opened in seen[0].ends()}
    if not have_order(min(frames.varied(frames.pitch_classes(v).values) for v in (x, y))):
        ends = {o: [s, replace(p, ratio=max(p.ratio, 1.0))] for o, (s, p) in ends.items()}
    opened, (spectra, pitches) = min(ends.items(), key=lambda e: _both(*e[1]))
    ratio = _both(spectra, pitches)
    kind = config.kind if config.kind != "auto" else "same" if spectra.ratio <= limits.SAME.value else "rendition"
    said = {
        "same": "one recording twice (log-mel bands compared)",
        "rendition": "two renditions (pitch classes, spectra and onsets compared)",
    }[kind]
    reason = f"warped cost over shuffled cost {ratio:.2f}"
    reason += f" (spectra {spectra.ratio:.2f}, pitch classes {pitches.ratio:.2f})"
    seconds = min(float(v.x_times[-1]) if len(v.x) <= len(v.y) else float(v.y_times[-1]) for v in seen[:1])
    evidence = {
        "spectra": spectra.ratio,
        "pitches": 1.0 - (1.0 - pitches.ratio) * min(1.0, float(np.sqrt(seconds / PITCHES_S))),
        "seconds": float(np.log1p(seconds)),
        "steady": steady,
        "copied": copied,
    }

    def make() -> Alignment:
        view = views.same_recording((x, y)) if kind == "same" else views.rendition((x, y))
        doubt = views.doubt(kind, (spectra if kind == "same" else pitches).ratio)
        warp = find(replace(view, opened=opened), kind=kind, doubt=doubt)
        return freely(x, y, view, warp, dict(inputs.UNTESTED), "auto", config)

    warped = Candidate("warp", evidence, f"{reason}; taken for {said}", make, ratio)
    if kind == "rendition":
        # a score keeps a pace of its own, whatever the lengths are
        paces = PACES if config.kind == "rendition" else (1.0,)
        tried = [sections.Sections(x, y, jumps=config.repeats == "auto", pace=pace) for pace in paces]
        parts = max(tried, key=lambda p: p.found.gain)
        if config.kind == "rendition" or is_music(parts.gains):
            by_sections = _by_sections(parts, pitches, steady, copied, ratio, config)
            alike = spectra.ratio <= limits.SAME.value  # so that the whole may be told where no pitch confirms it
            if not alike or odds.verdict(by_sections.probability) == "match":
                warped = by_sections
    if config.kind != "auto" or odds.verdict(warped.probability) == "match":
        return warped
    if (heard := views.voices_test(x, y)) is None:
        return warped
    voices = _two_voices(x, y, heard, reason, evidence | {"copied": clear}, config)
    return voices.beside(warped) if voices.probability > warped.probability else warped.beside(voices)


def is_music(gains: tuple[float, float]) -> bool:
    """Whether sections of two recordings gain so much over those of a shuffled query that they are judged by them."""
    return gains[0] >= limits.SECTIONS_GAIN.value * gains[1]


def _by_sections(
    parts: sections.Sections,
    pitches: shuffle_test.Evidence,
    steady: float,
    copied: float,
    ratio: float,
    config: Config,
) -> Candidate:
    evidence = {**parts.evidence(), "steady": steady, "copied": copied}
    count = int(evidence["sections"])
    reason = (
        f"{count} section{'s' if count > 1 else ''} gain {np.exp(evidence['gain']):.1f} times as much as in another"
    )
    reason += f" order, pitch classes confirm {evidence['agree']:.0%} of the map; taken for two renditions"
    reason += " (pitch classes, spectra and onsets compared)"

    def make() -> Alignment:
        return parts.alignment("rendition", views.doubt("rendition", pitches.ratio), "auto", config)

    return Candidate("sections", evidence, reason, make, ratio)


def have_order(varied: float) -> bool:
    """Whether pitch classes change so much, see :func:`.frames.varied`, that their order can be told from another."""
    return varied >= limits.PITCHES_VARIED.value


def _two_voices(
    x: Any,
    y: Any,
    heard: tuple[shuffle_test.Evidence, tuple[bool, bool]],
    reason: str,
    evidence: dict[str, float],
    config: Config,
) -> Candidate:
    def make() -> Alignment:
        view = replace(views.voices(x, y), opened=heard[1])
        return freely(x, y, view, find(view, kind="voices"), dict(inputs.UNTESTED), "auto", config)

    reason = f"{reason}, what is said {heard[0].ratio:.2f}; taken for two voices (sounds of speech compared)"
    return Candidate("voices", {**evidence, "said": heard[0].ratio}, reason, make, heard[0].ratio)


def _warped_frames(x: Any, y: Any, config: Config) -> Candidate:
    (xv, xt), (yv, yt) = inputs.checked(x, y)
    view = View(xv, yv, xt, yt, "euclidean")
    factor = max(1, max(len(xv), len(yv)) // 4000)
    ratio, opened = _frames_tested(view, factor)
    reason = f"warped cost over shuffled cost {ratio:.2f}"
    evidence = {"ratio": ratio, "wide": 0.0}
    sure = odds.verdict(odds.probability("frames", evidence)) == "match"
    if not sure and xv.shape[1] >= limits.WIDE.value:
        flat_x, flat_y = (frames.standard(v).astype(np.float32) for v in (xv, yv))
        view = View(flat_x, flat_y, xt, yt, "cosine")
        hop = max(inputs.hop_of(t) for t in (xt, yt))
        shapes, opened = _frames_tested(view, max(factor, round(TEST_HOP_S / hop)), CONTEXT)
        reason += f", that of the shape of its frames {shapes:.2f}"
        ratio = min(ratio, shapes)
        evidence = {"ratio": ratio, "wide": 1.0}

    def make() -> Alignment:
        warp = find(replace(view, opened=opened), kind="frames")
        return freely(x, y, view, warp, dict(inputs.UNTESTED), "auto", config)

    return Candidate("frames", evidence, reason, make, ratio)


def _frames_tested(view: View, factor: int, context: int = 1) -> tuple[float, tuple[bool, bool]]:
    """The statistic of frames, ``factor`` of them as one, ``context`` of those together, and which ends are open."""
    thin = [frames.coarse(v, t, factor)[0] for v, t in ((view.x, view.x_times), (view.y, view.y_times))]
    x, y = (frames.stacked(v, context) if context > 1 else np.asarray(v) for v in thin)
    whole = View(x, y, view.x_times, view.y_times, view.metric)
    hop_s = shuffle_test.BLOCK_S / max(2, len(y) // 40)
    best, opened = shuffle_test.best(x, y, hop_s, view.metric, ends=whole.ends())
    return best.ratio, opened


def _of_two_kinds(x: Any, y: Any, config: Config) -> Candidate:
    shared, ratio = canonical.shuffle_test(x, y)
    reason = f"warped cost over shuffled cost {ratio:.2f} in the space that both share"
    reason += "; taken for two kinds: canonical time warping"
    return Candidate(
        "two kinds",
        {"ratio": ratio},
        reason,
        lambda: inputs.warped(x, y, shared.path, shared.cost, name="auto", config=config),
        ratio,
    )


def _spectra(x: Any, y: Any) -> View:
    sides = [frames.comparable(s) for s in (x, y)]
    return _coarse_view(sides, round(TEST_HOP_S / frames.HOP_S))


def _pitches(x: Any, y: Any) -> View:
    sides = [frames.pitch_classes(s) for s in (x, y)]
    key = views.transposition(x, y)
    sides[1] = replace(sides[1], values=np.roll(sides[1].values, key, axis=1))
    sides = [replace(f, values=f.values - f.values.mean(axis=0)) for f in sides]
    return _coarse_view(sides, max(1, round(TEST_HOP_S / inputs.hop_of(sides[0].times))))


def _coarse_view(sides: list[Any], factor: int) -> View:
    longest = max(len(f.values) for f in sides) / factor
    factor *= max(1, int(np.ceil(longest / 12_000)))  # ten minutes at 50 ms; longer recordings more coarsely
    (xv, xt), (yv, yt) = (frames.coarse(f.values, f.times, factor) for f in sides)
    return View(frames.stacked(xv, CONTEXT), frames.stacked(yv, CONTEXT), xt, yt, "cosine")


def _tested(view: View, opened: tuple[bool, bool]) -> shuffle_test.Evidence:
    return shuffle_test.measure(view.x, view.y, inputs.hop_of(view.x_times), view.metric, opened=opened)


def _both(spectra: shuffle_test.Evidence, pitches: shuffle_test.Evidence) -> float:
    """The statistic of sound: the geometric mean of both ratios."""
    return float(np.sqrt(spectra.ratio * pitches.ratio))
