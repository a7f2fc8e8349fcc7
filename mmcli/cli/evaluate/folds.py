"""`mmcli evaluate --cv RUN/`: the folds and seeds of a training, gathered."""

from __future__ import annotations

from pathlib import Path

from mmcli.cli import console
from mmcli.cli.evaluate.outputs import cells


def run(folder: Path, output: Path | None, level: float, json: bool) -> None:
    """Gather the runs of a folder and say what came of them; with ``output`` also as a report."""
    from mmcli.artifacts.formats import report as reports
    from mmcli.evaluation.report import folds

    result = folds.gather(folds.load(folder), level)
    console.say(result["verdict"]["text"])
    rows = [
        (name, entry["value"], result["folds"]["spread"][name]["over_folds_sd"], *cells(entry)[1:])
        for name, entry in result["metrics"].items()
    ]
    console.table(str(folder), ["", "mean", "sd over folds", f"{100 * level:g} % interval", "n"], rows)
    if output is not None:
        reports.save(output, result)
    if json:
        console.emit({"schema": "mmcli/evaluate@1", "metrics": result["metrics"], "verdict": result["verdict"]})
