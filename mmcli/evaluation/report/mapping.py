"""A map next to the truth about its pair: what ``mmcli evaluate MAP TRUTH`` writes.

Moments stand in a csv file with the columns t_reference and t_query. A map is json, one of ours or by hand ``knots``
[[t_reference, t_query], ...] or ``offset_s`` and ``rate``. Lines and words are intervals with labels on the clock of
the reference: a TextGrid (all its tiers, or ``FILE#TIER``), subtitles, a csv file with start and label, or json
[{"start": 2.7, "text": "..."}, ...], where a start of null is not judged.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.artifacts.formats import alignment as maps
from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import jsonfile, provenance
from mmcli.errors import InputError, MismatchError, UsageError
from mmcli.evaluation.metrics import alignment as metrics
from mmcli.media import files, intervals, transcripts
from mmcli.media.text import decoded

Times = NDArray[np.float64]
Label = tuple[float | None, str]  # start in seconds of the reference, text
POINTS = ("t_reference", "t_query")
STARTS, TEXTS = ("start", "onset"), ("label", "text", "word", "line")
MAX_BYTES = 64 << 20
TASK = "alignment"
KINDS = ("word", "line")
LEAST_SHARED = 0.5  # of the labels of a tier that a text has to share with it to be judged by it


@dataclass(frozen=True, eq=False)
class Truth:
    """One of three: ``points`` (n, 2), a whole ``map``, or ``tiers`` of labels; ``pair`` names the files it is of."""

    points: Times | None = None
    map: TimeMap | None = None
    tiers: Mapping[str, list[Label]] | None = None
    pair: Alignment | None = None


def evaluate(map_: Path, truth: Path, query: Path | None = None) -> dict[str, Any]:
    """The report of the map in a file (``-``: standard input) next to the truth in another, see :func:`report`."""
    scored, labels = maps.load(map_), None if query is None else read_truth(query)
    given = [intervals.parted(str(path))[0] for path in (map_, truth, query) if path is not None]
    inputs = [provenance.source_of(path) for path in given if path != provenance.STDIN]
    return report(scored, read_truth(truth), query=labels, inputs=inputs)


def report(
    alignment: Alignment, truth: Truth, *, query: Truth | None = None, inputs: Sequence[Any] = ()
) -> dict[str, Any]:
    """The content of a report (:mod:`.report`): metrics, items where the truth lists moments, verdict.

    ``query``: labels on the clock of the query, for labels of the reference and a map that holds no text; those with
    the same text belong together. Raises MismatchError where truth and map are not of one pair or share nothing,
    UsageError where labels need ``query``.
    """
    notes = _strangers(alignment, truth)
    items: list[dict[str, Any]] = []
    config: dict[str, Any] = {"limits_s": list(metrics.LIMITS_S)}
    if truth.map is not None:
        _needs_knots(alignment)
        scored = metrics.score_map(alignment, truth.map)
        config |= {"truth": "map", "grid_s": metrics.GRID_S, "segment_s": metrics.SEGMENT_S}
    elif truth.points is not None:
        _needs_knots(alignment)
        scored, items = _at_points(alignment, truth.points, [""] * len(truth.points))
        config["truth"] = "points"
    else:
        tier, rows, total = _labels(alignment, truth, query)
        config |= {"truth": "labels", "tier": tier}
        texts, judged = [text for text, _, _ in rows], [(t, own) for _, t, own in rows if own is not None]
        if not judged:
            raise MismatchError("the map says nothing about any of the true labels")
        if alignment.segments is None:
            scored, items = _at_points(alignment, np.array(judged), texts)
        else:
            scored = metrics.score_starts([t for t, _ in judged], [own for _, own in judged], total)
            items = _items(rows)
    content: dict[str, Any] = {
        "task": TASK,
        "metrics": scored,
        "verdict": {"text": _sentence(scored)},
        "items": items,
        "inputs": list(inputs),
        "config": config,
        "config_sha256": provenance.config_sha256(config),
        "notes": notes,
    }
    return content


def _needs_knots(alignment: Alignment) -> None:
    if len(alignment.knots) == 0:
        raise MismatchError("the map is of a text and holds lines and words; the truth holds pairs of times")


def _labels(
    alignment: Alignment, truth: Truth, query: Truth | None
) -> tuple[str, list[tuple[str, float, float | None]], int]:
    """The tier that is judged, (text, true start, own start) of the labels that both have, and how many were to be.

    Own starts are those of the text in the map, in the time of the reference, or those of ``query``, in its own.
    """
    own: dict[str, list[Label]] = {}
    if alignment.segments is not None:
        for kind in KINDS:
            own[kind] = [(s["start"], s["text"]) for s in alignment.segments if s["kind"] == kind]
    elif query is None or query.tiers is None:
        raise UsageError(
            "the truth holds labels of the reference, and the map no text",
            hint="name the labels of the query, in its own time: --query FILE.srt (or TextGrid, csv)",
        )
    else:
        own = {tier: [row for row in rows if row[0] is not None] for tier, rows in query.tiers.items()}
    best: tuple[float, str, list[tuple[str, float, float | None]], int] | None = None
    for tier, true in (truth.tiers or {}).items():
        for rows in own.values():
            pairs = _paired([text for _, text in true], [text for _, text in rows])
            shared = len(pairs) / max(len(true), 1)
            judged = [(true[i][1], true[i][0], rows[j][0]) for i, j in pairs]
            kept = [(text, t, f) for text, t, f in judged if t is not None]
            if best is None or (shared, len(kept)) > (best[0], len(best[2])):  # as good by lines as by words: by words
                best = shared, tier, kept, sum(t is not None for t, _ in true)
    if best is None or best[0] < LEAST_SHARED:
        share = 0.0 if best is None else max(0.0, best[0])
        raise MismatchError(f"the truth is of another text: {share:.0%} of its labels are found in that of the map")
    return best[1:]


def _paired(true: list[str], own: list[str]) -> list[tuple[int, int]]:
    """Which label is which: those of the same words, in the order of both.

    >>> _paired(["The", "cat", "sat"], ["the", "black", "cat", "sat."])
    [(0, 0), (1, 2), (2, 3)]
    """
    a, b = ([_bare(text) for text in texts] for texts in (true, own))
    if a == b:
        return [(k, k) for k in range(len(a))]
    blocks = difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return [(m.a + k, m.b + k) for m in blocks for k in range(m.size)]


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum()) or text.strip()


def _at_points(alignment: Alignment, points: Times, texts: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    estimate = TimeMap(alignment).to_reference(points[:, 1]).tolist()
    rows = [
        (text, float(true), own if np.isfinite(own) else None)
        for text, true, own in zip(texts, points[:, 0], estimate, strict=True)
    ]
    return metrics.score(alignment, points), _items(rows)


def _items(rows: list[tuple[str, float, float | None]]) -> list[dict[str, Any]]:
    """An item for each moment: what is true, what was found, and by how much it is late; seconds."""
    return [
        {
            "id": f"{k:05d} {text}".strip(),
            "label": true,
            "prediction": own,
            "error": None if own is None else own - true,
        }
        for k, (text, true, own) in enumerate(rows)
    ]


def _strangers(alignment: Alignment, truth: Truth) -> list[str]:
    """A line where the truth names another file than the map.

    Raises MismatchError where it is the other way round, and where both files are others: a map of features may be
    judged by a truth of the recordings they were extracted from.
    """
    if truth.pair is None:
        return []
    sides = [
        (e["name"], e["sha256"]) for e in (alignment.reference, alignment.query, truth.pair.reference, truth.pair.query)
    ]
    a, b, c, d = (sha for _, sha in sides)
    if None not in (a, b) and (a, b) == (d, c):
        raise MismatchError("the truth is of the same pair the other way round", hint="align in the order of the truth")
    names = [name for name, _ in sides]
    others = [None not in pair and pair[0] != pair[1] for pair in ((a, c), (b, d))]
    said = f"the truth is of {names[2]} and {names[3]}, the map of {names[0]} and {names[1]}"
    if all(others) and not any(name.endswith(".npz") for name in names):
        raise MismatchError(said)
    if any(others):
        return [f"{said}: other files"]
    return []


def _sentence(scored: dict[str, Any]) -> str:
    value = {name: entry["value"] for name, entry in scored.items()}
    text = f"{1000 * value['mean_s']:.1f} ms from the truth on average, 95 % within {1000 * value['p95_s']:.1f} ms"
    if value["unmapped"]:
        text += f"; {value['unmapped']:.1%} unmapped"
    return text


# The truth in a file.


def read_truth(path: Path | str) -> Truth:
    """The truth in a file, by its suffix. Raises InputError, MediaError or MissingError where it holds none."""
    name, _ = intervals.parted(str(path))
    files.regular(name, "text")
    suffix = Path(name).suffix.lower()
    if suffix == ".csv":
        return _of_table(decoded(Path(name)), Path(name).name)
    if suffix == ".json" and transcripts.format_of(name) is None:
        return _of_json(provenance.read_bytes(name, MAX_BYTES), Path(name).name)
    tiers = intervals.read_tiers(str(path))
    return Truth(tiers={tier: [(a, label) for a, _, label in rows] for tier, rows in tiers.items()})


def _of_table(text: str, name: str) -> Truth:
    rows = csv.DictReader(io.StringIO(text))
    columns = set(rows.fieldnames or ())
    start, label = (next((c for c in names if c in columns), None) for names in (STARTS, TEXTS))
    try:
        if columns >= set(POINTS):
            points = [[_number(r[c], c, k, name) for c in POINTS] for k, r in enumerate(rows, 2)]
            return Truth(points=_points(np.array(points, dtype=np.float64).reshape(-1, 2), name))
        if start is None or label is None:
            raise InputError("columns t_reference and t_query, or start and label, are needed", source=name)
        tiers: dict[str, list[Label]] = {}
        for k, row in enumerate(rows, 2):
            at = _number(row[start], start, k, name) if (row[start] or "").strip() else None
            tiers.setdefault(row.get("kind") or "", []).append((at, (row[label] or "").strip()))
    except csv.Error as error:
        raise InputError(f"is no table: {error}", source=name) from error
    return _of_tiers(tiers, name)


def _number(cell: str | None, column: str, line: int, name: str) -> float:
    try:
        return float(cell or "")
    except ValueError:
        raise InputError(f"line {line}: {column} is {cell!r}, which is no number", source=name) from None


def _of_json(data: bytes, name: str) -> Truth:
    if data.lstrip().removeprefix(b"\xef\xbb\xbf").startswith(b"["):
        return _of_tiers({"": _listed(data, name)}, name)
    content = jsonfile.parse(data, name)
    if "schema" in content:
        pair = maps.loads(data, name)
        if pair.segments is not None:
            tiers: dict[str, list[Label]] = {}
            for s in pair.segments:
                tiers.setdefault(s["kind"], []).append((s["start"], s["text"]))
            return replace(_of_tiers(tiers, name), pair=pair)
        return Truth(map=TimeMap(pair), pair=pair)
    try:
        if "knots" in content:
            return Truth(map=TimeMap(_points(np.array(content["knots"], dtype=np.float64), name)))
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


def _of_tiers(tiers: dict[str, list[Label]], name: str) -> Truth:
    kept = {tier: rows for tier, rows in tiers.items() if any(start is not None for start, _ in rows)}
    if not kept:
        raise InputError("holds no label with a start", source=name)
    for rows in kept.values():
        for start, text in rows:
            if start is not None and not (np.isfinite(start) and start >= 0):
                raise InputError(f"label {text[:40]!r} starts at {start:g} s", source=name)
    return Truth(tiers=kept)


def _points(points: Times, name: str) -> Times:
    """Points float64 (n, 2), n at least 2, finite; raises :class:`InputError` for anything else."""
    if points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 2 or not np.isfinite(points).all():
        raise InputError(f"holds no pairs of times (shape {points.shape})", source=name)
    return points
