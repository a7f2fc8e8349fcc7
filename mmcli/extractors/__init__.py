"""Extractors turn a clip into features, one file per extractor in a folder per modality.

An extractor module has the same shape everywhere::

    LONG = "streams" | "two-pass" | "whole"     # how it treats long input
    KIND = "spectrogram"                        # what its values are, see Features.meta["kind"]
    FITTED = False                              # True: learns a state from the training rows first
    class Config                                # frozen dataclass: every field has a default, a unit and a range
    def extract(clip, config=Config()) -> Features          # fitted: extract(clip, config, state)
    def fit(clips, config) -> dict                          # fitted only; the state is plain JSON

    NEEDS_FILE = True                           # only encoders that read their weights from a file: onnx:FILE ...

``streams``: reads the clip in blocks, and the result is the same for any block size. ``two-pass``: reads it twice, the
first time for a statistic of the whole (a dB floor, the tuning). ``whole``: needs all of it at once, up to a length.

Encoders that were trained elsewhere are in :mod:`mmcli.extractors.learned`, one adapter a kind of file, and belong to
every modality that the adapter can read.

>>> registry("audio").names()[:3]
['checkpoint', 'chroma', 'f0']
>>> load("logmel").KIND
'spectrogram'
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mmcli.errors import UsageError
from mmcli.registry import Registry, nearest

DEFAULTS = {
    "audio": "logmel",
    "image": "pixels",
    "video": "frames",
    "text": "tokens",
    "series": "raw",
    "table": "raw",
}
MODALITIES = tuple(DEFAULTS)


@functools.cache
def registry(modality: str) -> Registry:
    """The extractors of one modality."""
    if modality not in DEFAULTS:
        raise UsageError(f"unknown modality {modality!r}", hint=nearest(modality, DEFAULTS))
    here = Path(__file__).parent
    learned = Registry("encoder", f"{__name__}.learned", [str(here / "learned")])
    return Registry(f"{modality} extractor", f"{__name__}.{modality}", [str(here / modality)], shared=learned)


def modality_of(name: str) -> tuple[str, str]:
    """``logmel`` or ``audio.logmel`` as (modality, extractor's own name).

    Raises :class:`UsageError` for an unknown name and for one that several modalities use.
    """
    modality, dot, own = name.partition(".")
    if dot and modality in DEFAULTS:
        return modality, own
    owners = [m for m in MODALITIES if name in registry(m).names()]
    if len(owners) == 1:
        return owners[0], name
    known = [f"{m}.{n}" for m in MODALITIES for n in registry(m).names()]
    if owners:
        raise UsageError(f"{name!r} is an extractor of {' and '.join(owners)}", hint=f"say {owners[0]}.{name}")
    raise UsageError(f"unknown extractor {name!r}", hint=nearest(name, [*known, *(k.partition(".")[2] for k in known)]))


def load(name: str) -> ModuleType:
    """The module of an extractor, by its name or, where several modalities use it, by ``MODALITY.NAME``."""
    modality, own = modality_of(name)
    return registry(modality).load(own)


def is_fitted(module: ModuleType) -> bool:
    """Whether the extractor needs a state that is learned from the training rows."""
    return bool(getattr(module, "FITTED", False))


def run(module: ModuleType, clip: Any, config: Any, state: dict[str, Any] | None = None) -> Any:
    """Call ``extract`` with or without a state, as the extractor needs it."""
    if is_fitted(module):
        if state is None:
            raise UsageError(
                f"{module.__name__.rpartition('.')[2]} needs a fitted state",
                hint="fit it over the training rows, or give --fitted FILE",
            )
        return module.extract(clip, config, state)
    return module.extract(clip, config)


def configured(module: ModuleType, fields: Mapping[str, Any]) -> Any:
    """The Config of an extractor from the plain JSON that Features.meta["config"] and checkpoints hold.

    >>> configured(load("mfcc"), {"coefficients": 20}).coefficients
    20
    """
    known = {f.name for f in dataclasses.fields(module.Config)}
    for name in fields:
        if name not in known:
            raise UsageError(f"{module.__name__.rpartition('.')[2]} has no field {name!r}", hint=nearest(name, known))
    return module.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def __getattr__(name: str) -> ModuleType:
    """``mmcli.extractors.logmel`` is the module, where the name is used by one modality only."""
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return load(name)
    except UsageError as error:
        raise AttributeError(str(error)) from None
