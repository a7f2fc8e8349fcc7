"""The report of a map next to the truth about its pair: what ``mmcli evaluate MAP TRUTH`` writes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmcli.artifacts.formats.alignment import Alignment
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.artifacts.io import provenance
from mmcli.errors import MismatchError, UsageError
from mmcli.evaluation.judge.truth import Label, Truth
from mmcli.evaluation.metrics import alignment as metrics

TASK = "alignment"
KINDS = ("word", "line")
LEAST_SHARED = 0.5  # of the labels of a tier that a text has to share with it to be judged by it


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


def _at_points(
    alignment: Alignment, points: metrics.Times, texts: list[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
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
