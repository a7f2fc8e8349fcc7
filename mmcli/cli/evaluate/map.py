"""`mmcli evaluate MAP.json TRUTH`: a map next to what is known of its pair."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmcli.cli import console
from mmcli.errors import UsageError

STDIN = Path("-")
NAMES = {
    "mean_s": "mean",
    "median_s": "median",
    "p95_s": "95 % within",
    "max_s": "largest",
    "within_10_ms": "within 10 ms",
    "within_20_ms": "within 20 ms",
    "within_50_ms": "within 50 ms",
    "within_100_ms": "within 100 ms",
    "correct_segments": "correct segments",
    "perceptual": "perceptual",
    "unmapped": "unmapped",
    "coverage": "inside the 90 % interval",
    "width_s": "width of the interval",
}


def is_map(path: Path) -> bool:
    """Whether the first argument is a map and not a model: by its suffix, or its first character."""
    if path == STDIN or path.suffix.lower() == ".json":
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(256).lstrip()[:1] == b"{"


def judge(
    map_: Path, truth: Path | None, query: Path | None, output: Path | None, json: bool, others: Mapping[str, Any]
) -> None:
    """Score, write, print. ``others``: the options of models that were given, which mean nothing here."""
    given = [name for name, value in others.items() if value]
    if given:
        raise UsageError(f"--{given[0]} is for models, {map_.name} is a map")
    if truth is None or output is None:
        raise UsageError("MAP.json, TRUTH and -o REPORT.json are needed")
    from mmcli.artifacts.formats import alignment
    from mmcli.artifacts.formats import report as reports
    from mmcli.artifacts.io import provenance
    from mmcli.evaluation.judge import truth as truths
    from mmcli.evaluation.report import mapping
    from mmcli.media import intervals

    found = alignment.load(map_)
    labels = None if query is None else truths.read(query)
    files = [intervals.parted(str(p))[0] for p in (map_, truth, query) if p not in (None, STDIN)]
    result = mapping.report(
        found, truths.read(truth), query=labels, inputs=[provenance.source_of(path) for path in files]
    )
    words = ["mmcli", "evaluate", map_.name, truth.name, *([] if query is None else ["--query", query.name])]
    result["reproduce"] = shlex.join([*words, "-o", output.name])
    reports.save(output, result)
    rows = [
        (name, _shown(key, result["metrics"][key]), str(result["metrics"][key]["n"]))
        for key, name in NAMES.items()
        if key in result["metrics"]
    ]
    console.table(f"{output}: alignment", ["", "value", "n"], rows)
    console.say(result["verdict"]["text"])
    for note in result["notes"]:
        console.warn(f"note: {note}")
    if json:
        summary = {"output": str(output), "metrics": result["metrics"], "verdict": result["verdict"]}
        console.emit({"schema": "mmcli/evaluate@1", **summary})


def _shown(key: str, entry: Mapping[str, Any]) -> str:
    value = entry["value"]
    if key.endswith("_s"):
        return f"{1000 * value:.1f} ms"
    return f"{value:.3f}" if key == "perceptual" else f"{100 * value:.1f} %"
