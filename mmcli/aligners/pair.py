"""Two files in, one map out: opens both, gives the method what it accepts of them, says whose map it is."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from mmcli.aligners import registry
from mmcli.aligners.core.frames import comparable
from mmcli.aligners.core.inputs import Input, incomparable, kind_of, method_entry
from mmcli.aligners.core.sides import Side
from mmcli.aligners.output.plot import Costs, between
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.errors import MismatchError, UsageError
from mmcli.media.clips import AudioClip

SOUND_METRIC = "cosine"  # between frames of `comparable`
FRAMES = ("features", "features")  # what sounds and pictures are given as to a method that takes nothing else
WORDS = ("audio", "text")
SAID = {"audio": "sound", "video": "pictures", "text": "a text", "subtitle": "a subtitle", "features": "frames"}


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
    time_unit: str | None = None,
    language: str | None = None,
) -> Alignment:
    """The map between two files: sound, video with sound, features (npz) or numeric series.

    ``feature`` names the extractor whose frames are compared (default for sound: log-mel bands); ``metric`` the
    distance between them, for methods that have one; ``config`` the method's configuration. ``plot`` draws the costs
    and the path into a PNG file, ``page`` shows and plays the pair in one HTML file. ``rate`` is that of series
    without a time column, Hz; their gaps are an error, or filled along time where ``missing`` is "interpolate";
    ``time_unit`` is that of their time columns (s, ms, us, ns).
    ``language`` is that of a text (``en``, ``de``), told by its words where it is None. The result names both files
    with their SHA-256 and durations.

    Raises MissingError, MediaError or ArtifactError for a file that cannot be read, MismatchError for two that cannot
    be compared, UsageError for an option that does not fit.
    """
    a, b = (
        Side(Path(path), role, rate, missing, time_unit) for path, role in ((reference, "reference"), (query, "query"))
    )
    if language is not None and b.modality != "text":
        raise UsageError(f"--language is for a text, {b.path.name} is none")
    pair = matched(a, b, method, feature)
    settings = pair.configured(method, config, metric, language)
    if "score" in (a.modality, b.modality) and getattr(settings, "kind", None) == "auto":
        settings = dataclasses.replace(settings, kind="rendition")  # plain tones are no copy of a recording
    try:
        alignment: Alignment = pair.module.align(pair.x, pair.y, settings)
    except MismatchError as error:
        if error.source is None and error.evidence is not None:
            error.source = b.path.name  # frames do not know what file they were made from
        raise
    if pair.member != method:  # the map names the method that was asked for
        module = registry.load(method)
        alignment = dataclasses.replace(alignment, method=method_entry(method, config or module.Config()))
    alignment = dataclasses.replace(alignment, reference=a.about(), query=b.about())
    if plot is not None and not pair.has_frames:
        raise UsageError("--plot draws frames that were compared, and here were none", hint="--page shows this pair")
    costs = pair.costs(settings) if pair.has_frames and (plot or page) else None
    if plot is not None and costs is not None:
        from mmcli.aligners.output.plot import draw

        draw(plot, alignment, costs)
    if page is not None:
        from mmcli.aligners.output.page import write

        write(page, alignment, a, b, costs=costs)
    return alignment


class Matched(NamedTuple):
    """A pair as a method takes it: the ``member`` of the registry, what it is given of the reference ``x`` and of the
    query ``y``, and the ``metric`` that suits those (None: the method's own default)."""

    member: str
    x: Input
    y: Input
    metric: str | None = None

    @property
    def module(self) -> ModuleType:
        """The method."""
        return registry.load(self.member)

    @property
    def has_frames(self) -> bool:
        """Whether frames are compared: of two sounds, or of what was given as frames."""
        return (kind_of(self.x), kind_of(self.y)) in (("audio", "audio"), FRAMES)

    def configured(self, method: str, config: Any, metric: str | None, language: str | None) -> Any:
        """The configuration of the member: ``config`` is that of the ``method`` asked for, the metric set to what was
        asked for or suits the frames, the language to that of the text."""
        own = self.module.Config
        fields = {f.name for f in dataclasses.fields(own)}
        if self.member != method:  # what both of them have a field for
            given = {} if config is None else {n: getattr(config, n) for n in fields if hasattr(config, n)}
            config = own(**given)
        settings = own() if config is None else config
        if language is not None and "language" in fields:
            settings = dataclasses.replace(settings, language=language)
        if not self.has_frames or (metric is None and self.metric is None):
            return settings
        if "metric" not in fields:
            if metric is not None:
                raise UsageError(f"--metric has no meaning for the method {method}")
            return settings
        if metric is not None or settings.metric == own().metric:
            return dataclasses.replace(settings, metric=metric or self.metric)
        return settings

    def costs(self, settings: Any) -> Costs:
        """Between the frames of both sides, by the metric that the method went by."""
        x, y = (comparable(side) if isinstance(side, AudioClip) else side for side in (self.x, self.y))
        usual = SOUND_METRIC if isinstance(self.x, AudioClip) else "euclidean"
        return between(x, y, getattr(settings, "metric", None) or self.metric or usual)


def matched(a: Side, b: Side, method: str, feature: str | None = None) -> Matched:
    """Which member aligns two sides, and what it is given of them: the one place that decides.

    For ``auto`` it is the first member, ``auto`` itself before all others, that accepts what there is. ``feature`` is
    extracted of both, where it is not for words that they are compared. Raises MismatchError where nothing takes such
    a pair, UsageError where another method does.
    """
    registry.load(method)
    kinds = [k for k in itertools.product(a.kinds, b.kinds) if feature is None or "subtitle" in k or k == WORDS]
    if feature is not None and not kinds:
        return Matched(method, a.extract(feature), b.extract(feature))
    kinds.sort(key=lambda k: k[0] != k[1])
    for pair in kinds:
        for member in _members() if method == "auto" else (method,):
            module = registry.load(member)
            if pair in module.ACCEPTS:
                if pair == FRAMES and getattr(module, "WIDTHS", "same") != "any":
                    _same_extractor(a, b)
                return Matched(member, a.input(pair[0]), b.input(pair[1]))
            if FRAMES in module.ACCEPTS and pair == ("audio", "audio"):
                return Matched(member, comparable(a.sound), comparable(b.sound), SOUND_METRIC)
            if FRAMES in module.ACCEPTS and pair == ("video", "video"):
                return Matched(member, a.pictures, b.pictures)
    raise _refused(a, b, method)


def _members() -> Iterator[str]:
    """What ``auto`` chooses among: itself, then the others."""
    yield "auto"
    yield from (name for name in registry.names() if name != "auto")


def _refused(a: Side, b: Side, method: str) -> MismatchError | UsageError:
    """The error to raise where the method does not take the pair: with what else takes it, or what is to be done."""
    if method != "auto":
        try:
            other = matched(a, b, "auto")
        except MismatchError as error:
            return error
        y, x = SAID[kind_of(other.y)], SAID[kind_of(other.x)]
        return UsageError(f"--method {method} cannot compare {y} and {x}", hint="use --method auto")
    hint = None
    if a.has_frames or b.has_frames:
        media, frames = (b, a) if a.has_frames else (a, b)
        name = frames.features.meta.get("extractor")
        if frames.modality == "series" and media.modality in ("audio", "video"):
            return MismatchError(
                f"{frames.path.name} is a series, {media.path.name} a recording",
                hint=f"extract features of {media.path.name} first; two kinds are compared by what they share",
            )
        if isinstance(name, str) and media.modality in ("audio", "video"):
            return MismatchError(
                f"{frames.path.name} holds features, {media.path.name} does not",
                hint=f"extract {name} from {media.path.name} first, or give both media files",
            )
    if a.modality == "text" and b.has_sound:
        hint = "the recording comes first: it is the REFERENCE, the text the QUERY"
    return incomparable((a.modality, b.modality), (a.path.name, b.path.name), hint=hint)


def _same_extractor(a: Side, b: Side) -> None:
    names = [side.features.meta.get("extractor") for side in (a, b)]
    if None not in names and names[0] != names[1]:
        raise MismatchError(
            f"{a.path.name} holds {names[0]}, {b.path.name} holds {names[1]}",
            hint="extract both with one extractor, or --method ctw",
        )


def plan_files(
    reference: Path | str,
    query: Path | str,
    *,
    feature: str | None = None,
    metric: str | None = None,
    config: Any = None,
    rate: float | None = None,
    missing: str = "refuse",
    time_unit: str | None = None,
) -> Any:
    """What :func:`align_files` with the method ``dtw`` would take, see :func:`mmcli.aligners.methods.dtw.plan`."""
    a, b = (
        Side(Path(path), role, rate, missing, time_unit) for path, role in ((reference, "reference"), (query, "query"))
    )
    pair = matched(a, b, "dtw", feature)
    return pair.module.plan(pair.x, pair.y, pair.configured("dtw", config, metric, None))
