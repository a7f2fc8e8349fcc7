"""Two files in, one map out: opens both, takes what can be compared of them, runs a method, says whose map it is."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmcli import aligners
from mmcli.aligners.core.frames import comparable
from mmcli.aligners.core.sides import Side
from mmcli.aligners.output.plot import Costs, between
from mmcli.aligners.subtitles import align
from mmcli.aligners.subtitles.activity import of_sound
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import provenance
from mmcli.errors import MismatchError, UsageError

SOUND_METRIC = "cosine"  # between frames of `comparable`


def align_files(
    reference: Path | str,
    query: Path | str,
    *,
    method: str = "auto",
    feature: str | None = None,
    metric: str | None = None,
    config: Any = None,
    plot: Path | None = None,
    page: Path | None = None,
    rate: float | None = None,
    missing: str = "refuse",
    language: str | None = None,
) -> Alignment:
    """The map between two files: sound, video with sound, features (npz) or numeric series.

    ``feature`` names the extractor whose frames are compared (default for sound: log-mel bands); ``metric`` the
    distance between them, for methods that have one; ``config`` the method's configuration. ``plot`` draws the costs
    and the path into a PNG file, ``page`` shows and plays the pair in one HTML file. ``rate`` is that of series
    without a time column, Hz; their gaps are an error, or filled along time where ``missing`` is "interpolate".
    ``language`` is that of a text (``en``, ``de``), told by its words where it is None. The result names both files
    with their SHA-256 and durations.

    Raises MissingError, MediaError or ArtifactError for a file that cannot be read, MismatchError for two that cannot
    be compared, UsageError for an option that does not fit.
    """
    a, b = Side(Path(reference), "reference", rate, missing), Side(Path(query), "query", rate, missing)
    if language is not None and b.modality != "text":
        raise UsageError(f"--language is for a text, {b.path.name} is none")
    try:
        found, compared = _aligned(a, b, method, feature, metric, config, language)
    except MismatchError as error:
        if error.source is None and error.evidence is not None:
            error.source = b.path.name  # frames do not know what file they were made from
        raise
    if plot is not None and compared is None:
        raise UsageError("--plot draws frames that were compared, and here were none", hint="--page shows this pair")
    costs = compared.costs() if compared is not None and (plot or page) else None
    if plot is not None and costs is not None:
        from mmcli.aligners.output.plot import draw

        draw(plot, found, costs)
    if page is not None:
        from mmcli.aligners.output.page import write

        write(page, found, a, b, costs=costs)
    return found


class _Compared(NamedTuple):
    """What the method was given of the reference ``x`` and of the query ``y``, and its ``metric``."""

    x: Any
    y: Any
    metric: str

    def costs(self) -> Costs:
        """Between their frames, where they are sounds."""
        x, y = (comparable(s) if hasattr(s, "samples") else s for s in (self.x, self.y))
        return between(x, y, self.metric)


def _aligned(
    a: Side, b: Side, method: str, feature: str | None, metric: str | None, config: Any, language: str | None
) -> tuple[Alignment, _Compared | None]:
    module = aligners.registry.load(method)
    if "subtitle" in (a.modality, b.modality):
        return _with_subtitle(a, b, method, module.Config() if config is None else config), None
    if b.modality == "text" and a.has_sound:
        return _with_text(a, b, method, module.Config() if config is None else config, language), None
    if feature is None and any(p.is_silent and q.has_sound and q.modality != "video" for p, q in ((a, b), (b, a))):
        return _with_motion(a, b, method, module.Config() if config is None else config), None
    x, y, chosen = inputs(a, b, module, feature)
    settings = configured(module, method, config, metric or chosen, asked=metric is not None)
    if "score" in (a.modality, b.modality) and getattr(settings, "kind", None) == "auto":
        settings = dataclasses.replace(settings, kind="rendition")  # plain tones are no copy of a recording
    found: Alignment = module.align(x, y, settings)
    found = dataclasses.replace(found, reference=a.about(), query=b.about())
    return found, _Compared(x, y, getattr(settings, "metric", None) or chosen or _usual(x))


def _usual(x: Any) -> str:
    """The metric of a method that names none."""
    return SOUND_METRIC if hasattr(x, "samples") else "euclidean"


def _with_subtitle(a: Side, b: Side, method: str, config: Any) -> Alignment:
    """Cues against speech activity, whichever side they are on."""
    if method != "auto":
        raise UsageError(f"--method {method} cannot compare a subtitle", hint="use --method auto")
    if b.modality != "subtitle":  # the subtitle is the reference: found the other way round, and turned
        found = _with_subtitle(Side(b.path, "reference"), Side(a.path, "query"), method, config)
        turned = timemap.TimeMap(found).invert()
        reason = re.sub(r"rate (\S+)/(\S+)$", r"rate \2/\1", found.quality["reason"])
        return dataclasses.replace(
            found,
            knots=turned.knots,
            breaks=turned.breaks,
            offset_s=turned.offset_s,
            rate=turned.rate,
            ppm=None if turned.rate is None else (turned.rate - 1.0) * 1e6,
            quality={**found.quality, "reason": reason},
            reference=found.query,
            query=found.reference,
        )
    if a.modality == "subtitle":
        activity = align.activity_of_cues(a.cues)
    elif a.has_sound:
        activity = of_sound(a.sound)
    else:
        raise MismatchError(
            f"a file of kind {a.modality} ({a.path.name}) and a subtitle ({b.path.name}) cannot be compared"
        )
    return align.against(
        activity, b.cues, reference=a.about(), query=b.about(), force=getattr(config, "force", False), config=config
    )


def _with_text(a: Side, b: Side, method: str, config: Any, language: str | None) -> Alignment:
    """The lines and words of a text in a recording of it."""
    from mmcli.aligners.speech import transcript
    from mmcli.aligners.speech.language import named

    if method != "auto":
        raise UsageError(f"--method {method} cannot compare a text", hint="use --method auto")
    force = bool(getattr(config, "force", False))
    found = transcript.align(a.sound, b.text, b.path.name, language=language, force=force)
    segments = transcript.segments_of(found)
    lines = [s for s in segments if s["kind"] == "line"]
    unspoken = sum(not s["spoken"] for s in lines)
    reason = f"{len(lines) - unspoken} of {len(lines)} lines are spoken"
    reason += f"; in order they fit {found.gain:.2f} nats a frame better than backwards"
    if found.language != "en":
        reason += f"; {named(found.language)}, its sounds from espeak-ng"
    if found.guessed:
        reason += ", sounded out by their letters: " + " ".join(found.guessed[:8])
    return Alignment(
        model="warp",
        knots=np.empty((0, 2)),
        quality={"ratio": None, "verdict": found.verdict, "reason": reason},
        method={"name": "auto", "config": provenance.config_dict(config)},
        reference=a.about(),
        query=b.about(),
        segments=segments,
    )


def _with_motion(a: Side, b: Side, method: str, config: Any) -> Alignment:
    """A film without sound against a sound."""
    from mmcli.aligners.linear import motion

    if method != "auto":
        raise UsageError(f"--method {method} cannot compare pictures and sound", hint="use --method auto")
    film = "reference" if a.is_silent else "query"
    x, y = (side.clip if side.is_silent else side.sound for side in (a, b))
    found = motion.align(x, y, film=film, name=method, config=config)
    return dataclasses.replace(found, reference=a.about(), query=b.about())


def plan_files(
    reference: Path | str,
    query: Path | str,
    *,
    feature: str | None = None,
    metric: str | None = None,
    config: Any = None,
    rate: float | None = None,
    missing: str = "refuse",
) -> Any:
    """What :func:`align_files` with the method ``dtw`` would take, see :func:`mmcli.aligners.methods.dtw.plan`."""
    a, b = Side(Path(reference), "reference", rate, missing), Side(Path(query), "query", rate, missing)
    module = aligners.registry.load("dtw")
    x, y, chosen = inputs(a, b, module, feature)
    return module.plan(x, y, configured(module, "dtw", config, metric or chosen, asked=metric is not None))


def inputs(a: Side, b: Side, module: Any, feature: str | None) -> tuple[Any, Any, str | None]:
    """What the method is given of both sides, and the metric that suits it (None: the method's own default)."""
    if feature is not None:
        return a.extract(feature), b.extract(feature), None
    if a.has_frames and b.has_frames:
        x, y = a.features, b.features
        if getattr(module, "WIDTHS", "same") != "any":
            _same_extractor(a, b, x, y)
        return x, y, None
    if a.has_sound and b.has_sound:
        if "audio" in module.INPUTS:
            return a.sound, b.sound, None
        return comparable(a.sound), comparable(b.sound), SOUND_METRIC
    if a.modality == b.modality == "video":
        return a.pictures, b.pictures, None
    if a.has_frames or b.has_frames:
        media, frames = (b, a) if a.has_frames else (a, b)
        name = frames.features.meta.get("extractor")
        if frames.modality == "series" and media.modality in ("audio", "video"):
            raise MismatchError(
                f"{frames.path.name} is a series, {media.path.name} a recording",
                hint=f"extract features of {media.path.name} first; two kinds are compared by what they share",
            )
        if isinstance(name, str) and media.modality in ("audio", "video"):
            raise MismatchError(
                f"{frames.path.name} holds features, {media.path.name} does not",
                hint=f"extract {name} from {media.path.name} first, or give both media files",
            )
    turned = a.modality == "text" and b.has_sound
    raise MismatchError(
        f"a file of kind {a.modality} ({a.path.name}) and one of kind {b.modality} ({b.path.name}) cannot be compared",
        hint="the recording comes first: it is the REFERENCE, the text the QUERY" if turned else None,
    )


def configured(module: Any, method: str, config: Any, metric: str | None, *, asked: bool) -> Any:
    """The method's configuration with the metric that was asked for, or that suits the features unless one is set."""
    settings = module.Config() if config is None else config
    if metric is None:
        return settings
    if not any(f.name == "metric" for f in dataclasses.fields(settings)):
        if asked:
            raise UsageError(f"--metric has no meaning for the method {method}")
        return settings
    if asked or settings.metric == module.Config().metric:
        return dataclasses.replace(settings, metric=metric)
    return settings


def _same_extractor(a: Side, b: Side, x: Features, y: Features) -> None:
    names = x.meta.get("extractor"), y.meta.get("extractor")
    if None not in names and names[0] != names[1]:
        raise MismatchError(
            f"{a.path.name} holds {names[0]}, {b.path.name} holds {names[1]}",
            hint="extract both with one extractor, or --method ctw",
        )
