"""What a caller gives, a path, an array or a data frame, as what the rooms below take."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mmcli.cli import given as sources
from mmcli.errors import UsageError
from mmcli.media.series import TIME_NAMES
from mmcli.registry import nearest

if TYPE_CHECKING:
    from mmcli.aligners.core.inputs import Input
    from mmcli.artifacts.formats.features import Features

TIMES = (*TIME_NAMES, "time_s")  # columns of a data frame that are its clock, seconds
C = TypeVar("C")


def is_path(value: Any) -> bool:
    """Whether a file is named."""
    return isinstance(value, str | Path)


def side(value: Any, role: str, rate: float | None) -> Input:
    """One side of an alignment: a path, clip or Features as they are, samples ``(n,)`` or ``(values, rate_hz)`` pairs.

    A one-dimensional array with its rate is sound, a two-dimensional one ``(frames, dims)``; a data frame has a column
    of times or the ``rate``. Raises UsageError where an array has no clock.
    """
    from mmcli.media.clips import AudioClip

    if is_path(value):
        from mmcli.aligners.core.sides import Side

        one = Side(Path(value), role, rate)
        return one.input(one.kinds[0])
    if isinstance(value, tuple) and len(value) == 2 and np.isscalar(value[1]):
        value, rate = value
    if hasattr(value, "columns") and hasattr(value, "to_numpy"):
        return framed(value, rate)
    if not isinstance(value, np.ndarray | list):
        clip: Input = value
        return clip
    values = np.asarray(value)
    if rate is None:
        raise UsageError(f"the {role} is an array without a clock", hint="give (array, rate in Hz), or rate=")
    if values.ndim == 1:
        return AudioClip.from_array(values, round(rate), role)
    return timed(values, np.arange(len(values)) / rate)


def framed(frame: Any, rate: float | None) -> Features:
    """A data frame of numbers as Features; its clock is a column of times in seconds, or the rate."""
    name = next((c for c in frame.columns if str(c).lower() in TIMES), None)
    if name is None and rate is None:
        raise UsageError("a data frame without a clock", hint=f"a column {TIMES[0]!r} in seconds, or rate=")
    values = frame.drop(columns=[name]) if name is not None else frame
    numbers = values.select_dtypes("number")
    if numbers.shape[1] != values.shape[1]:
        odd = sorted(map(str, set(values.columns) - set(numbers.columns)))
        raise UsageError(f"columns that hold no numbers: {', '.join(odd)}", hint="drop them first")
    times = frame[name].to_numpy(float) if name is not None else np.arange(len(frame)) / float(rate or 1.0)
    return timed(numbers.to_numpy(), times, [str(c) for c in numbers.columns])


def timed(values: Any, times: Any, columns: list[str] | None = None) -> Features:
    """Values ``(frames, dims)`` at their times as Features."""
    from mmcli.artifacts.formats.features import Features

    meta: dict[str, Any] = {"kind": "sequence"} if columns is None else {"kind": "sequence", "columns": columns}
    return Features(np.ascontiguousarray(values, np.float32), np.asarray(times, np.float64), meta)


def data_set(value: Any) -> Any:
    """A Dataset, or the one in a file or in a folder of shards. Raises UsageError for anything else."""
    if is_path(value):
        return sources.load(Path(value))
    if not hasattr(value, "streams"):
        what = f"{type(value).__name__} is no data set"
        raise UsageError(what, hint="mmcli.fuse({'audio': array}, label=labels) makes one")
    return value


def configured(kind: type[C], fields: dict[str, Any], name: str) -> C:
    """A configuration with these fields set. Raises UsageError for an unknown one, naming the nearest."""
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for field in fields:
        if field not in known:
            raise UsageError(f"{name} has no field {field!r}", hint=nearest(field, known))
    return kind(**fields)
