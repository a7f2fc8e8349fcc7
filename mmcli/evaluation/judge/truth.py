"""What is known of a pair: moments that belong together, a whole map, or the lines and words of a recording.

Moments stand in a csv file with the columns t_reference and t_query. A map is json, one of ours or by hand ``knots``
[[t_reference, t_query], ...] or ``offset_s`` and ``rate``. Lines and words are intervals with labels on the clock of
the reference: a TextGrid (all its tiers, or ``FILE#TIER``), subtitles, a csv file with start and label, or json
[{"start": 2.7, "text": "..."}, ...], where a start of null is not judged.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import alignment as alignment_file
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import jsonfile, provenance
from mmcli.errors import InputError
from mmcli.media import files, intervals
from mmcli.media.text import decoded

Times = NDArray[np.float64]
Label = tuple[float | None, str]  # start in seconds of the reference, text
POINTS = ("t_reference", "t_query")
STARTS, TEXTS = ("start", "onset"), ("label", "text", "word", "line")
MAX_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Truth:
    """One of three: ``points`` (n, 2), a whole ``map``, or ``tiers`` of labels; ``pair`` names the files it is of."""

    points: Times | None = None
    map: TimeMap | None = None
    tiers: Mapping[str, list[Label]] | None = None
    pair: Alignment | None = None


def read(path: Path | str) -> Truth:
    """The truth in a file, by its suffix. Raises InputError, MediaError or MissingError where it holds none."""
    name, _ = intervals.parted(str(path))
    files.regular(name, "text")
    suffix = Path(name).suffix.lower()
    if suffix == ".csv":
        return _table(decoded(Path(name)), Path(name).name)
    if suffix == ".json":
        return _json(provenance.read_bytes(name, MAX_BYTES), Path(name).name)
    tiers = intervals.read_tiers(str(path))
    return Truth(tiers={tier: [(a, label) for a, _, label in rows] for tier, rows in tiers.items()})


def _table(text: str, name: str) -> Truth:
    rows = csv.DictReader(io.StringIO(text))
    columns = set(rows.fieldnames or ())
    start, label = (next((c for c in names if c in columns), None) for names in (STARTS, TEXTS))
    try:
        if columns >= set(POINTS):
            points = [[_number(r[c], c, k, name) for c in POINTS] for k, r in enumerate(rows, 2)]
            return Truth(points=points_of(np.array(points, dtype=np.float64).reshape(-1, 2), name))
        if start is None or label is None:
            raise InputError("columns t_reference and t_query, or start and label, are needed", source=name)
        tiers: dict[str, list[Label]] = {}
        for k, row in enumerate(rows, 2):
            at = _number(row[start], start, k, name) if (row[start] or "").strip() else None
            tiers.setdefault(row.get("kind") or "", []).append((at, (row[label] or "").strip()))
    except csv.Error as error:
        raise InputError(f"is no table: {error}", source=name) from error
    return _labelled(tiers, name)


def _number(cell: str | None, column: str, line: int, name: str) -> float:
    try:
        return float(cell or "")
    except ValueError:
        raise InputError(f"line {line}: {column} is {cell!r}, which is no number", source=name) from None


def _json(data: bytes, name: str) -> Truth:
    if data.lstrip().removeprefix(b"\xef\xbb\xbf").startswith(b"["):
        return _labelled({"": _listed(data, name)}, name)
    content = jsonfile.parse(data, name)
    if "schema" in content:
        pair = alignment_file.loads(data, name)
        if pair.segments is not None:
            tiers: dict[str, list[Label]] = {}
            for s in pair.segments:
                tiers.setdefault(s["kind"], []).append((s["start"], s["text"]))
            return replace(_labelled(tiers, name), pair=pair)
        return Truth(map=TimeMap(pair), pair=pair)
    try:
        if "knots" in content:
            return Truth(map=TimeMap(points_of(np.array(content["knots"], dtype=np.float64), name)))
        offset, rate = float(content["offset_s"]), float(content.get("rate", 1.0))
        if not rate > 0:
            raise InputError(f"a rate of {rate:g}")
        line = np.array([[offset, 0.0], [offset + rate, 1.0]])
        return Truth(map=TimeMap(line, model="affine", offset_s=offset, rate=rate))
    except (KeyError, TypeError, ValueError, InputError) as error:
        hint = 'a map, {"knots": [[t_reference, t_query], ...]}, {"offset_s": ..., "rate": ...}, or a list of labels'
        raise InputError("holds no truth about a pair", source=name, hint=hint) from error


def _listed(data: bytes, name: str) -> list[Label]:
    wrapped = jsonfile.parse(b'{"rows": ' + data.removeprefix(b"\xef\xbb\xbf") + b"}", name)["rows"]
    labels: list[Label] = []
    for row in wrapped:
        start, label = (next((k for k in ks if isinstance(row, dict) and k in row), None) for ks in (STARTS, TEXTS))
        if start is None or label is None or type(row[start]) not in (int, float, type(None)):
            raise InputError(f"{json.dumps(row)[:60]} is no label: a start and a text are needed", source=name)
        labels.append((None if row[start] is None else float(row[start]), str(row[label])))
    return labels


def _labelled(tiers: dict[str, list[Label]], name: str) -> Truth:
    kept = {tier: rows for tier, rows in tiers.items() if any(start is not None for start, _ in rows)}
    if not kept:
        raise InputError("holds no label with a start", source=name)
    for rows in kept.values():
        for start, text in rows:
            if start is not None and not (np.isfinite(start) and start >= 0):
                raise InputError(f"label {text[:40]!r} starts at {start:g} s", source=name)
    return Truth(tiers=kept)


def points_of(points: Times, name: str) -> Times:
    """Points float64 (n, 2), n at least 2, finite; raises :class:`InputError` for anything else."""
    if points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 2 or not np.isfinite(points).all():
        raise InputError(f"holds no pairs of times (shape {points.shape})", source=name)
    return points
