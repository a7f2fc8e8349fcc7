"""The simplest map that explains the pair, or a refusal: an offset, an offset and a rate, lines with breaks, or a warp.

Lines are tried first (:mod:`.choose`); recordings that share one are the same recording, and their phase says so
beyond doubt. Where none fits, the pair is tested for belonging together (:mod:`.shuffle_test`), then warped by what it
shares: two copies of one recording by their spectra, two renditions of one piece or text by pitch classes, spectra and
onsets, two voices that share neither by the sounds of speech (:func:`.views.voices`). A pair that does not belong
together raises MismatchError with the evidence, unless ``force`` is set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mmcli.aligners.core import frames, inputs, limits, shuffle_test
from mmcli.aligners.core.inputs import refusal
from mmcli.aligners.linear import choose, fit
from mmcli.aligners.linear.alignment import broken, straight
from mmcli.aligners.warp import canonical, views
from mmcli.aligners.warp.views import View, find, freely
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import UsageError
from mmcli.media.clips import AudioClip

ACCEPTS = (("audio", "audio"), ("features", "features"))
WIDTHS = "any"  # of features of two kinds: those are warped through what they share
TEST_HOP_S = 0.05  # of the frames that the test for belonging together compares
CONTEXT = 9  # of them, 0.45 s, stand together: what single frames share by chance, so long a stretch does not
LINE_VERDICT = "match"


@dataclass(frozen=True)
class Config:
    """What kind of pair it is, and what happens to one that does not match."""

    kind: Literal["auto", "same", "rendition"] = "auto"  # one recording twice, or two renditions; auto: by the spectra
    force: bool = False  # make a map even where the pair does not match
    window_s: float = 10.0  # length of the windows that lines are fitted to, seconds, above 0
    step_s: float = 4.0  # from one window to the next, seconds, above 0

    def __post_init__(self) -> None:
        if not (self.window_s > 0 and self.step_s > 0):
            raise UsageError("window_s and step_s must be above 0")


def align(x: Any, y: Any, config: Config = Config()) -> Alignment:
    """The map between ``x`` (the reference) and ``y``: arrays (frames, dims), Features or AudioClips.

    Raises MismatchError with the statistic and its limit where the pair does not match, and as the methods do.
    """
    if inputs.differ(x, y):
        return _of_two_kinds(x, y, config)
    a, b = fit.materials(x, y)
    runner_up = None
    if config.kind != "rendition":
        choice = choose.choose(a, b, window_s=config.window_s, step_s=config.step_s)
        if choice.believed:
            return _line(a, b, choice, config)
        runner_up = {"model": choice.model, "share": round(choice.share, 4)}
    warped = _warped_sound(x, y, config) if isinstance(x, AudioClip) else _warped_frames(x, y, config)
    return replace(warped, runner_up=runner_up)


def _line(a: fit.Material, b: fit.Material, choice: choose.Choice, config: Config) -> Alignment:
    quality = {"ratio": None, "verdict": LINE_VERDICT, "reason": choice.evidence()}
    if choice.model == "piecewise":
        alignment = broken(a, b, choice.segments, choice.fit, name="auto", config=config)
    else:
        alignment = straight(a, b, replace(choice.fit, model=choice.model), name="auto", config=config)
    return replace(alignment, quality=quality, runner_up=choice.runner_up, ambiguous=choice.ambiguous)


def _warped_sound(x: Any, y: Any, config: Config) -> Alignment:
    seen = _spectra(x, y), _pitches(x, y)
    ends = {opened: [_tested(v, opened) for v in seen] for opened in seen[0].ends()}
    opened, (spectra, pitches) = min(ends.items(), key=lambda e: _both(*e[1]))
    ratio = _both(spectra, pitches)
    kind = config.kind if config.kind != "auto" else "same" if spectra.ratio <= limits.SAME.value else "rendition"
    said = {
        "same": "one recording twice (log-mel bands compared)",
        "rendition": "two renditions (pitch classes, spectra and onsets compared)",
    }[kind]
    evidence = f"warped cost over shuffled cost {ratio:.2f}"
    evidence += f" (spectra {spectra.ratio:.2f}, pitch classes {pitches.ratio:.2f})"
    if ratio > limits.SOUND.value and config.kind != "same" and (heard := views.voices_test(x, y)) is not None:
        evidence += f", what is said {heard[0].ratio:.2f} (limit {limits.VOICES.value:.2f})"
        if heard[0].ratio <= limits.VOICES.value:
            return _two_voices(x, y, heard, evidence, config)
    verdict = _judged(ratio, limits.SOUND.value, evidence, config, inputs.name_of(y))
    view = views.same_recording((x, y)) if kind == "same" else views.rendition((x, y))
    warp = find(replace(view, opened=opened), kind=kind)
    reason = f"{evidence}; limit {limits.SOUND.value:.2f}; taken for {said}"
    return freely(x, y, view, warp, {"ratio": ratio, "verdict": verdict, "reason": reason}, "auto", config)


def _two_voices(
    x: Any, y: Any, heard: tuple[shuffle_test.Evidence, tuple[bool, bool]], evidence: str, config: Config
) -> Alignment:
    view = replace(views.voices(x, y), opened=heard[1])
    warp = find(view, kind="voices")
    quality = {
        "ratio": heard[0].ratio,
        "verdict": LINE_VERDICT,
        "reason": f"{evidence}; taken for two voices (sounds of speech compared)",
    }
    return freely(x, y, view, warp, quality, "auto", config)


def _warped_frames(x: Any, y: Any, config: Config) -> Alignment:
    (xv, xt), (yv, yt) = inputs.checked(x, y)
    view = View(xv, yv, xt, yt, "euclidean")
    factor = max(1, max(len(xv), len(yv)) // 4000)
    ratio, opened = _frames_tested(view, factor)
    evidence = f"warped cost over shuffled cost {ratio:.2f}"
    if ratio > limits.FRAMES.value and xv.shape[1] >= limits.WIDE.value:
        flat_x, flat_y = (frames.standard(v).astype(np.float32) for v in (xv, yv))
        view = View(flat_x, flat_y, xt, yt, "cosine")
        hop = max(inputs.hop_of(t) for t in (xt, yt))
        shapes, opened = _frames_tested(view, max(factor, round(TEST_HOP_S / hop)), CONTEXT)
        evidence += f", that of the shape of its frames {shapes:.2f}"
        ratio = min(ratio, shapes)
    verdict = _judged(ratio, limits.FRAMES.value, evidence, config, inputs.name_of(y))
    warp = find(replace(view, opened=opened), kind=None)
    reason = f"{evidence}; limit {limits.FRAMES.value:.2f}"
    quality = {"ratio": ratio, "verdict": verdict, "reason": reason}
    return freely(x, y, view, warp, quality, "auto", config)


def _frames_tested(view: View, factor: int, context: int = 1) -> tuple[float, tuple[bool, bool]]:
    """The statistic of frames, ``factor`` of them as one, ``context`` of those together, and which ends are open."""
    thin = [frames.coarse(v, t, factor)[0] for v, t in ((view.x, view.x_times), (view.y, view.y_times))]
    x, y = (frames.stacked(v, context) if context > 1 else np.asarray(v) for v in thin)
    whole = View(x, y, view.x_times, view.y_times, view.metric)
    hop_s = shuffle_test.BLOCK_S / max(2, len(y) // 40)
    best, opened = shuffle_test.best(x, y, hop_s, view.metric, ends=whole.ends())
    return best.ratio, opened


def _of_two_kinds(x: Any, y: Any, config: Config) -> Alignment:
    shared, ratio = canonical.shuffle_test(x, y)
    evidence = f"warped cost over shuffled cost {ratio:.2f} in the space that both share"
    verdict = _judged(ratio, limits.TWO_KINDS.value, evidence, config, inputs.name_of(y))
    reason = f"{evidence}; limit {limits.TWO_KINDS.value:.2f}; taken for two kinds: canonical time warping"
    quality = {"ratio": ratio, "verdict": verdict, "reason": reason}
    return replace(inputs.warped(x, y, shared.path, shared.cost, name="auto", config=config), quality=quality)


def _judged(ratio: float, limit: float, evidence: str, config: Config, name: str) -> str:
    """The verdict; raises MismatchError where the pair does not match and is not forced."""
    if ratio <= limit:
        return LINE_VERDICT
    if config.force:
        return "no match (forced)"
    reason = f"{evidence}, above the limit of {limit:.2f} (strangers lie near 1)"
    raise refusal(reason, name, statistic="warped cost over shuffled cost", value=ratio, limit=limit)


def _spectra(x: Any, y: Any) -> View:
    sides = [frames.comparable(s) for s in (x, y)]
    return _coarse_view(sides, round(TEST_HOP_S / frames.HOP_S))


def _pitches(x: Any, y: Any) -> View:
    sides = [frames.pitch_classes(s) for s in (x, y)]
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
