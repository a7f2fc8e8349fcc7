"""How well labelled spans of time were found: by segment and by event, as detection of sound events is scored.

By segment: the time is cut into equal parts, and a label counts as active in every part that one of its spans touches.
By event: a span is found where one of the same label begins within the collar of its onset and, where ends count, ends
within the collar of its offset or a share of its length, whichever is longer; each span is matched once, so that as
many as possible are. Error rates count substitutions, deletions and insertions over what is true and can exceed one.

Reference: A. Mesaros, T. Heittola and T. Virtanen, "Metrics for polyphonic sound event detection", Applied Sciences 6,
2016. Values agree to 1e-9 with sed_eval 0.2.1, its matching "optimal" and its handling of empty output "zero_score";
counts are summed over recordings. An error rate over nothing, of a label that is never true, is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import UsageError
from mmcli.evaluation.metrics.figure import Figure

Span = tuple[float, float, str]  # onset and offset in seconds, label
TASK = "events"
MOST_CELLS = 1 << 27  # labels x segments of one recording


@dataclass(frozen=True)
class Config:
    """How spans are compared. The defaults are those of sed_eval and of the DCASE challenges."""

    collar: float = 0.2  # seconds by which an onset or offset may be off
    length: float = 0.5  # share of a span's length by which its offset may be off, where that is more than the collar
    segment: float = 1.0  # seconds
    offsets: bool = True  # whether ends count

    def __post_init__(self) -> None:
        if not (self.collar >= 0 and self.length >= 0 and self.segment > 0):
            raise UsageError("collar and length must be 0 or more, and segment above 0")


@dataclass
class Counts:
    """What was true, what was said, and what agrees; one of these a label, and one of all."""

    true: int = 0
    said: int = 0
    right: int = 0
    substituted: int = 0
    deleted: int = 0
    inserted: int = 0

    def add(self, other: Counts) -> None:
        """Sum up, in place."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def precision(self) -> float:
        """NaN where nothing was said."""
        return self.right / self.said if self.said else math.nan

    @property
    def recall(self) -> float:
        """NaN where nothing is true."""
        return self.right / self.true if self.true else math.nan

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where something is true and nothing was said, NaN where nothing is true."""
        return 2.0 * self.right / (self.true + self.said) if self.true else math.nan

    @property
    def error_rate(self) -> float:
        """Substitutions, deletions and insertions over what is true; NaN where nothing is."""
        return (self.substituted + self.deleted + self.inserted) / self.true if self.true else math.nan


@dataclass
class Scored:
    """Counts of all labels together, and of each."""

    whole: Counts = field(default_factory=Counts)
    by_label: dict[str, Counts] = field(default_factory=dict)

    def mean(self, figure: str) -> float:
        """Mean of a figure over the labels that have one."""
        values = [getattr(counts, figure) for counts in self.by_label.values()]
        known = [value for value in values if math.isfinite(value)]
        return float(np.mean(known)) if known else math.nan


def by_segment(
    true: Mapping[str, Sequence[Span]], said: Mapping[str, Sequence[Span]], segment: float, labels: Sequence[str]
) -> Scored:
    """Scores of recordings by their names; one that only one side knows has no spans on the other.

    A recording ends with its last span. Raises :class:`UsageError` where it has too many segments to hold.
    """
    scored = Scored(by_label={label: Counts() for label in labels})
    for name in dict.fromkeys([*true, *said]):
        ours, theirs = true.get(name, ()), said.get(name, ())
        count = max((math.ceil(end * 1 / segment) for _, end, _ in (*ours, *theirs)), default=0)
        if count * len(labels) > MOST_CELLS:
            raise UsageError(f"{name}: {count:,} segments of {segment:g} s and {len(labels)} labels are too many")
        a, b = _active(ours, segment, count, labels), _active(theirs, segment, count, labels)
        right, true_at, said_at = (a & b).sum(0), a.sum(0), b.sum(0)
        missed, extra = true_at - right, said_at - right
        whole = Counts(int(true_at.sum()), int(said_at.sum()), int(right.sum()))
        whole.substituted = int(np.minimum(missed, extra).sum())
        whole.deleted = int(np.maximum(missed - extra, 0).sum())
        whole.inserted = int(np.maximum(extra - missed, 0).sum())
        scored.whole.add(whole)
        for number, label in enumerate(labels):
            row, column = a[number], b[number]
            hits = int((row & column).sum())
            n_true, n_said = int(row.sum()), int(column.sum())
            scored.by_label[label].add(Counts(n_true, n_said, hits, 0, n_true - hits, n_said - hits))
    return scored


def _active(spans: Sequence[Span], segment: float, count: int, labels: Sequence[str]) -> NDArray[np.bool_]:
    place = {label: number for number, label in enumerate(labels)}
    active = np.zeros((len(labels), count), bool)
    for start, end, label in spans:
        active[place[label], math.floor(start * 1 / segment) : math.ceil(end * 1 / segment)] = True
    return active


def by_event(
    true: Mapping[str, Sequence[Span]], said: Mapping[str, Sequence[Span]], config: Config, labels: Sequence[str]
) -> Scored:
    """Scores of recordings by their names, event by event."""
    scored = Scored(by_label={label: Counts() for label in labels})
    for name in dict.fromkeys([*true, *said]):
        ours, theirs = list(true.get(name, ())), list(said.get(name, ()))
        near = _near(ours, theirs, config)
        same = np.array([[a[2] == b[2] for b in theirs] for a in ours], bool).reshape(len(ours), len(theirs))
        pairs = matched(near & same)
        whole = Counts(len(ours), len(theirs), len(pairs))
        whole.substituted = _substituted(near, pairs)
        whole.deleted = len(ours) - len(pairs) - whole.substituted
        whole.inserted = len(theirs) - len(pairs) - whole.substituted
        scored.whole.add(whole)
        for label in labels:  # pairs are of one label, so the largest matching is the sum of those of the labels
            n_true, n_said = (sum(span[2] == label for span in spans) for spans in (ours, theirs))
            hits = sum(ours[i][2] == label for i in pairs)
            scored.by_label[label].add(Counts(n_true, n_said, hits, 0, n_true - hits, n_said - hits))
    return scored


def _near(ours: Sequence[Span], theirs: Sequence[Span], config: Config) -> NDArray[np.bool_]:
    """Which could be which by their times alone, bool ``(true, said)``."""
    a = np.array([span[:2] for span in ours], float).reshape(-1, 2)[:, None]
    b = np.array([span[:2] for span in theirs], float).reshape(-1, 2)[None]
    near: NDArray[np.bool_] = np.abs(a[..., 0] - b[..., 0]) <= config.collar
    if config.offsets:
        near = near & (
            np.abs(a[..., 1] - b[..., 1]) <= np.maximum(config.collar, config.length * (a[..., 1] - a[..., 0]))
        )
    return near


def _substituted(near: NDArray[np.bool_], pairs: Mapping[int, int]) -> int:
    """Spans that were found under another label: of those left over each with the first that is near it."""
    left = [j for j in range(near.shape[1]) if j not in set(pairs.values())]
    count = 0
    for i in range(near.shape[0]):
        if i in pairs:
            continue
        other = next((j for j in left if near[i, j]), None)
        if other is not None:
            left.remove(other)
            count += 1
    return count


def matched(possible: NDArray[np.bool_]) -> dict[int, int]:
    """A largest set of pairs of a bool ``(rows, columns)``: the column of each row that has one.

    Columns choose the first free row, then shortest augmenting paths (J. Hopcroft and R. Karp, SIAM J. Comput. 2,
    1973).

    >>> matched(np.array([[True, True], [True, False]]))
    {0: 1, 1: 0}
    """
    options = {int(j): np.flatnonzero(possible[:, j]).tolist() for j in np.flatnonzero(possible.any(axis=0))}
    row_of: dict[int, int] = {}
    column_of: dict[int, int] = {}
    for j, rows in options.items():
        free = next((i for i in rows if i not in column_of), None)
        if free is not None:
            row_of[j], column_of[free] = free, j
    while True:
        layer = {j: 0 for j in options if j not in row_of}
        queue, reached = list(layer), False
        for j in queue:
            for i in options[j]:
                owner = column_of.get(i)
                if owner is None:
                    reached = True
                elif owner not in layer:
                    layer[owner] = layer[j] + 1
                    queue.append(owner)
        if not reached:
            return dict(sorted(column_of.items()))
        for j in [j for j, depth in layer.items() if depth == 0]:
            _augment(j, options, layer, row_of, column_of)


def _augment(
    start: int, options: dict[int, list[int]], layer: dict[int, int], row_of: dict[int, int], column_of: dict[int, int]
) -> None:
    """Follow one shortest path from an unmatched column to a free row and turn its pairs over, in place."""
    path: list[tuple[int, Any]] = [(start, iter(options[start]))]
    taken: list[int] = []
    while path:
        j, rows = path[-1]
        for i in rows:
            owner = column_of.get(i)
            if owner is None:
                for column, row in zip([column for column, _ in path], [*taken, i], strict=True):
                    row_of[column], column_of[row] = row, column
                return
            if layer.get(owner) == layer[j] + 1:
                taken.append(i)
                path.append((owner, iter(options[owner])))
                break
        else:
            layer.pop(j)  # no way from here; nobody need try it again
            path.pop()
            if taken:
                taken.pop()


def _of_all(kind: str, figure: str) -> Any:
    return lambda scored: getattr(scored[kind].whole, figure)


def _macro(kind: str) -> Any:
    return lambda scored: scored[kind].mean("f1")


NAMES = (("f1", "F1"), ("precision", "precision"), ("recall", "recall"), ("error_rate", "error rate"))
KINDS = ("event", "segment")
FIGURES = (
    *(Figure(f"{k}_{f}", f"{title}, by {k}", _of_all(k, f), shown=True) for k in KINDS for f, title in NAMES),
    *(Figure(f"{k}_f1_macro", f"F1 macro, by {k}", _macro(k), shown=True) for k in KINDS),
)
PRIMARY = "event_f1"


def score(
    true: Mapping[str, Sequence[Span]], said: Mapping[str, Sequence[Span]], config: Config
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Every figure ``{name: {value, n}}``, and by label ``{label: {event_f1, segment_f1, true, said, ...}}``.

    ``true`` and ``said`` hold the spans of each recording.
    """
    spans = [span for side in (true, said) for rows in side.values() for span in rows]
    labels = sorted({label for _, _, label in spans})
    scored = {"event": by_event(true, said, config, labels), "segment": by_segment(true, said, config.segment, labels)}
    count = {kind: one.whole.true for kind, one in scored.items()}
    metrics = {}
    for figure in FIGURES:
        value = float(figure.value(scored))
        kind = figure.name.partition("_")[0]
        metrics[figure.name] = {"value": value if math.isfinite(value) else None, "n": count[kind]}
    by_label: dict[str, dict[str, Any]] = {}
    for label in labels:
        row: dict[str, Any] = {}
        for kind, one in scored.items():
            counts = one.by_label[label]
            figures = {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall}
            for name, value in (figures | {"error_rate": counts.error_rate}).items():
                row[f"{kind}_{name}"] = value if math.isfinite(value) else None
            row |= {f"{kind}_true": counts.true, f"{kind}_said": counts.said}
        by_label[label] = row
    return metrics, by_label
