"""What every encoder from a file has: the part of a configuration that names the model, and its answers as features.

Below, models that take one array and give one: what goes in, in which order of axes, what is made of what comes out.

A recording is cut into windows of ``window_s``; the last window is between half and one and a half of that long, so
that no model sees a stump. Windows of one length go through the model together, as do the frames of a video.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from mmcli.errors import InputError, MmcliError, UsageError, first_line
from mmcli.extractors import base, is_fitted, registry, weights
from mmcli.extractors.base import (
    AudioClip,
    Features,
    ImageClip,
    SeriesClip,
    TableClip,
    TextClip,
    VideoClip,
    features,
    still,
)
from mmcli.extractors.sound import SoundConfig, prepare

MODALITY = {
    AudioClip: "audio",
    ImageClip: "image",
    VideoClip: "video",
    TextClip: "text",
    SeriesClip: "series",
    TableClip: "table",
}
T = TypeVar("T")


@dataclass(frozen=True)
class FileConfig:
    """Which model. A path is enough: the name and the hash are filled in from it."""

    file: str = ""  # path of the model; kept as its last part
    sha256: str = ""  # of the content: empty, or as the features of an earlier run keep it

    def __post_init__(self) -> None:
        name = base.name_of(self)
        if not self.file:
            raise UsageError(f"{name} needs a model", hint=f"say {name}:FILE")
        if not self.sha256:
            kept, digest = weights.identified(self.file)
            object.__setattr__(self, "file", kept)
            object.__setattr__(self, "sha256", digest)
        elif re.fullmatch("[0-9a-f]{64}", self.sha256) is None:
            raise UsageError(f"{name}.sha256 = {self.sha256!r}", hint="leave it out: it is computed from the file")


def groups(parts: Iterable[T], size: int) -> Iterator[list[T]]:
    """Neighbours together, ``size`` at a time, the last group smaller.

    >>> [g for g in groups("abc", 2)]
    [['a', 'b'], ['c']]
    """
    held: list[T] = []
    for part in parts:
        held.append(part)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def vector(clip: Any, values: np.ndarray, config: Any) -> Features:
    """One vector (dims,) as the features of a clip."""
    return still(clip, _refuse_nan(values, clip), config, kind="vector", modality=MODALITY[type(clip)])


def sequence(clip: Any, values: np.ndarray, times: np.ndarray, config: Any, **meta: Any) -> Features:
    """Vectors over time (frames, dims) as the features of a clip."""
    values = _refuse_nan(values, clip)
    return features(clip, values, times, config, kind="sequence", modality=MODALITY[type(clip)], **meta)


def _refuse_nan(values: np.ndarray, clip: Any) -> np.ndarray:
    if not np.isfinite(values).all():
        raise InputError("the model gave NaN or infinity", source=clip.name)
    return values


def modality_of(clip: Any, allowed: Iterable[str], name: str) -> str:
    """The modality of a clip. Raises :class:`UsageError` for one that the encoder cannot read."""
    modality = MODALITY[type(clip)]
    if modality not in allowed:
        raise UsageError(f"{name} reads {', '.join(allowed)}, not {modality}")
    return modality


# Models that take one array and give one.

MODALITIES = ("audio", "image", "video", "series")
Call = Callable[[np.ndarray], np.ndarray]
SAMPLES = "samples"
_CANONICAL = {SAMPLES: "nt", "picture": "nhwc", "steps": "ntf"}
_DEFAULT = {SAMPLES: "nt", "picture": "nchw", "steps": "ntf"}
_FEWEST = 400  # samples: shorter sounds are lengthened with silence, which every front end survives


@dataclass(frozen=True)
class TensorConfig(FileConfig):
    """What the model is given, and what is made of its answer."""

    of: str = "auto"  # auto: samples of sound, pixels of pictures, raw series; or an extractor of the modality
    settings: str = ""  # its configuration: FIELD=VALUE, separated by commas
    axes: str = "auto"  # order of the model's axes: n items, t time, f features, h w c of pictures, 1 an axis of one
    pool: str = "mean"  # mean over the steps the model gives; none: keep them
    sample_rate: int = 16_000  # Hz, 1,000 to 192,000: of the samples, where the model takes samples
    window_s: float = 30.0  # seconds, 0.05 to 3600: sound and series are cut into windows of this length
    rate: float = 2.0  # Hz, 0.001 to 1000: frames of a video a second
    batch: int = 16  # 1 to 1024: windows or frames that are computed together

    def __post_init__(self) -> None:
        super().__post_init__()
        base.one_of(self, "pool", ("mean", "none"))
        base.within(self, sample_rate=(1_000, 192_000), window_s=(0.05, 3600.0), rate=(0.001, 1000.0), batch=(1, 1024))
        if self.axes != "auto" and sorted(self.axes.replace("1", "")) not in map(sorted, _CANONICAL.values()):
            raise UsageError(
                f"{base.name_of(self)}.axes = {self.axes!r}",
                hint="for example nt (samples), n1tf (features), nchw (pictures); 1 is an axis of one",
            )
        if self.of not in ("auto", SAMPLES):
            known = [m for m in ("audio", "image", "series") if self.of in registry(m).names()]
            if not known:
                raise UsageError(f"{base.name_of(self)}.of = {self.of!r}", hint="auto, samples, or an extractor")
            _inner(known[0], self.of, self)


def extract(clip: Any, config: TensorConfig, call: Call) -> Features:
    """The features that ``call``, the model, gives for a clip."""
    modality = modality_of(clip, MODALITIES, base.name_of(config))
    if modality == "image":
        answer = _called(call, _picture_of(clip, config), "picture", config, clip)
        return vector(clip, _over_steps(answer)[0] if config.pool == "mean" else answer.ravel(), config)
    return _film(clip, config, call) if modality == "video" else _stretch(clip, modality, config, call)


def _film(clip: Any, config: TensorConfig, call: Call) -> Features:
    times: list[float] = []

    def pictures() -> Iterator[np.ndarray]:
        for time, pixels in clip.frames(config.rate):
            times.append(time)
            yield _picture_of(ImageClip.from_array(pixels, clip.name), config)

    rows = []
    for together in groups(pictures(), config.batch):
        answer = _called(call, np.concatenate(together), "picture", config, clip)
        rows.append(_over_steps(answer) if config.pool == "mean" else answer.reshape(len(answer), -1))
    return sequence(clip, np.concatenate(rows), np.array(times), config, rate_hz=config.rate)


def _stretch(clip: Any, modality: str, config: TensorConfig, call: Call) -> Features:
    """Sound or a series, window by window."""
    kind, start, hop, blocks = _steps_of(clip, modality, config)
    windows = whole_windows(blocks, max(1, round(config.window_s / hop)))
    sums, count = None, 0
    rows: list[np.ndarray] = []
    times: list[np.ndarray] = []
    position = 0
    for together in alike(windows, config.batch):
        length = len(together[0])
        answer = _called(call, np.stack(together), kind, config, clip)
        answer = answer[:, np.newaxis] if answer.ndim == 2 else answer
        if answer.ndim != 3:
            raise InputError(
                f"the model gave an array of shape {answer.shape}; (items, dims) or (items, steps, dims) is needed",
                source=clip.name,
            )
        if config.pool == "mean":
            weighted = (answer.astype(np.float64).mean(axis=1) * length).sum(axis=0)
            sums, count = weighted if sums is None else sums + weighted, count + length * len(together)
        else:
            for steps in answer:
                centres = (np.arange(len(steps)) + 0.5) * (length * hop / len(steps))
                rows.append(steps)
                times.append(start + position * hop + centres)
                position += length
    if config.pool == "mean":
        return vector(clip, np.asarray(sums) / count, config)
    return sequence(clip, np.concatenate(rows), np.concatenate(times), config)


def _steps_of(clip: Any, modality: str, config: TensorConfig) -> tuple[str, float, float, Iterable[np.ndarray]]:
    """``(kind, first time, seconds a step, blocks)``: samples (n,), or steps (n, features)."""
    of = {"audio": SAMPLES, "series": "raw"}[modality] if config.of == "auto" else config.of
    if of == SAMPLES and modality == "audio":
        sound = prepare(clip, SoundConfig(sample_rate=config.sample_rate))
        return SAMPLES, 0.0, 1.0 / config.sample_rate, lengthened(sound.blocks())
    steps = _before(modality, of, config, clip)
    hop = steps.meta.get("hop_s") or (float(np.diff(steps.times).mean()) if steps.frames > 1 else 1.0)
    return "steps", float(steps.times[0]) - hop / 2, hop, [steps.flat()]


def lengthened(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    total = 0
    for block in blocks:
        total += len(block)
        yield block
    if total < _FEWEST:
        yield np.zeros(_FEWEST - total, np.float32)


def _picture_of(clip: Any, config: TensorConfig) -> np.ndarray:
    """A picture as (1, h, w, c)."""
    picture = _before("image", "pixels" if config.of == "auto" else config.of, config, clip)
    if picture.values.ndim != 4:
        raise UsageError(f"{base.name_of(config)}.of = {config.of!r} gives no picture", hint="pixels does")
    return picture.values


def _before(modality: str, of: str, config: TensorConfig, clip: Any) -> Features:
    """What an ordinary extractor makes of the clip: the model's input."""
    module, inner = _inner(modality, of, config)
    answer: Features = module.extract(clip, inner)
    return answer


def _inner(modality: str, of: str, config: TensorConfig) -> tuple[Any, Any]:
    """The extractor before the model, and its configuration."""
    module = registry(modality).load(of)
    if is_fitted(module) or getattr(module, "NEEDS_FILE", False):
        raise UsageError(f"{base.name_of(config)}.of = {of!r} cannot stand before a model")
    return module, base.configure(module.Config, config.settings, f"{base.name_of(config)}.settings: {of}")


def whole_windows(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Blocks of any length as windows of ``size``; the last one is between half and one and a half of that.

    >>> [len(w) for w in whole_windows([np.zeros(3), np.zeros(6)], 4)]
    [4, 5]
    """
    held: list[np.ndarray] = []
    count, ahead = 0, size + (size + 1) // 2
    for block in blocks:
        held.append(block)
        count += len(block)
        while count >= ahead:
            whole = np.concatenate(held)
            yield whole[:size]
            held, count = [whole[size:]], count - size
    if count:
        yield np.concatenate(held)


def alike(windows: Iterable[np.ndarray], most: int) -> Iterator[list[np.ndarray]]:
    """Neighbours of one length."""
    held: list[np.ndarray] = []
    for window in windows:
        if held and (len(held) == most or len(window) != len(held[0])):
            yield held
            held = []
        held.append(window)
    if held:
        yield held


def _called(call: Call, values: np.ndarray, kind: str, config: TensorConfig, clip: Any) -> np.ndarray:
    """The model's answer, float32, items along the first axis. Raises :class:`InputError` where it has none."""
    axes = _DEFAULT[kind] if config.axes == "auto" else config.axes
    letters, canonical = axes.replace("1", ""), _CANONICAL[kind]
    if sorted(letters) != sorted(canonical):
        raise UsageError(
            f"{base.name_of(config)}.axes = {axes!r}", hint=f"here it is made of {' '.join(canonical)}, and of 1"
        )
    ordered = np.transpose(values, [canonical.index(a) for a in letters])
    given = np.ascontiguousarray(ordered[tuple(np.newaxis if a == "1" else slice(None) for a in axes)], np.float32)
    try:
        answer = call(given)
    except MmcliError:
        raise
    except Exception as error:
        raise InputError(
            f"the model cannot take an array of shape {given.shape}: {first_line(error, 300)}",
            source=clip.name,
            hint=f"see the fields of, settings and axes of {base.name_of(config)}",
        ) from error
    items = axes.index("n")
    if items or answer.ndim < 1 or len(answer) != len(values):
        raise InputError(f"the model gave shape {answer.shape} for {len(values)} items", source=clip.name)
    return answer[:, np.newaxis] if answer.ndim == 1 else answer


def _over_steps(answer: np.ndarray) -> np.ndarray:
    """(n, d) as it is; (n, steps, d) over the steps; (n, channels, h, w) over the places."""
    if answer.ndim == 2:
        return answer
    over = 1 if answer.ndim == 3 else tuple(range(2, answer.ndim))
    return np.asarray(answer.mean(axis=over, dtype=np.float64), np.float32)
