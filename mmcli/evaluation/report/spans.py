"""Spans that were found in recordings next to the true ones: what ``mmcli evaluate SPANS TRUTH`` writes.

Spans are lines as ``mmcli predict --window`` prints them, {"id", "start", "end", "prediction"}, or a table as the truth
is: csv or tsv with onset, offset and event_label (or start, end, label), and filename (or id) where there are several
recordings. TextGrids and subtitles are annotations of one. Recordings go by their names without folder and suffix.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmcli.artifacts.io import provenance
from mmcli.errors import InputError, MismatchError
from mmcli.evaluation.metrics import events
from mmcli.evaluation.metrics.events import Config, Span
from mmcli.media import files, intervals
from mmcli.media.text import decoded

LINES = (".jsonl", ".ndjson")
Of = dict[str, list[Span]]


def evaluate(said: Path, truth: Path, config: Config | None = None) -> dict[str, Any]:
    """The content of a report: metrics, ``per_class``, verdict, notes.

    A recording that only one side names counts as one without spans on the other, and is told. Raises
    :class:`InputError` for files that hold no spans, :class:`MismatchError` where the sides share no recording.
    """
    config = config or Config()
    ours, theirs = read(truth), read(said)
    if len(ours) == len(theirs) == 1 and "" in {*ours, *theirs}:  # one recording, whatever it is called
        theirs = dict(zip(ours, theirs.values(), strict=True))
    notes = []
    if not {*ours} & {*theirs}:
        names = f"{next(iter(theirs), '')!r}, {next(iter(ours), '')!r}"
        hint = "a column filename (or id) in the truth names the recordings"
        raise MismatchError(f"the spans and the truth share no recording ({names})", source=said, hint=hint)
    for title, strange in (("truth", set(theirs) - set(ours)), ("spans", set(ours) - set(theirs))):
        if strange:
            notes.append(f"{len(strange)} recordings are not in the {title}, the first is {min(strange)}")
    metrics, by_label = events.score(ours, theirs, config)
    value = {name: entry["value"] for name, entry in metrics.items()}
    text = (
        "nothing is true"
        if value["event_f1"] is None
        else (
            f"{value['event_recall']:.1%} of {metrics['event_f1']['n']} events found within {config.collar:g} s, "
            f"F1 {value['event_f1']:.3f} by event and {value['segment_f1']:.3f} by segment of {config.segment:g} s"
        )
    )
    facts = {"collar": config.collar, "length": config.length, "segment": config.segment, "offsets": config.offsets}
    return {
        "task": events.TASK,
        "metrics": metrics,
        "per_class": by_label,
        "classes": list(by_label),
        "verdict": {"text": text},
        "items": [],
        "inputs": [provenance.source_of(path) for path in (said, truth)],
        "config": facts,
        "config_sha256": provenance.config_sha256(facts),
        "notes": notes,
    }


def read(path: Path) -> Of:
    """The spans of each recording in a file."""
    if path.suffix.lower() not in LINES:
        return _named(intervals.read_recordings(str(path)).items())
    files.regular(path, "text")
    of: Of = {}
    for number, text in enumerate(decoded(path).splitlines(), start=1):
        if text.strip():
            name, spans = _line(text, f"{path}, line {number}")
            of.setdefault(name, []).extend(spans)
    return _named(of.items())


def _named(of: Iterable[tuple[str, list[Span]]]) -> Of:
    """By the names of recordings without folder and suffix.

    >>> _named([("a/b.wav", []), ("c.d", [])])
    {'b': [], 'c.d': []}
    """
    named: Of = {}
    for name, spans in of:
        path = Path(name)
        known = path.suffix.lower() in (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4", ".mkv", ".webm")
        named.setdefault(path.stem if known else path.name, []).extend(spans)
    return named


def _line(text: str, where: str) -> tuple[str, list[Span]]:
    try:
        line: Mapping[str, Any] = json.loads(text)
        name, start, end = str(line["id"]), float(line["start"]), float(line["end"])
        said = line["prediction"]
    except (ValueError, TypeError, KeyError):
        raise InputError('is no span: {"id", "start", "end", "prediction"}', source=where) from None
    if not isinstance(said, str):
        raise InputError(f"the prediction {said!r} is no label", source=where)
    if not 0 <= start < end < math.inf:
        raise InputError(f"a span runs from {start:g} s to {end:g} s", source=where)
    labels = [label for label in said.split(intervals.SEPARATOR) if label != intervals.NONE]
    return name, [(start, end, label) for label in labels]
