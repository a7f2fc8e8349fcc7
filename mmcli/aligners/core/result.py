"""What the methods found, as the alignment artifact."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.aligners.core import inputs
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.io import provenance
from mmcli.errors import MismatchError

UNTESTED = {"ratio": None, "verdict": "not judged", "reason": "the method was asked for by name; auto judges"}


def method(name: str, config: Any) -> dict[str, Any]:
    """The method entry of an artifact: its name and the whole configuration."""
    return {"name": name, "config": provenance.config_dict(config)}


def warped(x: Any, y: Any, path: NDArray[np.int64], cost: float, *, name: str, config: Any) -> Alignment:
    """The alignment of a frame path int64 (k, 2): knots from its mean query time per reference frame.

    ``x``, ``y`` are what the method was called with (arrays or Features), for times, names and durations.
    """
    knots = timemap.from_path(path, inputs.times_of(x), inputs.times_of(y))
    return Alignment(
        model="warp",
        knots=knots,
        breaks=[],
        offset_s=None,
        rate=None,
        ppm=None,
        confidence_s=None,
        quality=dict(UNTESTED),
        method=method(name, config),
        cost=float(cost),
        reference=inputs.about(x),
        query=inputs.about(y),
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
