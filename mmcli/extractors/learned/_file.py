"""The part of a configuration that names the model, and values that a model gave as features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from mmcli.errors import InputError, UsageError
from mmcli.extractors import _features, weights
from mmcli.extractors._features import features, still
from mmcli.media.clips import AudioClip, ImageClip, SeriesClip, TableClip, TextClip, VideoClip

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
        name = _features.name_of(self)
        if not self.file:
            raise UsageError(f"{name} needs a model", hint=f"say {name}:FILE")
        if not self.sha256:
            found, digest = weights.identified(self.file)
            object.__setattr__(self, "file", found)
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


def vector(clip: Any, values: np.ndarray, config: Any) -> Any:
    """One vector (dims,) as the features of a clip."""
    return still(clip, _sound(values, clip), config, kind="vector", modality=MODALITY[type(clip)])


def sequence(clip: Any, values: np.ndarray, times: np.ndarray, config: Any, **meta: Any) -> Any:
    """Vectors over time (frames, dims) as the features of a clip."""
    values = _sound(values, clip)
    return features(clip, values, times, config, kind="sequence", modality=MODALITY[type(clip)], **meta)


def _sound(values: np.ndarray, clip: Any) -> np.ndarray:
    if not np.isfinite(values).all():
        raise InputError("the model gave NaN or infinity", source=clip.name)
    return values


def modality_of(clip: Any, allowed: Iterable[str], name: str) -> str:
    """The modality of a clip. Raises :class:`UsageError` for one that the encoder cannot read."""
    found = MODALITY[type(clip)]
    if found not in allowed:
        raise UsageError(f"{name} reads {', '.join(allowed)}, not {found}")
    return found
