"""``mmcli.extract``: a recording, picture, text or series as features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmcli.api import given
from mmcli.errors import UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.features import Features


def extract(
    source: Any,
    extractor: str | None = None,
    *,
    modality: str | None = None,
    rate: float | None = None,
    **fields: Any,
) -> Features:
    """The features of one file or array, as ``mmcli extract`` makes them.

    ``source``: a path, a clip, or an array: samples ``(n,)`` with their ``rate`` in Hz, pixels ``(h, w, 1 or 3)`` with
    ``modality="image"``, a series ``(frames, dims)`` with its ``rate``. ``extractor``: its name; the default is that of
    the modality. Further fields are those of its Config.

    Raises MediaError for a file that cannot be read, UsageError for an unknown name or field, and for extractors that
    learn from many rows first.

    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    >>> extract(tone, "mfcc", rate=16000, coefficients=13).values.shape
    (101, 13)
    """
    from mmcli import extractors

    if modality is None:
        modality = _modality(source, extractor, rate)
    name = (extractor or extractors.DEFAULTS[modality]).removeprefix(f"{modality}.")
    module = extractors.registry(modality).load(name)
    if extractors.is_fitted(module):
        raise UsageError(
            f"{name} learns from many rows first", hint="mmcli extract FOLDER -o FEATURES does that, then mmcli.load"
        )
    config = extractors.configured(module, fields)
    features: Features = extractors.run(module, _clip(source, modality, rate), config)
    return features


def _modality(source: Any, extractor: str | None, rate: float | None) -> str:
    from mmcli import extractors, media

    if given.is_path(source):
        kind = media.modality_of(source)
        if extractor is not None:
            asked = extractors.modality_of(extractor)[0]
            if kind == "video" and asked == "audio":  # the sound of a film
                return asked
        return kind
    for kind in extractors.MODALITIES:
        if type(source).__name__ == f"{kind.capitalize()}Clip":
            return kind
    if rate is not None and np.ndim(source) == 1:
        return "audio"
    if rate is not None and np.ndim(source) == 2:
        return "series"
    raise UsageError("an array says not what it is", hint="give rate= (sound, series) or modality='image'")


def _clip(source: Any, modality: str, rate: float | None) -> Any:
    from mmcli import media

    if given.is_path(source):
        return media.open_clip(Path(source), modality, options=media.MediaOptions(rate=rate))
    if not isinstance(source, np.ndarray | list):
        return source
    if modality == "image":
        return media.ImageClip.from_array(source)
    if rate is None:
        raise UsageError(f"an array of {modality} has no clock", hint="give rate= in Hz")
    if modality == "audio":
        return media.AudioClip.from_array(source, round(rate))
    if modality == "video":
        return media.VideoClip.from_array(source, rate)
    if modality == "series":
        return media.SeriesClip.from_array(source, rate)
    raise UsageError(f"{modality} is not made of an array", hint="give a path")
