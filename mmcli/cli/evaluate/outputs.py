"""Where a report goes: its file, the table of predictions, the page, the pictures, and the object of ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmcli.cli import console
from mmcli.errors import UsageError


@dataclass(frozen=True)
class Outputs:
    """What is to be written of a report."""

    report: Path
    plot: Path | None = None  # a picture, or a folder for all
    predictions: Path | None = None
    html: Path | None = None
    media: Path | None = None  # the manifest whose pictures and sounds the page shows
    json: bool = False

    def check(self) -> None:
        """What is wrong with the targets is said before the work and not after it."""
        from mmcli.artifacts.formats import manifest
        from mmcli.evaluation.report import plots

        if self.media is not None:
            if self.html is None:
                raise UsageError("--media is for the page", hint="name it: --html REPORT.html")
            manifest.load(self.media)
        if self.plot is not None:
            plots.is_file(self.plot)

    def write(self, result: dict[str, Any], table: tuple[list[str], list[list[object]]]) -> Sequence[Path]:
        """Write all of it; ``table`` holds the predictions. Returns the pictures."""
        from mmcli.artifacts.formats import manifest
        from mmcli.artifacts.formats import report as reports
        from mmcli.artifacts.io import atomic, csvfile
        from mmcli.evaluation.report import media, page, plots

        reports.save(self.report, result)
        if self.predictions is not None:
            csvfile.write(self.predictions, *table)
        if self.html is not None:
            read = reports.load(self.report) if str(self.report) != console.STDOUT else result
            listed = None if self.media is None else manifest.load(self.media)
            shown, left_out = ({}, []) if listed is None else media.gather(listed, read)
            small = {} if listed is None else media.thumbnails(listed, read)
            for line in left_out:
                console.warn(f"not shown: {line}")
            atomic.write_text(self.html, page.render(read, shown, small))
        return [] if self.plot is None else plots.save(result, self.plot)

    def tell(self, result: dict[str, Any], pictures: Sequence[Path]) -> None:
        """Name the pictures, and give the main figures on standard output where they are asked for."""
        for path in pictures:
            console.note(f"drawn: {path}")
        if self.json:
            console.emit(
                {
                    "schema": "mmcli/evaluate@1",
                    "output": str(self.report),
                    "split": result["split"],
                    "items": len(result["items"]),
                    "metrics": result["metrics"],
                    "verdict": result["verdict"],
                    "clean": result["integrity"]["clean"],
                }
            )


def cells(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Value, interval and n of a figure, as they stand in a table on the terminal."""
    value = "-" if entry["value"] is None else f"{entry['value']:.3f}"
    bounds = entry["interval"]
    return value, "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}", str(entry["n"])


def rows(result: dict[str, Any], way: str = "") -> list[tuple[str, str, str, str]]:
    """Name, value, interval and n of the figures shown; of a search those of one ``way``."""
    from mmcli.evaluation.metrics import tasks

    metrics, before = result["metrics"], f"{way}/" if way else ""
    names = [figure.name for figure in tasks.shown(result["task"]) if before + figure.name in metrics]
    return [(name, *cells(metrics[before + name])) for name in names]


def level(result: dict[str, Any]) -> str:
    """The head of the column of intervals."""
    return f"{100 * result['config']['intervals']['level']:g} % interval"


def tell(output: Path, result: dict[str, Any], json: bool) -> None:
    """What a report of a map or of spans ends with: its verdict, its notes, and the object of ``--json``."""
    console.say(result["verdict"]["text"])
    for note in result["notes"]:
        console.warn(f"note: {note}")
    if json:
        summary = {"output": str(output), "metrics": result["metrics"], "verdict": result["verdict"]}
        console.emit({"schema": "mmcli/evaluate@1", **summary})
