"""What every aligner checks before it starts: two finite, non-empty inputs of one width, with their times."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import InputError, MismatchError

Frames = NDArray[Any]  # (frames, dims) float32 or float64
Times = NDArray[np.float64]


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
        raise MismatchError(
            f"the reference {label(x)}has {a} values a frame, the query {label(y)}has {b} values",
            hint="extract both with the same extractor and settings, or --method ctw",
        )
    return reference, query


def frames(x: Any, role: str) -> tuple[Frames, Times]:
    """One side, checked: values (frames, dims) and times (frames,) in seconds. ``role`` names it in errors."""
    source = label(x).strip() or None
    if hasattr(x, "flat") and hasattr(x, "times"):  # Features
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


def label(x: Any) -> str:
    """The name of an input followed by a space, or nothing where it has none.

    >>> label(np.zeros((1, 1)))
    ''
    """
    name = getattr(x, "name", None)
    if name is None:
        meta = getattr(x, "meta", None) or {}
        name = (meta.get("source") or {}).get("name") if isinstance(meta, dict) else None
    return f"{name} " if isinstance(name, str) and name else ""


def about(x: Any) -> dict[str, Any]:
    """What an alignment says of one of its two sides: name, sha256 (None for arrays) and duration in seconds."""
    if hasattr(x, "duration_s"):  # a clip
        source = getattr(x, "source", None) or {}
        return {"name": x.name, "sha256": source.get("sha256"), "duration_s": float(x.duration_s)}
    meta = getattr(x, "meta", None)
    meta = meta if isinstance(meta, dict) else {}
    times = np.asarray(x.times) if hasattr(x, "times") else np.arange(len(x), dtype=np.float64)
    source = meta.get("source") or {}
    name = source.get("name") or "array"
    duration = float(times[-1] - times[0] + hop_of(times))
    return {"name": name, "sha256": source.get("sha256"), "duration_s": round(duration, 6)}
