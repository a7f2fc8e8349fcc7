"""Write what sed_eval says of made-up recordings: spans, and its scores by segment and by event.

    PYTHON_WITH_SED_EVAL tests/golden/events/make_golden.py     # sed_eval 0.2.1

Needs an environment of its own with sed_eval, which is no dependency of the tests. Scores over nothing are null.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dcase_util
import numpy as np
import sed_eval

HERE = Path(__file__).resolve().parent
CASES = 24
Span = tuple[float, float, str]


def spans(rng: np.random.Generator, count: int, seconds: float, labels: list[str]) -> list[Span]:
    """Random ones; where ``seconds`` are few they overlap."""
    made = []
    for _ in range(count):
        start = round(float(rng.uniform(0, seconds)), int(rng.integers(1, 4)))
        made.append((start, round(start + float(rng.uniform(0.05, 3)), 3), str(rng.choice(labels))))
    return made


def moved(rng: np.random.Generator, true: list[Span], labels: list[str]) -> list[Span]:
    """As a detector would say them: some missed, all a little off, some under another label."""
    made = []
    for a, b, label in true:
        if rng.random() < 0.85:
            start = max(0.0, round(a + float(rng.normal(0, 0.15)), 3))
            end = max(start + 0.01, round(b + 0.3 + float(rng.normal(0, 0.2)), 3))
            made.append((start, end, label if rng.random() < 0.8 else str(rng.choice(labels))))
    return made


def scores(metric: Any, labels: list[str]) -> dict[str, Any]:
    """Those that we have too."""
    whole, classes = metric.results_overall_metrics(), metric.results_class_wise_average_metrics()
    each = {
        label: [metric.class_wise_f_measure(label)["f_measure"], metric.class_wise_error_rate(label)["error_rate"]]
        for label in labels
    }
    return whole["f_measure"] | {
        "error_rate": whole["error_rate"]["error_rate"],
        "f1_macro": classes["f_measure"]["f_measure"],
        "labels": each,
    }


def case(rng: np.random.Generator, number: int) -> dict[str, Any]:
    """Some recordings with both sides and the scores of all of them."""
    labels = [f"l{i}" for i in range(int(rng.integers(1, 4)))]
    files = {}
    for f in range(int(rng.integers(1, 4))):
        seconds = 3.0 if number % 3 == 0 else 12.0
        true = spans(rng, int(rng.integers(1, 9)), seconds, labels)
        files[f"f{f}.wav"] = (true, moved(rng, true, labels) + spans(rng, int(rng.integers(0, 4)), seconds, labels))
    used = sorted({label for pair in files.values() for side in pair for *_, label in side})
    segment, offsets = float(rng.choice([1.0, 0.5, 0.1])), bool(rng.random() < 0.7)
    by_segment = sed_eval.sound_event.SegmentBasedMetrics(used, time_resolution=segment)
    by_event = sed_eval.sound_event.EventBasedMetrics(used, evaluate_offset=offsets, event_matching_type="optimal")
    for metric in (by_segment, by_event):
        metric.empty_system_output_handling = "zero_score"
        for name, sides in files.items():
            lists = [
                dcase_util.containers.MetaDataContainer(
                    [{"filename": name, "onset": a, "offset": b, "event_label": label} for a, b, label in side]
                )
                for side in sides
            ]
            metric.evaluate(*lists)
    own = {"segment": scores(by_segment, used), "event": scores(by_event, used)}
    return {"segment": segment, "offsets": offsets, "files": files} | {f"by_{k}": known(v) for k, v in own.items()}


def known(value: Any) -> Any:
    """NaN, and errors over nothing (sed_eval divides by 2e-16), as None."""
    if isinstance(value, dict):
        return {k: known(v) for k, v in value.items()}
    if isinstance(value, list):
        return [known(v) for v in value]
    return float(value) if np.isfinite(value) and value < 1e9 else None


if __name__ == "__main__":
    generator = np.random.default_rng(0)
    lines = ",\n".join(json.dumps(case(generator, number)) for number in range(CASES))
    (HERE / "sed_eval.json").write_text(f"[\n{lines}\n]\n")
