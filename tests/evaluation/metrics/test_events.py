"""Spans are scored as sed_eval scores them, and a largest matching is one."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from mmcli.errors import UsageError
from mmcli.evaluation.metrics import events
from mmcli.evaluation.metrics.events import Config

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "events" / "sed_eval.json"
NAMES = {"f_measure": "f1", "precision": "precision", "recall": "recall", "error_rate": "error_rate"}


def sides(case):
    """The true spans and the others, by recording."""
    return [{name: [tuple(span) for span in pair[side]] for name, pair in case["files"].items()} for side in (0, 1)]


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text()))
def test_scores_are_those_of_sed_eval(case):
    config = Config(segment=case["segment"], offsets=case["offsets"])
    metrics, by_label = events.score(*sides(case), config)
    for kind in ("segment", "event"):
        theirs = case[f"by_{kind}"]
        for name, ours in (NAMES | {"f1_macro": "f1_macro"}).items():
            assert metrics[f"{kind}_{ours}"]["value"] == pytest.approx(theirs[name], abs=1e-9), (kind, name)
        for label, (f1, error_rate) in theirs["labels"].items():
            assert by_label[label][f"{kind}_f1"] == pytest.approx(f1, abs=1e-9)
            assert by_label[label][f"{kind}_error_rate"] == pytest.approx(error_rate, abs=1e-9)


def largest(possible):
    """The size of a largest matching, by trying everything."""
    rows, columns = possible.shape
    if rows > columns:
        return largest(possible.T)
    return max(sum(possible[i, j] for i, j in enumerate(p)) for p in itertools.permutations(range(columns), rows))


def test_as_many_pairs_as_can_be_are_matched():
    rng = np.random.default_rng(3)
    for _ in range(200):
        shape = rng.integers(1, 6, 2)
        possible = rng.random(shape) < rng.uniform(0.1, 0.8)
        pairs = events.matched(possible)
        assert all(possible[i, j] for i, j in pairs.items())
        assert len(set(pairs.values())) == len(pairs) == largest(possible)


def by_hand(true, said, segment, labels):
    """Segments one after another, in plain loops: what is active where, and what agrees."""
    end = max(e for _, e, _ in [*true, *said])
    hits = missed = extra = 0
    for k in range(int(np.ceil(end / segment))):
        for label in labels:
            a, b = (
                any(s < (k + 1) * segment - 1e-9 and e > k * segment + 1e-9 for s, e, name in side if name == label)
                for side in (true, said)
            )
            hits, missed, extra = hits + (a and b), missed + (a and not b), extra + (b and not a)
    return 2 * hits / (2 * hits + missed + extra)


def test_segments_counted_by_hand():
    rng = np.random.default_rng(1)
    labels = ["a", "b"]
    for _ in range(20):
        true, said = (
            [(s, s + 0.25 * int(rng.integers(1, 9)), str(rng.choice(labels))) for s in rng.integers(0, 40, 5) / 4.0]
            for _ in range(2)
        )
        metrics, _ = events.score({"x": true}, {"x": said}, Config(segment=0.5))
        assert metrics["segment_f1"]["value"] == pytest.approx(by_hand(true, said, 0.5, labels), abs=1e-12)


def test_nothing_said_is_no_success_and_nothing_true_no_failure():
    metrics, _ = events.score({"x": [(0.0, 1.0, "a")]}, {}, Config())
    assert metrics["event_f1"]["value"] == 0.0
    assert metrics["event_error_rate"]["value"] == 1.0
    metrics, by_label = events.score({"x": [(0.0, 1.0, "a")]}, {"y": [(0.0, 1.0, "b")]}, Config())
    assert by_label["b"]["event_f1"] is None
    assert metrics["event_f1_macro"]["value"] == 0.0
    assert metrics["event_error_rate"]["value"] == 2.0  # one missed, one too many, in different recordings


def test_segments_beyond_memory_are_refused():
    with pytest.raises(UsageError, match="too many"):
        events.score({"x": [(0.0, 1e9, "a")]}, {}, Config(segment=0.001))
