"""Numbers over time from csv, tsv, npy, npz and xdf: a column named time, t, timestamp or seconds, or a rate."""

from __future__ import annotations

import csv
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError
from mmcli.media import arrays, files, limits, npy, timeunit
from mmcli.media.clips import SeriesClip
from mmcli.media.text import decoded

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

Float64 = NDArray[np.float64]

TIME_NAMES = ("time", "times", "t", "timestamp", "seconds")
EMPTY_CELLS = ("", "nan", "na", "n/a", "null", "none")


def read(path: Path, options: MediaOptions) -> SeriesClip:
    """The clip of a series file.

    ``options.rate`` gives the rate of a file without a time column, ``options.time_unit`` the unit of such a column;
    ``options.missing="interpolate"`` fills NaN and empty cells along time (linearly, the ends with the nearest value);
    ``options.row`` picks one row of a 2-D array as a single frame at 0.0. A segment keeps the rows with
    ``start <= time < end`` and counts time from ``start``.
    """
    files.refuse_foreign(path, "series", ("series",))
    if options.row is not None and arrays.takes(path, options.member):
        return _row_of_array(path, options)
    kind = files.container(files.head(path))
    if kind == "npy":
        with path.open("rb") as file:
            columns, values, times = _from_array(npy.read(file, path.stat().st_size, path, options.row), path)
    elif kind == "xdf":
        return _recorded(path, options)
    elif kind == "zip":
        columns, values, times = _from_npz(path, options.row)
    else:
        columns, values, times = _from_csv(path)
    if times is not None and options.row is None:
        times = timeunit.seconds(times, options.time_unit, path)
    if options.row is not None:
        return _one_row(path, options, columns, values, times, picked=kind == "npy")
    return _clip(path, options, columns, values, times)


def _row_of_array(path: Path, options: MediaOptions) -> SeriesClip:
    """One row of an array: a frame at 0.0, or a sequence with its own clock where a row has several frames."""
    values = np.asarray(arrays.row_of(path, options.member, options.row or 0), np.float64)
    if not np.isfinite(values).all():
        raise MediaError(f"row {options.row} holds NaN or Inf", source=path, hint="--missing mean of `mmcli fuse`")
    columns = [f"c{i}" for i in range(values.shape[1])]
    rate = options.rate or 1.0
    place = f"{path.name}{f':{options.member}' if options.member else ''}#{options.row}"
    times = np.arange(len(values)) / rate
    return SeriesClip(
        name=place, path=path, values=values, times=times, columns=columns, timed=len(values) == 1 or bool(options.rate)
    )


def _recorded(path: Path, options: MediaOptions) -> SeriesClip:
    """A stream of the Lab Streaming Layer."""
    from mmcli.media import xdf

    recorded = xdf.load(path, options, sound=False)
    values = recorded.values.astype(np.float64)
    columns = recorded.stream.labels or [f"c{i}" for i in range(values.shape[1])]
    clip = _clip(path, options, columns, values, recorded.times)
    clip.remarks = recorded.remarks
    return clip


def _one_row(
    path: Path, options: MediaOptions, columns: list[str], values: Float64, times: Float64 | None, *, picked: bool
) -> SeriesClip:
    row = options.row or 0
    if not picked:
        if not 0 <= row < len(values):
            raise MediaError(f"has {len(values)} rows, counted from 0: there is no row {row}", source=path)
        values = values[row : row + 1]
    if not np.isfinite(values).all():
        raise MediaError(f"row {row} holds NaN or Inf", source=path, hint="a single row has no neighbours in time")
    return SeriesClip(name=f"{path.name}#{row}", path=path, values=values.copy(), times=np.zeros(1), columns=columns)


def _clip(path: Path, options: MediaOptions, columns: list[str], values: Float64, times: Float64 | None) -> SeriesClip:
    if not len(values) or not columns:
        raise MediaError("holds no numbers", source=path)
    if len(columns) > limits.MAX_SERIES_COLUMNS:
        raise MediaError(f"has {len(columns):,} columns, more than {limits.MAX_SERIES_COLUMNS:,}", source=path)
    timed = times is not None or options.rate is not None
    if times is None:
        times = np.arange(len(values)) / (options.rate or 1.0)
    if not np.isfinite(times).all():
        raise MediaError(f"time column: row {int(np.argmin(np.isfinite(times)))} is no number", source=path)
    steps = np.diff(times)
    if not (steps > 0).all():
        row = int(np.argmax(steps <= 0)) + 1
        raise MediaError(
            f"time does not increase: {times[row - 1]:g} s, then {times[row]:g} s (row {row})", source=path
        )
    if options.missing == "mark":
        values = np.where(np.isfinite(values), values, limits.MISSING)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise MediaError(f"holds Inf in row {row}, column {columns[column]!r}", source=path)
    holes = np.isnan(values)
    if holes.any():
        row, column = np.argwhere(holes)[0]
        if options.missing == "refuse":
            raise MediaError(
                f"has {holes.sum():,} missing value(s), the first in row {row}, column {columns[column]!r}",
                source=path,
                hint="--missing interpolate fills them along time",
            )
        values = _interpolated(values, times, columns, path)
    rate = options.rate
    if rate is None and timed and len(times) > 1:
        # Within a thousandth of a step the clock is even, and then it has a rate.
        median = float(np.median(steps))
        rate = round(1 / median, 9) if np.abs(steps - median).max() <= 1e-3 * median else None
    if options.start is not None or options.end is not None:
        if not timed:
            raise MediaError("has no time column, so a segment needs a rate", source=path)
        start = options.start or 0.0
        keep = (times >= start) & (times < (np.inf if options.end is None else options.end))
        if not keep.any():
            raise MediaError(f"has no row in the segment ({times[0]:g} s to {times[-1]:g} s)", source=path)
        values, times = values[keep], times[keep] - start
    return SeriesClip(
        name=path.name,
        path=path,
        values=np.ascontiguousarray(values, dtype=np.float64),
        times=np.ascontiguousarray(times, dtype=np.float64),
        columns=columns,
        rate_hz=rate,
        timed=timed,
        missing=int(holes.sum()),
    )


def _interpolated(values: Float64, times: Float64, columns: list[str], path: Path) -> Float64:
    filled = values.copy()
    for column, name in enumerate(columns):
        known = ~np.isnan(values[:, column])
        if not known.any():
            raise MediaError(f"column {name!r} holds no number at all", source=path)
        filled[~known, column] = np.interp(times[~known], times[known], values[known, column])
    return filled


def _from_csv(path: Path) -> tuple[list[str], Float64, Float64 | None]:
    text = decoded(path)
    if any(len(line) > limits.MAX_CSV_LINE for line in text.split("\n")):
        raise MediaError("has a line too long for a table of numbers", source=path)
    lines = [line for line in text.split("\n") if line.strip()]
    first = lines[0] if lines else ""
    separator = max("\t;,", key=first.count)
    rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, strict=True)
    try:
        header = [cell.strip() for cell in next(rows, [])]
        names = header if any(not _is_cell(cell) for cell in header) else None
        _refuse_manifest(names or [], path)
        width = len(header)
        data: list[list[float]] = [] if names else [[_number(cell, path, 1) for cell in header]]
        for number, row in enumerate(rows, start=2):
            if len(row) != width:
                raise MediaError(f"row {number} has {len(row)} cells, the first has {width}", source=path)
            data.append([_number(cell, path, number) for cell in row])
    except csv.Error as error:
        raise MediaError(f"is no table: {error}", source=path) from error
    if not data:
        raise MediaError("holds no rows of numbers", source=path)
    columns = names or [f"c{i}" for i in range(width)]
    if len(set(columns)) != len(columns):
        raise MediaError("names a column twice", source=path)
    return _split_time(columns, np.array(data, dtype=np.float64), path)


_OF_MANIFESTS = {"id", "split", "label", "group", "audio", "image", "video", "text", "series", "text_value"}


def _refuse_manifest(names: list[str], path: Path) -> None:
    """Raises :class:`MediaError` for a table whose columns are those of a manifest: it was not recognised as one."""
    known = [name for name in names if name.split(".")[0].lower() in _OF_MANIFESTS]
    if len(known) < 2:
        return
    wrong = []
    if "id" not in names:
        wrong.append("it has no column id")
    if path.suffix.lower() not in (".csv", ".tsv"):
        wrong.append(f"it is named {path.suffix or 'without a suffix'}, not .csv")
    raise MediaError(
        f"looks like a manifest (columns {', '.join(known[:6])}), but "
        + " and ".join(wrong or ["is used as a series"]),
        source=path,
    )


def _is_cell(cell: str) -> bool:
    if cell.strip().lower() in EMPTY_CELLS:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _number(cell: str, path: Path, row: int) -> float:
    cell = cell.strip()
    if cell.lower() in EMPTY_CELLS:
        return np.nan
    if not _is_cell(cell):
        raise MediaError(f"row {row}: {cell[:40]!r} is no number", source=path)
    return float(cell)


def _split_time(columns: list[str], values: Float64, path: Path) -> tuple[list[str], Float64, Float64 | None]:
    times = [i for i, name in enumerate(columns) if name.strip().lower() in TIME_NAMES]
    if not times:
        return columns, values, None
    if len(times) > 1:
        named = ", ".join(columns[i] for i in times)
        raise MediaError(f"has several time columns ({named})", source=path, hint="rename all but one")
    keep = [i for i in range(len(columns)) if i != times[0]]
    return [columns[i] for i in keep], values[:, keep], values[:, times[0]]


def _from_array(array: NDArray[Any], path: Path) -> tuple[list[str], Float64, Float64 | None]:
    if array.dtype.names:
        columns = list(array.dtype.names)
        return _split_time(columns, np.stack([array[name].astype(np.float64) for name in columns], axis=1), path)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise MediaError(f"has {array.ndim} dimensions; a series has (frames,) or (frames, dims)", source=path)
    return [f"c{i}" for i in range(array.shape[1])], array.astype(np.float64), None


def _from_npz(path: Path, row: int | None) -> tuple[list[str], Float64, Float64 | None]:
    """Every member is a column or a block of columns; the one with a name of time is the time."""
    size = path.stat().st_size
    arrays: dict[str, NDArray[Any]] = {}
    numbers = 0
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > limits.MAX_NPZ_MEMBERS or len({m.filename for m in members}) != len(members):
                raise MediaError(f"has {len(members)} members, too many or with one name twice", source=path)
            if sum(m.file_size for m in members) > max(limits.NPZ_FLOOR_BYTES, limits.MAX_NPZ_RATIO * size):
                raise MediaError("unpacks to far more than its size: refused", source=path)
            for member in members:
                plain = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not member.flag_bits & 1
                if not member.filename.endswith(".npy") or not plain:
                    raise MediaError(f"holds {member.filename!r}, which is no plain array", source=path)
                with archive.open(member) as file:
                    part = npy.read(file, member.file_size, path, None)
                numbers += part.size * max(1, len(part.dtype.names or ()))
                if 8 * numbers > max(limits.NPZ_FLOOR_BYTES, limits.MAX_NPZ_RATIO * size):  # each becomes a float64
                    raise MediaError(f"unpacks to more than {numbers:,} numbers, far more than its size", source=path)
                arrays[member.filename[:-4]] = part
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, EOFError, RuntimeError) as error:
        raise MediaError(f"is damaged: {error}", source=path) from error
    columns: list[str] = []
    parts: list[Float64] = []
    for name in sorted(arrays):
        part = arrays[name]
        if part.ndim not in (1, 2) or part.dtype.names:
            raise MediaError(f"{name!r} has shape {part.shape}; a series has (frames,) or (frames, dims)", source=path)
        wide = part[:, None] if part.ndim == 1 else part
        columns += [name] if part.ndim == 1 else [f"{name}.{i}" for i in range(wide.shape[1])]
        parts.append(wide.astype(np.float64, copy=False))
    if len({len(part) for part in parts}) != 1:
        raise MediaError("its arrays differ in length", source=path)
    return _split_time(columns, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1), path)
