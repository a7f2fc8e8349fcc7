"""What every extractor is made with, in one import: clips, features with their provenance, checks at its door."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from mmcli._version import __version__
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, UsageError
from mmcli.media.clips import AudioClip, ImageClip, SeriesClip, TableClip, TextClip, VideoClip
from mmcli.registry import nearest

__all__ = [
    "AudioClip",
    "Features",
    "ImageClip",
    "SeriesClip",
    "TableClip",
    "TextClip",
    "VideoClip",
    "at_most",
    "configure",
    "features",
    "finite",
    "lost_steps",
    "name_of",
    "nonempty",
    "one_of",
    "still",
    "within",
]


def features(clip: Any, values: np.ndarray, times: np.ndarray, config: Any, *, kind: str, **meta: Any) -> Features:
    """Values and times of a clip as :class:`Features`, with the configuration, its hash and the clip's source.

    ``config`` is the extractor's Config: modality and extractor are where its class is defined. Entries of ``meta``
    that are None are left out.
    """
    *_, modality, extractor = type(config).__module__.split(".")
    canonical, digest = _canonical(config)
    entries = {
        "schema": "mmcli/features@1",
        "mmcli": __version__,
        "modality": modality,
        "extractor": extractor,
        "kind": kind,
        "config": dict(canonical),
        "config_sha256": digest,
        "source": getattr(clip, "source", None),
        **meta,
    }
    return Features(
        values=np.ascontiguousarray(values, dtype=np.float32),
        times=np.ascontiguousarray(times, dtype=np.float64),
        meta={k: v for k, v in entries.items() if v is not None},
    )


@functools.lru_cache(maxsize=64)
def _canonical(config: Any) -> tuple[dict[str, Any], str]:
    """The configuration as plain JSON and its hash; a batch asks thousands of times for the same."""
    plain = provenance.config_dict(config)
    return plain, provenance.config_sha256(plain)


def lost_steps(values: np.ndarray, columns: Sequence[str]) -> list[str]:
    """What to note of columns whose float64 values (frames, columns) change where float32 does not tell them apart.

    >>> lost_steps(np.array([[1.0, 1.7e9], [2.0, 1.7e9 + 1]]), ["x", "clock"])
    ["column 'clock': float32 cannot hold 1 of its 1 changes; subtract its mean, or scale it"]
    """
    changes = np.diff(values, axis=0) != 0
    with np.errstate(over="ignore"):
        kept = np.diff(values.astype(np.float32), axis=0) != 0
    notes = []
    for column in map(int, np.flatnonzero((changes & ~kept).any(axis=0))):
        lost, all_ = int((changes & ~kept)[:, column].sum()), int(changes[:, column].sum())
        what = f"float32 cannot hold {lost:,} of its {all_:,} changes; subtract its mean, or scale it"
        notes.append(f"column {columns[column]!r}: {what}")
    return notes


def still(clip: Any, values: np.ndarray, config: Any, *, kind: str, **meta: Any) -> Features:
    """Features of something without duration: one frame at 0.0."""
    return features(clip, values[np.newaxis], np.zeros(1), config, kind=kind, **meta)


# Checks at the door of an extractor: configurations that make no sense, clips that hold nothing.


def within(config: Any, **ranges: tuple[float, float]) -> None:
    """Every named field of ``config`` lies in its closed range. Raises :class:`UsageError`."""
    for field, (low, high) in ranges.items():
        value = getattr(config, field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UsageError(
                f"{name_of(config)}.{field} = {value!r}", hint=f"{field} lies between {low:g} and {high:g}"
            )


def one_of(config: Any, field: str, values: Collection[str]) -> None:
    """The field holds one of the values. Raises :class:`UsageError`."""
    value = getattr(config, field)
    if value not in values:
        raise UsageError(f"{name_of(config)}.{field} = {value!r}", hint="one of: " + ", ".join(values))


def name_of(config: Any) -> str:
    """The extractor that a Config belongs to."""
    return str(type(config).__module__.rpartition(".")[2])


def finite(values: np.ndarray, name: str) -> np.ndarray:
    """The array itself, after a look for NaN and infinity. Raises :class:`InputError`."""
    if not np.isfinite(values).all():
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        raise InputError(
            f"{bad} of {values.size} values are NaN or infinite", source=name, hint="clean the input first"
        )
    return values


def nonempty(length: int, name: str, what: str) -> None:
    """Refuse a clip that holds nothing. Raises :class:`InputError`."""
    if length <= 0:
        raise InputError(f"holds no {what}", source=name)


def at_most(seconds: float, most: float, name: str) -> None:
    """Refuse a clip that is too long to be held whole. Raises :class:`InputError`."""
    if seconds > most:
        raise InputError(
            f"{seconds:.0f} s is longer than the {most:.0f} s that are held whole here",
            source=name,
            hint="cut it into segments (start, end in a manifest), or use an extractor that streams",
        )


# ``FIELD=VALUE,FIELD=VALUE``: the configuration of an extractor inside another one's.


def configure(kind: type[Any], text: str, where: str) -> Any:
    """The Config with the fields that ``text`` names. Raises :class:`UsageError`, naming ``where``.

    >>> from mmcli.extractors.image import hog
    >>> configure(hog.Config, "cell=4,block=1", "frames.settings").cell
    4
    """
    known = {f.name: typing.get_type_hints(kind)[f.name] for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        field, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"{where}: {part!r} is not FIELD=VALUE")
        if field not in known:
            raise UsageError(f"{where} has no field {field!r}", hint=nearest(field, known))
        values[field] = _typed(value, known[field], f"{where}.{field}")
    return kind(**values)


def _typed(text: str, hint: Any, where: str) -> Any:
    kinds = typing.get_args(hint) or (hint,)
    if type(None) in kinds and text.lower() == "none":
        return None
    for kind in kinds:
        if kind is bool and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
        if kind is str or text == kind:
            return text
    raise UsageError(f"{where} = {text!r} does not fit its type")
