"""Two reports on the same items: which is better, by how much, and whether that is more than chance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MismatchError
from mmcli.evaluation.intervals import interval
from mmcli.evaluation.judge import verdict
from mmcli.evaluation.metrics import tasks

Array = NDArray[np.float64]


def compare(
    first: dict[str, Any],
    second: dict[str, Any],
    config: interval.Config | None = None,
    names: tuple[str, str] = ("A", "B"),
) -> dict[str, Any]:
    """A report whose ``compare`` holds the paired difference of the primary figure, first minus second, and whose
    ``verdict`` says it in words.

    Raises :class:`MismatchError` where the reports share no items, or disagree on their task or an item's label.
    """
    config = config or interval.Config()
    if first.get("task") == second.get("task") == "alignment":
        raise MismatchError("reports of maps hold no items that two models answered", hint="--compare is for models")
    if first.get("task") != second.get("task") or first.get("task") not in tasks.PRIMARY:
        kinds = [report.get("task") or "several runs" for report in (first, second)]
        raise MismatchError(f"one report is for {kinds[0]}, the other for {kinds[1]}")
    task = str(first["task"])
    others = {item["id"]: item for item in second.get("items", [])}
    pairs = [(item, others[item["id"]]) for item in first.get("items", []) if item["id"] in others]
    if not pairs:
        raise MismatchError("the two reports share no items")
    for a, b in pairs:
        if a["label"] != b["label"]:
            raise MismatchError(
                f"item {a['id']!r} has the label {a['label']!r} in one report, {b['label']!r} in the other"
            )
    if task == tasks.RETRIEVAL:
        _same_search(first, second)
    groups = [a["group"] for a, _ in pairs]
    comparison = verdict.paired(
        np.array([gain(a, task) for a, _ in pairs]),
        np.array([gain(b, task) for _, b in pairs]),
        task,
        groups=None if any(group is None for group in groups) else groups,
        config=config,
    )
    comparison |= {"first": names[0], "second": names[1], "primary": tasks.PRIMARY[task]}
    comparison |= {"only_in_first": len(first["items"]) - len(pairs), "only_in_second": len(others) - len(pairs)}
    return {
        "task": task,
        "metrics": {
            "difference": {key: comparison[key] for key in ("interval", "n", "method")}
            | {"value": comparison["difference"]}
        },
        "compare": comparison,
        "verdict": {"text": sentence(comparison, task, config.level), "compared": True},
        "config": {"intervals": {"level": config.level, "resamples": config.resamples, "seed": config.seed}},
    }


def _same_search(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Refuse ranks among other candidates, or of another question."""
    asked = [{key: report["config"][key] for key in ("retrieve", "relevant")} for report in (first, second)]
    if asked[0] != asked[1]:
        told = [f"{','.join(a['retrieve'])} by {a['relevant']}" for a in asked]
        raise MismatchError(f"one report searches {told[0]}, the other {told[1]}")
    ids = [{item["id"] for item in report["items"]} for report in (first, second)]
    if ids[0] != ids[1]:
        counts = " and ".join(str(len(each)) for each in ids)
        raise MismatchError(f"the reports search among other items ({counts}): their ranks are of different questions")


def gain(item: dict[str, Any], task: str) -> float:
    """What a report's item adds to the primary figure, larger is better.

    >>> gain({"label": ["a", "b"], "prediction": ["b"]}, "multilabel")
    0.6666666666666666
    """
    if task == tasks.RETRIEVAL:
        return 1.0 - float(item["loss"])
    label, prediction = item["label"], item["prediction"]
    if task == "classify":
        return float(label == prediction)
    if task == "regress":
        return -abs(float(prediction) - float(label))
    size = len(label) + len(prediction)
    return 2 * len(set(label) & set(prediction)) / size if size else 0.0


def sentence(comparison: dict[str, Any], task: str, level: float) -> str:
    """The comparison in plain words."""
    low, high = comparison["interval"] or (-np.inf, np.inf)
    better = comparison["first"] if low > 0 else comparison["second"] if high < 0 else None
    opening = (
        f"{better} is better"
        if better
        else f"No difference between {comparison['first']} and {comparison['second']} is shown"
    )
    scale, unit = (1.0, "") if task in ("regress", tasks.RETRIEVAL) else (100.0, " points")
    words = tasks.primary(task).words
    text = f"{opening}: {words} {comparison['ours']:.4g} and {comparison['theirs']:.4g}"
    text += f", difference {scale * comparison['difference']:+.3g}{unit}"
    if comparison["interval"]:
        text += f" ({100 * level:g} % interval {scale * low:+.3g} to {scale * high:+.3g})"
    if "p_mcnemar" in comparison:
        text += f", McNemar p {verdict.chance(comparison['p_mcnemar'])}"
    return f"{text}, {comparison['n']} items."
