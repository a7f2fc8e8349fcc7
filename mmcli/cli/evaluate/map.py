"""`mmcli evaluate MAP.json TRUTH`: a map next to what is known of its pair."""

from __future__ import annotations

import shlex
from pathlib import Path

from mmcli.cli import console
from mmcli.cli.evaluate import outputs

STDIN = Path("-")


def is_map(path: Path) -> bool:
    """Whether the first argument is a map and not a model: by its suffix, or its first character."""
    if path == STDIN or path.suffix.lower() == ".json":
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(256).lstrip()[:1] == b"{"


def run(map_: Path, truth: Path, query: Path | None, output: Path, json: bool) -> None:
    """Score, write, print."""
    from mmcli.artifacts.formats import report as reports
    from mmcli.evaluation.metrics import tasks
    from mmcli.evaluation.report import mapping

    result = mapping.evaluate(map_, truth, query)
    words = ["mmcli", "evaluate", map_.name, truth.name, *([] if query is None else ["--query", query.name])]
    result["reproduce"] = shlex.join([*words, "-o", output.name])
    reports.save(output, result)
    metrics = result["metrics"]
    rows = [
        (figure.title, figure.text(metrics[figure.name]["value"]), str(metrics[figure.name]["n"]))
        for figure in tasks.shown(result["task"])
        if figure.name in metrics
    ]
    console.table(f"{output}: alignment", ["", "value", "n"], rows)
    outputs.tell(output, result, json)
