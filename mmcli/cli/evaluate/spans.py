"""`mmcli evaluate SPANS TRUTH`: spans in recordings next to the true ones."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mmcli.cli import console
from mmcli.cli import options as the_options
from mmcli.cli.evaluate import outputs

if TYPE_CHECKING:
    from mmcli.evaluation.metrics.events import Config

SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv")


def is_spans(path: Path) -> bool:
    """Whether the first argument is a file of spans and not a model, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def configured(assignments: list[str] | None) -> Config:
    """How spans are compared, of ``--set events.FIELD=VALUE``."""
    from mmcli.evaluation.metrics.events import Config

    assigned = the_options.split(assignments)
    the_options.refuse_unused(assigned, ["events"])
    return the_options.configure(Config, assigned.get("events") or {}, "events")


def run(said: Path, truth: Path, config: Config, output: Path, json: bool) -> None:
    """Score, write, print."""
    from mmcli.artifacts.formats import report as reports
    from mmcli.evaluation.metrics import tasks
    from mmcli.evaluation.report import spans

    result = spans.evaluate(said, truth, config)
    changed = [
        f"events.{name}={value}" for name, value in vars(config).items() if value != getattr(type(config)(), name)
    ]
    words = ["mmcli", "evaluate", said.name, truth.name, "-o", output.name]
    result["reproduce"] = shlex.join([*words, *(word for setting in changed for word in ("--set", setting))])
    reports.save(output, result)
    metrics = result["metrics"]
    rows = [
        (figure.title, "-" if metrics[figure.name]["value"] is None else figure.text(metrics[figure.name]["value"]))
        for figure in tasks.shown(result["task"])
    ]
    console.table(f"{output}: {metrics['event_f1']['n']} events", ["", "value"], rows)
    outputs.tell(output, result, json)
