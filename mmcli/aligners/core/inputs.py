"""What methods take, of which kind it is, and what every one checks before it starts: two finite, non-empty inputs of
one width, with their times. And what they give back: an alignment, or the refusal of a pair that does not match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MismatchError
from mmcli.media.clips import AudioClip, SubtitleClip, TextClip, VideoClip

Frames = NDArray[Any]  # (frames, dims) float32 or float64
Times = NDArray[np.float64]
Input = AudioClip | VideoClip | TextClip | SubtitleClip | Features | NDArray[Any]
Kind = Literal["audio", "video", "text", "subtitle", "features"]  # what a method's ACCEPTS pairs; arrays are features


def kind_of(x: Input) -> Kind:
    """Of which kind an input is.

    >>> kind_of(np.zeros((3, 2))), kind_of(AudioClip.from_array(np.zeros(8), rate=8))
    ('features', 'audio')
    """
    match x:
        case AudioClip():
            return "audio"
        case VideoClip():
            return "video"
        case TextClip():
            return "text"
        case SubtitleClip():
            return "subtitle"
        case _:
            return "features"


def incomparable(kinds: Sequence[str], names: Sequence[str], hint: str | None = None) -> MismatchError:
    """The error to raise for a reference and a query of which no method takes both; ``names`` may be empty.

    >>> incomparable(("image", "audio"), ("a.png", "b.wav")).what
    'a file of kind image (a.png) and one of kind audio (b.wav) cannot be compared'
    """
    a, b = (f"{kind} ({name.strip()})" if name.strip() else kind for kind, name in zip(kinds, names, strict=True))
    return MismatchError(f"a file of kind {a} and one of kind {b} cannot be compared", hint=hint)


def checked(x: Any, y: Any, *, same_width: bool = True) -> tuple[tuple[Frames, Times], tuple[Frames, Times]]:
    """Reference and query as ``(values (frames, dims), times (frames,))`` each; float32 and float64 are kept.

    Arrays get one frame a second. Raises InputError for NaN, Inf, an empty or not numeric input, MismatchError for
    differing widths.

    >>> (xv, xt), (yv, yt) = checked(np.zeros((3, 2)), np.ones((4, 2)))
    >>> xv.shape, yt.tolist()
    ((3, 2), [0.0, 1.0, 2.0, 3.0])
    """
    reference, query = frames(x, "reference"), frames(y, "query")
    a, b = reference[0].shape[1], query[0].shape[1]
    if same_width and a != b:
        named = [f"{name} " if (name := name_of(side)) else "" for side in (x, y)]
        raise MismatchError(
            f"the reference {named[0]}has {a} values a frame, the query {named[1]}has {b} values",
            hint="extract both with the same extractor and settings, or --method ctw",
        )
    return reference, query


def frames(x: Any, role: str) -> tuple[Frames, Times]:
    """One side, checked: values (frames, dims) and times (frames,) in seconds. ``role`` names it in errors."""
    source = name_of(x) or None
    if isinstance(x, Features):
        values, times = np.asarray(x.flat()), np.asarray(x.times, dtype=np.float64)
    else:
        try:
            values = np.asarray(x)
        except (ValueError, TypeError) as e:
            raise InputError(f"the {role} is not an array of frames ({e})", source=source) from e
        times = np.arange(len(values) if values.ndim else 0, dtype=np.float64)
    if values.dtype.kind not in "fiub":
        raise InputError(f"the {role} does not hold numbers (dtype {values.dtype})", source=source)
    if values.ndim == 0 or values.size == 0:
        raise InputError(f"the {role} is empty (shape {values.shape})", source=source)
    values = values.reshape(len(values), -1)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        frame, dim = np.argwhere(~finite)[0].tolist()
        what = "NaN" if np.isnan(values[frame, dim]) else "an infinite value"
        raise InputError(f"the {role} holds {what} (frame {frame}, dimension {dim})", source=source)
    return np.ascontiguousarray(values), times


def hop_of(times: Times) -> float:
    """The usual distance between frames in seconds; 1 where there is only one frame."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def name_of(x: Input) -> str:
    """The name of an input, empty where it has none.

    >>> name_of(np.zeros((1, 1))), name_of(AudioClip.from_array(np.zeros(8), rate=8, name="a.wav"))
    ('', 'a.wav')
    """
    if isinstance(x, Features):
        return str((x.meta.get("source") or {}).get("name") or "")
    return str(getattr(x, "name", ""))


def about(x: Input) -> dict[str, Any]:
    """What an alignment says of one of its two sides: name, sha256 (None for arrays) and duration in seconds."""
    match x:
        case AudioClip() | VideoClip():
            duration: float | None = float(x.duration_s)
        case SubtitleClip():
            duration = max(end for _, end, _ in x.cues)
        case TextClip():
            duration = None
        case _:
            times = times_of(x)
            source = (x.meta.get("source") if isinstance(x, Features) else None) or {}
            duration = round(float(times[-1] - times[0] + hop_of(times)), 6)
            return {"name": source.get("name") or "array", "sha256": source.get("sha256"), "duration_s": duration}
    return {"name": x.name, "sha256": (x.source or {}).get("sha256"), "duration_s": duration}


def times_of(x: Features | NDArray[Any]) -> Times:
    """The times of frames in seconds, float64 (frames,); one frame a second where they are an array."""
    return np.asarray(x.times if isinstance(x, Features) else np.arange(len(x)), dtype=np.float64)


def differ(x: Input, y: Input) -> bool:
    """Whether two inputs that are no sound have different widths or came from different extractors: two kinds."""
    if "audio" in (kind_of(x), kind_of(y)):
        return False
    names = [v.meta.get("extractor") if isinstance(v, Features) else None for v in (x, y)]
    if None not in names and names[0] != names[1]:
        return True
    (a, _), (b, _) = checked(x, y, same_width=False)
    return bool(a.shape[1] != b.shape[1])


# What methods give back.

UNTESTED = {"ratio": None, "verdict": "not judged", "reason": "the method was asked for by name; auto judges"}


def method_entry(name: str, config: Any) -> dict[str, Any]:
    """The method entry of an artifact: its name and the whole configuration."""
    return {"name": name, "config": provenance.config_dict(config)}


def warped(x: Any, y: Any, path: NDArray[np.int64], cost: float, *, name: str, config: Any) -> Alignment:
    """The alignment of a frame path int64 (k, 2): knots from its mean query time per reference frame.

    ``x``, ``y`` are what the method was called with (arrays or Features), for times, names and durations.
    """
    knots = timemap.from_path(path, times_of(x), times_of(y))
    return Alignment(
        model="warp",
        knots=knots,
        breaks=[],
        offset_s=None,
        rate=None,
        ppm=None,
        confidence_s=None,
        quality=dict(UNTESTED),
        method=method_entry(name, config),
        cost=float(cost),
        reference=about(x),
        query=about(y),
        path=np.ascontiguousarray(path, dtype=np.int64),
    )


# No: a pair that does not match, with the reason in words for people and in numbers for programs.


def refusal(reason: str, name: str | None, *, statistic: str, value: float, limit: float) -> MismatchError:
    """The error to raise. ``evidence`` holds the numbers; batches write it to failures.jsonl.

    >>> refusal("too far", "b.wav", statistic="ratio", value=0.9, limit=0.5).evidence
    {'statistic': 'ratio', 'value': 0.9, 'limit': 0.5}
    """
    error = MismatchError(
        f"does not match the reference: {reason}", source=name or None, hint="--force makes a map all the same"
    )
    error.evidence = {"statistic": statistic, "value": round(float(value), 6), "limit": limit}
    return error
