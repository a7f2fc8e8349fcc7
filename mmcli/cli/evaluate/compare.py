"""`mmcli evaluate --compare A.json B.json`: two reports on the same items, in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.cli import console

if TYPE_CHECKING:
    from mmcli.evaluation.intervals.interval import Config


def run(pair: tuple[Path, Path], output: Path | None, intervals: Config, json: bool) -> None:
    """Compare and say it; with ``output`` also a report of the comparison."""
    from mmcli.artifacts.formats import report as reports
    from mmcli.evaluation.report import comparing

    names = (pair[0].name, pair[1].name) if pair[0].name != pair[1].name else (str(pair[0]), str(pair[1]))
    result = comparing.compare(reports.load(pair[0]), reports.load(pair[1]), intervals, names)
    console.say(result["verdict"]["text"])
    if output is not None:
        reports.save(output, result)
    if json:
        console.emit({"schema": "mmcli/evaluate@1", "compare": result["compare"], "verdict": result["verdict"]})
